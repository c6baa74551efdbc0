"""The one hand with which a test reaches into its world: does what the words of a scenario say, and notes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from evidence.handover import Status
from simulator.claims import RunFacts
from simulator.expected import STATE_NAMES, expected
from simulator.expecting import Eyes, expect
from simulator.fault_words import ended_fault, fault
from simulator.plain_words import plain, plain_deed
from simulator.run_errors import NotAsExpected
from simulator.run_facts import RunFiles
from simulator.seen import Seen
from simulator.words import Deed, Expectation, UnknownWord
from simulator.world import NOTHING, World, live_text

WITHIN_S: Final = 60.0
"""How long something may take unless a test says otherwise; the ring's length comes on top."""
_LOOK_S: Final = 0.05
_OPENED_S: Final = 2.0
"""How long the opening of a recording's file may take."""
_READ_S: Final = 0.2
LEAST_LINES: Final = 15
LAST_LINES: Final = 40


@dataclass(repr=False, eq=False)
class Hand:
    """Deeds and expectations, noted in the world's timeline. Errors: `WorldRefused` when the world cannot do it."""

    inner: World
    files: RunFiles
    seen: Seen
    real: bool = False
    _deed_s: float = 0.0
    _logged: int = 0
    """Entries of the device log before the last deed."""

    def __post_init__(self) -> None:
        self.inner.watchers.append(self.seen.look)
        self._deed_s = self.inner.now_s()

    def do(self, text: str) -> None:
        """A sentence of a scenario, at this instant. Raises ValueError with the nearest known words."""
        __tracebackhide__ = True
        try:
            word, _, rest = text.strip().partition(" ")
            if word == "fault":
                deed = fault(rest)
            elif text.strip().startswith("end fault "):
                deed = ended_fault(text.strip().removeprefix("end fault "))
            else:
                deed = plain_deed(text)
        except UnknownWord as error:
            raise ValueError(str(error)) from None
        self.act(deed, text)

    def act(self, deed: Deed, text: str = "") -> None:
        """One deed of `simulator.words`."""
        __tracebackhide__ = True
        self.note(text or " ".join(str(part) for part in (deed.action, deed.amount, deed.reason) if part))
        world = self.inner
        if deed.action == "fault":
            world.faults.begin(world, deed.reason, deed.amount, deed.for_s)
        elif deed.action == "end fault":
            world.faults.end(world, deed.reason)
        else:
            if deed.action == "power cut":
                self.seen.note_cut()
            world.act(deed)
        world.act(NOTHING)  # nobody does it again after a new start of the camera: a test says what it wants
        world.look()

    def note(self, text: str) -> None:
        """The test does something now."""
        self._deed_s, self._logged = self.inner.now_s(), len(self.inner.log.look())
        self.seen.note("test", f"> {text}")

    def pause(self, seconds: float) -> None:
        """Let time pass."""
        self.inner.pause(seconds)
        self.inner.look()

    def until(self, holds: Callable[[], object], said: str, within_s: float | None) -> None:
        """Wait until it is so. Raises AssertionError, which says `said` and how the camera is."""
        __tracebackhide__ = True
        world, most_s = self.inner, self._most_s(within_s)
        end_s = world.now_s() + most_s
        world.look()
        while not holds():
            if world.now_s() > end_s:
                raise AssertionError(f"after {most_s:g} s {said}; the camera says: {live_text(world.status)}")
            world.stage.sleep(_LOOK_S)
            world.look()

    def wait_for(self, what: str | Callable[[Status], object], within_s: float | None) -> Status:
        """Until the camera is as a word says, or a function of its status holds. Raises AssertionError, ValueError."""
        __tracebackhide__ = True
        if not isinstance(what, str):
            self.until(lambda: what(self.inner.status), "the camera is not as the test wants it", within_s)
            return self.inner.status
        text = f"state {what}" if plain(what.replace("_", " ")) in STATE_NAMES and what != "recording" else what
        one = self._expectation(text.replace("_", " ") if text != what else text)
        if not (one.never or one.always):
            one = replace(one, text=what, within_s=self._most_s(within_s))
        self._expect(one)
        return self.inner.status

    def expect(self, text: str) -> None:
        """A sentence of a scenario behind ``expect``. Raises AssertionError, ValueError."""
        __tracebackhide__ = True
        self._expect(self._expectation(text))

    def facts(self) -> RunFacts:
        """What all files say now. The file of a recording that begins at this instant is waited for."""
        now = self.inner.look()
        facts = self._read()
        until_s = self.inner.now_s() + _OPENED_S
        while now.recording is not None and self.inner.now_s() < until_s:
            if any(one.stem == now.recording and one.triggers for one in facts.recordings):
                break
            self.inner.pause(_READ_S)
            facts = self._read()
        return facts

    def _read(self) -> RunFacts:
        return self.files.facts(self.seen.cuts_ns, self.seen.began_ns)

    def last_lines(self) -> list[str]:
        """The end of the world's timeline."""
        seen = self.seen
        excerpt = seen.timeline.excerpt(seen.at_s, self._deed_s - seen.began_s, seen.logged())
        if len(excerpt) < LEAST_LINES:  # nothing happened for a long time: then what happened last
            excerpt = seen.text().splitlines()[-LEAST_LINES:]
        return excerpt[-LAST_LINES:]

    def _expectation(self, text: str) -> Expectation:
        __tracebackhide__ = True
        try:
            return expected(text)
        except UnknownWord as error:
            raise ValueError(str(error)) from None

    def _expect(self, one: Expectation) -> None:
        __tracebackhide__ = True
        world = self.inner
        eyes = Eyes(self.seen.signal_since, self._read, self._deed_s)
        since = len(world.log.look()) if one.never else self._logged
        try:
            expect(one, world, "", since, world.now_s(), eyes)
        except NotAsExpected as error:
            raise AssertionError(str(error).removeprefix(": ")) from None

    def _most_s(self, within_s: float | None) -> float:
        return WITHIN_S + self.inner.profile.pre_event_s if within_s is None else within_s
