"""The camera looks at its own picture and listens to its own sound, all the time (R3, R12, R29) and in the test (R8).

Who is told about it stands elsewhere: `device.background_test` while the camera is ready, `device.failure_detector`
while it records. Nobody looks while the camera sleeps, or lies in the dock with its lens against the wall.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from device import pictures, sounds
from device.channel_senses import Ailment, ChannelSenses
from device.gravity import Fall, Gravity
from device.part import Part
from device.pictures import PictureWatch
from device.remote_audio import RemoteAudio
from device.selftest import Check, Seen
from device.sounds import SKEW_LIMIT_US
from device.states import State
from evidence.statements import larger_offset
from hal import program_time
from hal.camera import ShowsPictures
from hal.motion import Acceleration

if TYPE_CHECKING:
    from device.daemon import Daemon

AWAY: Final = frozenset({"boot", "sleep", "docked", "updating", "shutting_down"})
"""States in which nobody wears the camera, or it does not look."""
WAIT_S: Final = 3.0
PIECES: Final = 12
"""Pieces of sound that the self-test listens to: a quarter of a second."""

ADVICE: Final = {
    "black": "clean the lens and look again; a sensor that stays black is broken: have the camera repaired",
    "frozen": "switch the camera off and on; if the picture freezes again, have it repaired",
    "covered": "uncover the lens, or turn to the light",
    "defocused": "clean the lens; if the picture stays blurred, have it repaired",
    "upside_down": "turn the camera the right way up",
    "dead": "check the microphone and its connection",
    "silent": "check the microphone: it delivers nothing but zeros",
    "clipped": "take what touches the microphone away; if it stays, have it repaired",
}


class Senses(Part):
    """Eyes and ears of one camera."""

    name = "senses"

    def __init__(self, daemon: Daemon) -> None:
        super().__init__(daemon)
        now_ns, hardware, group = daemon.power_on_ns, daemon.hardware, daemon.recorder
        self.lead = ChannelSenses(group, hardware.camera, hardware.microphone, now_ns)
        self.channels: dict[str | None, ChannelSenses] = {None: self.lead}
        """Of the first camera, and of a vehicle's others by name."""
        for name, one in hardware.channels.items():
            self.channels[name] = ChannelSenses(group.followers[name], one.camera, one.microphone, now_ns)
        self.gravity = Gravity()
        self._fall = Fall()
        self.fell_ns: int | None = None
        """When the camera last turned out to have fallen off, CLOCK_BOOTTIME."""

    def begin(self) -> None:
        """The sensors were just started."""
        self._anew(self.daemon.clock.boottime_ns())

    def moved(self, sample: Acceleration) -> None:
        """A sample of the accelerometer, from any thread."""
        self.gravity.add(sample)
        if self._fall.add(sample):
            self.fell_ns = sample.at_ns

    def each_second(self, now_ns: int) -> None:
        """One look through each camera, one ear at each microphone."""
        if self.away:
            self._anew(now_ns)
            return
        worn_muted = self.daemon.part(RemoteAudio).muted  # at the remote microphone itself
        for one in self.channels.values():
            one.look(now_ns, muted=one.recorder.muted or (one is self.lead and worn_muted))

    def state_changed(self, state: State) -> None:
        """What was seen before a sleep says nothing about what is seen after it."""
        if state.value in AWAY:
            self._anew(self.daemon.clock.boottime_ns())

    def _anew(self, now_ns: int) -> None:
        for one in self.channels.values():
            one.anew(now_ns)

    @property
    def away(self) -> bool:
        """True while nobody needs the picture."""
        return self.daemon.machine.state.value in AWAY and self.daemon.recorder.session is None

    def causes(self, channel: str | None, now_ns: int) -> dict[str, int]:
        """What is wrong with one camera now, and since when."""
        if self.away:
            return {}
        return {one.cause: one.since_ns for one in self.channels[channel].ailments(now_ns).values()}

    def ailments(self, now_ns: int) -> dict[str, Ailment]:
        """What is wrong now, by component. Those of a vehicle's other cameras begin with the camera's name."""
        found: dict[str, Ailment] = {}
        if self.away:
            return found
        for channel, senses in self.channels.items():
            for component, one in senses.ailments(now_ns).items():
                name = _named(channel, component)
                found[name] = Ailment(name, _named(channel, one.cause), one.since_ns)
        down_ns = self.gravity.upside_down_since_ns
        if down_ns is not None and "picture" not in found and self.daemon.settings.role == "body":
            found["picture"] = Ailment("picture", "picture_upside_down", down_ns)
        return found

    # --- self-test (threads) ------------------------------------------------------------------------------------------

    def checks(self) -> Sequence[Check]:
        """Real pictures and real sound."""
        return (("picture", self.check_picture), ("view", self.check_view), ("microphone", self.check_microphone))

    def _watch_picture(self) -> PictureWatch | None:
        """Look at pictures until they tell enough (a thread); None if there are none."""
        watch = PictureWatch()
        looks, last_ns = 0, self.daemon.clock.boottime_ns()  # what was seen before says nothing about now
        until_ns = last_ns + int(WAIT_S * 1e9)
        while self.daemon.clock.boottime_ns() < until_ns:
            small = self.lead.small_picture()
            if small is not None and small.captured_ns > last_ns:
                watch.look(small)
                looks, last_ns = looks + 1, small.captured_ns
                if looks >= 2 and watch.seen is not None and not watch.seen.still:
                    break  # alive; a still picture is looked at for as long as it takes to be sure
            program_time.sleep(0.05)
        return watch if looks >= 2 else None

    def check_picture(self) -> Seen:
        """The picture lives: it is neither black nor frozen."""
        limit = "neither black nor frozen"
        if not isinstance(self.daemon.hardware.camera, ShowsPictures):
            return Seen("not_present", "this camera gives no small pictures", limit)
        watch = self._watch_picture()
        if watch is None or watch.seen is None:
            return Seen("fail", "no pictures", limit, "check the camera cable")
        if watch.seen.still:
            cause = "black" if watch.seen.dark else "frozen"
            return Seen("fail", f"{cause}, mean level {watch.seen.mean:.0f}", limit, ADVICE[cause])
        return Seen("pass", f"mean level {watch.seen.mean:.0f}, it moves", limit)

    def check_view(self) -> Seen:
        """The lens sees something, sharp and the right way up."""
        limit = "not covered, not blurred, upright"
        if not isinstance(self.daemon.hardware.camera, ShowsPictures):
            return Seen("not_present", "this camera gives no small pictures", limit)
        watch = self._watch_picture()
        if watch is None or watch.seen is None:
            return Seen("fail", "no pictures", limit, "check the camera cable")
        seen = watch.seen
        cause: str | None = pictures.trouble_of(replace(seen, still=False), None)
        if self.gravity.upside_down_since_ns is not None:
            cause = "upside_down"
        value = f"edges {seen.edge}, sharpness {seen.sharpness:.2f}"
        value += "" if self.gravity.known else ", no accelerometer to say which way is up"
        if cause is None:
            return Seen("pass", value, limit)
        return Seen("fail", f"{cause.replace('_', ' ')}: {value}", limit, ADVICE[cause])

    def check_microphone(self) -> Seen:
        """Sound arrives, is neither silence nor clipped, and lies where its picture lies."""
        limit = f"above {sounds.SILENT_DBFS:g} dBFS, not clipped, within {SKEW_LIMIT_US // 1000} ms of the picture"
        if self.daemon.hardware.microphone is None:
            return Seen("not_present", "no microphone is configured", limit)
        levels = self._listen()
        if not levels:
            return Seen("fail", "no sound arrives", limit, ADVICE["dead"])
        value = f"{max(levels):.0f} dBFS"
        if all(sounds.trouble_of(level) == "silent" for level in levels):
            return Seen("fail", f"silent: {value}", limit, ADVICE["silent"])
        if all(sounds.trouble_of(level) == "clipped" for level in levels):
            return Seen("fail", f"clipped: {value}", limit, ADVICE["clipped"])
        offset_us = self._offset_us()
        if offset_us is not None:
            value += f", {offset_us / 1000:+.0f} ms off the picture in the last recording"
            if abs(offset_us) > SKEW_LIMIT_US:
                return Seen("fail", value, limit, "have the camera repaired: sound and picture drift apart")
        return Seen("pass", value, limit)

    def _offset_us(self) -> int | None:
        session = self.daemon.recorder.session
        return larger_offset(self.lead.sound_offset_us, session.sound_offset_us if session is not None else None)

    def _listen(self) -> list[float]:
        """Peak levels of what arrives from now on (a thread)."""
        levels: list[float] = []
        began_ns = self.daemon.clock.boottime_ns()
        last_ns = began_ns
        while len(levels) < PIECES and self.daemon.clock.boottime_ns() - began_ns < int(WAIT_S * 1e9):
            sound = self.daemon.recorder.last_sound
            if sound is not None and sound.captured_ns > last_ns:
                levels.append(sound.level_dbfs)
                last_ns = sound.captured_ns
            program_time.sleep(0.01)
        return levels


def _named(channel: str | None, word: str) -> str:
    """A public word, which has at most 48 letters."""
    return word if channel is None else f"{channel[: 47 - len(word)]}_{word}"
