"""The self-test's checks of what delivers and shows: sensor, encoder, sound, position, battery, indicators (R8).

Each answers with what it saw (see `device.selftest`). The others stand in `device.pre_shift`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from device.hardware import Hardware
from device.policy import Profile
from device.recorder import Recorder
from device.selftest import Check, Seen
from hal import program_time
from hal.clock import Clock
from hal.indicators import Indicators

WAIT_S: Final = 3.0
"""How long sensor and encoder may take to show pictures after the start."""


@dataclass
class Bench:
    """Everything the checks need. `None` = no driver is configured, or it could not be started."""

    recorder: Recorder
    profile: Profile
    clock: Clock
    indicators: Indicators | None
    has_gps: bool

    def checks(self) -> list[Check]:
        """All checks in the order in which they are shown."""
        return [
            ("sensor", self.sensor),
            ("encoder", self.encoder),
            ("gps", self.gps),
            ("indicators", self.check_indicators),
        ]

    def _wait(self, condition: Callable[[], bool]) -> bool:
        """Wait up to WAIT_S for something that the drivers' threads bring about."""
        deadline_ns = self.clock.boottime_ns() + int(WAIT_S * 1e9)
        while not condition():
            if self.clock.boottime_ns() > deadline_ns:
                return False
            program_time.sleep(0.02)
        return True

    def sensor(self) -> Seen:
        """Pictures arrive, and go on arriving."""
        began = self.recorder.frames
        alive = self._wait(lambda: self.recorder.frames >= began + 5)
        value = f"{self.recorder.frames - began} frames" if alive else "no new frames"
        return Seen("pass" if alive else "fail", value, f"5 frames in {WAIT_S:g} s", "check the camera cable and lens")

    def encoder(self) -> Seen:
        """Key frames come about once a second."""
        began = self.recorder.keyframes
        self._wait(lambda: self.recorder.keyframes > began)
        last = self.recorder.last_keyframe_ns
        age_ns = self.clock.boottime_ns() - last if last is not None else None
        good = age_ns is not None and age_ns < 2_500_000_000
        value = f"last key frame {age_ns // 1_000_000} ms ago" if age_ns is not None else "no key frame"
        return Seen("pass" if good else "fail", value, "a key frame each second", "restart the camera, else replace it")

    def gps(self) -> Seen:
        """The receiver talks, and has a fix."""
        limit = "a fix"
        if not self.has_gps:
            return Seen("not_present", "no receiver is configured", limit)
        self._wait(lambda: self.recorder.last_epoch is not None)
        epoch = self.recorder.last_epoch
        if epoch is None:
            return Seen("fail", "the receiver is silent", limit, "check the receiver's cable")
        if not epoch.fix:
            return Seen("fail", "no fix yet", limit, "step outside; recording does not depend on it")
        return Seen("pass", f"fix, {epoch.satellites if epoch.satellites is not None else '?'} satellites", limit)

    def check_indicators(self) -> Seen:
        """Every channel can be driven."""
        if self.indicators is None or not self.indicators.channels:
            return Seen("not_present", "no indicators are configured", "each is driven")
        for channel in sorted(self.indicators.channels):
            self.indicators.pulse(channel, 0.05, 0.05, 1)
        return Seen("pass", f"{len(self.indicators.channels)} driven", "each is driven")


def bench_of(hardware: Hardware, policy: Profile, recorder: Recorder) -> Bench:
    """The bench of this camera."""
    return Bench(
        recorder=recorder,
        profile=policy,
        clock=hardware.clock,
        indicators=hardware.indicators,
        has_gps=hardware.gps is not None,
    )
