"""The camera daemon as a process, going blind and deaf: told within seconds, signed, and queued for the supervisor."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from camera_bench import SECOND, CameraBench, boottime_ns, statements, until
from fair_time import FairTime

from evidence.handover import Facts, SelfTestDone
from evidence.requests import FactsRequest, SelfTestRequest
from evidence.statements import Event, Gap

Make = Callable[..., CameraBench]


def queue_of(camera: CameraBench) -> list[dict[str, Any]]:
    answer = camera.ask(FactsRequest(about="queue"))
    assert isinstance(answer, Facts)
    items = answer.facts["items"]
    assert isinstance(items, list)
    return items


def item(camera: CameraBench, cause: str) -> dict[str, Any]:
    """The one item of that cause that has ended."""
    (found,) = until(
        lambda: [one for one in queue_of(camera) if one["cause"] == cause and "end" in one], what=f"item {cause}"
    )
    assert isinstance(found, dict)
    return found


def in_recording(camera: CameraBench, stem: str) -> list[tuple[str, str | None]]:
    found = [one for one in statements(camera.path(stem)) if isinstance(one, Event)]
    return [(one.event, one.word) for one in found if one.event.startswith("failure_")]


def rows(camera: CameraBench) -> dict[str, dict[str, Any]]:
    answer = camera.ask(SelfTestRequest())
    assert isinstance(answer, SelfTestDone)
    return {str(row["name"]): row for row in answer.checks}


@pytest.mark.requirement("R29", "R12")
@pytest.mark.parametrize("look", ["black", "frozen", "covered"])
def test_a_camera_that_goes_blind_while_ready_is_noticed_within_five_seconds(
    bench: Make, fair: FairTime, look: str
) -> None:
    camera = bench().start()
    began_ns = boottime_ns()
    camera.world({"op": "camera", "look": look})
    notice = camera.wait("background_test", f"picture_{look}")
    assert fair.own_s(began_ns, notice.mono_ns) < 5
    camera.world({"op": "camera", "look": "normal"})
    camera.wait("background_test", "picture_works")
    camera.stop()
    told = [word for event, word, _ in camera.events() if event == "background_test"]
    assert told == [f"picture_{look}", "picture_works"], "once, and once when it works again"
    assert not [one for one in camera.notices if one.event == "alarm"], "nothing was being recorded"


@pytest.mark.requirement("R29", "R3")
def test_sensor_encoder_and_microphone_that_die_while_ready_are_noticed_within_five_seconds(
    bench: Make, fair: FairTime
) -> None:
    camera = bench().start()
    for device, fault, word in (
        ("camera", "stall_s", "camera_silent"),
        ("camera", "encoder_stall_s", "encoder_stalled"),
        ("microphone", "stall_s", "microphone_dead"),
        ("microphone", "silent_s", "microphone_silent"),
    ):
        seen, began_ns = len(camera.notices), boottime_ns()
        camera.world({"op": device, fault: 60})
        assert fair.own_s(began_ns, camera.wait("background_test", word, since=seen).mono_ns) < 5
        camera.world({"op": device, fault: 0})
        component = {"camera_silent": "sensor", "encoder_stalled": "encoder"}.get(word, "microphone")
        camera.wait("background_test", f"{component}_works", since=seen)
    assert queue_of(camera) == [], "a failure to record needs a recording"


@pytest.mark.requirement("R29")
def test_a_black_picture_in_a_recording_is_a_failure_with_start_end_and_cause(bench: Make, fair: FairTime) -> None:
    camera = bench().start()
    stem = camera.double_press()
    camera.fragments(1)
    began_ns = boottime_ns()
    camera.world({"op": "camera", "look": "black"})
    alarm = camera.wait("alarm", "picture_black")
    assert alarm.recording == stem
    assert fair.own_s(began_ns, alarm.mono_ns) < 5
    camera.world({"op": "camera", "look": "normal"})
    ended_ns = boottime_ns()
    camera.wait("failure_ended", "picture_black")
    found = item(camera, "picture_black")
    assert found["component"] == "sensor"
    assert found["recording"] == stem
    assert found["told"] is True
    assert began_ns - SECOND < found["start_ns"]
    assert fair.own_s(began_ns, found["start_ns"]) < 2
    assert found["start_ns"] < found["end_ns"]
    assert fair.own_s(ended_ns, found["end_ns"]) < 6
    camera.hold_to_stop()
    camera.stop()
    camera.verify(stem)
    assert in_recording(camera, stem) == [("failure_began", "picture_black"), ("failure_ended", "picture_black")]
    events = camera.events()
    assert ("failure_began", "picture_black", 1) in events
    assert ("failure_ended", "picture_black", 1) in events
    assert [one for one in camera.notices if one.event == "alarm"] == [alarm], "one alarm"


@pytest.mark.requirement("R29")
def test_a_stalled_encoder_is_told_once_by_its_name_and_its_frames_are_counted(bench: Make) -> None:
    camera = bench().start()
    stem = camera.double_press()
    camera.fragments(1)
    over_ns = boottime_ns() + 4 * SECOND
    camera.world({"op": "camera", "encoder_stall_s": 60})
    camera.wait("failure_began", "encoder_stalled")
    until(lambda: boottime_ns() > over_ns)
    camera.world({"op": "camera", "encoder_stall_s": 0})
    camera.wait("failure_ended", "encoder_stalled")
    found = item(camera, "encoder_stalled")
    assert found["component"] == "encoder"
    assert found["frames"] >= 50, "four seconds at 15 frames a second"
    assert [one["cause"] for one in queue_of(camera)] == ["encoder_stalled"]
    assert [one.word for one in camera.notices if one.event == "alarm"] == ["camera_silent"], "the recorder was first"
    camera.hold_to_stop()
    camera.stop()
    camera.verify(stem)
    gaps = [one for one in statements(camera.path(stem)) if isinstance(one, Gap)]
    assert found["frames"] <= sum(one.frames for one in gaps), "not more than are missing"


@pytest.mark.requirement("R29", "R3")
def test_a_microphone_that_falls_silent_in_a_recording_is_a_failure(bench: Make) -> None:
    camera = bench().start()
    stem = camera.double_press()
    camera.fragments(1)
    camera.world({"op": "microphone", "silent_s": 60})
    assert camera.wait("alarm", "microphone_silent").recording == stem
    camera.hold_to_stop()  # it ends with the recording
    found = item(camera, "microphone_silent")
    assert found["end_ns"] > found["start_ns"]
    assert camera.status().recording is None
    camera.stop()
    camera.verify(stem)
    assert in_recording(camera, stem) == [
        ("failure_began", "microphone_silent"),
        ("failure_ended", "microphone_silent"),
    ]


@pytest.mark.requirement("R29")
@pytest.mark.parametrize(
    ("clock", "cause"),
    [({"boot_id": "12345678-0000-4000-8000-000000000001"}, "recorder_restarted"), ({}, "power_lost")],
)
def test_a_killed_recorder_leaves_an_item_and_the_queue_outlives_it(
    bench: Make, clock: dict[str, Any], cause: str
) -> None:
    """Only the program began anew, or the whole board did: the boot id tells."""
    camera = bench(clock=clock).start()
    stem = camera.double_press()
    camera.fragments(2)
    camera.world({"op": "camera", "look": "frozen"})
    camera.wait("alarm", "picture_frozen")
    until(lambda: (camera.state / "supervisor_queue.json").read_bytes().count(b"picture_frozen"), what="it is kept")
    camera.kill()
    camera.notices.clear()
    camera.start(ready=False)
    camera.wait("recovered")
    found = item(camera, cause)
    assert found["recording"] == stem
    assert "start_ns" not in found, "nobody knows when it died by this boot's clock"
    before = item(camera, "picture_frozen")
    assert before["recording"] == stem, "what was open when it died is in the queue, and ended"
    camera.stop()
    assert ("failure_noted", cause, 1) in camera.events()


@pytest.mark.requirement("R29")
def test_a_normal_scene_by_day_and_by_night_alarms_nobody(bench: Make) -> None:
    camera = bench(camera={"night": True}).start()
    stem = camera.double_press()
    camera.fragments(8)
    camera.hold_to_stop()
    scene = [one for one in queue_of(camera) if one["component"] != "storage"]  # a slow disk of the host is no scene
    assert scene == []
    camera.stop()
    camera.verify(stem)
    assert not [one for one in camera.notices if one.event in ("alarm", "background_test", "failure_began")]


@pytest.mark.requirement("R8")
def test_the_self_test_looks_at_real_pictures_and_real_sound(bench: Make) -> None:
    camera = bench(policy={"severity": {}}).start()  # by the table that comes along
    assert {name: rows(camera)[name]["result"] for name in ("picture", "view", "microphone")} == {
        "picture": "pass", "view": "pass", "microphone": "pass",
    }  # fmt: skip
    camera.world({"op": "camera", "look": "black"}, {"op": "microphone", "clipped_s": 600})
    blind = rows(camera)
    assert (blind["picture"]["result"], blind["microphone"]["result"]) == ("fail", "warn")
    assert "black" in str(blind["picture"]["value"])
    assert "clipped" in str(blind["microphone"]["value"])
    assert camera.status().state == "out_of_service"
    camera.world({"op": "camera", "look": "defocused"}, {"op": "microphone", "silent_s": 600})
    blurred = rows(camera)
    assert (blurred["picture"]["result"], blurred["view"]["result"]) == ("pass", "warn")
    assert "defocused" in str(blurred["view"]["value"])
    assert "silent" in str(blurred["microphone"]["value"])
    stem = camera.double_press()  # and it records all the same
    camera.fragments(1)
    camera.hold_to_stop()
    camera.stop()
    camera.verify(stem)


@pytest.mark.requirement("R29")
def test_frames_that_are_lost_are_counted_named_and_queued_and_alarm_nobody(bench: Make) -> None:
    camera = bench(camera={"frame_rate": 10}).start()  # what its buffers hold must outlast a loaded machine
    stem = camera.double_press()
    camera.fragments(1)
    camera.world({"op": "camera", "drop_frames": 4})
    camera.wait("failure_began", "frames_lost")
    camera.hold_to_stop()
    found = item(camera, "frames_lost")
    assert (found["frames"], found["told"], found["recording"]) == (4, False, stem)
    camera.stop()
    camera.verify(stem)
    assert [one.frames for one in statements(camera.path(stem)) if isinstance(one, Gap)] == [4]
    assert not [one for one in camera.notices if one.event == "alarm"]


@pytest.mark.requirement("R29")
def test_a_clock_that_jumps_in_a_recording_is_queued(bench: Make) -> None:
    camera = bench().start()
    stem = camera.double_press()
    camera.fragments(1)
    camera.world({"op": "clock", "utc_offset_ns": 3600 * SECOND})
    until(lambda: [one for one in queue_of(camera) if one["cause"] == "clock_stepped"], what="the item")
    assert item(camera, "clock_stepped")["recording"] == stem
    camera.hold_to_stop()
    camera.stop()
    camera.verify(stem)
    assert ("failure_noted", "clock_stepped", 1) in camera.events()


@pytest.mark.requirement("R29")
def test_a_card_that_goes_while_the_camera_is_ready_is_told_and_told_when_it_is_back(bench: Make) -> None:
    camera = bench().start()
    elsewhere = camera.spool.rename(camera.spool.with_name("elsewhere"))
    camera.wait("background_test", "storage_lost")
    elsewhere.rename(camera.spool)
    camera.wait("background_test", "storage_works")
    camera.stop()
    words = [word for event, word, _ in camera.events() if event == "background_test"]
    assert words == ["storage_lost", "storage_works"]


@pytest.mark.requirement("R12")
def test_a_camera_that_falls_off_and_one_that_hangs_upside_down_are_told_by_gravity(bench: Make) -> None:
    camera = bench(motion=True).start()
    stem = camera.double_press()
    camera.world({"op": "motion", "x_mg": 0, "y_mg": -1000, "z_mg": 0})
    camera.wait("background_test", "picture_upside_down")
    camera.world({"op": "motion", "x_mg": 0, "y_mg": 1000, "z_mg": 0})
    camera.wait("background_test", "picture_works")
    camera.world({"op": "motion", "x_mg": 0, "y_mg": 0, "z_mg": 0})
    falls_until_ns = boottime_ns() + 1_500_000_000
    until(lambda: boottime_ns() > falls_until_ns)
    camera.world({"op": "motion", "x_mg": 1000, "y_mg": 0, "z_mg": 0})
    assert camera.wait("dislodged").recording == stem
    camera.hold_to_stop()
    camera.stop()
    camera.verify(stem)
    assert ("dislodged", None, 1) in camera.events()
    assert "dislodged" in [one.event for one in statements(camera.path(stem)) if isinstance(one, Event)], "a bookmark"
    assert not [one for one in camera.notices if one.event == "alarm"], "told, and no failure to record"


@pytest.mark.requirement("R29", "R17")
def test_each_camera_of_a_vehicle_is_watched_for_itself(bench: Make) -> None:
    with tempfile.TemporaryDirectory(prefix="cabin-") as directory:
        board = Path(directory) / "hw.sock"
        size = {"width": 320, "height": 180, "frame_rate": 10, "bitrate": 100_000}
        cabin = {"driver": "simulated-scene", "options": {**size, "seed": 2, "hardware_socket": str(board)}}
        extra = {"role": "dash", "vehicle": "CT-4711", "cameras": {"cabin": cabin}}
        camera = bench(camera=size, extra=extra).start()
        camera.world({"op": "camera", "look": "black"}, board=board)
        camera.wait("background_test", "cabin_picture_black")
        stem = camera.double_press()
        other = f"{stem[:-6]}{int(stem[-6:]) + 1:06d}"
        assert camera.wait("alarm", "picture_black").recording == other, "it was black before, and now it counts"
        camera.hold_to_stop()
        found = item(camera, "picture_black")
        assert (found["component"], found["recording"]) == ("cabin_sensor", other)
        camera.stop()
        for one in (stem, other):
            camera.verify(one)
        assert in_recording(camera, stem) == [], "the windshield saw all of it"
        assert [event for event, _ in in_recording(camera, other)] == ["failure_began", "failure_ended"]
