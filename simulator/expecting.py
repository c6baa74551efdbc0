"""Hold the camera against what a scenario expects of it, within the time that it says."""

from __future__ import annotations

from typing import Final

from evidence.handover import Status
from simulator.run_errors import NotAsExpected
from simulator.words import Expectation
from simulator.world import World, live_text

_LOOK_S: Final = 0.05


def expect(one: Expectation, world: World, where: str, since: int, began_s: float) -> None:
    """Wait until it is so, or watch that it stays so.

    `where` is the scenario's file and line, `since` how many log entries there were before the step, `began_s` when its
    deed was done (`World.now_s`). Raises `NotAsExpected`.
    """
    end_s = began_s + one.within_s
    while True:
        status = world.look()
        found = _is(one, world, status, since)
        if found and one.never:
            raise NotAsExpected(f"{where}: expected {one.text}, and it came; the camera says: {live_text(status)}")
        if found:
            return
        if world.now_s() > end_s:
            if one.never:
                return
            logged = ", ".join(f"{entry.event} {entry.word or ''}".strip() for entry in world.log.look()[since:])
            raise NotAsExpected(
                f"{where}: expected {one.text}, and it did not come; the camera says: {live_text(status)}; since then "
                f"it logged: {logged or 'nothing'}"
            )
        world.stage.sleep(_LOOK_S)


def _is(one: Expectation, world: World, status: Status, since: int) -> bool:
    if one.event:
        return any(entry.event == one.event and one.word in (None, entry.word) for entry in world.log.look()[since:])
    if one.state:
        return status.state == one.state
    return world.is_in(one.status, status)
