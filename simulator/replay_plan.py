"""From the entries of a camera's log to what people, vehicle and world did to it: the lines of a scenario. Pure.

With the sealed details each trigger is known, without them only that a recording began: then the record button stands
for whatever it was. No officer, no case and no place is carried over: a replay reproduces what a camera did, not whom
it concerned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from device.policy import CHECKS, Profile
from device.stopping import REASONS
from evidence.log_entries import Entry
from evidence.statements import ClockStep, Event, moment_ns
from simulator.replay_failures import played
from simulator.replay_happenings import NS, OFF_S, Happening, ReplayTime
from simulator.replay_lines import WORD_OF_KIND, Lines

TWICE_S: Final = 0.3
"""A double press is felt so long after it began."""
ONCE_S: Final = 0.15
CLOCK_LOOK_S: Final = 1.0
"""The camera looks at its clock so often: what it saw before a step is so old."""
GAUGE_STEP: Final = 14
"""A gauge that falls by more percent at once is not believed."""
GAUGE_EVERY_S: Final = 1.2
DEED_OF_KIND: Final = {
    "record_button": ("press record button twice", TWICE_S),
    "emergency_button": ("press emergency button", 0.05),
    "crash": ("crash", 0.3),
    "weapon": ("weapon drawn", 0.05),
    "holster": ("weapon drawn", 0.05),
}
"""Trigger -> what pulls it, and how long before."""
KIND_OF_NAME: Final = {"lightbar": "light_bar", "emergency": "emergency_button", "stealth_slide": "stealth_switch"}
"""Usual names of inputs that are not those of their kinds."""
BY_ITSELF: Final = frozenset({"self_test", "peer", "resumed_after_restart"})
"""Triggers that no hand of ours pulls."""
FOLLOWS: Final = frozenset({
    "open_log", "close_log", "boot", "contact", "wear", "usage", "receipt_taken", "proof_taken", "tombstone", "command",
    "self_test", "test_clip", "recording_recovered", "recording_void", "recovered", "rolled_over", "paused", "reminded",
    "reactivated", "peer_start_sent", "low_power", "degraded", "stop_asked", "stop_confirmed", "stop_withdrawn", "gap",
    "open_recording", "close_recording", "time_correction", "self_test_expired", "died_last_shift", "failure_to_record",
    "out_of_service", "override_ended", "shutdown", "update_aborted", "hold_up_over", "backlog", "failure_noted",
})  # fmt: skip
"""What the camera does by itself once the rest is played."""


@dataclass
class Plan:
    """The lines of a replay, in order, and the policy under which they happened."""

    happenings: list[Happening]
    profile: dict[str, Any]
    tested_s: float | None
    """When the first self-test was done."""
    end_s: float


@dataclass
class _Planner:
    time: ReplayTime
    policy: Profile
    lines: Lines
    details: bool
    happenings: list[Happening] = field(default_factory=list)
    state: str = ""
    docked: bool = False
    percent: float = 87.0
    peer_s: float = -10.0
    cut_in: int | None = None
    """The recording that the last cut of the power interrupted."""
    running: int | None = None
    asked: int | None = None
    """The recording for which a stop was asked."""
    tests: frozenset[int] = frozenset()
    confirmed_s: float = 0.0

    def do(self, at_s: float, text: str) -> None:
        self.happenings.append(Happening(max(0.0, at_s), "do", text))

    def remark(self, at_s: float, text: str) -> None:
        self.happenings.append(Happening(at_s, "remark", text))

    @property
    def hold_s(self) -> float:
        return self.policy.hold_to_stop_ms / 1000

    def take(self, one: Entry) -> None:
        """One entry that no failure explains."""
        at_s, word = self.time.at(one), one.statement.word if isinstance(one.statement, Event) else None
        if isinstance(one.statement, ClockStep):
            return self._clock(at_s, one.statement)
        if one.name == "marker":
            by_function = one.details.get("origin") == "function_button"
            self.do(at_s - 0.5, f"press {'function' if by_function else 'record'} button once")
        elif one.statement.stream == "log" and isinstance(one.statement, Event):
            self._event(one, at_s, word or "")
        return None

    def _event(self, one: Entry, at_s: float, word: str) -> None:
        match one.name:
            case "state":
                self._state(at_s, word)
            case "recording_opened":
                self._opened(one, at_s)
            case "recording_closed":
                self._closed(one, at_s, word)
            case "trigger" | "suppressed":
                self._trigger(one, at_s)
            case "stop_reason":
                self._reason(one, at_s, word)
            case "muted" | "unmuted":
                self._mute(one)
            case "docked" | "undocked":
                self.docked = one.name == "docked"
                self.do(at_s - 0.1, "dock" if self.docked else "undock")
            case "battery" | "battery_empty" | "thermal":
                self._power(one, at_s, word)
            case "peer_start_taken":
                self.peer_s = at_s
                self.do(at_s - 0.1, "peer starts")
            case "peer_start_refused":
                self.do(at_s - 0.1, "fault peer.forged")
            case "stealth":
                self.lines.pulled(at_s, "stealth slide", on=word == "on")
            case "ignition" if word in ("on", "off"):
                self.lines.change(at_s, "ignition", on=word == "on")
            case "dislodged":
                self.do(at_s - 1.0, "fall")
            case _:
                self._people(one, at_s, word)

    def _people(self, one: Entry, at_s: float, word: str) -> None:
        match one.name:
            case "assigned":
                if word != "continues":
                    self.do(at_s - 0.05, "officer signs in")
            case "session_ended":
                if word == "signed_out":
                    self.do(at_s - 0.05, "officer signs out")
            case "override" if word in CHECKS:
                self.do(at_s - 0.05, f"supervisor overrides {word.replace('_', ' ')}")
            case "lock" if word in ("locked", "unlocked"):
                self.do(at_s - 0.05, f"{'end ' if word == 'unlocked' else ''}fault device.lost_lock")
            case "labelled":
                self._label(one, at_s, word)
            case name if name not in FOLLOWS:
                self.remark(at_s, f"not played: {name.replace('_', ' ')} {word.replace('_', ' ')}".rstrip())

    def _state(self, at_s: float, word: str) -> None:
        before, self.state = self.state, word
        match word:
            case "confirming_stop":
                self.asked = self.running
                self.do(at_s - self.hold_s, "hold record button")
            case "stating_reason":
                self.confirmed_s = at_s
                self.do(at_s - ONCE_S, "press record button once")
            case "sleep":
                self.do(at_s - self.hold_s - 1.1, "hold function button")
                self.do(at_s - 0.8, "release function button")
                self.do(at_s - 0.5, "press function button once")
            case "ready" if before == "sleep" and not self.docked:
                self.do(at_s - self.hold_s, "hold function button")
                self.do(at_s + 0.3, "release function button")
            case "updating":
                self.remark(at_s, "not played: an update began here")

    def _opened(self, one: Entry, at_s: float) -> None:
        number, self.running = one.recording, one.recording
        self.asked = None
        resumed = one.details.get("resumes") or (self.cut_in is not None and not self.details)
        self.cut_in = None
        if resumed or one.details.get("continues") or number in self.tests or at_s - self.peer_s < 1.0:
            return
        if not one.details.get("trigger"):
            self.remark(at_s, "what started this recording is sealed: the record button stands for it")
            self.do(at_s - TWICE_S, "press record button twice")
            return
        self._pull(one, str(one.details["trigger"]), str(one.details.get("kind")), at_s)

    def _trigger(self, one: Entry, at_s: float) -> None:
        name = one.details.get("name")
        if name is None:
            self.remark(at_s, f"not played: one more trigger, which is sealed ({one.name})")
            return
        self._pull(one, str(name), str(one.details.get("kind") or KIND_OF_NAME.get(str(name), name)), at_s)

    def _pull(self, one: Entry, name: str, kind: str, at_s: float) -> None:
        told = one.details.get("at_ns", (one.details.get("trigger") or {}) if one.name == "trigger" else None)
        told = told.get("at_ns") if isinstance(told, dict) else told
        pulled_s = self.time.at(one, told)
        if kind in WORD_OF_KIND:
            self.lines.pulled(pulled_s, WORD_OF_KIND[kind])
        elif kind == "speed":
            self.lines.fast(at_s)
        elif kind in DEED_OF_KIND:
            text, lead_s = DEED_OF_KIND[kind]
            self.do(pulled_s - lead_s, text)
        elif kind not in BY_ITSELF and name not in BY_ITSELF:
            self.remark(at_s, f"not played: the trigger {name} ({kind})")

    def _closed(self, one: Entry, at_s: float, word: str) -> None:
        if one.recording == self.running:
            self.running = None
        stopped = one.details.get("stop_reason")
        asked = stopped.get("asked_ns") if isinstance(stopped, dict) else None
        if word == "record_button" and self.asked != one.recording:
            self.do(self.time.at(one, asked) - self.hold_s, "hold record button")
        elif word == "false_activation":
            self.do(at_s - ONCE_S, "press record button once")

    def _reason(self, one: Entry, at_s: float, word: str) -> None:
        if word == "spoken":
            self.do(max(self.confirmed_s + 0.4, at_s - 2.8), "officer speaks")
        elif word in REASONS:
            asked = {"consulted": ", supervisor consulted", "not_possible": ", supervisor not possible"}
            supervisor = asked.get(str(one.details.get("supervisor")), "")
            self.do(at_s - 0.05, f"give reason {word.replace('_', ' ')}{supervisor}")

    def _mute(self, one: Entry) -> None:
        if one.name == "muted":
            self.do(self.time.at(one, one.details.get("at_ns")) - self.hold_s, "hold function button")
        else:
            self.do(self.time.at(one, one.details.get("at_ns")), "release function button")

    def _label(self, one: Entry, at_s: float, word: str) -> None:
        names = [category.name for category in self.policy.all_categories]
        origin = one.details.get("origin")
        if word in ("case", "cad"):
            self.do(at_s - 0.05, f"{word} number 00-00000")
        elif word in ("test", "false_activation", "training") or origin not in (None, "wheel"):
            return  # the state that made it, or the input's own category
        elif word in names and self.running is None:
            turns = names.index(word) + 1
            self.do(at_s - self.policy.category_timeout_s - 0.8 * turns, f"turn the wheel by {turns}")
        else:
            self.remark(at_s, f"not played: the label {word}")

    def _power(self, one: Entry, at_s: float, word: str) -> None:
        if one.name == "thermal":
            zones = one.details.get("zones_mc")
            hottest = max((mc for mc in zones.values() if isinstance(mc, int)), default=0) if isinstance(
                zones, dict) else 0  # fmt: skip
            usual = {"normal": 45, "warm": 70, "hot": 80, "critical": 88}.get(word, 45)
            self.do(at_s - 2.0, f"board {min(150, hottest // 1000) if hottest else usual} degrees")
            return
        if word == "good" and self.docked:
            return
        told = one.details.get("percent")
        usual = {"good": 60, "low": 20, "critical": 8, "empty": 0}.get(word, 0)
        self._discharge(at_s, int(told) if isinstance(told, int | float) else usual)

    def _discharge(self, at_s: float, percent: int) -> None:
        """Step by step, or the camera would not believe its gauge."""
        steps = [percent]
        while steps[0] + GAUGE_STEP < self.percent:
            steps.insert(0, steps[0] + GAUGE_STEP)
        self.percent = percent
        for index, one in enumerate(steps):
            self.do(at_s - GAUGE_EVERY_S * (len(steps) - index), f"battery {one}")

    def _clock(self, at_s: float, step: ClockStep) -> None:
        if step.before.source == "none" or step.after.source == "none":
            self.do(at_s - 0.5, "clock unset" if step.after.source == "none" else "clock set")
            return
        if step.cause not in ("stepped_forward", "stepped_back"):
            self.remark(at_s, f"not played: the clock {step.cause.replace('_', ' ')}")
            return
        middle_ns = [moment_ns(utc.earliest) + moment_ns(utc.latest) for utc in (step.before, step.after)]
        moved_s = (middle_ns[1] - middle_ns[0]) / 2 / NS - CLOCK_LOOK_S
        self.do(at_s - 0.5, f"clock jumps {round(moved_s)} s")

    def ended(self, boot: Sequence[Entry]) -> None:
        """A boot is over, and another one follows."""
        cut_s, off_s = self.time.cut_s[boot[0].statement.boot], self.time.off_s[boot[0].statement.boot]
        names = {one.name for one in boot}
        if off_s is not None and off_s > OFF_S:
            self.remark(cut_s, f"the camera was off for {off_s / 60:.0f} minutes by its own clock; here for a moment")
        if "battery_empty" in names:
            return  # the world charges the battery, and the camera starts again
        if "shutdown" in names:
            self.do(cut_s, "fault process.restart_device")
        else:
            self.do(cut_s, "power cut")
            self.cut_in = self.running
        self.state = ""


def _policy(entries: Sequence[Entry]) -> dict[str, Any]:
    """What differs from the default policy: as a recording's sealed beginning tells it, or as the log lets it seem."""
    for one in entries:
        told = one.details.get("profile") if one.name == "recording_opened" else None
        if isinstance(told, dict):
            return {key: value for key, value in told.items() if key not in ("v", "name", "version")}
    words = {(one.name, one.statement.word) for one in entries if isinstance(one.statement, Event)}
    seems = {"keep_after_receipt_h": 0} if any(name == "tombstone" for name, _ in words) else {}
    if ("recording_closed", "record_button") in words and ("state", "confirming_stop") not in words:
        seems["confirm_stop_s"] = 0
    return {**seems, "stop_reason_s": 0} if ("stop_reason", "not_asked") in words else seems


def _numbers(entries: Sequence[Entry], label: str) -> frozenset[int]:
    """Recordings that were given this label."""
    labelled = (one for one in entries if one.name == "labelled" and isinstance(one.statement, Event))
    return frozenset(one.recording for one in labelled if one.recording and one.fields["word"] == label)


def plan(entries: Sequence[Entry], known_faults: frozenset[str], *, details: bool) -> Plan:
    """What happened, as lines in order."""
    time = ReplayTime(entries)
    changed = _policy(entries)
    policy = msgspec.convert({"v": 1, "name": "replay", "version": 1, **changed}, Profile)
    lines = Lines(time, policy.speed_trigger_kmh or 120)
    lines.read(entries)
    failures, taken = played(entries, time, known_faults)
    planner = _Planner(time, policy, lines, details, tests=_numbers(entries, "test"))
    boot: list[Entry] = []
    for place, one in enumerate(entries):
        if boot and one.statement.boot != boot[0].statement.boot:
            planner.ended(boot)
            boot = []
        boot.append(one)
        if place not in taken:
            planner.take(one)
    happened = [*planner.happenings, *lines.settled(), *failures]
    tested = next((time.at(one) for one in entries if one.name == "self_test"), None)
    happened.sort(key=lambda one: (one.at_s, one.kind != "remark"))
    return Plan(happened, changed, tested, time.end_s)
