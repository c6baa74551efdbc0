"""The scenario library: bundled scenarios that name, in their first line, the requirements that they show.

Each tells a story of police work and expects of camera and dock what the policy wants, so strictly that a daemon
without one of its safeguards fails one of them (docs/simulator/library.md).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from simulator.scenario import FOLDER, Scenario, load_scenario

_SHOWS: Final = re.compile(r"# (R[1-9]\d?(?:, R[1-9]\d?)*)")


@dataclass(frozen=True, slots=True)
class LibraryScenario:
    """One of them."""

    name: str
    requirements: tuple[str, ...]
    scenario: Scenario

    @property
    def faults(self) -> tuple[str, ...]:
        """The faults that it plays, each once, in order."""
        return tuple(dict.fromkeys(step.deed.reason for step in self.scenario.steps if step.action == "fault"))


def library() -> list[LibraryScenario]:
    """All of them, by name. Raises `BadScenario`."""
    found = []
    for path in sorted(FOLDER.glob("*.toml")):
        shows = _SHOWS.fullmatch(path.read_text("utf-8").partition("\n")[0])
        if shows is not None:
            found.append(LibraryScenario(path.stem, tuple(shows[1].split(", ")), load_scenario(path)))
    return found
