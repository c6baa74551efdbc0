"""Scenarios: what happens during a simulated shift, as a TOML file that a police trainer can read and write.

Its sentences are explained in docs/simulator/scenarios.md. The loader is strict, and tells everything that is wrong at
once: each mistake has its line and the nearest known word. Pure, except for reading the file.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from device.policy import CHECKS, Profile
from evidence.settings import SETTINGS_BYTES, explain
from simulator.claim_words import claim_of
from simulator.collected import collected, located
from simulator.expected import expected
from simulator.plain_words import plain
from simulator.run_errors import BadScenario
from simulator.scenario_setup import Picture, ScenarioText
from simulator.script import read_script
from simulator.steps import Mistake, Step
from simulator.words import NUMBER, STATES, TRIGGERS, Expectation, UnknownWord, deed, expectation, nearest

__all__ = ["Picture", "Scenario", "Step", "bundled", "find_scenario", "load_scenario", "parse_scenario"]

FOLDER: Final = Path(__file__).parent / "scenarios"
_LATER: Final = re.compile(rf"{NUMBER} s later")
_AFTER: Final = re.compile(rf"{NUMBER} s after (.*)")


class _StepText(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    at: str
    do: str
    say: Annotated[str, Meta(max_length=300)] = ""
    expect: (
        Annotated[str, Meta(min_length=1, max_length=100)]
        | tuple[Annotated[str, Meta(min_length=1, max_length=100)], ...]
    ) = ()


@dataclass(frozen=True, slots=True)
class Scenario:
    """A whole scenario."""

    title: str
    profile: dict[str, Any]
    camera: Picture
    steps: tuple[Step, ...]
    name: str = "scenario"
    """Its file, for messages."""
    setup: ScenarioText = field(default_factory=lambda: ScenarioText(title="a scenario"))
    """The world at its beginning."""

    @property
    def seed(self) -> int:
        """Its own seed, or 1."""
        return 1 if self.setup.seed is None else self.setup.seed

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
    """Read and check a scenario. Raises `BadScenario`, whose `mistakes` are all that is wrong, a sentence each."""
    values, text = read_toml(path)
    return parse_scenario(values, text, str(path))


def read_toml(path: Path) -> tuple[dict[str, Any], str]:
    """A scenario's values and its text. Raises `BadScenario` with one sentence."""
    try:
        if path.stat().st_size > SETTINGS_BYTES:
            raise BadScenario(f"{path}: larger than a scenario can be")
        text = path.read_text("utf-8")
        return tomllib.loads(text), text
    except OSError as error:
        raise BadScenario(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadScenario(f"{path}: not valid TOML: {error}") from error


def parse_scenario(values: dict[str, Any], text: str, name: str) -> Scenario:
    """Check the values of a scenario; `text` is only searched for line numbers. Raises `BadScenario`."""
    mistakes: list[Mistake] = []
    told, wrong = collected(values, ScenarioText)
    mistakes += located(text, (), wrong)
    mistakes += _world_mistakes(told, values, text)
    steps, more = _steps(told, text)
    mistakes += more
    if mistakes or told is None:
        raise BadScenario.of(name, sorted(mistakes))
    return Scenario(told.title, told.profile, told.camera, steps, name, told)


def world_of(values: dict[str, Any], name: str) -> Scenario:
    """A world at its beginning, in which somebody else than a script acts. Raises `BadScenario`."""
    told, wrong = collected(values, ScenarioText)
    mistakes = [*located("", (), wrong), *_world_mistakes(told, values, "")]
    if told is not None and (told.script or told.step):
        mistakes.append(Mistake(0, "a script and [[step]] tables have no place here"))
    if mistakes or told is None:
        raise BadScenario.of(name, sorted(mistakes))
    return Scenario(told.title, told.profile, told.camera, (), name, told)


def _world_mistakes(told: ScenarioText | None, values: dict[str, Any], text: str) -> Iterator[Mistake]:
    profile = told.profile if told is not None else values.get("profile")
    if isinstance(profile, dict):
        yield from _profile_mistakes(profile, text)
    for name, one in told.inputs.items() if told is not None else ():
        if one.source != "message":
            yield from located(
                text, ("inputs", name), [(("source",), 'say source = "message"; the board has no other')]
            )


def _steps(told: ScenarioText | None, text: str) -> tuple[tuple[Step, ...], list[Mistake]]:
    if told is None:
        return (), []
    if told.script and told.step:
        return (), [Mistake(0, "say it in a script or in [[step]] tables, not in both")]
    if told.script:
        steps, mistakes = read_script(told.script, _line_of_script(text))
        if not steps and not mistakes:
            mistakes = (Mistake(_line_of_script(text), "the script is empty: write one sentence a line"),)
        return steps, list(mistakes)
    if not told.step:
        return (), [Mistake(0, 'nothing happens: write script = """ and sentences, or [[step]] tables')]
    return _tables(told.step, _lines_of_steps(text))


def _line_of_script(text: str) -> int:
    """The line of the script's first character; TOML leaves out a line end right behind the quotes."""
    for number, line in enumerate(text.splitlines(), 1):
        found = re.match(r"""\s*script\s*=\s*(\"{3}|'{3}|["'])(.*)""", line)
        if found is not None:
            return number + (len(found[1]) == 3 and not found[2])
    return 1


def _profile_mistakes(values: dict[str, Any], text: str) -> Iterator[Mistake]:
    profile, wrong = collected({"v": 1, "name": "simulated-shift", "version": 1, **values}, Profile)
    yield from located(text, ("profile",), wrong)
    for unknown in sorted(set(profile.severity) - set(CHECKS)) if profile is not None else ():
        yield from located(text, ("profile", "severity"), [((unknown,), nearest(unknown, CHECKS))])


def _tables(tables: list[dict[str, Any]], lines: list[int]) -> tuple[tuple[Step, ...], list[Mistake]]:
    """The steps of the [[step]] form."""
    steps: list[Step] = []
    mistakes: list[Mistake] = []
    for index, (values, line) in enumerate(zip(tables, lines, strict=False)):
        try:
            told = msgspec.convert(values, _StepText)
            steps.append(_step(told, line, first=index == 0))
        except msgspec.ValidationError as error:
            mistakes.append(Mistake(line, explain(error, _StepText)))
        except UnknownWord as error:
            mistakes.append(Mistake(line, str(error)))
    return tuple(steps), mistakes


def _lines_of_steps(text: str) -> list[int]:
    """Line number of each ``[[step]]``; padded, so that steps written in another style still have a line."""
    found = [number for number, line in enumerate(text.splitlines(), 1) if re.match(r"\s*\[\[\s*step\s*\]\]", line)]
    return found + [1] * (1000 - len(found))


def _step(told: _StepText, line: int, *, first: bool) -> Step:
    state, wait_s = _when(told.at)
    if state is None and first:
        raise UnknownWord('the first step has nothing to come later than; say at = "start" or a state')
    try:
        done = deed(told.do)
    except UnknownWord as error:
        raise UnknownWord(f"do: {error}") from error
    expect = tuple(_expectation(one) for one in ((told.expect,) if isinstance(told.expect, str) else told.expect))
    return Step(state, wait_s, done, told.do, told.say, line, expect)


def _expectation(text: str) -> Expectation:
    """The exact words of this form, or a claim about evidence and dock. Raises `UnknownWord`."""
    try:
        return expectation(text)
    except UnknownWord as error:
        try:
            if claim_of(re.sub(r" within [0-9.]+ s$", "", plain(text))) is not None:
                return expected(text)
        except UnknownWord:
            pass
        raise UnknownWord(f"expect: {error}") from error


def _when(text: str) -> tuple[str | None, float]:
    """(state to wait for, seconds after it)."""
    later = _LATER.fullmatch(text)
    if later is not None:
        return None, float(later[1])
    after = _AFTER.fullmatch(text)
    state, wait_s = (after[2], float(after[1])) if after is not None else (text, 0.0)
    if state not in STATES:
        example = '"3 s later", "31 s after stopped"'
        raise UnknownWord(f"at: {nearest(state, STATES)}, or a time such as {example}")
    return state, wait_s
