"""The arbiter of the indicators: priorities, repeats, stealth, night, boards that lack or lose a channel (R4, R21)."""

from __future__ import annotations

import datetime as dt
import tomllib
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device import indicators as patterns
from device.indicators import CATALOG, CONDITIONS, Beat
from device.night import DIMMED, brightness
from device.policy import Profile
from device.signals import SECOND, Signals, reminders_s
from device.states import State
from hal.errors import DeviceLost

ALL = frozenset(patterns.CHANNELS)


class Board:
    """A board that keeps what each channel shows and writes down what it was told to play."""

    def __init__(self, channels: frozenset[str] = ALL) -> None:
        self.channels = channels
        self.lamps: dict[str, Any] = {}
        self.played: list[tuple[str, int | None]] = []
        self.level = 1.0
        self.broken: set[str] = set()
        self.calls = 0

    def _take(self, channel: str, how: Any) -> None:
        assert channel in self.channels
        self.calls += 1
        if channel in self.broken:
            raise DeviceLost(f"{channel} does not answer")
        self.lamps[channel] = how

    def on(self, channel: str) -> None:
        self._take(channel, "on")

    def off(self, channel: str) -> None:
        self._take(channel, "off")

    def pulse(self, channel: str, on_s: float, off_s: float, count: int | None = None) -> None:
        self._take(channel, (on_s, off_s, count))
        if channel in ("haptic", "tone"):
            self.played.append((channel, count))

    def dim(self, level: float) -> None:
        self.level = level

    def stop(self) -> None:
        self.lamps = dict.fromkeys(self.channels, "off")

    @property
    def felt(self) -> list[int | None]:
        """How many times each vibration was."""
        return [count for channel, count in self.played if channel == "haptic"]


class Desk:
    """Signals on a board with a clock that a test moves."""

    def __init__(self, channels: frozenset[str] = ALL) -> None:
        self.board = Board(channels)
        self.faults: list[str] = []
        self.now_ns = 100 * SECOND
        self.signals = Signals(self.board, lambda _, text: self.faults.append(text), lambda: self.now_ns)
        self.signals.show(State.READY)

    def seconds(self, count: int) -> None:
        for _ in range(count):
            self.now_ns += SECOND
            self.signals.tick(self.now_ns)


def test_the_pattern_file_is_complete_and_names_only_what_exists() -> None:
    wanted = {
        "muted", "asleep", "low_battery", "critical_battery", "storage_low", "storage_full", "clock_unset", "failure",
        "confirm_stop", "stating_reason", "reactivation", "covered", "out_of_service", "died_last_shift", "recovering",
        "docked_ready", "docked_fault", "hot", "backlog",
    }  # fmt: skip
    assert wanted <= set(CONDITIONS)
    assert {state.value for state in State} - {"home"} <= set(CATALOG.states)
    for name, one in CONDITIONS.items():
        assert set(one.instead_of) <= set(CONDITIONS) - {name}
        assert one.lamps or one.beats, name
        assert one.every_s is None or one.lasts_s + 1 < one.every_s, f"{name} would never pause"
    assert all(beat.times for one in CATALOG.plays.values() for beat in one.beats.values()), "a play ends by itself"


@pytest.mark.parametrize(
    ("name", "times", "every_s"),
    [
        ("low_battery", 4, 20),
        ("critical_battery", 4, 20),
        ("storage_full", 3, 20),
        ("clock_unset", 5, 20),
        ("muted", 1, 60),
    ],
)
def test_alarms_are_those_of_the_field(name: str, times: int, every_s: int) -> None:
    one = CONDITIONS[name]
    assert one.haptic is not None
    assert one.tone is not None
    assert (one.haptic.times, one.tone.times, one.every_s) == (times, times, every_s)


def test_a_pattern_with_an_unknown_key_is_refused() -> None:
    text = patterns.FILE.read_text("utf-8").replace("[states.boot]", "[states.boot]\npurple = 'on'")
    with pytest.raises(msgspec.ValidationError, match="purple"):
        msgspec.convert(tomllib.loads(text), patterns.Catalog)


def test_a_condition_is_told_at_once_and_repeated_as_long_as_it_lasts() -> None:
    desk = Desk()
    desk.signals.condition("low_battery", True)
    assert desk.board.felt == [4]
    desk.seconds(19)
    assert desk.board.felt == [4]
    desk.seconds(1)
    assert desk.board.felt == [4, 4]
    desk.signals.condition("low_battery", False)
    desk.seconds(60)
    assert desk.board.felt == [4, 4]
    assert desk.board.lamps["amber"] == "off"


def test_the_policy_may_say_how_often() -> None:
    desk = Desk()
    desk.signals.condition("muted", True, every_s=10)
    desk.seconds(30)
    assert desk.board.felt == [1, 1, 1, 1]


def test_reminders_are_those_of_the_profile() -> None:
    profile = Profile(v=1, name="p", version=1, mute_alarm_s=30, reactivation_reminder_s=0)
    assert reminders_s(profile) == {"muted": 30, "asleep": 900}
    desk = Desk()
    desk.signals = Signals(desk.board, lambda *_: None, lambda: desk.now_ns, reminders_s(profile))
    desk.signals.condition("muted", True)
    desk.seconds(60)
    assert desk.board.felt == [1, 1, 1]


def test_lamps_show_the_most_important_and_what_was_below_comes_back() -> None:
    desk = Desk()
    desk.signals.show(State.RECORDING)
    desk.signals.condition("muted", True)
    assert desk.board.lamps["red"] == (0.5, 0.5, None), "that it records is still seen"
    assert desk.board.lamps["amber"] == "on"
    desk.signals.condition("low_battery", True)
    assert desk.board.lamps["amber"] == (0.1, 0.9, None)
    desk.signals.condition("low_battery", False)
    assert desk.board.lamps["amber"] == "on"


def test_two_conditions_are_told_one_after_the_other_with_a_pause() -> None:
    desk = Desk()
    desk.signals.condition("low_battery", True)
    desk.signals.condition("clock_unset", True)
    assert desk.board.felt == [4], "nobody can count four and five at once"
    desk.seconds(2)
    assert desk.board.felt == [4, 5]


def test_the_greater_alarm_stands_for_the_smaller() -> None:
    desk = Desk()
    desk.signals.condition("low_battery", True)
    desk.signals.condition("critical_battery", True)
    assert desk.board.lamps["amber"] == (0.1, 0.1, None)
    desk.board.played.clear()
    desk.seconds(60)
    assert desk.board.felt == [4, 4, 4]
    desk.signals.condition("critical_battery", False)
    desk.seconds(20)
    assert desk.board.lamps["amber"] == (0.1, 0.9, None)


def test_an_alarm_cuts_feedback_short_and_feedback_waits_for_an_alarm() -> None:
    desk = Desk()
    desk.signals.play(patterns.STARTED)
    desk.signals.play(patterns.ALARM)
    assert desk.board.felt == [2, 5]
    desk.signals.play(patterns.MARKED)
    assert desk.board.felt == [2, 5]
    desk.seconds(1)
    assert desk.board.felt == [2, 5, 1], "late, but not lost"


def test_an_old_answer_is_not_given() -> None:
    desk = Desk()
    desk.signals.play(patterns.ALARM)
    desk.signals.play(patterns.MARKED)
    desk.now_ns += 10 * SECOND
    desk.signals.tick(desk.now_ns)
    assert desk.board.felt == [5]


def test_the_wheel_counts_its_position() -> None:
    desk = Desk()
    for position in (1, 4):
        desk.signals.play(patterns.WHEEL(position))
        desk.seconds(2)
    assert desk.board.felt == [1, 4]


@pytest.mark.requirement("R4")
def test_stealth_is_dark_and_silent_but_a_failure_to_record_is_felt() -> None:
    desk = Desk()
    desk.signals.show(State.RECORDING)
    desk.signals.condition("muted", True)
    desk.signals.stealth = True
    assert set(desk.board.lamps.values()) == {"off"}
    desk.board.played.clear()
    desk.signals.play(patterns.STARTED)
    desk.signals.play(patterns.STOPPED)
    desk.signals.condition("low_battery", True)
    desk.seconds(130)
    assert desk.board.played == []
    desk.signals.play(patterns.ALARM)
    assert desk.board.played == [("haptic", 5)], "felt, not heard"
    desk.signals.show(State.OUT_OF_SERVICE)
    assert desk.board.lamps["red"] == "off"
    desk.signals.stealth = False
    assert desk.board.lamps["red"] == (0.1, 0.1, None)


def test_a_board_without_white_shows_updates_on_amber() -> None:
    desk = Desk(frozenset({"green", "red", "amber"}))
    assert desk.signals._lamp("white", CATALOG.states["updating"]) == "amber"
    assert Desk().signals._lamp("white", CATALOG.states["updating"]) == "white"


def test_a_broken_lamp_is_one_fault_and_the_others_go_on() -> None:
    desk = Desk()
    desk.board.broken = {"red"}
    for _ in range(5):
        desk.signals.show(State.RECORDING)
        desk.signals.show(State.READY)
    assert desk.faults == ["red does not answer"]
    assert desk.board.lamps["green"] == (0.1, 0.9, None)
    desk.board.broken = set()
    desk.signals.show(State.RECORDING)
    assert desk.board.lamps["red"] == (0.5, 0.5, None)


def test_a_camera_without_indicators_takes_everything() -> None:
    signals = Signals(None, lambda *_: None, lambda: 0)
    signals.show(State.RECORDING)
    signals.play(patterns.ALARM)
    signals.condition("failure", True)
    signals.stealth = True
    signals.tick(SECOND)
    signals.stop()
    assert signals.conditions == {"failure"}


def test_lamps_that_do_not_change_are_left_alone() -> None:
    desk = Desk()
    calls = desk.board.calls
    desk.seconds(30)
    assert desk.board.calls == calls, "a lamp that is set anew each second never finishes its blink"


def test_an_unknown_condition_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        Desk().signals.condition("no_such", True)


def test_a_play_with_lamps_gives_them_back() -> None:
    desk = Desk()
    desk.signals.play(CATALOG.plays["self_test_warn"])
    assert desk.board.lamps["amber"] == (0.5, 0.5, 2)
    desk.seconds(3)
    assert desk.board.lamps["amber"] == "off"
    assert desk.board.lamps["green"] == (0.1, 0.9, None)


@pytest.mark.requirement("R21")
@pytest.mark.parametrize(
    ("zone", "hour", "dimmed"),
    [("America/New_York", 0, False), ("America/New_York", 1, True), ("America/New_York", 12, True),
     ("America/New_York", 13, False), ("UTC", 19, False), ("UTC", 20, True), ("UTC", 7, True), ("UTC", 8, False)],
)  # fmt: skip
def test_lamps_are_dimmed_by_the_local_hour(zone: str, hour: int, dimmed: bool) -> None:
    profile = Profile(v=1, name="p", version=1, zone=zone)
    at = dt.datetime(2026, 1, 15, hour, 30, tzinfo=dt.UTC)
    assert brightness(profile, at) == (DIMMED if dimmed else 1.0)


def test_the_same_hour_means_never_and_no_clock_means_bright() -> None:
    profile = Profile(v=1, name="p", version=1, dim_from_h=5, dim_until_h=5)
    assert brightness(profile, dt.datetime(2026, 1, 15, 5, tzinfo=dt.UTC)) == 1.0
    assert brightness(Profile(v=1, name="p", version=1), None) == 1.0
    with pytest.raises(ValueError, match="not known"):
        brightness(Profile(v=1, name="p", version=1, zone="Mars/Base"), dt.datetime(2026, 1, 15, tzinfo=dt.UTC))


def test_a_beat_without_end_lasts_no_time_of_its_own() -> None:
    assert Beat(on_s=1, off_s=1).lasts_s == 0
    assert Beat(on_s=0.1, off_s=0.1, times=5).lasts_s == pytest.approx(1.0)


def test_no_two_conditions_are_shown_alike() -> None:
    told: dict[str, list[str]] = {}
    for name, one in CONDITIONS.items():
        told.setdefault(repr((one.lamps, one.beats)), []).append(name)
    assert not [names for names in told.values() if len(names) > 1]


ACTS = st.one_of(
    st.tuples(st.just("condition"), st.sampled_from(sorted(CONDITIONS)), st.booleans()),
    st.tuples(st.just("play"), st.sampled_from(sorted(CATALOG.plays)), st.just(True)),
    st.tuples(st.just("show"), st.sampled_from(sorted(patterns.STATE_PATTERNS, key=str)), st.just(True)),
    st.tuples(st.just("stealth"), st.just(""), st.booleans()),
    st.tuples(st.just("seconds"), st.just(""), st.just(True)),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(ACTS, max_size=60))
def test_after_any_sequence_what_is_left_is_shown_and_an_alarm_is_felt(acts: list[tuple[str, Any, bool]]) -> None:
    desk = Desk()
    for what, name, on in acts:
        if what == "condition":
            desk.signals.condition(name, on)
        elif what == "play":
            desk.signals.play(CATALOG.plays[name])
        elif what == "show":
            desk.signals.show(name)
        elif what == "stealth":
            desk.signals.stealth = on
        else:
            desk.seconds(1)
    desk.board.played.clear()
    desk.signals.play(patterns.ALARM)
    assert desk.board.felt == [5], "nothing keeps an alarm from the officer"
    for name in list(desk.signals.conditions):
        desk.signals.condition(name, False)
    desk.signals.stealth = False
    desk.signals.show(State.RECORDING)
    desk.seconds(10)
    lit = {lamp: how for lamp, how in desk.board.lamps.items() if lamp in patterns.LAMPS and how != "off"}
    assert lit == {"red": (0.5, 0.5, None)}
    assert desk.faults == []
