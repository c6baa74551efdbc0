"""A short slice of `make powercut`: the power goes at many instants, and nothing that was acknowledged goes with it.

The whole bench and what it does not show: docs/design/power-cut.md.
"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import offload_bench
import pytest
import recorder_bench
import small_benches
from acknowledgements import Expected
from cutting import Cut, Seen
from recorded_card import why_not

pytestmark = [pytest.mark.needs_root, pytest.mark.slow, pytest.mark.requirement("R38"), pytest.mark.timeout(1800)]
CUTS = 40
"""Points, four models each."""


@pytest.fixture(autouse=True)
def recorded() -> None:
    """Skipped for a user whose machine cannot do it, failed in CI."""
    if (why := why_not()) is not None:
        if os.environ.get("CI") == "true":
            pytest.fail(why)
        pytest.skip(why)


def test_a_recorder_whose_power_goes_keeps_every_fragment_it_told_of() -> None:
    tally = recorder_bench.run(cuts=CUTS, seed=1, seconds=8, starts=1)
    assert tally.told == []
    assert tally.total == 4 * CUTS
    assert tally.at_acknowledgements == CUTS // 2
    assert tally.facts["frames_played"] > 0
    assert tally.facts["starts"] == 1, "the daemon itself was started on one of the cards"
    assert tally.worst > 0, "a cut in the middle of a recording costs the pictures that no fragment holds yet"


@pytest.mark.requirement("R34")
def test_a_recording_on_its_way_to_the_store_is_never_in_neither_place() -> None:
    tally = offload_bench.run(cuts=CUTS // 2, seed=1, visits=1)
    assert tally.told == []
    assert tally.facts["visits_to_the_dock"] == 1, "camera, station and agent were started on one of the cards"
    assert tally.total == 4 * (CUTS // 2)
    assert tally.facts["cards_with_only_the_stores_copy"] > 0, "some cuts come after the camera's file is gone"


def test_a_device_log_whose_power_goes_keeps_its_chain() -> None:
    tally = small_benches.device_log(cuts=CUTS, seed=1, entries=60)
    assert tally.told == []
    assert tally.total == 4 * CUTS


def test_an_outbox_whose_power_goes_keeps_every_row_it_took() -> None:
    tally = small_benches.outbox(cuts=CUTS, seed=1, rows=60)
    assert tally.told == []
    assert tally.total == 4 * CUTS


def test_a_mount_that_another_program_holds_is_no_card_of_an_earlier_cut() -> None:
    """A mount namespace begun meanwhile keeps the last card in the kernel: the next cut must not be shown that one."""
    held: list[subprocess.Popen[bytes]] = []

    def namespace(pid: int) -> Path:
        return Path(f"/proc/{pid}/ns/mnt").readlink()

    def looks(_: Path, __: Cut, ___: Expected) -> Seen:
        if len(held) < 3:
            held.append(subprocess.Popen(["unshare", "--mount", "--propagation", "private", "sleep", "600"]))
            while namespace(held[-1].pid) == namespace(os.getpid()):
                time.sleep(0.01)
        return Seen()

    try:
        tally = small_benches.device_log(cuts=10, seed=2, entries=20, also=looks)
    finally:
        for one in held:
            one.kill()
            one.wait()
    assert len(held) == 3
    assert tally.told == []


def test_each_negative_control_loses_what_it_acknowledged() -> None:
    for tally in small_benches.controls(cuts=30, seed=1):
        assert tally.lost > 0, f"{tally.name} lost nothing: then the bench proves nothing"
