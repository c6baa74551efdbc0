"""Start camera, microphone, GPS and lines, and again what did not start. Recording never waits for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from device.hardware import Hardware
from device.recorder import Recorder
from device.timekeeping import GnssWatch, Step
from hal.errors import HalError
from hal.gps import GpsEpoch
from hal.microphone import EncodedSound
from hal.switches import Edge

RETRY_CAMERA_NS: Final = 5_000_000_000
"""A sensor that did not start is started again this often."""


class Sources:
    """What delivers on threads of its own; so do `on_fault` (part, sentence), `on_gnss_step`
    and `on_heard` (peak dBFS, CLOCK_BOOTTIME ns, duration ns)."""

    def __init__(
        self,
        hardware: Hardware,
        recorder: Recorder,
        on_fault: Callable[[str, str], None],
        on_gnss_step: Callable[[Step], None],
        on_heard: Callable[[float, int, int], None],
    ) -> None:
        self._hardware = hardware
        self._recorder = recorder
        self._fault = on_fault
        self._on_gnss_step = on_gnss_step
        self._on_heard = on_heard
        self._gnss_watch = GnssWatch(hardware.clock)
        self._camera_started = False
        self._look_again_ns = 0

    def start(self) -> None:
        """Start camera, microphone and GPS."""
        hardware = self._hardware
        self._start_camera()
        if hardware.microphone is not None:
            try:
                hardware.microphone.start(self._on_sound, lambda text: self._fault("microphone", text))
            except (HalError, OSError) as error:
                self._fault("microphone", str(error))
        if hardware.gps is not None:
            try:
                hardware.gps.start(self._on_epoch, lambda text: self._fault("gps", text))
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

    def _start_camera(self) -> None:
        camera = self._hardware.camera
        self._look_again_ns = self._hardware.clock.boottime_ns() + RETRY_CAMERA_NS
        if camera is None:
            return
        try:
            camera.start(self._recorder.on_frame, lambda text: self._fault("camera", text))
            self._camera_started = True
        except (HalError, OSError) as error:
            self._fault("camera", str(error))

    def watch(self, now_ns: int) -> None:
        """Try again a sensor that did not start.

        One that started and fell silent is the driver's to bring back, and `device.senses` notices it.
        """
        if not self._camera_started and now_ns >= self._look_again_ns:
            self._start_camera()

    def _on_sound(self, sound: EncodedSound) -> None:
        self._recorder.on_sound(sound)
        microphone = self._hardware.microphone
        if microphone is not None:
            form = microphone.format
            self._on_heard(sound.level_dbfs, sound.captured_ns, form.samples_per_frame * 10**9 // form.sample_rate)

    def _on_epoch(self, epoch: GpsEpoch) -> None:
        self._recorder.on_epoch(epoch)
        step = self._gnss_watch.look(epoch)
        if step is not None:
            self._on_gnss_step(step)

    def stop(self) -> None:
        """Stop all of them; one that fails to stop does not keep the others."""
        hardware = self._hardware
        for driver in (hardware.switches, hardware.gps, hardware.microphone, hardware.camera):
            if driver is not None:
                try:
                    driver.stop()
                except (HalError, OSError) as error:
                    self._fault("shutdown", str(error))
