"""The hardware socket: the world plays pins, clock and faults; garbage harms nobody."""

from __future__ import annotations

import json
import queue
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gpiozero import LED, PWMLED, Button
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from patient_time import Hand, patient_time

from hal.camera import EncodedFrame
from hal.errors import BadDriverOption
from hal.microphone import EncodedSound
from hal.switches import Edge
from hal.switches_gpiozero import GpiozeroSwitches
from simulator.drivers.camera import SceneCamera
from simulator.drivers.clock import SimulatedClock
from simulator.drivers.hardware import HardwareSocket
from simulator.drivers.microphone import ToneMicrophone
from simulator.drivers.pins import SimulatedFactory, simulated_factory

WAIT_S = 60
HOUR_NS = 3600 * 1_000_000_000


class World:
    """The other end: says one line, hears one answer; events come in between."""

    def __init__(self, path: str) -> None:
        self._peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._peer.settimeout(WAIT_S)
        self._peer.connect(path)
        self._lines = self._peer.makefile("rb")
        self.events: list[dict[str, Any]] = []

    def hear(self) -> dict[str, Any]:
        line: dict[str, Any] = json.loads(self._lines.readline())
        return line

    def say_raw(self, line: bytes) -> dict[str, Any]:
        self._peer.sendall(line + b"\n")
        while "event" in (heard := self.hear()):
            self.events.append(heard)
        return heard

    def say(self, **operation: Any) -> dict[str, Any]:
        return self.say_raw(json.dumps(operation).encode())

    def close(self) -> None:
        self._lines.close()
        self._peer.close()


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "hw.sock")


@pytest.fixture
def pins(path: str) -> Iterator[SimulatedFactory]:
    factory = simulated_factory(path)
    yield factory
    factory.close()


@pytest.fixture
def world(pins: SimulatedFactory, path: str) -> Iterator[World]:
    end = World(path)
    yield end
    end.close()


def test_a_button_is_pressed_from_outside(pins: SimulatedFactory, world: World) -> None:
    presses: queue.Queue[str] = queue.Queue()
    with Button(17, pull_up=True, pin_factory=pins) as button:
        button.when_pressed = lambda: presses.put("down")
        button.when_released = lambda: presses.put("up")
        assert world.say(op="pin", pin=17, level=0) == {"ok": True}
        assert presses.get(timeout=WAIT_S) == "down"
        assert button.is_pressed
        assert world.say(op="pin", pin=17, level=1) == {"ok": True}
        assert presses.get(timeout=WAIT_S) == "up"
        assert world.say(op="pins") == {"ok": True, "pins": [{"pin": 17, "function": "input", "level": 1}]}


def test_the_cameras_own_switch_driver_feels_the_worlds_finger(pins: SimulatedFactory, world: World) -> None:
    edges: queue.Queue[Edge] = queue.Queue()
    switches = GpiozeroSwitches({"record_button": {"pin": 17, "active_high": False}}, pin_factory=pins)
    switches.start(edges.put)
    for level in (0, 1):
        world.say(op="pin", pin=17, level=level)
        edge = edges.get(timeout=WAIT_S)
        assert (edge.line, edge.active) == ("record_button", level == 0)
    switches.stop()


def test_a_level_that_was_driven_before_the_daemon_looks_is_stronger_than_its_pull_up(
    pins: SimulatedFactory, world: World
) -> None:
    world.say(op="pin", pin=17, level=0)
    with Button(17, pull_up=True, pin_factory=pins) as button:
        assert button.is_pressed


def test_outputs_are_watched(pins: SimulatedFactory, world: World) -> None:
    with LED(22, pin_factory=pins) as green, PWMLED(23, pin_factory=pins) as amber:
        assert [pin["pin"] for pin in world.say(op="watch")["pins"]] == [22, 23]
        green.on()
        first = world.hear()
        green.off()
        second = world.hear()
        amber.value = 0.25
        third = world.hear()
        assert (first["event"], first["pin"], first["level"]) == ("pin", 22, 1)
        assert (second["pin"], second["level"]) == (22, 0)
        assert (third["pin"], third["level"]) == (23, 0.25)
        assert first["at_ns"] < second["at_ns"] < third["at_ns"]
        assert world.say(op="pins")["ok"]  # the connection still takes operations


def test_an_output_cannot_be_driven(pins: SimulatedFactory, world: World) -> None:
    with LED(22, pin_factory=pins):
        answer = world.say(op="pin", pin=22, level=1)
    assert answer == {"ok": False, "error": "pin 22 is an output of the camera and cannot be driven"}


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"garbage",
        b"\xff\xfe\x00",
        b"[]",
        b"{}",
        b'{"op":"reboot"}',
        b'{"op":"pin"}',
        b'{"op":"pin","pin":17,"level":2}',
        b'{"op":"pin","pin":17,"level":true}',
        b'{"op":"pin","pin":99,"level":1}',
        b'{"op":"pin","pin":17,"level":1,"force":true}',
        b'{"op":"camera","stall_s":-1}',
        b'{"op":"camera","stall_s":1e999}',
        b'{"op":"clock","source":"sundial"}',
        b'{"x":' + b"[" * 4000,
        b'{"op":"pins"}' + b" " * 5000,
    ],
)
def test_a_line_that_is_not_understood_is_refused_and_the_connection_goes_on(world: World, line: bytes) -> None:
    answer = world.say_raw(line)
    assert answer["ok"] is False
    assert answer["error"]
    assert world.say(op="pins")["ok"] is True


def garbage(line: bytes) -> bool:
    """One line that is no operation: now and then the words of this very file are drawn, and they may be one."""
    if b"\n" in line:
        return False
    try:
        said = json.loads(line)
    except ValueError:
        return True
    return not (isinstance(said, dict) and "op" in said)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.binary(max_size=300).filter(garbage))
def test_random_bytes_are_always_answered(world: World, line: bytes) -> None:
    assert world.say_raw(line)["ok"] is False


def test_the_words_of_an_operation_are_not_taken_for_garbage() -> None:
    assert not garbage(b'{"op":"watch"}')
    assert garbage(b"[]")
    assert garbage(b"\xff{")
    assert not garbage(b"a\nb")
    assert not garbage(b"\n[]")


def test_drivers_share_one_server_and_the_last_one_removes_it(path: str) -> None:
    first, second = HardwareSocket.open(path), HardwareSocket.open(path)
    assert first is second
    first.close()
    end = World(path)
    assert end.say(op="pins") == {"ok": True, "pins": []}
    assert end.say(op="pin", pin=17, level=0)["ok"] is False  # no pins driver
    end.close()
    second.close()
    assert not Path(path).exists()
    HardwareSocket.open(path).close()  # and it can be opened again


def test_a_socket_left_by_a_killed_process_is_replaced(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(path)
    HardwareSocket.open(path).close()


def test_a_socket_in_use_elsewhere_and_unusable_paths_are_refused(path: str, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(path)
        other.listen()
        with pytest.raises(BadDriverOption, match="another process"):
            HardwareSocket.open(path)
    for unusable in ("", str(tmp_path / "missing" / "hw.sock"), str(tmp_path / ("long" * 40))):
        with pytest.raises(BadDriverOption, match="hardware_socket"):
            HardwareSocket.open(unusable)


def test_the_clock_is_shifted_and_doubted(path: str) -> None:
    clock = SimulatedClock(path, source="gnss", uncertainty_ns=1000)
    world = World(path)
    boot_ns = [clock.boottime_ns()]
    before = clock.utc()
    boot_ns.append(clock.boottime_ns())
    assert (before.source, before.latest_ns - before.earliest_ns) == ("gnss", 2000)
    assert world.say(op="clock", utc_offset_ns=HOUR_NS, source="none", uncertainty_ns=5_000) == {"ok": True}
    boot_ns.append(clock.boottime_ns())
    after = clock.utc()
    boot_ns.append(clock.boottime_ns())
    assert (after.source, after.latest_ns - after.earliest_ns) == ("none", 10_000)
    shifted_ns = after.middle_ns - before.middle_ns - HOUR_NS
    slewed_ns = 1_000_000  # UTC is corrected while it goes, the other clock is not
    assert boot_ns[2] - boot_ns[1] - slewed_ns <= shifted_ns <= boot_ns[3] - boot_ns[0] + slewed_ns
    world.close()
    clock.close()


def test_a_camera_may_boot_in_1970() -> None:
    clock = SimulatedClock(utc_start="1970-01-01T00:00:10Z")
    assert 10_000_000_000 <= clock.utc().middle_ns < 40_000_000_000
    assert clock.boot_id != SimulatedClock().boot_id


@pytest.mark.parametrize(
    "options",
    [{"utc_start": "yesterday"}, {"utc_start": "1970-01-01T00:00:10"}, {"boot_id": "x"}, {"source": "sundial"}],
)
def test_bad_clock_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(BadDriverOption, match=next(iter(options))):
        SimulatedClock(**options)


@pytest.fixture
def patience() -> Iterator[None]:
    with patient_time():
        yield


@pytest.mark.usefixtures("patience")
def test_the_camera_stalls_and_drops_frames_and_the_count_shows_it(path: str) -> None:
    camera = SceneCamera(176, 144, hardware_socket=path)
    frames = Hand[EncodedFrame]()
    camera.start(frames.give, pytest.fail)
    world = World(path)
    last = frames.get()
    assert world.say(op="camera", drop_frames=7) == {"ok": True}
    while (frame := frames.get()).sequence == last.sequence + 1:
        last = frame
    assert frame.sequence - last.sequence >= 8
    assert world.say(op="camera", stall_s=0.5) == {"ok": True}
    last = frame
    while (frame := frames.get()).sequence == last.sequence + 1:
        last = frame
    assert frame.captured_ns - last.captured_ns > 450_000_000
    frames.let_go()
    camera.stop()
    world.close()


@pytest.mark.usefixtures("patience")
def test_the_microphone_falls_silent_stalls_and_lags(path: str) -> None:
    microphone = ToneMicrophone(hardware_socket=path)
    sounds = Hand[EncodedSound]()
    microphone.start(sounds.give, pytest.fail)
    world = World(path)
    sounds.get()
    world.say(op="microphone", silent_s=0.2)
    while sounds.get().level_dbfs != -120.0:
        pass
    while (last := sounds.get()).level_dbfs == -120.0:
        pass
    world.say(op="microphone", stall_s=0.4)
    while (sound := sounds.get()).captured_ns - last.captured_ns < 300_000_000:
        last = sound
    world.say(op="microphone", late_s=0.3)  # the delay line begins with silence
    while sounds.get().level_dbfs != -120.0:
        pass
    sounds.let_go()
    microphone.stop()
    world.close()
