"""A crash between a recording's `close` and the log's word about it: the next boot says it (invariant 9)."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from device.device_log import DeviceLog
from device.spool import Spool
from evidence.durable import AppendFile
from evidence.evidence_file import EvidenceWriter
from evidence.keys import FileSigner, load_certificates
from evidence.sealed import Recipient
from evidence.statements import CameraFacts, ProfileRef, Source, Stamp, Utc, moment

COMMON: dict[str, Any] = {
    "camera": CameraFacts(model="m", firmware="1", firmware_sha256="0" * 64),
    "sources": (Source(role="camera", driver="d", sensor="s", kind="simulated"),),
    "profile": ProfileRef(name="p", version=1, sha256="0" * 64),
    "retention_class": "standard",
    "station_nonce": None,
}


def stamp() -> Stamp:
    at_ns = time.time_ns()
    claim = Utc(earliest=moment(at_ns - 10**7), latest=moment(at_ns + 10**7), source="ntp")
    return Stamp(boot="00000000-0000-4000-8000-000000000001", mono_ns=time.monotonic_ns(), utc=claim)


def spool_with(pki: Path, directory: Path, *segments: list[tuple[str, int]]) -> Spool:
    """A card with two closed recordings and closed log segments of these events."""
    signer = FileSigner.load(pki / "camera.key", pki / "camera.pem")
    recipients = (Recipient.of(load_certificates(pki / "vault.pem")[0]),)
    (directory / "spool").mkdir(parents=True)
    for number in (1, 2):
        file = AppendFile.create(directory / "spool" / f"SIM-0001-{number:06d}.evidence")
        writer = EvidenceWriter(file, signer, recipients, stamp, serial="SIM-0001", stream="recording", number=number)
        writer.open(**COMMON, upload_class="normal", hold=False)
        writer.close("record_button")
        writer.commit()
    log = DeviceLog(
        directory / "spool", "SIM-0001", signer, recipients, stamp,
        next_segment=1, previous=None, on_closed=lambda number, facts: None,
    )  # fmt: skip
    log.open_fields = lambda: COMMON
    for log_events in segments:
        for event, recording in log_events:
            log.event(event, recording=recording)
        log.close("docked").commit()
    return Spool(directory / "spool", directory / "state", "SIM-0001")


def unlogged(spool: Spool) -> list[int]:
    assert spool.load() == []
    assert spool.read_closed() == []
    return [known.number for known in spool.closed_but_unlogged()]


@pytest.mark.requirement("R38")
def test_a_closed_recording_that_the_log_only_begins_is_found(pki: Path, tmp_path: Path) -> None:
    events = [("recording_opened", 1), ("recording_closed", 1), ("recording_opened", 2)]
    assert unlogged(spool_with(pki, tmp_path, events)) == [2]


def test_a_recording_whose_end_is_logged_is_not_logged_again(pki: Path, tmp_path: Path) -> None:
    events = [("recording_opened", 1), ("recording_closed", 1), ("recording_opened", 2), ("recording_recovered", 2)]
    assert unlogged(spool_with(pki, tmp_path, events)) == []


@pytest.mark.requirement("R38")
def test_lives_that_ended_before_they_could_say_it_do_not_hide_it(pki: Path, tmp_path: Path) -> None:
    """Found by the kill bench: a life recovers a recording and dies before the log says so, and so do the next ones."""
    short_lives = [[("boot", 0)]] * 5
    begun, ended = [("recording_closed", 1), ("recording_opened", 2)], [("recording_recovered", 2)]
    assert unlogged(spool_with(pki, tmp_path / "told", begun, *short_lives)) == [2]
    assert unlogged(spool_with(pki, tmp_path / "ended", begun, ended, *short_lives)) == []


@pytest.mark.requirement("R38")
def test_a_recording_whose_beginning_never_came_into_the_log_is_found_too(pki: Path, tmp_path: Path) -> None:
    """Found by the kill bench: killed before the log said that it began, and again before it said how it ended."""
    first = [("recording_opened", 1), ("recording_closed", 1)]
    assert unlogged(spool_with(pki, tmp_path / "after", first, [("boot", 0)])) == [2]
    assert unlogged(spool_with(pki, tmp_path / "alone", [("boot", 0)])) == [1, 2], "this is all of the log"


def test_of_a_long_log_only_its_end_is_read(pki: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("device.log_endings.LOOK_BACK_BYTES", 1)
    first, second, nothing = [("recording_opened", 1)], [("recording_opened", 2)], [("boot", 0)]
    assert unlogged(spool_with(pki, tmp_path / "second", second, nothing)) == [1, 2], "this is all of the log"
    assert unlogged(spool_with(pki, tmp_path / "third", first, second, nothing)) == [2]
    assert unlogged(spool_with(pki, tmp_path / "fourth", first, second, nothing, nothing)) == [2], "one must begin"


@pytest.mark.parametrize("gone", ["000001", "000002"])
def test_recordings_older_than_the_log_at_hand_are_left_alone(pki: Path, tmp_path: Path, gone: str) -> None:
    """They ended in a segment that was let go."""
    spool = spool_with(pki, tmp_path, [("recording_opened", 1)], [("recording_closed", 1)], [("recording_opened", 2)])
    (tmp_path / f"spool/SIM-0001-log-{gone}.evidence").unlink()
    assert unlogged(spool) == [2]


def test_a_later_write_never_follows_torn_bytes(tmp_path: Path, mocker: Any) -> None:
    """The card refuses the write and the cut; the next write cuts first (house rule 7)."""
    path = tmp_path / "file"
    with AppendFile.create(path) as file:
        file.append([b"good"])
        failing = mocker.patch("evidence.durable.os.fdatasync", side_effect=OSError(5, "I/O error"))
        cut = mocker.patch("evidence.durable.os.ftruncate", side_effect=OSError(5, "I/O error"))
        for _ in range(2):
            try:
                file.append([b"this is torn"])
            except OSError:
                continue
        mocker.stop(failing)
        mocker.stop(cut)
        file.append([b"!"])
    assert path.read_bytes() == b"good!"
