"""Switches and indicators through real gpiozero on its mock pins."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import queue
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gpiozero.pins.mock import MockFactory, MockPin, MockPWMPin

from hal.errors import BadDriverOption, DeviceLost
from hal.indicators import Dimmable
from hal.indicators_gpiozero import GpiozeroIndicators
from hal.pins import default_factory
from hal.switches import Edge
from hal.switches_gpiozero import GpiozeroSwitches

WAIT_S = 120.0
BUTTON = {"record_button": {"pin": 17, "active_high": False}}
LIGHTBAR = {"lightbar": {"pin": 27, "active_high": True}}


@pytest.fixture
def factory() -> Iterator[Any]:
    one = MockFactory(pin_class=MockPWMPin)
    yield one
    one.close()


def counting_clock() -> Any:
    """1, 2, 3, … nanoseconds."""
    return itertools.count(1).__next__


def test_an_edge_carries_line_polarity_and_time(factory: Any) -> None:
    edges: list[Edge] = []
    switches = GpiozeroSwitches(BUTTON | LIGHTBAR, factory, clock=counting_clock())
    switches.start(edges.append)
    factory.pin(17).drive_low()
    factory.pin(27).drive_high()
    factory.pin(17).drive_high()
    assert edges == [Edge("record_button", True, 1), Edge("lightbar", True, 2), Edge("record_button", False, 3)]
    assert (switches.active("record_button"), switches.active("lightbar")) == (False, True)
    switches.stop()


class LateFactory(MockFactory):  # type: ignore[misc]
    """A board whose chip is not there at first."""

    there = False

    def pin(self, name: Any) -> Any:
        if not self.there:
            raise OSError(2, "No such file or directory")
        return super().pin(name)


@pytest.mark.requirement("R13")
def test_a_record_button_whose_chip_comes_late_works_from_then_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hal.switches_gpiozero.RETRY_S", 0.01)
    late = LateFactory(pin_class=MockPWMPin)
    edges: queue.Queue[Edge] = queue.Queue()
    switches = GpiozeroSwitches(BUTTON, late, clock=counting_clock())
    with pytest.raises(DeviceLost, match="record_button on pin 17"):
        switches.start(edges.put)
    late.there = True
    opened = threading.Event()
    while not opened.wait(0.01):  # the line is open as soon as it can be asked
        with contextlib.suppress(DeviceLost):
            switches.active("record_button")
            opened.set()
    late.pin(17).drive_low()
    assert edges.get(timeout=WAIT_S) == Edge("record_button", True, 1)
    switches.stop()
    late.close()


def test_bounce_is_passed_on_raw(factory: Any) -> None:
    edges: list[Edge] = []
    switches = GpiozeroSwitches(BUTTON, factory)
    switches.start(edges.append)
    for _ in range(10):
        factory.pin(17).drive_low()
        factory.pin(17).drive_high()
    switches.stop()
    assert [edge.active for edge in edges] == [True, False] * 10
    assert all(earlier.at_ns <= later.at_ns for earlier, later in itertools.pairwise(edges))


def test_a_line_already_active_delivers_its_edge_at_start_once(factory: Any) -> None:
    floating = {"lightbar": {"pin": 27, "active_high": True, "pull": "none"}}
    factory.pin(27).drive_high()
    edges: list[Edge] = []
    switches = GpiozeroSwitches(floating, factory, clock=counting_clock())
    switches.start(edges.append)
    assert edges == [Edge("lightbar", True, 1)]
    switches.stop()


class PressedWhileLookedAt(MockPWMPin):  # type: ignore[misc]
    """A pin that goes low just as its level is read for the second time: gpiozero reads it once, the driver then."""

    reads = 0

    def _get_state(self) -> Any:
        self.reads += 1
        if self.reads == 2:
            self.drive_low()
        return super()._get_state()


def test_a_press_in_the_moment_of_the_start_is_delivered_once() -> None:
    factory = MockFactory(pin_class=PressedWhileLookedAt)
    edges: list[Edge] = []
    switches = GpiozeroSwitches(BUTTON, factory)
    switches.start(edges.append)
    assert factory.pin(17).reads == 2
    assert [edge.active for edge in edges] == [True]
    switches.stop()


def test_nothing_is_delivered_after_stop_and_the_pins_are_free(factory: Any) -> None:
    edges: list[Edge] = []
    switches = GpiozeroSwitches(BUTTON, factory)
    switches.start(edges.append)
    with pytest.raises(RuntimeError):
        switches.start(edges.append)
    switches.stop()
    switches.stop()
    factory.pin(17).drive_low()
    assert edges == []
    factory.pin(17).drive_high()
    switches.start(edges.append)
    factory.pin(17).drive_low()
    assert [edge.active for edge in edges] == [True]
    switches.stop()


def test_a_listener_may_stop_the_switches(factory: Any) -> None:
    edges: list[Edge] = []
    switches = GpiozeroSwitches(BUTTON, factory)

    def hear(edge: Edge) -> None:
        edges.append(edge)
        switches.stop()

    switches.start(hear)
    factory.pin(17).drive_low()
    assert len(edges) == 1


@pytest.mark.requirement("R21")
def test_a_dead_line_does_not_take_the_record_button_with_it(factory: Any) -> None:
    """Invariant 1: GPIO 2 has a pull-up soldered on, so that it cannot be pulled down."""
    edges: list[Edge] = []
    switches = GpiozeroSwitches({"lightbar": {"pin": 2, "active_high": True}} | BUTTON, factory)
    with pytest.raises(DeviceLost, match="lightbar on pin 2"):
        switches.start(edges.append)
    factory.pin(17).drive_low()
    assert [edge.line for edge in edges] == ["record_button"]
    with pytest.raises(DeviceLost):
        switches.active("lightbar")
    switches.stop()


def test_a_line_whose_chip_went_away_is_said_to_be_lost_and_not_to_be_idle(factory: Any) -> None:
    """The other lines may be on another chip: they are read as before."""

    class Gone(MockPin):
        def _get_state(self) -> int:
            raise OSError(errno.ENODEV, "No such device")

    switches = GpiozeroSwitches(LIGHTBAR | BUTTON, factory)
    switches.start(lambda _: None)
    factory.pin(27).__class__ = Gone
    with pytest.raises(DeviceLost, match=r"'lightbar' on pin 27 cannot be read .*No such device.*is its chip gone"):
        switches.active("lightbar")
    assert not switches.active("record_button")
    switches.stop()


def test_an_unknown_line_is_a_key_error(factory: Any) -> None:
    with pytest.raises(KeyError):
        GpiozeroSwitches(BUTTON, factory).active("siren")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ({"a": {"pin": 17, "activ_high": True}}, "did you mean 'active_high'"),
        ({"a": {}}, "'pin' is missing"),
        ({"a": {"pin": 54}}, "0..53"),
        ({"a": {"pin": -1}}, "0..53"),
        ({"a": {"pin": True}}, "0..53"),
        ({"a": {"pin": "17"}}, "0..53"),
        ({"a": {"pin": 17}, "b": {"pin": 17}}, "already used by switch 'a'"),
        ({"a": {"pin": 17, "active_high": 1}}, "true or false"),
        ({"a": {"pin": 17, "pull": "sideways"}}, "pull must be"),
        ({"a": {"pin": 17, "pull": "down"}}, "hold the line active"),
        ({"a": 17}, "must be a table"),
        ([17], "must be a table"),
    ],
)
def test_wrong_options_of_a_line_are_refused(lines: Any, message: str) -> None:
    with pytest.raises(BadDriverOption, match=message):
        GpiozeroSwitches(lines)


def test_a_channel_goes_on_and_off(factory: Any) -> None:
    indicators = GpiozeroIndicators({"red": 22, "haptic": 5}, factory)
    assert indicators.channels == {"red", "haptic"}
    indicators.on("red")
    assert (factory.pin(22).state, factory.pin(5).state) == (1, 0)
    indicators.off("red")
    assert factory.pin(22).state == 0
    indicators.stop()


class WatchedPin(MockPWMPin):  # type: ignore[misc]
    """A pin that says when it went low for the nth time."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.lows = threading.Semaphore(0)

    def _change_state(self, value: float) -> bool:
        changed = bool(super()._change_state(value))
        if changed and not value and hasattr(self, "lows"):
            self.lows.release()
        return changed


def test_a_pulse_blinks_in_the_background_as_often_as_told() -> None:
    factory = MockFactory(pin_class=WatchedPin)
    indicators = GpiozeroIndicators({"haptic": 5}, factory)
    pin = factory.pin(5)
    pin.clear_states()
    indicators.pulse("haptic", 0.01, 0.01, count=3)
    for _ in range(3):
        assert pin.lows.acquire(timeout=WAIT_S)
    indicators.stop()
    pin.assert_states([0, 1, 0, 1, 0, 1, 0])
    assert len(pin.states) == 7


def test_endless_pulses_end_with_the_next_call_and_no_thread_outlives_stop(factory: Any) -> None:
    before = set(threading.enumerate())
    indicators = GpiozeroIndicators({"red": 22, "amber": 23}, factory)
    indicators.pulse("red", 3600, 3600)
    indicators.pulse("amber", 3600, 0)
    indicators.pulse("amber", 0.01, 3600)
    indicators.on("red")
    assert len(set(threading.enumerate()) - before) == 1
    indicators.stop()
    indicators.stop()
    assert set(threading.enumerate()) == before
    indicators.on("red")  # a late call at shutdown is harmless
    assert factory.pin(22).state == 0


@pytest.mark.parametrize(
    ("on_s", "off_s", "count"), [(0, 0, None), (-1, 1, None), (float("nan"), 1, None), (1, 1, 0), (1, 1e9, 1)]
)
def test_what_is_no_blinking_is_refused(factory: Any, on_s: float, off_s: float, count: int | None) -> None:
    indicators = GpiozeroIndicators({"red": 22}, factory)
    with pytest.raises(ValueError, match="must be"):
        indicators.pulse("red", on_s, off_s, count)
    with pytest.raises(KeyError):
        indicators.on("purple")
    indicators.stop()


def test_a_pin_used_twice_is_refused() -> None:
    with pytest.raises(BadDriverOption, match="already used by indicator 'red'"):
        GpiozeroIndicators({"red": 22, "green": 22})


def test_a_lamp_whose_pin_is_taken_is_lost_takes_no_other_with_it_and_comes_back(factory: Any) -> None:
    first = GpiozeroIndicators({"red": 22}, factory)
    second = GpiozeroIndicators({"green": 6, "red": 22}, factory)
    second.on("green")
    assert factory.pin(6).state == 1
    with pytest.raises(DeviceLost, match="no other program"):
        second.on("red")
    first.stop()
    second.dim(0.5)
    second.on("red")
    assert factory.pin(22).state == 0.5
    second.stop()
    assert factory.pin(6).state == 0


def test_lgpio_gets_a_writable_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LG_WD", "set by the unit")
    assert default_factory(str(tmp_path)) is None
    assert os.environ["LG_WD"] == "set by the unit"
    monkeypatch.delenv("LG_WD")
    default_factory(str(tmp_path / "nowhere"))
    assert "LG_WD" not in os.environ
    default_factory(str(tmp_path))
    assert os.environ["LG_WD"] == str(tmp_path)


def test_lamps_are_dimmed_also_while_they_are_lit_and_the_motor_is_not(factory: Any) -> None:
    indicators = GpiozeroIndicators({"red": 22, "haptic": 5}, factory)
    assert isinstance(indicators, Dimmable)
    indicators.on("red")
    indicators.on("haptic")
    indicators.dim(0.25)
    assert (factory.pin(22).state, factory.pin(5).state) == (0.25, 1)
    indicators.off("red")
    indicators.dim(0.5)
    assert factory.pin(22).state == 0
    indicators.on("red")
    assert factory.pin(22).state == 0.5
    with pytest.raises(ValueError, match="level must be"):
        indicators.dim(0)
    indicators.stop()


def test_pins_without_pwm_are_on_or_off() -> None:
    plain = MockFactory(pin_class=MockPin)
    indicators = GpiozeroIndicators({"red": 22}, plain)
    indicators.dim(0.25)
    indicators.on("red")
    assert plain.pin(22).state == 1
    indicators.stop()
    plain.close()
