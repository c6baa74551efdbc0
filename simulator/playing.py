"""Play a scenario on a world: one step after the other, and look whether what is expected comes true.

The world's time is the only one: the same player runs in real time and in virtual time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from simulator.claims import RunFacts
from simulator.expecting import Eyes, expect
from simulator.layout import RunLayout
from simulator.run_errors import NotAsExpected, TookTooLong, WorldRefused
from simulator.run_facts import RunFiles
from simulator.scenario import Scenario
from simulator.script import spoken
from simulator.seen import Seen
from simulator.steps import Step
from simulator.words import Deed
from simulator.world import NOTHING, World

STATE_WITHIN_S: Final = 60.0
"""How long any state of a scenario may take; the ring's length comes on top."""
LATE_S: Final = 1.0
"""A deed that comes so much later than its `at` is said to be late."""
Facts = Callable[[Sequence[int], int], RunFacts]
"""What the files say, given the power cuts and the beginning (CLOCK_BOOTTIME)."""


@dataclass
class Player:
    """One scenario on one world."""

    scenario: Scenario
    world: World
    facts: Facts = lambda _cuts, _began: RunFacts()
    seen: Seen = field(init=False)
    _since: int = 0
    """Log entries before the last deed."""
    _deed_s: float | None = None

    def __post_init__(self) -> None:
        self.seen = Seen(self.world)

    def play(self) -> None:
        """Everything, and at last what is expected at the end. Raises `RunError`."""
        self.world.watchers.append(self.seen.look)
        try:
            for step in self.scenario.steps:
                if not step.at_end:
                    self._step(step)
            for step in self.scenario.steps:
                if step.at_end:
                    self._expect_all(step, self._since, self.world.now_s())
        except TookTooLong as error:
            raise self._failed(str(error)) from error
        except NotAsExpected as error:
            raise self._failed(str(error)) from error
        finally:
            self.world.watchers.remove(self.seen.look)

    def _step(self, step: Step) -> None:
        world, where = self.world, f"{self.scenario.name}:{step.line}"
        if step.state is not None:
            try:
                world.wait_for(step.state, STATE_WITHIN_S * world.stage.patience + world.profile.pre_event_s)
            except TookTooLong as error:
                raise TookTooLong(f"{where}: {error}") from error
        if step.at_s is not None:
            self._until(step.at_s)
        world.pause(step.wait_s)
        if step.say:
            world.progress.event(step.say)
            self.seen.note("script", f'"{step.say}"')
        since = len(world.log.look()) if step.expect or step.action != "nothing" else 0
        began_s = world.now_s()
        if step.action != "nothing":
            self._since, self._deed_s = since, began_s
            world.progress.event(f"> {step.text}")
            self.seen.note("script", f"> {step.text}")
            try:
                self._act(step.deed)
            except WorldRefused as error:
                raise NotAsExpected(f"{where}: {error}") from error
        done_s = world.now_s()
        world.look()
        self._expect_all(step, since, done_s)

    def _expect_all(self, step: Step, since: int, done_s: float) -> None:
        for one in step.expect:
            where = f"{self.scenario.name}:{one.line or step.line}"
            before = since if one.never or not step.since_deed else self._since
            expect(one, self.world, where, before, done_s, self._eyes())
            self.seen.note("script", f"as expected: {one.text}")

    def _eyes(self) -> Eyes:
        seen = self.seen
        return Eyes(seen.signal_since, lambda: self.facts(seen.cuts_ns, seen.began_ns), self._deed_s)

    def _until(self, at_s: float) -> None:
        left_s = at_s - self.seen.at_s
        if left_s < -LATE_S:
            self.world.progress.event(f"    {-left_s:.1f} s later than {spoken(at_s)}: what came before took longer")
        self.world.pause(max(0.0, left_s))

    def _act(self, deed: Deed) -> None:
        world = self.world
        if deed.action in ("fault", "end fault"):
            if deed.action == "fault":
                world.faults.begin(world, deed.reason, deed.amount, deed.for_s)
            else:
                world.faults.end(world, deed.reason)
            world.act(NOTHING)  # a camera that was started again by it does not want the deed before once more
            return
        if deed.action == "power cut":
            self.seen.note_cut()
        world.act(deed)

    def _failed(self, sentence: str) -> NotAsExpected:
        """With the line of the script, and what happened before."""
        error = NotAsExpected(sentence)
        seen = self.seen
        deed_s = seen.at_s if self._deed_s is None else self._deed_s - seen.began_s
        error.excerpt = tuple(seen.timeline.excerpt(seen.at_s, deed_s, seen.logged()))
        return error


def play_and_keep(scenario: Scenario, world: World, layout: RunLayout) -> float:
    """Play it, and write what was seen of it whatever came of it; seconds of the world's time. Raises `RunError`."""
    player = Player(scenario, world, RunFiles(layout).facts)
    try:
        player.play()
    finally:
        layout.timeline.write_text(player.seen.text(), encoding="utf-8")
    return round(player.seen.at_s, 1)
