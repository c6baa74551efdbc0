"""The checks before a shift that need the whole camera: card, keys, clock, lines, log, firmware (R8, R30, R39).

This part only measures; what a measurement means stands, pure, in the modules of the single checks.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from device.card_watch import CardWatch
from device.clock_check import judge_clock
from device.config import DeviceSettings
from device.energy import Energy
from device.firmware_check import judge_firmware, manifest_paths
from device.history_checks import LogHistory, judge_backlog
from device.key_checks import judge_key, judge_vault
from device.line_check import judge_lines, lines_of
from device.part import Part
from device.ring_keeper import RingKeeper
from device.selftest import Check, Seen
from device.storage_check import Need, judge_storage, judge_wear, probe_often
from device.watchdog_check import BITTEN, judge_watchdog
from hal import program_time
from hal.errors import HalError
from hal.rtc import find_rtc
from hal.storage_health import StorageHealth, read_health
from hal.watchdog import find_watchdog

if TYPE_CHECKING:
    from device.daemon import Daemon

PROBE_BYTES: Final = 1024 * 1024
RING_WAIT_S: Final = 1.5
"""How long the test waits for a second of pictures, to know the bitrate."""
KNOWN_RATE_NS: Final = 1_000_000_000


def configured_bitrate(settings: DeviceSettings) -> int | None:
    """Bits per second that all cameras together are configured for; None if one does not say. Pure."""
    options = [settings.camera.options, *(one.options for one in settings.cameras.values())]
    rates = [one.get("bitrate") for one in options]
    known = [rate for rate in rates if isinstance(rate, int) and rate > 0]
    return sum(known) if len(known) == len(rates) else None


class PreShift(Part):
    """Measures for the self-test."""

    name = "pre_shift"

    def __init__(self, daemon: Daemon) -> None:
        super().__init__(daemon)
        spool = daemon.boot.spool
        self._history = LogHistory(spool.directory, spool.serial, daemon.identity.trust)
        self._first_segment = 1
        self.probes = 1
        """How often the card is probed in one test; more than once only while nothing is recorded."""

    def begin(self) -> None:
        daemon = self.daemon
        self._first_segment = daemon.boot.device_log.segment
        watchdog = find_watchdog()
        if watchdog is not None and watchdog.bit and daemon.part(Energy).first_start:
            daemon.fault("watchdog", f"{BITTEN} ({watchdog.identity})")

    def checks(self) -> Sequence[Check]:
        daemon = self.daemon
        return (
            ("storage", self.storage),
            ("wear", lambda: judge_wear(self._health())),
            ("signing_key", self._key),
            ("vault", lambda: judge_vault(daemon.profile.profile, daemon.identity.recipients, daemon.clock.utc())),
            ("clock", lambda: judge_clock(daemon.clock.utc(), find_rtc())),
            ("inputs", self._inputs),
            ("firmware", self._firmware),
            ("log_chain", lambda: self._history.judge_chain(daemon.boot.spool.newest_segment)),
            ("last_session", self._last_session),
            ("watchdog", lambda: judge_watchdog(find_watchdog())),
            ("backlog", self._backlog),
        )

    # --- the card -------------------------------------------------------------------------------------------------

    def storage(self) -> Seen:
        """Write, read back, and hold that against what the camera records."""
        daemon, policy = self.daemon, self.daemon.profile.profile
        probe = probe_often(
            lambda: daemon.hardware.storage.probe(PROBE_BYTES), self.probes, lambda: daemon.recorder.session is not None
        )
        daemon.part(RingKeeper).probed(probe.write_bytes_per_s)
        try:
            read_only = daemon.hardware.storage.read_only
        except HalError:
            read_only = False  # the probe says why
        present, top = self._bitrate(), configured_bitrate(daemon.settings)
        need = Need(policy.min_free_mib, policy.alarm_free_min, policy.shift_h, present or top, top)
        return judge_storage(probe, self._health(), need, read_only=read_only)

    def _health(self) -> StorageHealth | None:
        try:
            return read_health(Path(self.daemon.settings.spool))
        except HalError:
            return None

    def _bitrate(self) -> int | None:
        """Bits per second of the ring; None if it does not come to hold a second of pictures."""
        recorder = self.daemon.recorder
        for _ in range(round(RING_WAIT_S / 0.05)):
            span_ns = recorder.buffered_ns()
            if span_ns >= KNOWN_RATE_NS:
                return recorder.ring_bytes * 8 * 10**9 // span_ns
            program_time.sleep(0.05)
        return None

    # --- the rest -------------------------------------------------------------------------------------------------

    def _key(self) -> Seen:
        identity = self.daemon.identity
        return judge_key(identity.signer, identity.trust, identity.serial, self.daemon.clock.utc(), identity.key_file)

    def _inputs(self) -> Seen:
        daemon = self.daemon
        lines, switches = lines_of(daemon.settings.inputs), daemon.hardware.switches
        if switches is None:
            return Seen("fail", "no input line can be read", "all idle", "have the switches repaired")
        unwired, lost = [], []
        for name in lines:
            try:
                switches.active(name)
            except KeyError:
                unwired.append(name)
            except (HalError, OSError):
                lost.append(name)
        now_ns = daemon.clock.boottime_ns()
        timeline = tuple(daemon.inputs.timeline)
        return judge_lines(lines, daemon.inputs.levels, timeline, now_ns, unwired, daemon.inputs.chattering, lost)

    def _firmware(self) -> Seen:
        identity = self.daemon.identity
        return judge_firmware(identity.camera, manifest_paths(Path(self.daemon.settings.state)), identity.trust)

    def _last_session(self) -> Seen:
        daemon = self.daemon
        ran_out = daemon.part(Energy).died_last_shift
        return self._history.judge_last_session(self._first_segment, daemon.unfinished, ran_out=ran_out)

    def _backlog(self) -> Seen:
        daemon = self.daemon
        oldest_s = daemon.part(CardWatch).oldest_waiting_s
        return judge_backlog(daemon.boot.spool.files(), oldest_s, daemon.profile.profile.backlog_alarm_h)
