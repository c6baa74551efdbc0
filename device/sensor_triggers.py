"""Triggers that no line gives: speed from the receiver, a crash from the accelerometer (R14, R18). Cores are pure.

Run, fall and prone detection (R19) would stand beside these behind the same seam, `hal.motion`; they are not built,
since their rate of false starts was never measured.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from device.part import Part
from device.senses import Senses
from device.triggers import Start, standing
from hal.errors import HalError
from hal.motion import Acceleration

if TYPE_CHECKING:
    from device.daemon import Daemon

KMH_PER_MM_S: Final = 3.6 / 1000
REARM_SHARE: Final = 0.8
"""Slower than this share of the threshold arms the trigger again."""
FIXES: Final = 2
"""So many fixes in a row must be that fast: one alone may be a jump."""
CRASH_AGAIN_NS: Final = 5_000_000_000
CRASH_SAMPLES: Final = 2
"""One sample alone is a spike on the bus."""
NOTE_CHANGE_KMH: Final = 5
NOTE_EVERY_NS: Final = 10_000_000_000


@dataclass
class SpeedTrigger:
    """Fires once when the speed stays at or over the threshold; armed again when it falls well below."""

    threshold_kmh: float
    hold_ns: int
    """How long the last speed counts without a fix."""
    _fast: int = 0
    _fired: bool = False
    _last_ns: int | None = None

    def look(self, speed_kmh: float | None, at_ns: int) -> bool:
        """One epoch; None = no fix. True when the trigger fires."""
        if speed_kmh is None:
            if self._last_ns is not None and at_ns - self._last_ns > self.hold_ns:
                self._fast = 0
            return False
        self._last_ns = at_ns
        if speed_kmh < self.threshold_kmh * REARM_SHARE:
            self._fired = False
        self._fast = self._fast + 1 if speed_kmh >= self.threshold_kmh else 0
        if self._fired or self._fast < FIXES:
            return False
        self._fired = True
        return True


@dataclass
class CrashTrigger:
    """Fires when the acceleration differs from gravity by the threshold for two samples running."""

    threshold_mg: int
    _hard: int = 0
    _fired_ns: int | None = None

    def look(self, sample: Acceleration) -> bool:
        """One sample. True when the trigger fires; at most once in five seconds."""
        magnitude_mg = math.sqrt(sample.x_mg**2 + sample.y_mg**2 + sample.z_mg**2)
        self._hard = self._hard + 1 if abs(magnitude_mg - 1000) >= self.threshold_mg else 0
        recently = self._fired_ns is not None and sample.at_ns - self._fired_ns < CRASH_AGAIN_NS
        if self._hard < CRASH_SAMPLES or recently:
            return False
        self._fired_ns = sample.at_ns
        return True


class SensorTriggers(Part):
    """Speed and crash of one camera. The accelerometer's samples come on its own thread."""

    name = "sensor_triggers"

    def __init__(self, daemon: Daemon) -> None:
        super().__init__(daemon)
        policy, inputs = daemon.profile.profile, daemon.settings.inputs
        self._speed_input = next((name for name, one in inputs.items() if one.kind == "speed"), None)
        self._crash_input = next(
            (name for name, one in inputs.items() if one.kind == "crash" and one.source == "sensor"), None
        )
        self._speed = SpeedTrigger(policy.speed_trigger_kmh, policy.speed_hold_s * 10**9)
        self._crash = CrashTrigger(policy.crash_trigger_mg)
        self._epoch_ns = 0
        self._noted: tuple[int, int] = (0, -1)
        """When the speed was last noted, and which."""

    def begin(self) -> None:
        """Listen to the accelerometer."""
        motion = self.daemon.hardware.motion
        if motion is None:
            if self._crash_input is not None:
                self.daemon.fault("motion", f"{self._crash_input} needs an accelerometer, and none is configured")
            return
        try:
            motion.start(self._sample, lambda text: self.daemon.fault("motion", text))
        except (HalError, OSError) as error:
            self.daemon.fault("motion", str(error))

    def end(self) -> None:
        """Let go of the accelerometer."""
        if self.daemon.hardware.motion is not None:
            self.daemon.hardware.motion.stop()

    def _sample(self, sample: Acceleration) -> None:
        self.daemon.part(Senses).moved(sample)
        if self._crash_input is not None and self._crash.threshold_mg and self._crash.look(sample):
            self.daemon.on_loop(self._fire, self._crash_input, sample.at_ns)

    def each_second(self, now_ns: int) -> None:
        """Look at the newest epoch, and note the speed in the timeline when it changes."""
        epoch = self.daemon.recorder.last_epoch
        if epoch is None or epoch.received_ns == self._epoch_ns:
            self._speed.look(None, now_ns)
            return
        self._epoch_ns = epoch.received_ns
        speed_kmh = epoch.speed_mm_s * KMH_PER_MM_S if epoch.fix and epoch.speed_mm_s is not None else None
        if speed_kmh is not None:
            self._note(round(speed_kmh), epoch.received_ns)
        if self._speed_input is not None and self._speed.threshold_kmh and self._speed.look(speed_kmh, now_ns):
            self._fire(self._speed_input, epoch.received_ns)

    def _note(self, kmh: int, at_ns: int) -> None:
        noted_ns, noted_kmh = self._noted
        if abs(kmh - noted_kmh) < NOTE_CHANGE_KMH and at_ns - noted_ns < NOTE_EVERY_NS:
            return
        self._noted = (at_ns, kmh)
        self.daemon.gestures.note(at_ns, "speed_kmh", kmh)

    def _fire(self, name: str, at_ns: int) -> None:
        configured = self.daemon.settings.inputs[name]
        critical, wakes = standing(configured)
        self.daemon.trigger(Start(name, critical, at_ns, False, wakes, configured.kind, None, "sensor"))
