"""A camera whose recorder is killed again and again: its directory, its lines, its socket."""

from __future__ import annotations

import contextlib
import importlib
import json
import socket
import threading
import time
from pathlib import Path
from typing import Any, Final

import msgspec
from camera_bench import DOCK, EMERGENCY, LIGHTBAR, RECORD, sign_profile
from life import Life, Main, Program, until
from owed import held

import device.__main__
from evidence.handover import LINE_BYTES, Notice, Status, answer_decoder
from evidence.requests import EventsRequest, Request, SelfTestRequest, StatusRequest
from simulator.battery_feed import BatteryFeed
from simulator.scaled_time import ScaledTime
from simulator.settings_text import toml_text
from simulator.thermal_feed import ThermalFeed

SERIAL: Final = "SIM-0001"
READY_S: Final = 180.0
"""A recorder that does not answer within so long, on whatever machine this is, does not start again."""
POLICY: Final[dict[str, Any]] = {
    "v": 1, "name": "kills", "version": 1, "pre_event_s": 1, "keep_after_receipt_h": 0, "min_free_mib": 1,
    "confirm_stop_s": 0, "stop_reason_s": 0, "roll_over_s": 5, "debounce_ms": 30, "hold_to_stop_ms": 500,
    "vault_proof": False,
}  # fmt: skip
PICTURE: Final = {"width": 128, "height": 96, "frame_rate": 10, "bitrate": 60_000, "repeat_s": 2}

_IMPORTED: Final = (
    "device.daemon", "dock.agent.daemon", "dock.mqtt.telemetry", "dock.station.server", "hal.indicators_gpiozero",
    "hal.switches_gpiozero", "hal.thermal_linux", "simulator.drivers.clock", "simulator.drivers.hardware",
    "simulator.drivers.pins",
)  # fmt: skip


def import_and_encode() -> None:
    """What every life needs: imported, and encoded, once, before the first fork. No thread of it may stay."""
    for module in _IMPORTED:
        importlib.import_module(module)
    once = importlib.import_module("simulator.drivers.once")
    once.OnceCamera(**PICTURE)
    once.OnceMicrophone()
    assert threading.active_count() == 1, "a process with threads cannot be forked safely"


class KilledCamera:
    """Its recorder may be dead at any time; its lines, its card and its settings stay."""

    def __init__(
        self, directory: Path, pki: Path, scaled: ScaledTime, main: Main = lambda words: device.__main__.main(words)
    ) -> None:
        """`main` is the recorder's own, or a spoilt one that the bench must find out (`controls`)."""
        self.directory, self.pki = directory, pki
        self.spool, self.state = directory / "spool", directory / "state"
        self.socket, self._hardware = directory / "dev.sock", directory / "hw.sock"
        self.battery, self.thermal = BatteryFeed(directory / "power"), ThermalFeed(directory / "thermal")
        self.battery.set(percent=90)
        self._active: dict[int, bool] = {}
        self.life: Life | None = None
        self._news: socket.socket | None = None
        (directory / "profile.p7s").write_bytes(sign_profile(pki, POLICY))
        (directory / "device.toml").write_text(toml_text(self._settings(), "kills"))
        words = ("run", "--config", str(directory / "device.toml"), "--allow-simulated")
        self.program = Program("recorder", main, words, directory / "recorder.log", scaled)

    def _settings(self) -> dict[str, Any]:
        wired = {"hardware_socket": str(self._hardware)}
        power, heat = self.directory / "power", self.directory / "thermal"
        lines = {"record_button": RECORD, "emergency": EMERGENCY, "lightbar": LIGHTBAR, "dock": DOCK}
        channels = {"green": 5, "red": 6, "amber": 13, "haptic": 19}
        return {
            "serial": SERIAL, "model": "bench", "spool": "spool", "state": "state", "socket": "dev.sock",
            "profile": "profile.p7s",
            "keys": {
                "root": str(self.pki / "root.pem"),
                "evidence_key": str(self.pki / "camera.key"),
                "evidence_chain": str(self.pki / "camera.pem"),
                "vault": [str(self.pki / "vault.pem")],
            },
            "camera": {"driver": "simulated-once", "options": {**PICTURE, **wired}},
            "microphone": {"driver": "simulated-once", "options": wired},
            "battery": {"driver": "power-supply", "options": {"root": str(power)}},
            "thermal": {
                "driver": "linux-zones",
                "options": {"root": str(heat), "throttled_file": str(heat / "get_throttled")},
            },
            "clock": {"driver": "simulated", "options": wired},
            "pins": {"driver": "simulated", "options": wired},
            "switches": {
                "driver": "gpiozero", "options": {"lines": {name: {"pin": pin} for name, pin in lines.items()}}
            },
            "indicators": {"driver": "gpiozero", "options": {"channels": channels}},
            "inputs": {
                "record_button": {"kind": "record_button"}, "emergency": {"kind": "emergency_button"},
                "lightbar": {"kind": "trigger"}, "dock": {"kind": "dock"},
            },
        }  # fmt: skip

    # --- life ---------------------------------------------------------------------------------------------------------

    def begin(self, *, die_at: int | None = None, torn: bool = False, count: bool = False) -> Life:
        """Switch it on; the lines are as the world left them, as soon as its pins are there."""
        assert self.life is None or not self.life.alive()
        self.life = Life(self.program, die_at=die_at, torn=torn, count=count)
        return self.life

    def answers(self, seconds: float = READY_S) -> float | None:
        """Wait until it answers and its lines are set: after how many seconds, or None if it died or never did."""
        life = self.life
        assert life is not None
        until(lambda: not life.alive() or self.status() is not None, seconds)
        if self.status() is None:
            return None
        took_s = time.monotonic() - life.began_s
        for pin, active in self._active.items():
            self._tell(pin, active=active)
        self._hang_up()
        self._news = self.say(EventsRequest())
        return took_s

    def told(self) -> tuple[dict[str, int], set[str]]:
        """What the recorder told to be durable before it died: stem -> newest frame; and recordings that are closed."""
        frames: dict[str, int] = {}
        closed: set[str] = set()
        if self._news is None:
            return frames, closed
        self._news.setblocking(False)
        data = b""
        with contextlib.suppress(OSError):
            while piece := self._news.recv(1 << 16):
                data += piece
        self._hang_up()
        for line in data.split(b"\n")[:-1]:
            found = answer_decoder.decode(line)
            if not isinstance(found, Notice) or found.recording is None:
                continue
            if found.event == "fragment" and found.number is not None:
                frames[found.recording] = found.number
            elif found.event == "recording_closed":
                closed.add(found.recording)
        return frames, closed

    def _hang_up(self) -> None:
        if self._news is not None:
            self._news.close()
            self._news = None

    def kill(self) -> None:
        if self.life is not None:
            self.life.kill()

    def ready(self, seconds: float = READY_S) -> bool:
        """Wait until its first self-test is over and nothing is recovered any more."""
        return until(lambda: (found := self.status()) is not None and found.self_test is not None, seconds) is not None

    # --- lines --------------------------------------------------------------------------------------------------------

    def line(self, pin: int, *, active: bool) -> None:
        """Put a line into a state, in which it stays over the recorder's death."""
        self._active[pin] = active
        self._tell(pin, active=active)

    def _tell(self, pin: int, *, active: bool) -> None:
        """Lines are active low. Nobody there: the next life finds the line so."""
        with contextlib.suppress(OSError, ValueError), socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(120)
            connection.connect(str(self._hardware))
            connection.sendall(json.dumps({"op": "pin", "pin": pin, "level": 0 if active else 1}).encode() + b"\n")
            connection.makefile("rb").readline()

    # --- its socket ---------------------------------------------------------------------------------------------------

    def ask(self, request: Request) -> Any:
        """One request, one answer; None if it is dead, or dies over it."""
        connection = self.say(request)
        if connection is None:
            return None
        with connection, contextlib.suppress(OSError, msgspec.DecodeError):
            return answer_decoder.decode(connection.makefile("rb").readline(LINE_BYTES))
        return None

    def say(self, request: Request) -> socket.socket | None:
        """Ask and do not wait for the answer; the connection, None if nobody is there."""
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(120)
        try:
            connection.connect(str(self.socket))
            connection.sendall(msgspec.json.encode(request) + b"\n")
        except OSError:
            connection.close()
            return None
        return connection

    def status(self) -> Status | None:
        found = self.ask(StatusRequest())
        return found if isinstance(found, Status) else None

    def recording(self) -> str | None:
        """Stem of the recording in progress."""
        status = self.status()
        return None if status is None else status.recording

    def begin_self_test(self) -> socket.socket | None:
        return self.say(SelfTestRequest())

    def recorded(self) -> bool:
        """Whether the newest recording holds more than its beginning."""
        newest = max(self.spool.glob(f"{SERIAL}-0*.evidence"), default=None)
        return newest is not None and held(newest).fragments > 0

    def start_recording(self, seconds: float = READY_S) -> str | None:
        """Switch the light bar on; the stem of the recording, None if it died over it."""
        self.line(LIGHTBAR, active=True)
        self._wait(lambda: self.recording() is not None, seconds)
        return self.recording()

    def stop_recording(self, seconds: float = READY_S) -> bool:
        """Light bar off, and the record button held: nothing is recorded any more. False if it died over it."""
        self.line(LIGHTBAR, active=False)
        self.line(RECORD, active=True)
        over = self._wait(lambda: self.recording() is None, seconds)
        self.line(RECORD, active=False)
        return over

    def dock(self, *, docked: bool, seconds: float = READY_S) -> bool:
        """Put it into the dock or take it out, and wait until it has noticed."""
        self.line(DOCK, active=docked)
        return self._wait(lambda: (found := self.status()) is not None and found.docked == docked, seconds)

    def _wait(self, condition: Any, seconds: float) -> bool:
        life = self.life
        assert life is not None
        return until(lambda: condition() or not life.alive(), seconds) is not None and life.alive()
