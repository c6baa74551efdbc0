"""The self-test of a real daemon: time, test clip, a failed camera that must record, the supervisor's inspection."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from camera_bench import (
    DOCK,
    EMERGENCY,
    LIGHTBAR,
    PURSUIT,
    RECORD,
    CameraBench,
    GpsLine,
    until,
)

from evidence.handover import Refused, SelfTestDone, answer_decoder
from evidence.requests import SelfTestRequest

Make = Callable[..., CameraBench]
PINS = {"record_button": RECORD, "emergency": EMERGENCY, "lightbar": LIGHTBAR, "pursuit": PURSUIT}


def rows(done: SelfTestDone) -> dict[str, dict[str, Any]]:
    return {str(one["name"]): one for one in done.checks}


def ask_test(camera: CameraBench, **options: Any) -> SelfTestDone:
    answer = camera.ask(SelfTestRequest(**options))
    assert isinstance(answer, SelfTestDone), answer
    return answer


def undock(camera: CameraBench) -> int:
    """Into the dock and out again; how many notices there were before."""
    camera.line(DOCK, active=True)
    camera.wait("docked")
    seen = len(camera.notices)
    camera.line(DOCK, active=False)
    return seen


@pytest.mark.requirement("R8", "R39")
def test_every_row_says_value_limit_and_time_and_all_wait_together(bench: Make) -> None:
    line = GpsLine()  # a receiver that says nothing at all
    camera = bench(gps=line, microphone=False).start()
    done = ask_test(camera)
    found = rows(done)
    assert set(found) >= {
        "sensor", "encoder", "storage", "wear", "signing_key", "vault", "battery", "clock", "gps", "microphone",
        "indicators", "inputs", "firmware", "log_chain", "last_session", "backlog", "inspection",
    }  # fmt: skip
    assert all(one["value"] and one["limit"] for one in found.values())
    assert found["gps"]["value"] == "the receiver is silent"
    assert found["gps"]["duration_ms"] >= 3000
    waited_ms = sum(int(one["duration_ms"]) for one in found.values())
    longest_ms = max(int(one["duration_ms"]) for one in found.values())
    assert longest_ms < 4600
    assert waited_ms > longest_ms, "others waited beside it"


@pytest.mark.requirement("R8", "R37")
def test_log_and_last_session_are_told_after_a_crash(bench: Make) -> None:
    camera = bench().start()
    assert rows(ask_test(camera))["last_session"]["value"] == "no earlier session on this card"
    camera.stop()
    camera.start()
    assert rows(ask_test(camera))["last_session"]["value"] == "ended by shutdown"
    stem = camera.double_press()
    camera.fragments(1)
    camera.kill()
    camera.start()
    found = rows(ask_test(camera))
    assert found["last_session"]["result"] == "note"
    assert "1 recording recovered" in found["last_session"]["value"]
    assert found["log_chain"]["result"] == "pass"
    until(lambda: camera.recovered(stem))
    assert "recordings" in rows(ask_test(camera))["backlog"]["value"]


@pytest.mark.requirement("R8", "R9")
def test_a_damaged_log_blocks_the_camera_and_it_records_all_the_same(bench: Make) -> None:
    camera = bench().start()
    camera.stop()
    path = camera.spool / "SIM-0001-log-000001.evidence"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    camera.start()
    found = rows(ask_test(camera))
    assert found["log_chain"]["result"] == "fail"
    status = camera.status()
    assert status.state == "out_of_service"
    assert status.do_not_use == ("log_chain",)
    stem = camera.double_press()
    camera.fragments(1)
    camera.stop()
    camera.verify(stem)


@pytest.mark.requirement("R9", "R10", "R13", "R18", "R21")
def test_shots_fired_on_a_camera_that_failed_its_self_test(bench: Make) -> None:
    """The judges' case: buttons and, by the policy, weapon and pursuit lines record whatever works, degraded."""
    camera = bench(battery_percent=5).start()
    assert camera.wait("out_of_service").word == "battery", "told by name: it must not be checked out"
    assert camera.status().do_not_use == ("battery",)
    assert camera.status().state == "out_of_service"
    stems = []
    for pin in (EMERGENCY, PURSUIT):
        seen = len(camera.notices)
        camera.press(pin, seconds=0.4)
        stems.append(camera.opened(seen))
        camera.fragments(1)
        camera.stop()
        camera.start()
    stems.append(camera.double_press())
    camera.fragments(1)
    camera.stop()
    for stem in stems:
        camera.verify(stem)
    events = camera.events()
    assert ("out_of_service", "battery", None) in events
    assert [one for one in events if one[0] == "recording_opened"] == [
        ("recording_opened", "degraded", number) for number in (1, 2, 3)
    ]


# --- the test clip ----------------------------------------------------------------------------------------------------


@pytest.mark.requirement("R8", "R39")
def test_after_undocking_a_clip_is_recorded_labelled_and_ends_by_itself(bench: Make) -> None:
    camera = bench(policy={"test_clip_s": 2}).start()
    assert camera.status().recording is None, "only undocking asks for it"
    seen = undock(camera)
    stem = camera.wait("test_clip", "say_name_and_badge", since=seen).recording
    assert stem is not None
    camera.wait("recording_closed", "test_clip", since=seen)
    camera.wait("test_clip", "test", since=seen)
    until(lambda: camera.status().state == "ready")
    camera.stop()
    report = camera.verify(stem)
    assert report.opened is not None
    assert report.opened.upload_class == "normal"
    events = camera.events()
    assert ("labelled", "test", 1) in events
    assert ("test_clip", "test", 1) in events
    assert ("recording_closed", "test_clip", 1) in events


@pytest.mark.requirement("R8", "R13", "R21")
@pytest.mark.parametrize("pin", [LIGHTBAR, EMERGENCY])
def test_a_trigger_or_a_button_makes_the_clip_a_real_recording(bench: Make, pin: int) -> None:
    camera = bench(policy={"test_clip_s": 3}).start()
    seen = undock(camera)
    stem = camera.wait("test_clip", "say_name_and_badge", since=seen).recording
    assert stem is not None
    camera.press(pin, seconds=0.4)
    camera.wait("test_clip", "cleared", since=seen)
    camera.fragments(4)  # well beyond the clip's length
    assert camera.status().recording == stem, "it simply goes on"
    camera.stop()
    camera.verify(stem)
    events = camera.events()
    assert ("labelled", "test", 1) not in events
    assert ("test_clip", "cleared", 1) in events
    assert ("recording_closed", "shutdown", 1) in events


@pytest.mark.requirement("R8")
def test_the_clip_on_request_answers_with_the_sound_that_was_heard(bench: Make) -> None:
    camera = bench(policy={"test_clip_s": 1}).start()
    row = rows(ask_test(camera, clip=True))["test_clip"]
    assert row["result"] == "pass"
    assert "dBFS" in row["value"]
    camera.double_press()
    refused = camera.ask(SelfTestRequest(clip=True))
    assert isinstance(refused, Refused)
    assert "records already" in refused.error


def test_without_a_clip_in_the_policy_there_is_none(bench: Make) -> None:
    camera = bench().start()
    refused = camera.ask(SelfTestRequest(clip=True))
    assert isinstance(refused, Refused)
    assert "test_clip_s" in refused.error
    seen = undock(camera)
    camera.wait("self_test", since=seen)
    assert camera.double_press() == "SIM-0001-000001"


# --- the inspection ---------------------------------------------------------------------------------------------------


@pytest.mark.requirement("R37")
def test_a_supervisor_inspects_and_the_next_date_is_signed_and_kept(bench: Make) -> None:
    camera = bench(policy={"inspection_days": 30}).start()
    assert rows(ask_test(camera))["inspection"]["value"] == "never inspected"
    done: list[SelfTestDone] = []

    def inspect() -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(240)
            connection.connect(str(camera.socket))
            request = SelfTestRequest(extended=True, supervisor="Sgt. Example")
            connection.sendall(msgspec.json.encode(request) + b"\n")
            answer = answer_decoder.decode(connection.makefile("rb").readline())
            assert isinstance(answer, SelfTestDone), answer
            done.append(answer)

    seen = len(camera.notices)
    thread = threading.Thread(target=inspect)
    thread.start()
    for asked in range(1, 5):  # emergency, lightbar, pursuit, record_button: as they are asked for
        line = camera.wait("press_line", since=seen, count=asked).word
        assert line is not None
        if line != "pursuit":
            camera.press(PINS[line], seconds=0.4)
    thread.join(240)
    found = rows(done[0])
    assert found["line_emergency"]["result"] == "pass"
    assert found["line_record_button"]["result"] == "pass"
    assert found["line_pursuit"]["result"] == "warn", "nobody pressed it"
    assert {name for name in found if name.startswith("indicator_")} == {
        "indicator_green", "indicator_red", "indicator_amber", "indicator_haptic",
    }  # fmt: skip
    assert found["signing_pace"]["value"].startswith("20 signatures")
    assert found["whole_log"]["result"] in ("pass", "warn")
    assert camera.status().recording is not None, "the emergency button is real all the while"
    camera.stop()
    assert ("inspection", "warn", None) in camera.events()
    camera.start()
    row = rows(ask_test(camera))["inspection"]
    assert row["result"] == "pass"
    assert "next due" in row["value"]


def test_an_extended_test_needs_a_name(bench: Make) -> None:
    camera = bench().start()
    refused = camera.ask(SelfTestRequest(extended=True))
    assert isinstance(refused, Refused)
    assert "supervisor" in refused.error
