"""Mute, sleep and stealth (R4, R21, R24): each is the officer's, each is logged, none of them loses a picture.

Muting takes the sound out of the recording, never the picture, and says so all the time. Stealth darkens indicators
and changes nothing else. Sleep drops the ring; starts are always one double press away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from device import indicators as patterns
from device.part import Part
from device.states import State

if TYPE_CHECKING:
    from device.daemon import Daemon


class Privacy(Part):
    """The three of one camera. Loop only."""

    name = "privacy"

    def __init__(self, daemon: Daemon) -> None:
        super().__init__(daemon)
        self._muted_since_ns = 0

    def held(self, at_ns: int) -> None:
        """The function button was held while recording."""
        mode = self.daemon.profile.profile.mute
        if mode == "off":
            self.daemon.signals.play(patterns.REFUSED)
        elif mode == "static" and self.daemon.machine.flags["muted"]:
            self.unmute(at_ns)
        else:
            self._mute(at_ns)

    def released(self, at_ns: int) -> None:
        """…and let go."""
        if self.daemon.profile.profile.mute == "hold":
            self.unmute(at_ns)

    def _mute(self, at_ns: int) -> None:
        session = self.daemon.recorder.session
        if session is None or self.daemon.machine.flags["muted"]:
            return
        self._flag("muted", on=True)
        self._muted_since_ns = at_ns
        self.daemon.recorder.mute(at_ns)
        self.daemon.gestures.note(at_ns, "muted", 1)
        self.daemon.log("muted", recording=session.file.number, details={"at_ns": at_ns})
        self.daemon.publish("muted", "on", session.file.stem)

    def unmute(self, at_ns: int | None = None) -> None:
        """Sound again, if it was muted."""
        if not self.daemon.machine.flags["muted"]:
            return
        at_ns = at_ns or self.daemon.clock.boottime_ns()
        self._flag("muted", on=False)
        self.daemon.recorder.unmute(at_ns)
        self.daemon.gestures.note(at_ns, "muted", 0)
        session = self.daemon.recorder.session
        number = None if session is None else session.file.number
        seconds = round((at_ns - self._muted_since_ns) / 1e9, 3)
        self.daemon.log("unmuted", recording=number, details={"at_ns": at_ns, "seconds": seconds})
        self.daemon.publish("muted", "off", None if session is None else session.file.stem)

    def stealth(self, on: bool, origin: str) -> None:
        """Darken the indicators, or light them again."""
        if on and not self.daemon.profile.profile.stealth_allowed:
            self.daemon.signals.play(patterns.REFUSED)
            return
        if self.daemon.machine.flags["stealth"] is on:
            return
        self._flag("stealth", on=on)
        self.daemon.signals.stealth = on
        self.daemon.signals.show(self.daemon.machine.state)
        self.daemon.log("stealth", word="on" if on else "off", details={"origin": origin})
        self.daemon.publish("stealth", "on" if on else "off")

    def state_changed(self, state: State) -> None:
        """A sleeping camera says so from time to time; a docked one is in nobody's hand."""
        self.daemon.signals.condition("asleep", state is State.SLEEP)
        if state is State.DOCKED:
            self.stealth(False, "dock")

    def _flag(self, name: str, *, on: bool) -> None:
        self.daemon.machine.flags[name] = on
        if name == "muted":
            self.daemon.signals.condition("muted", on)
