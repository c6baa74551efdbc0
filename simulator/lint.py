"""What parses and is probably wrong all the same: warnings about a scenario, with their lines. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from simulator.faults import catalogue
from simulator.run_errors import BadScenario
from simulator.scenario import Scenario, load_scenario
from simulator.steps import Mistake, Step
from simulator.words import LINES, Expectation

NEEDS_DOCK: Final = frozenset({"stored", "receipted", "deleted", "quarantined"})
"""What files say only once the camera was docked."""
AUTOMATIC: Final = frozenset({"nothing", "officer signs in", "case number", "cad number"})
"""Deeds that change nothing an expectation could be about."""


def warnings(scenario: Scenario) -> list[Mistake]:
    """Everything, by line."""
    steps = [step for step in scenario.steps if not step.at_end] + [step for step in scenario.steps if step.at_end]
    return sorted(
        dict.fromkeys((*_expectations(steps, scenario), *_docking(steps, scenario), *_faults(steps), *_hands(steps)))
    )


def lint(path: Path) -> tuple[list[str], list[str]]:
    """(mistakes, warnings) of a file, each ``file:line: sentence``. A file with mistakes is not warned about."""
    try:
        scenario = load_scenario(path)
    except BadScenario as error:
        return list(error.mistakes or (str(error),)), []
    return [], [f"{path}:{one.line}: {one.text}" if one.line else f"{path}: {one.text}" for one in warnings(scenario)]


def _expectations(steps: list[Step], scenario: Scenario) -> Iterator[Mistake]:
    if not any(step.expect for step in steps):
        yield Mistake(0, "nothing is expected: whatever the camera does, this scenario is passed")
    done = scenario.setup.dock.docked
    for step in steps:
        done = done or step.action not in AUTOMATIC
        first = next(iter(step.expect), None)
        if first is not None and not done and not _is_about_start(first, step):
            yield Mistake(first.line or step.line, f"{first.text!r} is expected before anything was done")
            return


def _is_about_start(one: Expectation, step: Step) -> bool:
    """A camera tests itself and fills its ring without anybody's doing, and must not do other things."""
    return one.never or bool(one.state or one.event or one.flag or one.signal) or step.state is not None


def _docking(steps: list[Step], scenario: Scenario) -> Iterator[Mistake]:
    docked = scenario.setup.dock.docked
    ever = docked
    for step in steps:
        if step.state in ("docked", "offloaded") and not docked:
            yield Mistake(step.line, f"waits for {step.state!r}, and the camera is not in the dock: dock it before")
        if step.action == "undock" and not docked:
            yield Mistake(step.line, "the camera is not in the dock")
        if step.action in ("dock", "undock"):
            docked = step.action == "dock"
            ever = ever or docked
        for one in step.expect:
            if one.claim is not None and one.claim.fact in NEEDS_DOCK and not ever and _wants_it(one):
                yield Mistake(one.line or step.line, f"{one.text!r}: the camera was never docked before")


def _wants_it(one: Expectation) -> bool:
    assert one.claim is not None
    return not one.claim.negated and one.claim.about != "none" and one.claim.most > 0


def _faults(steps: list[Step]) -> Iterator[Mistake]:
    """A fault that lasts on and on; a station's may well last while the camera stands in the dock."""
    known = catalogue()
    begun: dict[str, int] = {}
    for step in steps:
        name = step.deed.reason
        if step.action == "fault" and name in known and known[name].end is not None and step.deed.for_s is None:
            begun[name] = step.line
        if step.action == "end fault":
            begun.pop(name, None)
    for name, line in begun.items():
        yield Mistake(line, f'{name} never ends: say "for 10 s", or "end fault {name}"')


def _hands(steps: list[Step]) -> Iterator[Mistake]:
    """Lines that are as they should be already, a finger that stays on its button."""
    on: dict[str, int] = {}
    held = 0
    for step in steps:
        line, _, way = step.action.rpartition(" ")
        if line in LINES and way == "on":
            if line in on:
                yield Mistake(step.line, f"the {line} is on already, since line {on[line]}")
            on[line] = step.line
        elif line in LINES:
            if line not in on:
                yield Mistake(step.line, f"the {line} is off already")
            on.pop(line, None)
        if step.action == "hold function button":
            held = step.line
        elif step.action == "release function button":
            if not held:
                yield Mistake(step.line, "nobody holds the function button")
            held = 0
    if held:
        yield Mistake(held, "the function button is never let go: say release function button")
