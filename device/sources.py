"""Start cameras, microphones, GPS and lines, and again what did not start. Recording never waits for them."""

from __future__ import annotations

from collections.abc import Callable

from device.camera_feed import RETRY_CAMERA_NS, CameraFeed
from device.group import Group
from device.hardware import Hardware
from device.timekeeping import GnssWatch, Step
from hal.errors import HalError
from hal.gps import GpsEpoch
from hal.microphone import EncodedSound, Microphone
from hal.switches import Edge

__all__ = ["RETRY_CAMERA_NS", "Sources"]


class Sources:
    """What delivers on threads of its own; so do `on_fault` (part, sentence) and `on_gnss_step`."""

    def __init__(
        self,
        hardware: Hardware,
        group: Group,
        on_fault: Callable[[str, str], None],
        on_gnss_step: Callable[[Step], None],
        on_heard: Callable[[float, int, int], None],
    ) -> None:
        self._hardware = hardware
        self._group = group
        self._fault = on_fault
        self._on_gnss_step = on_gnss_step
        self._on_heard = on_heard
        self._gnss_watch = GnssWatch(hardware.clock)
        clock = hardware.clock
        self._feeds = [CameraFeed("camera", hardware.camera, group, clock, on_fault)]
        self._microphones: list[tuple[str, Microphone, Callable[[EncodedSound], None]]] = []
        if hardware.microphone is not None:
            self._microphones.append(("microphone", hardware.microphone, self._on_sound))
        for name, channel in hardware.channels.items():
            recorder = group.followers[name]
            self._feeds.append(CameraFeed(f"camera_{name}", channel.camera, recorder, clock, on_fault))
            if channel.microphone is not None:
                self._microphones.append((f"microphone_{name}", channel.microphone, recorder.on_sound))

    def start(self) -> None:
        """Start cameras, microphones and GPS."""
        for feed in self._feeds:
            feed.start()
        for name, microphone, on_sound in self._microphones:
            try:
                microphone.start(on_sound, lambda text, name=name: self._fault(name, text))  # type: ignore[misc]
            except (HalError, OSError) as error:
                self._fault(name, str(error))
        if self._hardware.gps is not None:
            try:
                self._hardware.gps.start(self._on_epoch, lambda text: self._fault("gps", text))
            except (HalError, OSError) as error:
                self._fault("gps", str(error))

    def start_switches(self, on_edge: Callable[[Edge], None]) -> None:
        """Listen to buttons and lines."""
        if self._hardware.switches is None:
            self._fault("switches", "no input line can be read")
            return
        try:
            self._hardware.switches.start(on_edge)
        except (HalError, OSError) as error:
            self._fault("switches", str(error))

    def watch(self, now_ns: int) -> None:
        """Try again what did not start.

        One that started and fell silent is the driver's to bring back, and `device.senses` notices it.
        """
        for feed in self._feeds:
            feed.watch(now_ns)

    def _on_sound(self, sound: EncodedSound) -> None:
        self._group.on_sound(sound)
        microphone = self._hardware.microphone
        if microphone is not None:
            form = microphone.format
            self._on_heard(sound.level_dbfs, sound.captured_ns, form.samples_per_frame * 10**9 // form.sample_rate)

    def _on_epoch(self, epoch: GpsEpoch) -> None:
        self._group.on_epoch(epoch)
        step = self._gnss_watch.look(epoch)
        if step is not None:
            self._on_gnss_step(step)

    def stop(self) -> None:
        """Stop all of them; one that fails to stop does not keep the others."""
        hardware = self._hardware
        microphones = [microphone for _, microphone, _ in self._microphones]
        for driver in (hardware.switches, hardware.gps, *microphones, *self._feeds):
            if driver is not None:
                try:
                    driver.stop()
                except (HalError, OSError) as error:
                    self._fault("shutdown", str(error))
