"""Categories of recordings (D.5.b, R20, R31): the input's preset, and the wheel after the stop.

A category is a signed statement in the device log that names the recording; nothing in the evidence file changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from device import indicators as patterns
from device.part import Part
from device.states import State
from device.triggers import Start
from device.wheel import Wheel

if TYPE_CHECKING:
    from device.daemon import Daemon

BY_OFFICER: Final = frozenset({"record_button"})
"""Only what an officer stopped is offered to an officer."""


class Categories(Part):
    """Preset and wheel of one camera. Loop only."""

    name = "categories"

    def __init__(self, daemon: Daemon) -> None:
        super().__init__(daemon)
        self.wheel: Wheel | None = None

    def preset(self, start: Start, number: int, stem: str) -> None:
        """The category that an input gives its recordings."""
        configured = self.daemon.settings.inputs.get(start.trigger)
        if configured is not None and configured.category is not None:
            self._label(configured.category, number, stem, "preset")

    def stopped(self, number: int, stem: str, reason: str, earlier: tuple[tuple[int, str], ...] = ()) -> None:
        """Open the wheel over a recording that the officer ended; `earlier` are the files from which it went on."""
        if reason in BY_OFFICER:
            policy = self.daemon.profile.profile
            timeout_ns = policy.category_timeout_s * 10**9
            now_ns = self.daemon.clock.boottime_ns()
            self.wheel = Wheel(number, stem, policy.all_categories, timeout_ns, now_ns, earlier=earlier)
            self.daemon.publish("category_wheel", "open", stem)

    def press(self) -> None:
        """One category further, if the wheel is open."""
        if self.wheel is not None:
            category = self.wheel.press(self.daemon.clock.boottime_ns())
            self.daemon.signals.play(patterns.WHEEL(self.wheel.position))
            self.daemon.publish("category_wheel", category.name, self.wheel.stem)

    def each_second(self, now_ns: int) -> None:
        """Close the wheel after its time."""
        if self.wheel is not None and self.wheel.over(now_ns):
            self._close()

    def state_changed(self, state: State) -> None:
        """A new recording or the dock closes the wheel: what was chosen stands."""
        if state in (State.RECORDING, State.DOCKED, State.SHUTTING_DOWN) and self.wheel is not None:
            self._close()

    def _close(self) -> None:
        wheel, self.wheel = self.wheel, None
        assert wheel is not None
        if wheel.chosen is not None:
            self._label(wheel.chosen.name, wheel.recording, wheel.stem, "wheel", wheel.earlier)
        self.daemon.publish("category_wheel", "closed", wheel.stem)

    def _label(
        self, category: str, number: int, stem: str, origin: str, earlier: Sequence[tuple[int, str]] = ()
    ) -> None:
        """Once on each file of the incident so far: those that it rolled over from, and those of the other cameras."""
        files = {**dict(earlier), **dict(self.daemon.recorder.same_incident(number)), number: stem}
        for mine, named in files.items():
            known = self.daemon.boot.spool.find(f"{named}.evidence")
            facts = None if known is None else known.facts
            details = {"recording": named, "origin": origin}
            self.daemon.log("labelled", word=category, recording=mine, file=facts, details=details)
        self.daemon.publish("labelled", category, stem)
