"""The vehicle's lines and the speed, from the sealed input timelines of the recordings. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from evidence.log_entries import Entry
from simulator.replay_happenings import Happening, ReplayTime
from simulator.words import LINES

WORD_OF_KIND: Final[Mapping[str, str]] = {
    "light_bar": "light bar", "siren": "siren", "pursuit": "pursuit", "door": "door", "gun_rack": "gun rack",
    "brake": "brake", "ignition": "ignition", "stealth_switch": "stealth slide",
}  # fmt: skip
"""A line's kind in the camera's settings -> the scenario's word for it."""
NEAR_S: Final = 1.0
OFF_BEFORE_S: Final = 0.4
SLOWER: Final = 0.8
"""A car is slow again below this share of the speed that was a trigger."""


@dataclass
class Lines:
    """Which lines are on, and every change of one, once."""

    time: ReplayTime
    threshold_kmh: int = 120
    """The policy's speed trigger."""
    happenings: list[Happening] = field(default_factory=list)
    _words: dict[str, str] = field(default_factory=lambda: {name: word for word, name in LINES.items()})
    _speeds: list[tuple[float, int]] = field(default_factory=list)
    _fast_since_s: float | None = None

    def read(self, entries: Sequence[Entry]) -> None:
        """All rows of all timelines, in order."""
        rows: dict[tuple[float, str], int] = {}
        for one in entries:
            for trigger in _dicts(one.details.get("triggers")):
                word = WORD_OF_KIND.get(str(trigger.get("kind")))
                if word is not None:
                    self._words[str(trigger.get("name"))] = word
            for at_ns, name, value in _rows(one.details.get("timeline")):
                rows[self.time.at(one, at_ns), name] = value
        for (at_s, name), value in sorted(rows.items()):
            if name == "speed_kmh":
                self._speeds.append((at_s, value))
            elif name in self._words:
                self.change(at_s, self._words[name], on=bool(value))

    def change(self, at_s: float, word: str, *, on: bool) -> None:
        """A line is switched."""
        self.happenings.append(Happening(at_s, "do", f"{word} {'on' if on else 'off'}"))

    def pulled(self, at_s: float, word: str, *, on: bool = True) -> None:
        """The log tells that a line was switched: known from its row already, or else switched now."""
        text = f"{word} {'on' if on else 'off'}"
        if not any(one.text == text and abs(one.at_s - at_s) <= NEAR_S for one in self.happenings):
            self.happenings.append(Happening(at_s, "do", text))

    def settled(self) -> list[Happening]:
        """Every change once, in order: what is on goes off before it comes on again."""
        on: set[str] = set()
        found = []
        for one in sorted(self.happenings, key=lambda one: one.at_s):
            word, _, way = one.text.rpartition(" ")
            if way == "on" and word in on:
                if self.time.just_started(one.at_s):
                    continue  # it was on all the time: a camera that was started again tells of it once more
                found.append(Happening(one.at_s - OFF_BEFORE_S, "do", f"{word} off"))
            elif way == "off" and word not in on:
                continue
            if way in ("on", "off"):
                (on.add if way == "on" else on.discard)(word)
            found.append(one)
        return found

    def fast(self, at_s: float) -> None:
        """A speed was a trigger: drive so fast, and slow down again when the rows say so."""
        if self._fast_since_s is not None and not any(
            self._fast_since_s < one.at_s < at_s and one.text.startswith("drive at") for one in self.happenings
        ):
            return  # still as fast as before
        before = [kmh for when_s, kmh in self._speeds if when_s <= at_s + NEAR_S]
        kmh = max(self.threshold_kmh + 10, before[-1] if before else 0)
        self._fast_since_s = at_s
        self.happenings.append(Happening(at_s - 2.0, "do", f"drive at {min(300, max(1, kmh))}"))
        slow = next(((when_s, slower) for when_s, slower in self._speeds
                     if when_s > at_s and slower < SLOWER * kmh), None)  # fmt: skip
        if slow is not None:
            self.happenings.append(Happening(slow[0], "do", f"drive at {max(1, slow[1])}"))


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _rows(value: Any) -> list[tuple[int, str, int]]:
    if not isinstance(value, list):
        return []
    rows = [one for one in value if isinstance(one, list) and len(one) == 3]
    return [(at, name, number) for at, name, number in rows
            if isinstance(at, int) and isinstance(name, str) and isinstance(number, int)]  # fmt: skip
