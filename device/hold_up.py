"""Ignition hold-up of a vehicle's camera: it runs on for a while after the ignition, then switches itself off (R17).

1. The ignition going off stops no recording, ever.
2. From then on the camera stays up for the profile's `ignition_hold_up_s`, with its ring: a pursuit on foot begins
   beside a parked car.
3. After that time it shuts down in order, once nothing is recorded, and not before the officer had a while to say what
   the last recording was. At the dock, while it is updated, and in custody it stays up.
4. A camera that is started while the ignition is off counts from its start. A body camera has no ignition.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from device.custody import Custody
from device.part import Part
from device.service import EXIT_POWER_OFF
from device.states import State

if TYPE_CHECKING:
    from device.daemon import Daemon

AFTER_RECORDING_NS: Final = 30_000_000_000
"""How long the camera stays after its last recording at least; never longer than the hold-up itself."""

News = Literal["on", "off", "over"]


@dataclass
class HoldUpTimer:
    """The time since the ignition went off. Pure."""

    hold_ns: int
    _on: bool | None = None
    _off_ns: int = 0
    _busy_ns: int | None = None
    _over: bool = False

    def look(self, now_ns: int, *, ignition: bool, busy: bool) -> News | None:
        """What is new: the ignition went on or off, or the time is `over` (told once)."""
        if busy:
            self._busy_ns = now_ns
        if ignition:
            before, self._on, self._over = self._on, True, False
            return "on" if before is not True else None
        if self._on is not False:
            first, self._on, self._off_ns = self._on is None, False, now_ns
            return "off" if not first else None
        if busy or self._over or now_ns < self._until_ns():
            return None
        self._over = True
        return "over"

    def _until_ns(self) -> int:
        until_ns = self._off_ns + self.hold_ns
        if self._busy_ns is not None:
            until_ns = max(until_ns, self._busy_ns + min(AFTER_RECORDING_NS, self.hold_ns))
        return until_ns


class HoldUp(Part):
    """Watches the ignition lines of a vehicle's camera. Loop only."""

    name = "hold_up"

    def __init__(self, daemon: Daemon) -> None:
        super().__init__(daemon)
        inputs = daemon.settings.inputs
        dash = daemon.settings.role == "dash"
        self._lines = [name for name, one in inputs.items() if dash and one.kind == "ignition"]
        self._hold_s = daemon.profile.profile.ignition_hold_up_s
        self.timer = HoldUpTimer(self._hold_s * 10**9)

    def each_second(self, now_ns: int) -> None:
        if not self._lines:
            return
        levels = self.daemon.inputs.levels
        ignition = any(levels.get(name, False) for name in self._lines)
        news = self.timer.look(now_ns, ignition=ignition, busy=self._busy())
        if news == "over":
            self.daemon.log("hold_up_over")
            self.daemon.publish("hold_up_over", None)
            self.daemon.shut_down(EXIT_POWER_OFF)
        elif news is not None:
            self.daemon.log("ignition", word=news, details={"hold_up_s": self._hold_s})
            self.daemon.publish("ignition", news)

    def _busy(self) -> bool:
        """Something that the camera must not be switched off in."""
        daemon = self.daemon
        return (
            bool(daemon.recorder.sessions)
            or daemon.machine.docked
            or daemon.machine.state in (State.UPDATING, State.SELF_TEST)
            or daemon.part(Custody).taken
        )
