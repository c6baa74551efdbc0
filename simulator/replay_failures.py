"""Failures that a log tells of, as the faults that cause them, each with its length. Pure (R29)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from evidence.log_entries import Entry
from evidence.statements import Event
from simulator.replay_happenings import Happening, ReplayTime

FAULT_OF: Final[Mapping[str, str]] = {
    "camera_silent": "camera.stall",
    "encoder_stalled": "camera.encoder_stall",
    "picture_black": "camera.black",
    "picture_covered": "camera.covered",
    "picture_frozen": "camera.frozen",
    "picture_defocused": "camera.defocused",
    "picture_upside_down": "camera.upside_down",
    "microphone_dead": "microphone.stall",
    "microphone_silent": "microphone.silent",
    "microphone_clipped": "microphone.clipped",
    "key_lost": "key.failed",
    "signing_key": "key.failed",
    "key_failed": "key.failed",
}
"""What the camera says is wrong -> what makes it so."""
NOTICED_S: Final[Mapping[str, float]] = {
    "camera_silent": 2.0, "encoder_stalled": 2.0, "picture_black": 3.0, "picture_covered": 4.0, "picture_frozen": 5.0,
    "picture_defocused": 4.0, "picture_upside_down": 4.0, "microphone_dead": 2.0, "microphone_silent": 4.0,
    "microphone_clipped": 3.0,
}  # fmt: skip
"""How long a camera takes to notice it, where the log does not say since when it was so."""
BETWEEN_S: Final = 0.3
"""One fault of the picture ends so long before the next one begins."""
WORKS_S: Final[Mapping[str, float]] = {"picture": 2.8, "microphone": 2.5, "encoder": 1.5}
"""How long a camera takes to be sure that a component works again."""
GONE_S: Final = 2.0
"""A failure is told to be over so long after it was."""
BY_OTHERS: Final = frozenset({"clock_stepped", "power_lost", "recorder_restarted", "died_last_shift", "shutting_down"})
"""Causes that another line of the replay makes."""


@dataclass
class _Lasting:
    fault: str
    component: str
    from_s: float


@dataclass
class Failures:
    """Takes entries in order; `happenings` at the end."""

    time: ReplayTime
    known: frozenset[str]
    """Names of all faults that this simulator can make."""
    happenings: list[Happening] = field(default_factory=list)
    _lasting: dict[str, _Lasting] = field(default_factory=dict)

    def take(self, one: Entry) -> bool:
        """Whether the entry tells of a failure, which is then played."""
        if not isinstance(one.statement, Event) or one.statement.word is None:
            return False
        word, at_s = one.statement.word, self.time.at(one)
        match one.name:
            case "background_test" if word.endswith("_works"):
                component = word.removesuffix("_works")
                self._over(component, at_s - WORKS_S.get(component, GONE_S))
            case "background_test" | "failure_began":
                self._begin(one, word, at_s)
            case "failure_ended":
                self._ended(one, word, at_s)
            case "failure_noted" if word == "frames_lost":
                self._dropped(one, at_s)
            case _:
                return False
        return True

    def finish(self) -> list[Happening]:
        """What was never over lasts to the end."""
        for lasting in self._lasting.values():
            self.happenings.append(Happening(lasting.from_s, "do", f"fault {lasting.fault}"))
        self._lasting.clear()
        return self.happenings

    def _begin(self, one: Entry, word: str, at_s: float) -> None:
        if word == "frames_lost":
            return self._dropped(one, at_s)
        fault = FAULT_OF.get(word)
        if word in BY_OTHERS:
            return None
        if fault is None or fault not in self.known:
            self.happenings.append(Happening(at_s, "remark", f"not played: the camera told of {word}"))
            return None
        component = word.partition("_")[0] if not word.startswith("camera") else "sensor"
        told = one.details.get("since_ns", one.details.get("start_ns"))
        from_s = self.time.at(one, told) if isinstance(told, int) else at_s - NOTICED_S.get(word, 2.0)
        held = self._lasting.get(component)
        if held is not None and held.fault == fault:
            return None
        if held is not None:  # a covered lens that is then black: one after the other
            self._over(component, from_s - BETWEEN_S)
        self._lasting[component] = _Lasting(fault, component, max(0.0, from_s))
        return None

    def _ended(self, one: Entry, word: str, at_s: float) -> None:
        fault = FAULT_OF.get(word)
        for component, lasting in tuple(self._lasting.items()):
            if lasting.fault == fault:
                self._over(component, self._since(one, "end_ns", at_s - GONE_S))

    def _over(self, component: str, until_s: float) -> None:
        lasting = self._lasting.pop(component, None)
        if lasting is not None:
            for_s = max(0.5, until_s - lasting.from_s)
            self.happenings.append(Happening(lasting.from_s, "do", f"fault {lasting.fault} for {for_s:.1f} s"))

    def _dropped(self, one: Entry, at_s: float) -> None:
        frames = one.details.get("frames")
        count = frames if isinstance(frames, int) and frames > 0 else 5
        at_s = self._since(one, "start_ns", at_s - 1.0)
        self.happenings.append(Happening(at_s, "do", f"fault camera.drop_frames {count} frames"))

    def _since(self, one: Entry, key: str, otherwise_s: float) -> float:
        told = one.details.get(key)
        return self.time.at(one, told) if isinstance(told, int) else otherwise_s


def played(entries: Iterable[Entry], time: ReplayTime, known: frozenset[str]) -> tuple[list[Happening], set[int]]:
    """(what happens, which entries are told by it: their places)."""
    failures = Failures(time, known)
    taken = {place for place, one in enumerate(entries) if one.statement.stream == "log" and failures.take(one)}
    return failures.finish(), taken
