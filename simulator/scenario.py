"""Scenarios: what happens during a simulated shift, as a TOML file that a police trainer can read and write.

The words stand in `simulator.words` and are explained in docs/simulator.md. The loader is strict: an unknown key or
word is an error that names the line and the nearest known word. Pure, except for reading the file.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from device.policy import CHECKS, Profile
from evidence.settings import SETTINGS_BYTES, explain
from simulator.run_errors import BadScenario
from simulator.words import NUMBER, STATES, TRIGGERS, Deed, Expectation, UnknownWord, deed, expectation, nearest

FOLDER: Final = Path(__file__).parent / "scenarios"
_LATER: Final = re.compile(rf"{NUMBER} s later")
_AFTER: Final = re.compile(rf"{NUMBER} s after (.*)")


class Picture(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[camera]``: what the generated camera delivers. Ranges are those of the driver."""

    width: Annotated[int, Meta(ge=128, le=1920)] = 640
    height: Annotated[int, Meta(ge=96, le=1080)] = 360
    frame_rate: Annotated[int, Meta(ge=1, le=60)] = 30
    bitrate: Annotated[int, Meta(ge=20_000, le=50_000_000)] = 400_000
    """Bits per second of the generated picture."""
    clip_bitrate: Annotated[int, Meta(ge=20_000, le=50_000_000)] = 800_000
    """Bits per second with --clip."""


class _StepText(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    at: str
    do: str
    say: Annotated[str, Meta(max_length=300)] = ""
    expect: (
        Annotated[str, Meta(min_length=1, max_length=100)]
        | tuple[Annotated[str, Meta(min_length=1, max_length=100)], ...]
    ) = ()


class _ScenarioText(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    title: Annotated[str, Meta(min_length=1, max_length=100)]
    profile: dict[str, Any] = msgspec.field(default_factory=dict)
    camera: Picture = Picture()
    step: Annotated[list[_StepText], Meta(min_length=1, max_length=1000)]


@dataclass(frozen=True, slots=True)
class Step:
    """One step: wait for `state` (None: only the time), then `wait_s` seconds, then act."""

    state: str | None
    wait_s: float
    deed: Deed
    text: str
    """The deed as it was written."""
    say: str
    line: int
    """Line of the step in its file."""
    expect: tuple[Expectation, ...] = ()
    """What must be true after the deed, in that order."""

    @property
    def action(self) -> str:
        """One of `simulator.words.ACTIONS`, or the action of an amount."""
        return self.deed.action

    @property
    def amount(self) -> float | None:
        """Percent for ``battery``, degrees Celsius for ``board``, and so on."""
        return self.deed.amount


@dataclass(frozen=True, slots=True)
class Scenario:
    """A whole scenario."""

    title: str
    profile: dict[str, Any]
    camera: Picture
    steps: tuple[Step, ...]
    name: str = "scenario"
    """Its file, for messages."""

    @property
    def triggers(self) -> tuple[str, ...]:
        """The trigger of each step that pulls one, in order."""
        return tuple(TRIGGERS[step.action] for step in self.steps if step.action in TRIGGERS)


def bundled() -> list[str]:
    """Names of the scenarios that come with the simulator."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def find_scenario(name: str) -> Path:
    """The file of a bundled scenario's name, or of a path. Raises `BadScenario` with the nearest name."""
    if name in bundled():
        return FOLDER / f"{name}.toml"
    path = Path(name)
    if path.is_file():
        return path
    near = difflib.get_close_matches(name, bundled(), n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"the bundled ones are {', '.join(bundled())}"
    raise BadScenario(f"there is no scenario {name!r} and no such file; {hint}")


def load_scenario(path: Path) -> Scenario:
    """Read and check a scenario. Raises `BadScenario` with one sentence."""
    try:
        if path.stat().st_size > SETTINGS_BYTES:
            raise BadScenario(f"{path}: larger than a scenario can be")
        text = path.read_text("utf-8")
        values = tomllib.loads(text)
    except OSError as error:
        raise BadScenario(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadScenario(f"{path}: not valid TOML: {error}") from error
    return parse_scenario(values, text, str(path))


def parse_scenario(values: dict[str, Any], text: str, name: str) -> Scenario:
    """Check the values of a scenario; `text` is only searched for line numbers. Raises `BadScenario`."""
    try:
        told = msgspec.convert(values, _ScenarioText)
    except msgspec.ValidationError as error:
        place = re.search(r"\$\.step\[([0-9]+)\]", str(error))
        where = f"{name}:{_lines_of_steps(text)[int(place[1])]}" if place else name
        raise BadScenario(f"{where}: {explain(error, _ScenarioText)}") from error
    _check_profile(told.profile, name)
    lines = _lines_of_steps(text)
    steps = tuple(
        _step(step, f"{name}:{lines[index]}", lines[index], first=index == 0) for index, step in enumerate(told.step)
    )
    return Scenario(told.title, told.profile, told.camera, steps, name)


def _check_profile(values: dict[str, Any], name: str) -> None:
    try:
        profile = msgspec.convert({"v": 1, "name": "simulated-shift", "version": 1, **values}, Profile)
    except msgspec.ValidationError as error:
        raise BadScenario(f"{name}: [profile]: {explain(error, Profile)}") from error
    unknown = sorted(set(profile.severity) - set(CHECKS))
    if unknown:
        raise BadScenario(f"{name}: [profile.severity]: {nearest(unknown[0], CHECKS)}")


def _lines_of_steps(text: str) -> list[int]:
    """Line number of each ``[[step]]``; padded, so that steps written in another style still have a line."""
    found = [number for number, line in enumerate(text.splitlines(), 1) if re.match(r"\s*\[\[\s*step\s*\]\]", line)]
    return found + [1] * (1000 - len(found))


def _step(told: _StepText, where: str, line: int, *, first: bool) -> Step:
    state, wait_s = _when(told.at, where)
    if state is None and first:
        raise BadScenario(f'{where}: the first step has nothing to come later than; say at = "start" or a state')
    try:
        done = deed(told.do)
    except UnknownWord as error:
        raise BadScenario(f"{where}: do: {error}") from error
    try:
        expect = tuple(expectation(one) for one in ((told.expect,) if isinstance(told.expect, str) else told.expect))
    except UnknownWord as error:
        raise BadScenario(f"{where}: expect: {error}") from error
    return Step(state, wait_s, done, told.do, told.say, line, expect)


def _when(text: str, where: str) -> tuple[str | None, float]:
    """(state to wait for, seconds after it)."""
    later = _LATER.fullmatch(text)
    if later is not None:
        return None, float(later[1])
    after = _AFTER.fullmatch(text)
    state, wait_s = (after[2], float(after[1])) if after is not None else (text, 0.0)
    if state not in STATES:
        example = '"3 s later", "31 s after stopped"'
        raise BadScenario(f"{where}: at: {nearest(state, STATES)}, or a time such as {example}")
    return state, wait_s
