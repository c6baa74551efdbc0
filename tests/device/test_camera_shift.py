"""The camera daemon as a real process: a shift, and what hardware can do to it."""

from __future__ import annotations

import itertools
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from camera_bench import (
    AMBER,
    DOCK,
    EMERGENCY,
    GREEN,
    LIGHTBAR,
    PURSUIT,
    RECORD,
    RED,
    SECOND,
    CameraBench,
    GpsLine,
    boottime_ns,
    media,
    metadata,
    statements,
    until,
    watch,
)
from fair_time import FairTime

from evidence.statements import ClockStep, Event, Gap, Open

Make = Callable[..., CameraBench]


SLOW = {"frame_rate": 5}
"""Its six buffers hold more than a second of pictures: a loaded machine must not make the sensor lose any."""


def assert_cadence(path: Path, fair: FairTime) -> None:
    """Invariant 3 by the camera's own signed words, for the fragments that were live."""
    opened = statements(path)[0]
    facts = media(path)
    assert facts
    for one in facts:
        assert one.media is not None
        end_ns = one.media.start_ns + one.media.duration_ns
        assert one.media.duration_ns <= SECOND, one.media
        if end_ns > opened.mono_ns:
            assert fair.own_s(end_ns, one.mono_ns) < 0.5, "durable within 500 ms of its last frame"
            assert fair.own_s(one.media.start_ns, one.mono_ns) < 2
    for before, after in itertools.pairwise(facts):
        assert before.media is not None
        assert after.media is not None
        assert after.media.first_frame == before.media.first_frame + before.media.frames, "no frame lost or doubled"


@pytest.mark.requirement("R5", "R13", "R14", "R15")
def test_a_shift_with_button_lightbar_and_pursuit(bench: Make, fair: FairTime) -> None:
    camera = bench(camera=SLOW).start()
    with watch(camera) as lamps:
        button = camera.double_press()
        camera.fragments(2)
        camera.line(LIGHTBAR, active=True)  # R15: named in the running recording…
        camera.fragments(1)
        camera.line(LIGHTBAR, active=False)  # … and going off stops nothing
        camera.fragments(1)
        assert camera.status().recording == button
        assert camera.status().state == "recording"
        assert camera.hold_to_stop().recording == button
        assert camera.status().state == "ready"
        lightbar = camera.trigger(LIGHTBAR)  # at once: the ring survived the stop
        camera.fragments(1)
        camera.hold_to_stop()
        camera.line(LIGHTBAR, active=False)
        pursuit = camera.trigger(PURSUIT)
        camera.fragments(1)
        camera.line(PURSUIT, active=False)
        camera.hold_to_stop()
        camera.line(DOCK, active=True)
        camera.wait("docked")
        until(lambda: any(one["pin"] == AMBER and one["level"] for one in lamps), what="amber at the dock")
    assert camera.stop() == 0

    for stem in (button, lightbar, pursuit):
        report = camera.verify(stem)
        assert report.opened is not None
        assert report.gps_fixes
        assert report.sound_frames
        assert_cadence(camera.path(stem), fair)
        first = media(camera.path(stem))[0].media
        assert first is not None
        (trigger,) = metadata(camera.path(stem), camera.pki)[0]["triggers"]
        assert 1.9 < (trigger["at_ns"] - first.start_ns) / SECOND < 3.5, "the ring is in it"
    assert [camera.verify(stem).opened.upload_class for stem in (button, lightbar, pursuit)] == [  # type: ignore[union-attr]
        "normal", "normal", "critical",
    ]  # fmt: skip
    events = camera.events()
    assert ("trigger", None, 1) in events
    assert [one for one in events if one[0] == "recording_opened"] == [("recording_opened", None, n) for n in (1, 2, 3)]
    assert [one for one in events if one[0] == "recording_closed"] == [
        ("recording_closed", "record_button", n) for n in (1, 2, 3)
    ]
    states = [word for event, word, _ in events if event == "state"]
    assert states == [
        "self_test", "ready", "recording", "ready", "recording", "ready", "recording", "ready", "docked",
        "shutting_down",
    ]  # fmt: skip
    assert any(one["pin"] == RED and one["level"] for one in lamps), "recording is shown"
    assert any(one["pin"] == GREEN and one["level"] for one in lamps), "ready is shown"
    named = [one for one in statements(camera.path(button)) if isinstance(one, Event) and one.event == "trigger"]
    assert len(named) == 1


@pytest.mark.requirement("R1", "R3")
def test_sound_begins_at_the_trigger_if_the_profile_keeps_none_before_it(bench: Make) -> None:
    camera = bench().start()
    stem = camera.double_press()
    camera.fragments(3)
    camera.hold_to_stop()
    opened, facts = statements(camera.path(stem))[0], [one.media for one in media(camera.path(stem))]
    before = [one for one in facts if one is not None and one.start_ns + one.duration_ns < opened.mono_ns]
    after = [one for one in facts if one is not None and one.start_ns > opened.mono_ns]
    assert before
    assert all(one.sound_frames == 0 for one in before)
    assert all(one.sound_frames > 5 for one in after[:-1])


@pytest.mark.requirement("R8", "R9", "R21")
def test_a_blocked_camera_is_out_of_service_and_records_all_the_same(bench: Make) -> None:
    camera = bench(battery_percent=5).start()
    assert camera.status().state == "out_of_service"
    assert camera.status().self_test == "block"
    stem = camera.double_press()
    camera.fragments(1)
    camera.hold_to_stop()
    assert camera.status().state == "out_of_service"
    second = camera.trigger(LIGHTBAR)
    camera.fragments(1)
    camera.hold_to_stop()
    camera.stop()
    camera.verify(stem)
    camera.verify(second)
    opened = [one for one in camera.events() if one[0] == "recording_opened"]
    assert opened == [("recording_opened", "degraded", 1), ("recording_opened", "degraded", 2)]


@pytest.mark.requirement("R9", "R21")
def test_out_of_service_the_profile_may_suppress_lines_but_never_buttons(bench: Make) -> None:
    camera = bench(battery_percent=5, policy={"triggers_when_out_of_service": False}).start()
    camera.line(LIGHTBAR, active=True)
    camera.wait("suppressed", "lightbar")
    assert camera.status().recording is None
    seen = len(camera.notices)
    camera.press(EMERGENCY)
    stem = camera.opened(seen)
    camera.fragments(1)
    camera.stop()
    camera.verify(stem)
    assert ("suppressed", "out_of_service", None) in camera.events()


@pytest.mark.requirement("R5", "R21")
def test_whatever_the_receiver_says_the_fragments_come_on_time(bench: Make, fair: FairTime) -> None:
    line = GpsLine()
    camera = bench(gps=line, camera=SLOW).start()
    stem = camera.double_press()
    camera.fragments(2)  # silence
    line.say(b"$GPRMC,,V,,,,,,,,,,N*53\r\n" * 20)  # no fix
    camera.fragments(2)
    line.say(os.urandom(4000))  # garbage
    line.say(b"$GPGGA," + b"9" * 3000)  # a line without an end
    camera.fragments(2)
    line.say(b"\r\n\r\n\n\n\0\0$*$*00\r\n" * 50)
    camera.fragments(2)
    camera.hold_to_stop()
    camera.stop()
    report = camera.verify(stem)
    assert report.gps_fixes == 0
    assert_cadence(camera.path(stem), fair)
    assert len([one for one in camera.events() if one[:2] == ("fault", "gps")]) < 10, "said, but not for each line"


@pytest.mark.requirement("R29")
def test_a_camera_that_stalls_is_told_within_a_second_and_the_hole_is_signed(bench: Make, fair: FairTime) -> None:
    camera = bench(camera=SLOW).start()
    stem = camera.double_press()
    camera.fragments(2)
    seen = len(camera.notices)
    began_ns = boottime_ns()
    camera.world({"op": "camera", "stall_s": 60})
    assert fair.own_s(began_ns, camera.wait("alarm", "camera_silent", since=seen).mono_ns) < 1.5
    until(lambda: boottime_ns() - began_ns > 5 * SECOND // 2)
    camera.world({"op": "camera", "stall_s": 0})
    ended_ns = boottime_ns()
    camera.wait("fragment", since=len(camera.notices), count=2)
    camera.hold_to_stop()
    camera.stop()
    camera.verify(stem)
    gaps = [one for one in statements(camera.path(stem)) if isinstance(one, Gap)]
    assert [one.cause for one in gaps] == ["frames_lost"]
    hole_s = (gaps[0].end_ns - gaps[0].start_ns) / SECOND
    assert gaps[0].frames == round(hole_s * SLOW["frame_rate"]) - 1
    assert gaps[0].end_ns > began_ns + 5 * SECOND // 2
    assert 2.4 < hole_s < (ended_ns - began_ns) / SECOND + 2, "the stall, and not much more"
    frames = sum(one.media.frames for one in media(camera.path(stem)) if one.media is not None)
    numbers = [one.media for one in media(camera.path(stem)) if one.media is not None]
    assert numbers[-1].first_frame + numbers[-1].frames - numbers[0].first_frame == frames + gaps[0].frames
    assert ("failure_to_record", "camera_silent", 1) in camera.events()


@pytest.mark.requirement("R29")
def test_a_camera_that_is_dead_at_the_press_is_told_and_the_silence_is_signed(bench: Make, fair: FairTime) -> None:
    camera = bench().start()
    camera.world({"op": "camera", "stall_s": 60})
    pressed_ns = boottime_ns()
    stem = camera.double_press()
    assert fair.own_s(pressed_ns, camera.wait("alarm", "camera_silent").mono_ns) < 2.5
    camera.hold_to_stop()
    camera.stop()
    camera.verify(stem)
    assert [one.cause for one in statements(camera.path(stem)) if isinstance(one, Gap)][-1] == "camera_silent"


@pytest.mark.requirement("R5")
def test_a_clock_that_jumps_is_signed_and_changes_no_duration(bench: Make, fair: FairTime) -> None:
    camera = bench(camera=SLOW).start()
    began_ns = boottime_ns()
    stem = camera.double_press()
    camera.fragments(1)
    for offset_ns in (3600 * SECOND, -3600 * SECOND):
        seen = len(camera.notices)
        camera.world({"op": "clock", "utc_offset_ns": offset_ns})
        camera.wait("clock", since=seen)
        camera.fragments(1)
    camera.world({"op": "clock", "source": "none"})
    camera.wait("clock", "source_changed")
    camera.hold_to_stop()
    camera.stop()
    report = camera.verify(stem)
    steps = [one.cause for one in statements(camera.path(stem)) if isinstance(one, ClockStep)]
    assert steps == ["stepped_forward", "stepped_back", "source_changed"]
    assert [one.cause for one in camera.log_statements() if isinstance(one, ClockStep)][:3] == steps
    assert 5 < report.duration_ns / SECOND < (boottime_ns() - began_ns) / SECOND + 4, "the ring, and what passed since"
    assert_cadence(camera.path(stem), fair)


@pytest.mark.requirement("R5", "R21")
@pytest.mark.parametrize("start", ["1970-01-01T00:00:00Z", "2106-02-07T06:28:16Z"])
def test_a_camera_whose_clock_is_dead_records(bench: Make, start: str) -> None:
    camera = bench(clock={"utc_start": start, "source": "none", "uncertainty_ns": 10**12}).start()
    stem = camera.double_press()
    camera.fragments(1)
    camera.hold_to_stop()
    camera.stop()
    assert any("time unverified" in note for note in camera.verify(stem).notes)


def test_sigterm_closes_the_recording_and_nothing_resumes(bench: Make) -> None:
    camera = bench().start()
    stem = camera.double_press()
    camera.fragments(1)
    assert camera.stop() == 0
    report = camera.verify(stem)
    assert report.closed is not None
    assert report.closed.reason == "shutdown"
    assert not [path for path in camera.spool.iterdir() if path.name.endswith(".no-open")]
    events = camera.events()
    assert events[-1][0] == "shutdown", "what was closed told the log before its end"
    assert ("recording_closed", "shutdown", 1) in events
    camera.start()
    assert camera.status().recording is None
    assert camera.double_press() == "SIM-0001-000002"


@pytest.mark.requirement("R13", "R15")
def test_a_camera_that_starts_at_the_dock_is_docked_and_a_lightbar_that_is_on_records(bench: Make) -> None:
    camera = bench().start(ready=False)
    camera.line(DOCK, active=True)  # within the self-test
    camera.line(LIGHTBAR, active=True)
    until(lambda: camera.status().recording is not None)
    assert camera.status().docked
    camera.hold_to_stop()
    until(lambda: camera.status().state == "docked")


def test_the_socket_survives_garbage_and_crowds(bench: Make) -> None:
    camera = bench().start()

    def talk(data: bytes) -> bytes:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(60)
            connection.connect(str(camera.socket))
            try:
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
                return b"".join(iter(lambda: connection.recv(65536), b""))
            except ConnectionError:
                return b""

    for data in (
        b"\0\xff\n",
        b"{}\n",
        b'{"op":"delete"}\n',
        b"[" * 200_000 + b"\n",
        b'{"op":"status","x":1}\n',
        b"half",
    ):
        answer = talk(data)
        assert all(json.loads(line)["answer"] == "refused" for line in answer.splitlines())
    assert b"refused" not in talk(b"half")
    talk(b"x" * 2_000_000)  # cut off; whether it still reads the answer is a matter of luck
    followers = [camera._connect() for _ in range(20)]
    for one in followers:
        assert one is not None
        one.sendall(b'{"op":"events"}\n')
    answers = [one.makefile("rb").readline() for one in followers if one is not None]
    assert any(b"too many" in one for one in answers)
    for one in followers:
        assert one is not None
        one.close()

    def free() -> bool:
        try:
            return camera.status().state == "ready"
        except AssertionError:
            return False

    until(free, what="places are free again once followers have gone")
    assert camera.double_press()


@pytest.mark.requirement("R1", "R33")
def test_another_user_is_refused(bench: Make, as_root: None) -> None:
    camera = bench().start()
    camera.directory.chmod(0o755)
    camera.socket.chmod(0o666)  # the file's mode is not what decides
    code = (
        "import os, socket, sys; os.setgid(65534); os.setuid(65534); s = socket.socket(socket.AF_UNIX); "
        's.connect(sys.argv[1]); s.sendall(b\'{"op":"status"}\\n\'); print(s.makefile().readline())'
    )
    done = subprocess.run([sys.executable, "-c", code, str(camera.socket)], capture_output=True, text=True, timeout=120)
    assert "may not talk" in done.stdout, done
    assert camera.status().state == "ready"


@pytest.mark.requirement("R13", "R21")
def test_foreign_files_and_a_damaged_log_do_not_keep_the_camera_from_recording(bench: Make) -> None:
    camera = bench()
    camera.spool.mkdir()
    (camera.spool / "notes.txt").write_text("not ours")
    (camera.spool / "SIM-0001-000007.evidence").mkdir()
    (camera.spool / "OTHER-000003.evidence").write_bytes(b"another camera's")
    (camera.spool / "SIM-0001-log-000004.evidence").write_bytes(os.urandom(5000))
    (camera.spool / "SIM-0001-000002.evidence").write_bytes(b"")
    (camera.spool / "SIM-0001-000003.evidence").write_bytes(b"\x30\x82\xff\xff" + os.urandom(400))
    camera.start()
    assert camera.double_press() == "SIM-0001-000008"
    camera.fragments(1)
    camera.stop()
    camera.verify("SIM-0001-000008")
    assert (camera.spool / "notes.txt").read_text() == "not ours"
    aside = {path.name.partition(".evidence")[0] for path in (camera.spool / "aside").iterdir()}
    assert aside == {"SIM-0001-log-000004", "SIM-0001-000002", "SIM-0001-000003"}
    events = camera.events()
    assert ("recording_void", None, 2) in events
    assert ("recording_void", None, 3) in events


@pytest.mark.requirement("R13", "R21")
def test_no_socket_and_no_state_directory_do_not_keep_the_camera_from_recording(bench: Make) -> None:
    camera = bench()
    camera.socket.mkdir()
    camera.state.write_text("a file where a directory should be")
    command = [sys.executable, "-m", "device", "run", "--config", str(camera.directory / "device.toml")]
    with (camera.directory / "log.txt").open("ab") as log:
        camera.process = subprocess.Popen([*command, "--allow-simulated"], stderr=log)
    until(lambda: DOCK in camera.pins(), what="the last of the lines is watched, and so is the button")
    camera.press(RECORD, times=2)
    until(lambda: [one for one in camera.spool.glob("SIM-0001-000001.evidence") if one.stat().st_size > 50_000])
    assert camera.stop() == 0
    camera.verify("SIM-0001-000001")
    opened: Any = statements(camera.path("SIM-0001-000001"))[0]
    assert isinstance(opened, Open)
