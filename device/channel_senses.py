"""Eyes and ears of one camera: its picture, its sound, and whether anything comes at all (R3, R29)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from device.pictures import PictureWatch
from device.recorder import Recorder
from device.sounds import SoundWatch
from hal.camera import Camera, ShowsPictures, SmallPicture
from hal.microphone import Microphone

SILENT_NS: Final = 1_500_000_000
"""A sensor or encoder that delivers nothing for so long is silent; small pictures come twice a second."""


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


class ChannelSenses:
    """One camera, with the microphone beside it if there is one. Loop only, but for `small_picture`."""

    def __init__(self, recorder: Recorder, camera: Camera | None, microphone: Microphone | None, now_ns: int) -> None:
        self.recorder = recorder
        self.camera = camera
        self.microphone = microphone
        self.picture = PictureWatch()
        self.sound = SoundWatch(now_ns)
        self.sound_offset_us: int | None = None
        """Largest offset between sound and picture in the newest recording."""
        self._due_ns = now_ns
        """Frames are due since then."""

    def anew(self, now_ns: int) -> None:
        """What was seen before says nothing about what is seen from now on."""
        self.picture.forget()
        self.sound.forget(now_ns)
        self._due_ns = now_ns

    def look(self, now_ns: int, *, muted: bool) -> None:
        """One look, one ear; what the officer muted is silent by right."""
        small = self.small_picture()
        if small is not None:
            self.picture.look(small)
        if self.microphone is not None and not muted:
            self.sound.look(self.recorder.last_sound, now_ns)
        else:
            self.sound.forget(now_ns)
        session = self.recorder.session
        if session is not None:
            self.sound_offset_us = session.sound_offset_us

    def small_picture(self) -> SmallPicture | None:
        """The newest small picture, if this camera has any."""
        return self.camera.small_picture() if isinstance(self.camera, ShowsPictures) else None

    def ailments(self, now_ns: int) -> dict[str, Ailment]:
        """What is wrong now, by component: sensor, encoder, picture, microphone."""
        found: dict[str, Ailment] = {}
        frame_ns = max(self._due_ns, self.recorder.last_frame_ns or 0)
        small = self.small_picture()
        silent = silent_part(now_ns, frame_ns, small.captured_ns if small is not None else None)
        if silent is not None and self.camera is not None:
            found[silent[0]] = Ailment(*silent, frame_ns)
        if self.picture.trouble is not None and "sensor" not in found:
            found["picture"] = Ailment("picture", f"picture_{self.picture.trouble}", self.picture.since_ns or now_ns)
        if self.sound.trouble is not None:
            cause = f"microphone_{self.sound.trouble}"
            found["microphone"] = Ailment("microphone", cause, self.sound.since_ns or now_ns)
        return found
