"""Hold the camera against what a scenario expects of it, within the time that it says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from evidence.handover import Status
from simulator.claims import RunFacts, wrong
from simulator.run_errors import NotAsExpected
from simulator.words import Expectation
from simulator.world import World, live_text

_LOOK_S: Final = 0.05
_READ_S: Final = 0.5
"""Files are read less often than the camera is looked at."""


def _never(_name: str, _since_s: float) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Eyes:
    """What can be known besides the camera's own state."""

    signal_since: Callable[[str, float], bool] = _never
    """Whether a lamp, vibration or tone was on since an instant of the world's time."""
    facts: Callable[[], RunFacts] = RunFacts
    """What all files of the run say."""
    deed_s: float | None = None
    """When the last deed began (`World.now_s`)."""


BLIND: Final = Eyes()


def expect(one: Expectation, world: World, where: str, since: int, began_s: float, eyes: Eyes = BLIND) -> None:
    """Wait until it is so, or watch that it stays so.

    `where` is the scenario's file and line, `since` how many log entries there were before the step, `began_s` when its
    deed was done (`World.now_s`). Raises `NotAsExpected`.
    """
    end_s = began_s + one.within_s
    while True:
        status = world.look()
        instead = _instead(one, world, status, since, began_s, eyes)
        if one.never and not instead:
            raise NotAsExpected(f"{where}: expected {one.text}, and it came; the camera says: {live_text(status)}")
        if one.always and instead:
            raise NotAsExpected(
                f"{where}: expected {one.text}, and it did not stay so; the camera says: {live_text(status)}"
            )
        lasts = one.never or one.always
        if not instead and not lasts:
            return
        if world.now_s() > end_s:
            if lasts:
                return
            raise NotAsExpected(f"{where}: expected {one.text}, and it did not come; {instead}")
        world.stage.sleep(max(_READ_S, min(2.0, world.stage.look_s)) if one.claim is not None else _LOOK_S)


def _instead(one: Expectation, world: World, status: Status, since: int, began_s: float, eyes: Eyes) -> str:
    """What is so instead, in words; nothing if it is as expected."""
    if one.claim is not None:
        found = wrong(one.claim, eyes.facts())
        return "" if found is None else f"instead: {found}"
    if _is(one, world, status, since, began_s, eyes):
        return ""
    logged = ", ".join(f"{entry.event} {entry.word or ''}".strip() for entry in world.log.look()[since:])
    return f"the camera says: {live_text(status)}; since then it logged: {logged or 'nothing'}"


def _is(one: Expectation, world: World, status: Status, since: int, began_s: float, eyes: Eyes) -> bool:
    if one.event:
        return any(entry.event == one.event and one.word in (None, entry.word) for entry in world.log.look()[since:])
    if one.signal:  # what must not come is watched from now on, what must come may have come while a hand still moved
        since_s = began_s if one.never or eyes.deed_s is None else min(eyes.deed_s, began_s)
        return eyes.signal_since(one.signal, since_s)
    if one.flag:
        return _flag(one.flag, status) is one.so
    if one.state:
        return status.state == one.state
    return world.is_in(one.status, status)


def _flag(flag: str, status: Status) -> bool:
    match flag:
        case "degraded":
            return status.degraded
        case "do not use":
            return bool(status.do_not_use)
        case "charging":
            return bool(status.charging)
        case "signed in":
            return status.assigned
    return status.seized
