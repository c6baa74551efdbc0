"""The camera looks at its own picture and listens to its own sound, all the time (R3, R12, R29) and in the test (R8).

Who is told about it stands elsewhere: `device.background_test` while the camera is ready, `device.failure_detector`
while it records. Nobody looks while the camera sleeps, or lies in the dock with its lens against the wall.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from device import pictures, sounds
from device.gravity import Fall, Gravity
from device.part import Part
from device.pictures import PictureWatch
from device.remote_audio import RemoteAudio
from device.selftest import Check, Seen
from device.sounds import SKEW_LIMIT_US, SoundWatch
from device.states import State
from evidence.statements import larger_offset
from hal.camera import ShowsPictures, SmallPicture
from hal.motion import Acceleration

if TYPE_CHECKING:
    from device.daemon import Daemon

AWAY: Final = frozenset({"boot", "sleep", "docked", "updating", "shutting_down"})
"""States in which nobody wears the camera, or it does not look."""
SILENT_NS: Final = 1_500_000_000
"""A sensor or encoder that delivers nothing for so long is silent; small pictures come twice a second."""
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


@dataclass(frozen=True, slots=True)
class Ailment:
    """What is wrong with one component."""

    component: str
    cause: str
    """One public word, `picture_black` say."""
    since_ns: int
    """CLOCK_BOOTTIME."""


def silent_part(now_ns: int, frame_ns: int, picture_ns: int | None) -> tuple[str, str] | None:
    """(component, cause) if no encoded frames come: the sensor's fault, or only the encoder's. Pure.

    `frame_ns` is the newest frame, or when frames were first due; `picture_ns` the newest small picture.
    """
    if now_ns - frame_ns < SILENT_NS:
        return None
    alive = picture_ns is not None and picture_ns > frame_ns and now_ns - picture_ns < SILENT_NS
    return ("encoder", "encoder_stalled") if alive else ("sensor", "camera_silent")


class Senses(Part):
    """Eyes and ears of one camera."""

    name = "senses"

    def __init__(self, daemon: Daemon) -> None:
        super().__init__(daemon)
        self.picture = PictureWatch()
        self.sound = SoundWatch(daemon.power_on_ns)
        self.gravity = Gravity()
        self._fall = Fall()
        self.fell_ns: int | None = None
        """When the camera last turned out to have fallen off, CLOCK_BOOTTIME."""
        self.sound_offset_us: int | None = None
        """Largest offset between sound and picture in the newest recording."""
        self._due_ns = daemon.power_on_ns
        """Frames are due since then."""

    def begin(self) -> None:
        """The sensors were just started."""
        self._anew(self.daemon.clock.boottime_ns())

    def moved(self, sample: Acceleration) -> None:
        """A sample of the accelerometer, from any thread."""
        self.gravity.add(sample)
        if self._fall.add(sample):
            self.fell_ns = sample.at_ns

    def each_second(self, now_ns: int) -> None:
        """One look, one ear."""
        if self.away:
            self._anew(now_ns)
            return
        small = self.small_picture()
        if small is not None:
            self.picture.look(small)
        if self.daemon.hardware.microphone is not None and not self.muted:
            self.sound.look(self.daemon.recorder.last_sound, now_ns)
        else:
            self.sound.forget(now_ns)
        session = self.daemon.recorder.session
        if session is not None:
            self.sound_offset_us = session.sound_offset_us

    def state_changed(self, state: State) -> None:
        """What was seen before a sleep says nothing about what is seen after it."""
        if state.value in AWAY:
            self._anew(self.daemon.clock.boottime_ns())

    def _anew(self, now_ns: int) -> None:
        self.picture.forget()
        self.sound.forget(now_ns)
        self._due_ns = now_ns

    @property
    def away(self) -> bool:
        """True while nobody needs the picture."""
        return self.daemon.machine.state.value in AWAY and self.daemon.recorder.session is None

    @property
    def muted(self) -> bool:
        """True while sound is not recorded because the officer muted it, at the camera or at the remote microphone."""
        return self.daemon.recorder.muted or self.daemon.part(RemoteAudio).muted

    def small_picture(self) -> SmallPicture | None:
        """The newest small picture, if this camera has any."""
        camera = self.daemon.hardware.camera
        return camera.small_picture() if isinstance(camera, ShowsPictures) else None

    def ailments(self, now_ns: int) -> dict[str, Ailment]:
        """What is wrong now, by component: sensor, encoder, picture, microphone."""
        found: dict[str, Ailment] = {}
        if self.away:
            return found
        frame_ns = max(self._due_ns, self.daemon.recorder.last_frame_ns or 0)
        small = self.small_picture()
        silent = silent_part(now_ns, frame_ns, small.captured_ns if small is not None else None)
        if silent is not None and self.daemon.hardware.camera is not None:
            found[silent[0]] = Ailment(*silent, frame_ns)
        if self.picture.trouble is not None and "sensor" not in found:
            found["picture"] = Ailment("picture", f"picture_{self.picture.trouble}", self.picture.since_ns or now_ns)
        down_ns = self.gravity.upside_down_since_ns
        if down_ns is not None and "picture" not in found and self.daemon.settings.role == "body":
            found["picture"] = Ailment("picture", "picture_upside_down", down_ns)
        if self.sound.trouble is not None:
            cause = f"microphone_{self.sound.trouble}"
            found["microphone"] = Ailment("microphone", cause, self.sound.since_ns or now_ns)
        return found

    # --- self-test (threads) ------------------------------------------------------------------------------------------

    def checks(self) -> Sequence[Check]:
        """Real pictures and real sound."""
        return (("picture", self.check_picture), ("view", self.check_view), ("microphone", self.check_microphone))

    def _watch_picture(self) -> PictureWatch | None:
        """Look at pictures until they tell enough (a thread); None if there are none."""
        watch, pause = PictureWatch(), threading.Event()
        looks, last_ns = 0, self.daemon.clock.boottime_ns()  # what was seen before says nothing about now
        until_ns = last_ns + int(WAIT_S * 1e9)
        while self.daemon.clock.boottime_ns() < until_ns:
            small = self.small_picture()
            if small is not None and small.captured_ns > last_ns:
                watch.look(small)
                looks, last_ns = looks + 1, small.captured_ns
                if looks >= 2 and watch.seen is not None and not watch.seen.still:
                    break  # alive; a still picture is looked at for as long as it takes to be sure
            pause.wait(0.05)
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
        return larger_offset(self.sound_offset_us, session.sound_offset_us if session is not None else None)

    def _listen(self) -> list[float]:
        """Peak levels of what arrives from now on (a thread)."""
        pause = threading.Event()
        levels: list[float] = []
        began_ns = self.daemon.clock.boottime_ns()
        last_ns = began_ns
        while len(levels) < PIECES and self.daemon.clock.boottime_ns() - began_ns < int(WAIT_S * 1e9):
            sound = self.daemon.recorder.last_sound
            if sound is not None and sound.captured_ns > last_ns:
                levels.append(sound.level_dbfs)
                last_ns = sound.captured_ns
            pause.wait(0.01)
        return levels
