"""What ``@pytest.mark.firsthand(…)`` says of a test's world, in the words of a scenario's tables. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from simulator.run_errors import BadScenario
from simulator.scenario import Scenario, world_of
from simulator.scenario_setup import ScenarioText

TABLES: Final = tuple(
    one.name for one in msgspec.structs.fields(ScenarioText) if one.name not in ("title", "about", "script", "step")
)
WORDS: Final = (*TABLES, "docked", "real")
_PICTURE: Final = {"width": 320, "height": 180, "frame_rate": 10, "bitrate": 200_000}
"""A small picture, unless the marker says otherwise: tests are many."""
_LONGEST_TITLE: Final = 100


class BadMarker(ValueError):
    """A marker that says nothing sensible; the message names the test and every mistake."""


@dataclass(frozen=True, slots=True)
class Setting:
    """The world that a test wants."""

    scenario: Scenario
    real: bool = False
    """In real time, with the programs as processes and a broker."""


def setting_of(test: str, markers: Iterable[tuple[tuple[Any, ...], Mapping[str, Any]]]) -> Setting:
    """The world of a test. `markers` are (arguments, keywords), the nearest to the test first: its words rule.

    Raises `BadMarker`.
    """
    told: dict[str, Any] = {}
    for arguments, words in markers:
        if arguments:
            raise BadMarker(f'{test}: say what it is, as in @pytest.mark.firsthand(seed=7), not only "{arguments[0]}"')
        for word, value in words.items():
            if word not in WORDS:
                raise BadMarker(f"{test}: @pytest.mark.firsthand does not know {word!r}; {_hint(word)}")
            told.setdefault(word, value)
    real, docked = told.pop("real", False), told.pop("docked", None)
    for word, value in (("real", real), ("docked", docked)):
        if not isinstance(value, bool | None):
            raise BadMarker(f"{test}: @pytest.mark.firsthand({word}={value!r}): say True or False")
    if docked is not None:
        told.setdefault("dock", {"docked": docked})
    if isinstance(told.get("camera", {}), dict):
        told["camera"] = {**_PICTURE, **told.get("camera", {})}
    told["title"] = test[-_LONGEST_TITLE:]
    try:
        return Setting(world_of(told, "@pytest.mark.firsthand"), real)
    except BadScenario as error:
        raise BadMarker(f"{test}: {'; '.join(error.mistakes)}") from None


def _hint(word: str) -> str:
    near = difflib.get_close_matches(word, WORDS, n=1)
    return f"did you mean {near[0]!r}?" if near else f"it knows {', '.join(WORDS)}"
