"""A vehicle's three cameras in the real daemon (R2, R17): one incident, each file whole, through a dead camera and a
crash."""

from __future__ import annotations

import datetime as dt
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from camera_bench import PURSUIT, SECOND, CameraBench, boottime_ns, first_statement, media, metadata, statements, until

from evidence.audit import audit
from evidence.audit_read import read_heap
from evidence.requests import SelfTestRequest
from evidence.statements import Gap, Open

SIZE = {"width": 320, "height": 180, "frame_rate": 5, "bitrate": 100_000}
STEMS = ["SIM-0001-000001", "SIM-0001-000002", "SIM-0001-000003"]


@pytest.fixture
def cabin_board() -> Iterator[Path]:
    """The hardware socket of the cabin camera alone, so that a test can stall it and no other."""
    directory = Path(tempfile.mkdtemp(prefix="cabin-"))
    yield directory / "hw.sock"
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def vehicle(bench: Callable[..., CameraBench], cabin_board: Path) -> CameraBench:
    cabin = {**SIZE, "seed": 2, "hardware_socket": str(cabin_board)}
    extra: dict[str, Any] = {
        "role": "dash",
        "vehicle": "CT-4711",
        "cameras": {
            "cabin": {"driver": "simulated-scene", "options": cabin},
            "rear": {"driver": "simulated-scene", "options": {**SIZE, "seed": 3}},
        },
    }
    return bench(camera=SIZE, extra=extra)


def span(path: Path) -> tuple[int, int]:
    """Capture time of the first frame, and the end of the last."""
    facts = [one.media for one in media(path) if one.media is not None]
    return facts[0].start_ns, facts[-1].start_ns + facts[-1].duration_ns


def whole(path: Path) -> bool:
    """Whether the frames' numbers have no hole."""
    facts = [one.media for one in media(path) if one.media is not None]
    numbers = [n for one in facts for n in range(one.first_frame, one.first_frame + one.frames)]
    return numbers == list(range(numbers[0], numbers[0] + len(numbers)))


@pytest.mark.requirement("R2", "R17", "R23")
def test_a_pursuit_starts_all_cameras_as_one_incident(vehicle: CameraBench) -> None:
    vehicle.start()
    rows = {str(row["name"]): row for row in vehicle.ask(SelfTestRequest()).checks}
    assert rows["channels"]["result"] == "pass"
    assert vehicle.trigger(PURSUIT) == STEMS[0], "the windshield leads"
    vehicle.fragments(9)
    seen = len(vehicle.notices)
    assert vehicle.hold_to_stop().recording == STEMS[0]
    vehicle.wait("recording_closed", since=seen, count=3)
    assert vehicle.stop() == 0
    opened = [statements(vehicle.path(stem))[0] for stem in STEMS]
    for one in opened:
        assert isinstance(one, Open)
        assert (one.group, one.upload_class) == (1, "critical")
    spans = [span(vehicle.path(stem)) for stem in STEMS]
    assert max(start for start, _ in spans) < min(end for _, end in spans)
    for stem in STEMS:
        vehicle.verify(stem)
        assert whole(vehicle.path(stem))
    openings = [metadata(vehicle.path(stem), vehicle.pki)[0] for stem in STEMS]
    assert [one["channel"] for one in openings] == ["windshield", "cabin", "rear"]
    assert {(one["incident"], one["vehicle"]) for one in openings} == {(STEMS[0], "CT-4711")}
    assert all(one["triggers"] == openings[0]["triggers"] for one in openings)
    begun = [one for one in vehicle.events() if one[0] == "recording_opened"]
    assert sorted(number for _, _, number in begun if number is not None) == [1, 2, 3]
    (audited,) = audit(read_heap([vehicle.spool], vehicle.trust, now=dt.datetime.now(dt.UTC)))
    assert audited.findings == [], "cameras of one vehicle may record at the same time"


@pytest.mark.requirement("R2", "R29")
def test_a_camera_that_stalls_alarms_and_stops_no_other(vehicle: CameraBench, cabin_board: Path) -> None:
    vehicle.start()
    vehicle.trigger(PURSUIT)
    vehicle.fragments(6)
    seen = len(vehicle.notices)
    over_ns = boottime_ns() + 5 * SECOND // 2
    vehicle.world({"op": "camera", "stall_s": 60}, board=cabin_board)
    assert vehicle.wait("alarm", "camera_silent", since=seen).recording == STEMS[1]
    until(lambda: boottime_ns() > over_ns)
    seen = len(vehicle.notices)
    vehicle.world({"op": "camera", "stall_s": 0}, board=cabin_board)
    until(lambda: [one for one in vehicle.notices[seen:] if one.event == "fragment" and one.recording == STEMS[1]])
    vehicle.fragments(6)
    assert vehicle.stop() == 0
    for stem in STEMS:
        vehicle.verify(stem)
    assert [one.cause for one in statements(vehicle.path(STEMS[1])) if isinstance(one, Gap)] == ["frames_lost"]
    assert whole(vehicle.path(STEMS[0]))
    assert whole(vehicle.path(STEMS[2]))


@pytest.mark.requirement("R17", "R23")
def test_a_power_cut_half_a_second_after_the_trigger_recovers_all_cameras(vehicle: CameraBench) -> None:
    """Without any hold-up of the supply. Each camera's next recording goes on from its own."""
    vehicle.start()
    triggered_ns = boottime_ns()
    vehicle.trigger(PURSUIT)
    until(lambda: {one.recording for one in vehicle.notices if one.event == "fragment"} == set(STEMS))
    until(lambda: boottime_ns() - triggered_ns > SECOND // 2)
    vehicle.kill()
    vehicle.start(ready=False)
    resumed = ["SIM-0001-000004", "SIM-0001-000005", "SIM-0001-000006"]
    for stem in STEMS:
        until(lambda name=stem: vehicle.recovered(name), what=f"{stem} is recovered")
        assert vehicle.verify_recovered(stem) is not None
        assert media(vehicle.path(stem)), "its ring was on the card"
    opened = [first_statement(vehicle.path(stem)) for stem in resumed]
    assert [one.resumes for one in opened if isinstance(one, Open)] == [1, 2, 3]
    assert vehicle.stop() == 0
    openings = [metadata(vehicle.path(stem), vehicle.pki)[0] for stem in resumed]
    assert [one["channel"] for one in openings] == ["windshield", "cabin", "rear"]
    assert [one["resumes"] for one in openings] == STEMS
    assert {one["incident"] for one in openings} == {STEMS[0]}, "the same incident"
    (audited,) = audit(read_heap([vehicle.spool], vehicle.trust, now=dt.datetime.now(dt.UTC)))
    assert audited.findings == []
