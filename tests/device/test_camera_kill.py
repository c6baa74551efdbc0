"""`kill -9` at random moments of a recording (issue 2): recovered, verified, at most 2 s lost, the incident goes on."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from camera_bench import CameraBench
from fair_time import FairTime
from kill_bench import live_through

KILLS = int(os.environ.get("FIRSTHAND_KILLS", "6"))


@pytest.mark.requirement("R22", "R29", "R38")
@pytest.mark.timeout(300 + 60 * KILLS)
def test_killed_at_any_moment_the_recording_is_recovered_and_the_incident_goes_on(
    bench: Callable[..., CameraBench], fair: FairTime
) -> None:
    camera = bench()
    deaths = live_through(camera, KILLS, seed=int(os.environ.get("FIRSTHAND_SEED", "1")), fair=fair)
    for one in deaths:
        print(f"{one.stem}: lost {one.lost_s:.3f} s before the kill, {one.resumed} began {one.resume_s:.2f} s after")
    print(f"worst loss {max(one.lost_s for one in deaths):.3f} s over {KILLS} kills")
    assert not [one for one in deaths if one.held < one.told], "what was told to be on the card is there"
    assert max(one.own_s for one in deaths) < 2.0, "the oldest frame that was not yet durable (invariant 3)"
    camera.fragments(1)
    assert camera.stop() == 0
    recordings = sorted(camera.spool.glob("SIM-0001-0*.evidence"))
    numbers = [int(path.stem.rpartition("-")[2]) for path in recordings]
    voids = [number for event, _, number in camera.events() if event == "recording_void"]
    assert sorted(numbers + [number for number in voids if number]) == list(range(1, KILLS + 2)), "no holes"
    for path in recordings[:-1]:
        report = camera.verify(path.stem)
        assert report.recovered is not None
        assert report.closed is not None
        assert report.closed.reason == "recovered"
    last = camera.verify(recordings[-1].stem)
    assert last.closed is not None
    assert last.closed.reason == "shutdown"
