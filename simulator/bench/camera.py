"""The camera, as a test looks at it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from evidence.handover import Status
from simulator.bench.hand import Hand
from simulator.claims import RecordingFacts
from simulator.log_watch import Entry
from simulator.seen import BLINK_S
from simulator.words import Deed


class DeviceLog(list[Entry]):
    """Entries of the device log, oldest first. ``"muted" in camera.log``, ``"self_test pass" in camera.log``."""

    def __contains__(self, wanted: object) -> bool:
        if isinstance(wanted, str):
            return any(wanted in (one.event, f"{one.event} {one.word}") for one in self)
        return super().__contains__(wanted)


@dataclass(slots=True, repr=False, eq=False)
class Camera:
    """One camera."""

    _hand: Hand

    @property
    def status(self) -> Status:
        """All that the camera says of itself at this instant."""
        return self._hand.inner.look()

    @property
    def state(self) -> str:
        """``ready``, ``recording``, ``docked``, …: a word of docs/design/states.md."""
        return self.status.state

    @property
    def is_recording(self) -> bool:
        """Whether a recording goes on."""
        return self.status.recording is not None

    @property
    def recordings(self) -> list[RecordingFacts]:
        """What the files on its card say, the one that grows too; oldest first."""
        spool = self._hand.files.layout.spool
        return [one for one in self._hand.facts().recordings if (spool / f"{one.stem}.evidence").exists()]

    @property
    def log(self) -> DeviceLog:
        """The public entries of its signed log so far."""
        self._hand.inner.look()
        return DeviceLog(self._hand.inner.log.look())

    @property
    def lamps(self) -> set[str]:
        """What is on or blinks now, of ``green``, ``red``, ``amber``, ``haptic`` and ``tone``."""
        world, seen = self._hand.inner, self._hand.seen
        world.look()
        return {name for name, lit_s in seen.lit_s.items() if lit_s > world.now_s() - BLINK_S}

    def wait_for(self, what: str | Callable[[Status], object], within_s: float | None = None) -> Status:
        """Wait until it is so: a word (``recording``, ``stopped``, ``ring full``, ``offloaded``, ``state sleep``,
        ``log muted``, ``lamp red``: docs/simulator/scenarios.md), or a function of the camera's status.

        `within_s` is of the world's own time; without it a minute and the ring's length. Raises AssertionError if it
        does not come, ValueError for a word that is none.
        """
        __tracebackhide__ = True
        return self._hand.wait_for(what, within_s)

    def cut_power(self) -> None:
        """Take the power away at this instant, and give it back. What was not durable is lost."""
        self._hand.act(Deed("power cut"))
