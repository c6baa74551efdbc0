"""What the indicators show by themselves: clock, dock, verdict of the self-test, night (R4, R8, R21).

Whoever finds a condition raises it at `Daemon.signals`; here are those that nobody else looks after.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from device.energy import Energy
from device.indicators import CATALOG
from device.night import brightness
from device.part import Part
from device.states import State

if TYPE_CHECKING:
    from device.daemon import Daemon

DOCK_EVERY_S: Final = 5
NIGHT_EVERY_S: Final = 30


class Feedback(Part):
    """The officer's feedback."""

    name = "feedback"

    def __init__(self, daemon: Daemon) -> None:
        super().__init__(daemon)
        self._seconds = 0
        self._zone_told = False

    def begin(self) -> None:
        """The right brightness from the beginning."""
        self._dim()

    def each_second(self, now_ns: int) -> None:
        """Look at what nobody tells, then let the indicators go on."""
        self._seconds += 1
        signals = self.daemon.signals
        signals.condition("clock_unset", self.daemon.clock.utc().source == "none")
        if self._seconds % DOCK_EVERY_S == 1:
            self._dock()
        if self._seconds % NIGHT_EVERY_S == 0:
            self._dim()
        signals.tick(now_ns)

    def state_changed(self, state: State) -> None:
        """Whether the camera may be used."""
        self.daemon.signals.condition("out_of_service", state.value == "out_of_service")
        self._dock()

    def logged(self, event: str, fields: Mapping[str, Any]) -> None:
        """The verdict of a self-test is told."""
        if event == "self_test" and f"self_test_{fields.get('word')}" in CATALOG.plays:
            verdict = CATALOG.plays[f"self_test_{fields['word']}"]
            self.daemon.on_loop(self.daemon.signals.play, verdict)

    def _dock(self) -> None:
        """Amber while there is something to do, green when there is not, red when somebody must look (field, 2.2)."""
        daemon = self.daemon
        in_dock = daemon.machine.docked and daemon.recorder.session is None
        fault = in_dock and daemon.degraded
        ready = in_dock and not fault and not self._charging() and not self._waiting()
        daemon.signals.condition("docked_fault", fault)
        daemon.signals.condition("docked_ready", ready)

    def _charging(self) -> bool:
        if self.daemon.hardware.battery is None:
            return False
        reading = self.daemon.part(Energy).reading
        if reading is None:
            return True  # unknown is not ready
        return reading.status == "charging" or (reading.percent is not None and reading.percent < 95)

    def _waiting(self) -> bool:
        return any(one.state == "waiting" for one in self.daemon.boot.spool.files() if one.stream == "recording")

    def _dim(self) -> None:
        claim = self.daemon.clock.utc()
        known = claim.source != "none"
        now = dt.datetime.fromtimestamp(max(0, claim.middle_ns) // 10**9, dt.UTC) if known else None
        try:
            self.daemon.signals.dim(brightness(self.daemon.profile.profile, now))
        except ValueError as error:
            if not self._zone_told:
                self._zone_told = True
                self.daemon.fault("zone", str(error))
