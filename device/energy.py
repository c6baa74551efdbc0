"""Battery and heat of the running camera: what `device.power` and `device.heat` judge is told, logged and acted on.

The order before a stop (R8, R22): at `low_battery_min` the officer is told and the picture gets fewer bits, at
`critical_battery_min` it is urgent, at `power_off_percent` the recording is closed (`battery_empty`), everything is
made durable, the log is sealed, and the daemon ends with `EXIT_POWER_OFF`. Heat takes bits away and stops nothing.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from device import last_shift, power_checks
from device.heat import BANDS, Band, HeatWatch
from device.last_shift import LastShift
from device.part import Part
from device.power import NOTHING, ORDER, Judgement, Level, Limits, PowerWatch, Prediction, discharging, health_percent
from device.selftest import Check, Seen
from device.service import EXIT_POWER_OFF
from device.writer import Job
from evidence.handover import Answer, Facts
from evidence.requests import FactsRequest, Request
from hal.battery import BatteryReading
from hal.camera import AdjustsBitrate
from hal.errors import HalError

if TYPE_CHECKING:
    from device.daemon import Daemon

READ_EVERY_NS: Final = 2_000_000_000
FIRST_WAIT_S: Final = 2.0
SILENT_NS: Final = 20_000_000_000
"""A gauge that has not answered for this long hangs."""
SAVE_EVERY_NS: Final = 60_000_000_000
SHOW_DIED_NS: Final = 600_000_000_000
"""How long an officer is shown that the battery ran out in the last shift, outside the dock."""


class Energy(Part):
    """Battery and heat."""

    name = "power"

    def __init__(self, daemon: Daemon) -> None:
        super().__init__(daemon)
        policy = daemon.profile.profile
        self._watch = PowerWatch(Limits(policy.low_battery_min, policy.critical_battery_min, policy.power_off_percent))
        self._heat = HeatWatch()
        self._path = Path(daemon.settings.state) / "power.json"
        self._before = last_shift.load(self._path)
        self.first_start = self._before is None or self._before.boot != daemon.clock.boot_id
        """Nothing of ours ran before in this boot of the board."""
        self.died_last_shift = self._before is not None and last_shift.ran_out(self._before, daemon.clock.boot_id)
        self._kept = LastShift(
            boot=daemon.clock.boot_id,
            usual_ua=self._before.usual_ua if self._before is not None else None,
            owed=self.died_last_shift or (self._before is not None and self._before.owed),
        )
        self._saved: LastShift | None = None
        self._saved_ns = 0
        self._shown_since_ns: int | None = None
        self._taken_ns = daemon.power_on_ns
        self._beside = daemon.beside("power", self._read)
        self._asked_ns = daemon.power_on_ns
        self._read_once = threading.Event()
        self._ending = False
        self.reading: BatteryReading | None = None
        """The newest one; None without a gauge, or while it cannot be read."""
        self.prediction: Prediction = NOTHING
        self.level: Level = "good"
        self.zones_mc: dict[str, int] | None = None
        self.throttled = False
        self.band: Band = "normal"
        self.low_power: str | None = None
        """Why the picture gets fewer bits: `battery`, `heat`; None if it does not."""
        self._believed = True
        self._faults: dict[str, str] = {}

    # --- hooks --------------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Tell how the last shift ended; it cannot be switched off."""
        if self.died_last_shift and self._before is not None:
            details = {"end": self._before.end, "percent": self._before.percent, "level": self._before.level}
            self.daemon.log("died_last_shift", word=self._before.end, details=details)
            self.daemon.publish("died_last_shift", self._before.end)
        self._taken_ns = self.daemon.clock.boottime_ns()
        self._beside.start()

    def each_second(self, now_ns: int) -> None:
        """Show what is owed; a reader that hangs on its bus is a fault, and nobody waits for it."""
        self._show_died(now_ns)
        if now_ns - self._asked_ns >= READ_EVERY_NS:
            self._asked_ns = now_ns
            self._beside.ask()
        if now_ns - self._taken_ns > SILENT_NS:
            self.reading = None
            self._fault("battery", "neither gauge nor sensors answer: have the camera's bus repaired")

    def opening(self) -> dict[str, Any]:
        """How the camera was powered when the recording began."""
        percent = self.reading.percent if self.reading is not None else None
        return {"power": {"battery_percent": percent, "low_power": self.low_power, "heat": self.band}}

    def checks(self) -> Sequence[Check]:
        """Charge, ageing, runtime and heat."""
        daemon, policy = self.daemon, self.daemon.profile.profile
        rows: list[Check] = [
            ("battery", lambda: power_checks.charge(self._fresh_reading(), self._faults.get("battery"), policy))
        ]
        if daemon.hardware.battery is not None:
            rows.append(("battery_health", lambda: power_checks.health(self.reading, policy)))
            rows.append(
                ("runtime", lambda: power_checks.runtime(self.reading, policy, self.prediction, self._kept.usual_ua))
            )
        if daemon.settings.thermal is not None:
            rows.append(("thermal", self._check_thermal))
        return rows

    async def answer(self, request: Request) -> Answer | None:
        """`facts` about power."""
        if isinstance(request, FactsRequest) and request.about == "power":
            return Facts(about="power", facts=self.facts())
        return None

    def end(self) -> None:
        """An orderly end."""
        self._beside.stop()
        end: last_shift.End = "battery_empty" if self._ending else "shutdown"
        self._save(msgspec.structs.replace(self._kept, end=end))

    @property
    def runtime_minutes(self) -> int | None:
        """Minutes until the camera switches off, in the dock by the camera's usual draw (R8)."""
        reading, policy = self.reading if self._believed else None, self.daemon.profile.profile
        return power_checks.minutes(reading, policy, self.prediction, self._kept.usual_ua)

    def facts(self) -> dict[str, Any]:
        """Everything about battery and heat, for people and the dock."""
        reading = self.reading
        minutes = self.prediction.minutes
        return {
            "percent": reading.percent if reading is not None else None,
            "status": reading.status if reading is not None else None,
            "level": self.level,
            "minutes_left": round(minutes, 1) if minutes is not None else None,
            "predicted_by": self.prediction.basis,
            "gauge_believed": self._believed,
            "health_percent": health_percent(reading) if reading is not None else None,
            "cycles": reading.cycles if reading is not None else None,
            "battery_dc": reading.temperature_dc if reading is not None else None,
            "usual_ua": self._kept.usual_ua,
            "zones_mc": self.zones_mc,
            "heat": self.band,
            "throttled": self.throttled,
            "low_power": self.low_power,
            "died_last_shift": self.died_last_shift,
            "faults": sorted(self._faults.values()),
        }

    # --- looking ------------------------------------------------------------------------------------------------------

    def _read(self) -> None:
        """Read gauge and sensors (beside: a bus may hang for ever)."""
        reading = self._read_battery()
        self._read_thermal()
        self._read_once.set()
        with contextlib.suppress(RuntimeError):  # the loop has just ended
            self.daemon.on_loop(self._take, reading)

    def _fresh_reading(self) -> BatteryReading | None:
        """A reading of now, for which a self-test waits a little."""
        self._read_once.clear()
        self._beside.ask()
        self._read_once.wait(FIRST_WAIT_S)
        if not self._read_once.is_set():
            self._faults.setdefault("battery", "the gauge does not answer")
        return self.reading

    def _take(self, reading: BatteryReading | None) -> None:
        """Judge what was read, and act on it (loop)."""
        self._taken_ns = now_ns = self.daemon.clock.boottime_ns()
        if reading is not None:
            self._judge(reading, self._watch.look(reading, now_ns), now_ns)
        battery_dc = reading.temperature_dc if reading is not None else None
        if self.zones_mc is not None or battery_dc is not None:
            self._judge_heat(self._heat.look(self.zones_mc or {}, self.throttled, battery_dc, now_ns))
        self._set_low_power()

    def _read_battery(self) -> BatteryReading | None:
        """One reading; a gauge that is lost is a fault, told once, and no empty cell."""
        battery = self.daemon.hardware.battery
        if battery is not None:
            try:
                self.reading = battery.read()
                self._faults.pop("battery", None)
            except (HalError, OSError) as error:
                self.reading = None
                self._fault("battery", str(error))
        elif self.daemon.settings.battery is not None:
            self._faults["battery"] = "the gauge's driver could not be started"
        return self.reading

    def _read_thermal(self) -> None:
        thermal = self.daemon.hardware.thermal
        if thermal is None:
            return
        try:
            self.zones_mc, self.throttled = thermal.read_mc(), thermal.throttled()
            self._faults.pop("thermal", None)
        except (HalError, OSError) as error:
            self.zones_mc, self.throttled = None, False
            self._fault("thermal", str(error))

    def _fault(self, part: str, text: str) -> None:
        if part not in self._faults:
            self.daemon.fault(part, text)
        self._faults[part] = text

    def _check_thermal(self) -> Seen:
        self._read_once.wait(FIRST_WAIT_S)
        missing = "the driver could not be started" if self.daemon.hardware.thermal is None else "it does not answer"
        return power_checks.thermal(self.zones_mc, self._faults.get("thermal", missing), self.band, self.throttled)

    # --- acting -------------------------------------------------------------------------------------------------------

    def _judge(self, reading: BatteryReading, judged: Judgement, now_ns: int) -> None:
        daemon = self.daemon
        self.prediction = judged.prediction
        if self._believed and not judged.believed:
            daemon.fault("battery", f"the gauge jumped to {reading.percent} %: it is not believed")
        self._believed = judged.believed
        if judged.level != self.level:
            self.level = judged.level
            details = {**self._row(), "voltage_uv": reading.voltage_uv, "current_ua": reading.current_ua}
            daemon.log("battery", word=judged.level, details=details)
            daemon.publish("battery", judged.level)
        at = ORDER.index(self.level)
        daemon.signals.condition("low_battery", at >= ORDER.index("low"))
        daemon.signals.condition("critical_battery", at >= ORDER.index("critical"))
        self._remember(reading, now_ns)
        if self.level == "empty" and not self._ending:
            self._switch_off()

    def _judge_heat(self, band: Band) -> None:
        daemon = self.daemon
        if band == self.band:
            return
        self.band = band
        daemon.log("thermal", word=band, details={"zones_mc": self.zones_mc, "throttled": self.throttled})
        daemon.publish("thermal", band)
        daemon.signals.condition("hot", BANDS.index(band) >= BANDS.index("hot"))

    def _set_low_power(self) -> None:
        """Fewer bits while the battery is low or the board hot; recording goes on."""
        why = "battery" if self.level != "good" else "heat" if self.band in ("hot", "critical") else None
        if why == self.low_power or self._ending:
            return
        daemon, self.low_power = self.daemon, why
        daemon.machine.flags["low_power"] = why is not None
        percent = daemon.profile.profile.low_power_bitrate_percent if why is not None else 100
        cameras = daemon.hardware.all_cameras
        able = bool(cameras)
        for camera in cameras:
            able = able and isinstance(camera, AdjustsBitrate)
            if isinstance(camera, AdjustsBitrate):
                try:
                    camera.set_bitrate_percent(percent)
                except (HalError, OSError, ValueError) as error:
                    able = False
                    daemon.fault("camera", f"the bit rate cannot be changed: {error}")
        details = {**self._row(), "heat": self.band, "bitrate_percent": percent if able else 100}
        session = daemon.recorder.session
        number = session.file.number if session is not None else None
        daemon.log("low_power", recording=number, word=why or "over", details=details)
        daemon.publish("low_power", why or "over")
        if session is not None:
            daemon.recorder.event("low_power", why or "over", details)

    def _switch_off(self) -> None:
        """Close, seal, sync, end, in the order of every other shutdown; then the board may be switched off."""
        daemon = self.daemon
        self._ending = True
        daemon.log("battery_empty", details=self._row())
        daemon.conduct.stop("battery_empty")
        daemon.shut_down(EXIT_POWER_OFF)

    def _row(self) -> dict[str, Any]:
        minutes = self.prediction.minutes
        return {
            "percent": self.reading.percent if self.reading is not None else None,
            "minutes_left": round(minutes, 1) if minutes is not None else None,
            "predicted_by": self.prediction.basis,
        }

    # --- what is kept -------------------------------------------------------------------------------------------------

    def _remember(self, reading: BatteryReading, now_ns: int) -> None:
        usual = self._kept.usual_ua
        if discharging(reading) and reading.current_ua is not None and reading.current_ua < 0:
            usual = -reading.current_ua if usual is None else (usual * 31 - reading.current_ua) // 32
        self._kept = msgspec.structs.replace(
            self._kept,
            percent=reading.percent,
            level=self.level,
            charging=not discharging(reading),
            usual_ua=usual,
        )
        saved = self._saved
        urgent = saved is None or (saved.level, saved.charging) != (self._kept.level, self._kept.charging)
        changed = saved is None or (saved.percent, saved.owed) != (self._kept.percent, self._kept.owed)
        if urgent or (changed and now_ns - self._saved_ns >= SAVE_EVERY_NS):
            self._saved_ns = now_ns
            self._save(self._kept)

    def _save(self, state: LastShift) -> None:
        """Durable on the writer thread; nobody waits for it."""
        self._saved = state
        self.daemon.writer.put(Job("power state", lambda: last_shift.save(self._path, state)))

    def _show_died(self, now_ns: int) -> None:
        """Show it outside the dock, for ten minutes or until the camera is docked again."""
        if not self._kept.owed:
            return
        docked = self.daemon.machine.docked
        if not docked and self._shown_since_ns is None:
            self._shown_since_ns = now_ns
        shown_ns = now_ns - self._shown_since_ns if self._shown_since_ns is not None else 0
        over = shown_ns >= SHOW_DIED_NS or (docked and self._shown_since_ns is not None)
        self.daemon.signals.condition("died_last_shift", not docked and not over)
        if over:
            self._kept = msgspec.structs.replace(self._kept, owed=False)
            self._save(self._kept)
