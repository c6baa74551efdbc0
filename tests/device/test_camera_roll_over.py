"""The real daemon rolls over (R22): a recording goes on file by file, through stop and crash."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest
from camera_bench import CameraBench, first_statement, media, metadata, statements, until

from evidence.audit import audit
from evidence.audit_read import read_heap
from evidence.requests import SelfTestRequest
from evidence.statements import Close, Open

SLOW = {"frame_rate": 5}
"""Its six buffers hold more than a second of pictures: a loaded machine must not make the sensor lose any."""


def held(path: Path) -> list[int]:
    """Numbers of the frames in a file."""
    facts = [one.media for one in media(path) if one.media is not None]
    return [n for one in facts for n in range(one.first_frame, one.first_frame + one.frames)]


def newest(camera: CameraBench) -> str | None:
    """The file in which the recording went on last."""
    return [one.word for one in tuple(camera.notices) if one.event == "rolled_over"][-1]


@pytest.mark.requirement("R22")
def test_a_recording_goes_on_in_the_next_file_without_a_frame_lost_or_doubled(
    bench: Callable[..., CameraBench],
) -> None:
    camera = bench(policy={"roll_over_s": 5}, camera=SLOW).start()
    first = camera.double_press()
    rolled = camera.wait("rolled_over", count=2)
    assert rolled.word is not None
    camera.wait("recording_closed", "rolled_over", count=2)
    until(lambda: camera.status().recording == newest(camera), what="it goes on in the newest file")
    assert camera.stop() == 0
    stems = sorted(path.stem for path in camera.spool.glob("SIM-0001-0*.evidence"))
    assert stems[0] == first
    numbers = [n for stem in stems for n in held(camera.path(stem))]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    for stem in stems:
        camera.verify(stem)
    opened = [statements(camera.path(stem))[0] for stem in stems]
    assert [one.continues for one in opened if isinstance(one, Open)] == [None, *range(1, len(stems))]
    openings = [metadata(camera.path(stem), camera.pki)[0] for stem in stems]
    assert [one.get("continues") for one in openings] == [None, *stems[:-1]]
    assert {one["incident"] for one in openings} == {first}
    assert all(one["triggers"] == openings[0]["triggers"] for one in openings)
    closed = [statements(camera.path(stem))[-1] for stem in stems]
    reasons = [one.reason for one in closed if isinstance(one, Close)]
    assert reasons == ["rolled_over"] * (len(stems) - 1) + ["shutdown"]
    events = [one for one in camera.events() if one[0] in ("rolled_over", "recording_opened")]
    (audited,) = audit(read_heap([camera.spool], camera.trust, now=dt.datetime.now(dt.UTC)))
    assert audited.findings == [], "files that go on in one another do not count as recordings at the same time"
    assert events[:3] == [("recording_opened", None, 1), ("rolled_over", None, 1), ("recording_opened", None, 2)]


@pytest.mark.requirement("R22")
def test_a_crash_right_after_a_roll_over_goes_on_with_the_incident(bench: Callable[..., CameraBench]) -> None:
    camera = bench(policy={"roll_over_s": 5}, camera=SLOW).start()
    camera.double_press()
    camera.wait("recording_opened", count=2)
    camera.kill()
    camera.start(ready=False)
    for stem in ("SIM-0001-000001", "SIM-0001-000002"):
        until(lambda name=stem: camera.recovered(name), what=f"{stem} is closed")
    opened = first_statement(camera.path("SIM-0001-000003"))  # the incident goes on
    assert isinstance(opened, Open)
    assert opened.resumes == 2
    assert camera.stop() == 0
    numbers = [n for stem in ("SIM-0001-000001", "SIM-0001-000002") for n in held(camera.path(stem))]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


@pytest.mark.requirement("R8")
def test_the_self_test_says_how_much_of_the_pre_event_time_fits(bench: Callable[..., CameraBench]) -> None:
    camera = bench(policy={"pre_event_s": 120, "ring_mib": 1}).start()
    rows = {str(row["name"]): row for row in camera.ask(SelfTestRequest()).checks}
    assert rows["buffer"]["result"] == "note"
    assert str(rows["buffer"]["value"]).startswith("120 s configured, ")
    assert "s fit: the profile allows 1 MiB" in str(rows["buffer"]["value"])
