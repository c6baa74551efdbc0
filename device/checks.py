"""What the self-test looks at on this camera. Each check answers with what it saw (see `device.selftest`)."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from device.hardware import Hardware
from device.identity import Identity
from device.policy import Profile
from device.recorder import Recorder
from device.selftest import Check, Seen
from evidence import cms
from evidence.errors import EvidenceError
from evidence.keys import Signer
from evidence.trust import Trust
from hal.battery import Battery
from hal.clock import Clock
from hal.errors import HalError
from hal.indicators import Indicators
from hal.storage import Storage

WAIT_S: Final = 3.0
"""How long sensor and encoder may take to show pictures after the start."""
SILENCE_DBFS: Final = -90.0


@dataclass
class Bench:
    """Everything the checks need. `None` = no driver is configured, or it could not be started."""

    recorder: Recorder
    profile: Profile
    clock: Clock
    storage: Storage
    signer: Signer
    trust: Trust
    serial: str
    battery: Battery | None
    indicators: Indicators | None
    has_microphone: bool
    has_gps: bool
    lines: Callable[[], Mapping[str, bool]]
    """Debounced levels of the input lines that are neither dock nor expected active."""
    expected_lines: frozenset[str]

    def checks(self) -> list[Check]:
        """All checks in the order in which they are shown."""
        return [
            ("sensor", self.sensor),
            ("encoder", self.encoder),
            ("storage", self.check_storage),
            ("battery", self.check_battery),
            ("signing_key", self.signing_key),
            ("gps", self.gps),
            ("microphone", self.microphone),
            ("indicators", self.check_indicators),
            ("clock", self.check_clock),
            ("inputs", self.inputs),
        ]

    def _wait(self, condition: Callable[[], bool]) -> bool:
        """Wait up to WAIT_S for something that the drivers' threads bring about."""
        pause = threading.Event()
        deadline_ns = self.clock.boottime_ns() + int(WAIT_S * 1e9)
        while not condition():
            if self.clock.boottime_ns() > deadline_ns:
                return False
            pause.wait(0.02)
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

    def check_storage(self) -> Seen:
        """The card takes and returns bytes, and has room."""
        probe = self.storage.probe()
        if probe.error is not None or not probe.read_ok:
            return Seen("fail", probe.error or "read back differs", "write and read back", "replace the card")
        free_mib = probe.free_bytes // 2**20
        value = f"{free_mib} MiB free, {probe.write_bytes_per_s // 2**20} MiB/s"
        good = free_mib >= self.profile.min_free_mib
        return Seen(
            "pass" if good else "fail", value, f"{self.profile.min_free_mib} MiB free", "dock the camera to offload"
        )

    def check_battery(self) -> Seen:
        """The gauge answers and the charge is enough."""
        limit = f"{self.profile.min_battery_percent} %"
        if self.battery is None:
            return Seen("not_present", "no fuel gauge is configured", limit)
        try:
            reading = self.battery.read()
        except (HalError, OSError) as error:
            return Seen("fail", str(error), limit, "have the fuel gauge repaired")
        if reading.percent is None:
            return Seen("fail", "the gauge gives no charge", limit, "have the fuel gauge repaired")
        good = reading.percent >= self.profile.min_battery_percent
        return Seen("pass" if good else "fail", f"{reading.percent} % ({reading.status})", limit, "charge the camera")

    def signing_key(self) -> Seen:
        """The key signs, and its certificate is this camera's, under the agency's root, and valid now."""
        claim = self.clock.utc()
        now = dt.datetime.fromtimestamp(max(0, claim.middle_ns) // 10**9, dt.UTC)
        try:
            message = cms.parse_signed(cms.sign(b"self-test", self.signer, now))
            self.trust.check(message, role="camera", serial=self.serial, at=None if claim.source == "none" else now)
        except EvidenceError as error:
            return Seen("fail", str(error), "signs and verifies", "enrol the camera again")
        days = (self.signer.certificate.not_valid_after_utc - now).days
        return Seen("pass", f"{self.signer.level} key, certificate good for {days} days", "signs and verifies")

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

    def microphone(self) -> Seen:
        """Sound arrives, and is not digital silence."""
        limit = f"above {SILENCE_DBFS:g} dBFS"
        if not self.has_microphone:
            return Seen("not_present", "no microphone is configured", limit)
        self._wait(lambda: self.recorder.last_sound is not None)
        sound = self.recorder.last_sound
        if sound is None or self.clock.boottime_ns() - sound.captured_ns > 2_000_000_000:
            return Seen("fail", "no sound arrives", limit, "check the microphone")
        good = sound.level_dbfs > SILENCE_DBFS
        return Seen("pass" if good else "fail", f"{sound.level_dbfs:.0f} dBFS", limit, "check the microphone")

    def check_indicators(self) -> Seen:
        """Every channel can be driven."""
        if self.indicators is None or not self.indicators.channels:
            return Seen("not_present", "no indicators are configured", "each is driven")
        for channel in sorted(self.indicators.channels):
            self.indicators.pulse(channel, 0.05, 0.05, 1)
        return Seen("pass", f"{len(self.indicators.channels)} driven", "each is driven")

    def check_clock(self) -> Seen:
        """Somebody vouches for the time."""
        claim = self.clock.utc()
        half_ms = (claim.latest_ns - claim.earliest_ns) // 2_000_000
        if claim.source == "none":
            return Seen("fail", "nobody vouches for the clock", "a time source", "dock the camera to set it")
        return Seen("pass", f"{claim.source}, within {half_ms} ms", "a time source")

    def inputs(self) -> Seen:
        """No trigger line or button is stuck active."""
        stuck = sorted(name for name, active in self.lines().items() if active and name not in self.expected_lines)
        if stuck:
            return Seen("fail", f"active: {', '.join(stuck)}", "all idle", "release the button or check the wiring")
        return Seen("pass", "all idle", "all idle")


def bench_of(
    hardware: Hardware,
    identity: Identity,
    policy: Profile,
    recorder: Recorder,
    lines: Callable[[], Mapping[str, bool]],
    docks: frozenset[str],
) -> Bench:
    """The bench of this camera; `docks` are the lines that may be active at a test."""
    return Bench(
        recorder=recorder,
        profile=policy,
        clock=hardware.clock,
        storage=hardware.storage,
        signer=identity.signer,
        trust=identity.trust,
        serial=identity.serial,
        battery=hardware.battery,
        indicators=hardware.indicators,
        has_microphone=hardware.microphone is not None,
        has_gps=hardware.gps is not None,
        lines=lines,
        expected_lines=docks,
    )
