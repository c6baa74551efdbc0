"""Recording numbers over a death: one that has no file yet is not taken, or an audit would miss it (invariant 9)."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from device.spool import Counters, Spool


def switched_on(directory: Path) -> Spool:
    """The spool as a start finds it."""
    (directory / "state").mkdir(exist_ok=True)
    spool = Spool(directory / "spool", directory / "state", "SIM-0001")
    spool.load()
    return spool


@pytest.mark.requirement("R38")
def test_numbers_of_recordings_that_wait_for_a_slow_writer_are_free_again_after_a_death(tmp_path: Path) -> None:
    spool = switched_on(tmp_path)
    waiting = [spool.take_recording_number() for _ in range(3)]
    assert waiting == [1, 2, 3]
    (tmp_path / "spool" / "SIM-0001-000001.evidence").write_bytes(b"")
    spool.save_counters(begun=1)  # the first one's `open` is durable; the others wait behind the writer
    spool.save_counters()  # as at the end of a log segment
    assert switched_on(tmp_path).take_recording_number() == 2, "no hole"


@pytest.mark.requirement("R38")
def test_a_number_that_had_its_file_is_never_used_again_though_the_file_went(tmp_path: Path) -> None:
    spool = switched_on(tmp_path)
    for number in (1, 2):
        assert spool.take_recording_number() == number
        spool.save_counters(begun=number)
    again = switched_on(tmp_path)
    assert again.take_recording_number() == 3
    again.save_counters()
    kept = msgspec.json.decode((tmp_path / "state" / "counters.json").read_bytes(), type=Counters)
    assert kept.next_recording == 3, "it was taken, and nothing of it is on the card"
