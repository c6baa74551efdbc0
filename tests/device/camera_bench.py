"""A camera on the bench: the real daemon as a process, with simulated sensors, driven from outside."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import tty
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from evidence import cms
from evidence.handover import Notice, SelfTestDone, Spool, Status, answer_decoder
from evidence.keys import FileSigner, load_certificates
from evidence.requests import EventsRequest, ListRequest, Request, SelfTestRequest, StatusRequest
from evidence.sealed import Recipient, open_sealed
from evidence.splitter import ObjectBytes, Splitter, StatementBytes
from evidence.statements import AnyStatement, Sealed, decode, encode_canonical
from evidence.trust import Trust
from evidence.verify import Report, verify_file
from simulator.battery_feed import BatteryFeed
from simulator.gps_feed import GpsFeed
from simulator.settings_text import toml_text
from simulator.thermal_feed import ThermalFeed

RECORD, LIGHTBAR, PURSUIT, DOCK, EMERGENCY = 17, 27, 22, 23, 24
GREEN, RED, AMBER, HAPTIC = 5, 6, 13, 19
SECOND = 1_000_000_000
SEVERITY = {"sensor": "warn", "picture": "warn", "encoder": "warn", "storage": "warn", "channels": "warn"}
"""Whether pictures come within seconds of a start says more about a loaded machine than about the camera."""
POLICY: dict[str, Any] = {
    "v": 1,
    "name": "bench",
    "version": 1,
    "pre_event_s": 2,
    "keep_after_receipt_h": 0,
    "min_free_mib": 1,
    # A hold alone stops: confirmation and spoken reason have tests of their own.
    "confirm_stop_s": 0,
    "stop_reason_s": 0,
    # Two presses of a test are two, however long a loaded machine keeps it from the second one.
    "double_press_ms": 2000,
    "severity": SEVERITY,
}


def boottime_ns() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


PATIENCE_S = 60.0
"""For whatever is waited for: on a loaded machine it comes late, and a test that passes does not wait for so long."""


def until(condition: Callable[[], Any], timeout_s: float = PATIENCE_S, what: str = "") -> Any:
    """Wait for something outside this process; its first true value."""
    end = time.monotonic() + timeout_s
    pause = threading.Event()
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"it did not come within {timeout_s} s: {what or condition}"
        pause.wait(0.02)


def statements(path: Path) -> list[AnyStatement]:
    """All statements of a file, in order; nothing is verified."""
    splitter, found = Splitter(), []
    for item in splitter.feed(path.read_bytes()):
        if isinstance(item, StatementBytes):
            found.append(decode(cms.parse_signed(item.data).payload))
        else:
            assert isinstance(item, ObjectBytes)
    return found


def first_statement(path: Path) -> AnyStatement:
    """The `open` of a file that is being written: there may be a file, and some bytes of it, before there is that."""
    found: list[AnyStatement] = until(lambda: path.exists() and statements(path), what=f"{path.name} begins")
    return found[0]


def metadata(path: Path, pki: Path) -> list[dict[str, Any]]:
    """The plaintext of all metadata objects, opened with the vault's key; nothing is verified."""
    vault = Recipient.of(load_certificates(pki / "vault.pem")[0])
    key = serialization.load_pem_private_key((pki / "vault.key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    data = path.read_bytes()
    splitter, found, wanted = Splitter(), [], False
    for item in splitter.feed(data):
        if isinstance(item, StatementBytes):
            statement = decode(cms.parse_signed(item.data).payload)
            wanted = isinstance(statement, Sealed) and statement.object == "metadata"
        elif wanted:
            assert isinstance(item, ObjectBytes)
            found.append(json.loads(open_sealed(data[item.offset : item.offset + item.size], vault, key)))
    return found


def media(path: Path) -> list[Sealed]:
    """The `sealed` statements of media objects."""
    return [one for one in statements(path) if isinstance(one, Sealed) and one.media is not None]


def sign_profile(pki: Path, values: dict[str, Any], role: str = "profile") -> bytes:
    signer = FileSigner.load(pki / f"{role}.key", pki / f"{role}.pem")
    return cms.sign(encode_canonical(values), signer, dt.datetime.now(dt.UTC))


def at_board(socket_path: Path) -> socket.socket:
    """A connection to simulated hardware, as soon as it listens: its socket has a name a moment before."""

    def connected() -> socket.socket | None:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(str(socket_path))
        except OSError:
            connection.close()
            return None
        return connection

    found: socket.socket = until(connected, what=f"{socket_path} listens")
    return found


class GpsLine:
    """A serial line on which a test says what it likes."""

    def __init__(self) -> None:
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.port = os.ttyname(self._slave)

    def say(self, data: bytes) -> None:
        with contextlib.suppress(BlockingIOError):
            os.write(self._master, data)

    def stop(self) -> None:
        os.close(self._master)
        os.close(self._slave)


class CameraBench:
    """One camera: its directory, its settings, and its process, which may be killed and started again."""

    def __init__(
        self,
        directory: Path,
        pki: Path,
        *,
        policy: dict[str, Any] | None = None,
        gps: GpsFeed | GpsLine | None = None,
        clock: dict[str, Any] | None = None,
        camera: dict[str, Any] | None = None,
        battery_percent: float = 90,
        spool: Path | None = None,
        microphone: bool = True,
        motion: bool = False,
        extra: dict[str, Any] | None = None,
    ) -> None:
        self.directory = directory
        self.spool = spool or directory / "spool"
        self.state = directory / "state"
        self.trust = Trust.load(pki / "root.pem")
        self.pki = pki
        self.program: tuple[str, ...] = ("-m", "device")
        """How the daemon is started."""
        self.notices: list[Notice] = []
        self.battery = BatteryFeed(directory / "power")
        self.battery.set(percent=battery_percent)
        self.thermal = ThermalFeed(directory / "thermal")
        self.gps = gps or GpsFeed()
        if isinstance(self.gps, GpsFeed):
            self.gps.start()
        self._hardware = directory / "hw.sock"
        self.socket = directory / "dev.sock"
        self.process: subprocess.Popen[bytes] | None = None
        self._news = threading.Condition()
        (directory / "profile.p7s").write_bytes(sign_profile(pki, {**POLICY, **(policy or {})}))
        wired = {"hardware_socket": str(self._hardware)}
        values: dict[str, Any] = {
            "serial": "SIM-0001",
            "model": "bench",
            "spool": str(self.spool),
            "state": "state",
            "socket": "dev.sock",
            "profile": "profile.p7s",
            "keys": {
                "root": str(pki / "root.pem"),
                "evidence_key": str(pki / "camera.key"),
                "evidence_chain": str(pki / "camera.pem"),
                "vault": [str(pki / "vault.pem")],
            },
            "camera": {
                "driver": "simulated-scene",
                "options": {
                    "width": 320,
                    "height": 180,
                    "frame_rate": 15,
                    "bitrate": 200_000,
                    **wired,
                    **(camera or {}),
                },
            },
            "gps": {"driver": "nmea-serial", "options": {"port": self.gps.port}},
            "battery": {"driver": "power-supply", "options": {"root": str(directory / "power")}},
            "thermal": {
                "driver": "linux-zones",
                "options": {
                    "root": str(directory / "thermal"),
                    "throttled_file": str(directory / "thermal" / "get_throttled"),
                },
            },
            "clock": {"driver": "simulated", "options": {**wired, **(clock or {})}},
            "pins": {"driver": "simulated", "options": wired},
            "switches": {
                "driver": "gpiozero",
                "options": {
                    "lines": {
                        "record_button": {"pin": RECORD},
                        "emergency": {"pin": EMERGENCY},
                        "lightbar": {"pin": LIGHTBAR},
                        "pursuit": {"pin": PURSUIT},
                        "dock": {"pin": DOCK},
                    }
                },
            },
            "indicators": {
                "driver": "gpiozero",
                "options": {"channels": {"green": GREEN, "red": RED, "amber": AMBER, "haptic": HAPTIC}},
            },
            "inputs": {
                "record_button": {"kind": "record_button"},
                "emergency": {"kind": "emergency_button"},
                "lightbar": {"kind": "trigger"},
                "pursuit": {"kind": "trigger", "critical": True},
                "dock": {"kind": "dock"},
            },
            **(extra or {}),
        }
        if motion:
            values["motion"] = {"driver": "simulated", "options": wired}
        if microphone:
            values["microphone"] = {"driver": "simulated-tone", "options": wired}
        (directory / "device.toml").write_text(toml_text(values, "bench"))

    # --- the process ------------------------------------------------------------------------------------------------

    def start(self, *, ready: bool = True) -> CameraBench:
        """Start the daemon; by default wait until its self-test is over and its ring is full."""
        self.log_path = self.directory / "log.txt"
        command = [sys.executable, *self.program, "run", "--config", str(self.directory / "device.toml")]
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen([*command, "--allow-simulated"], stderr=log, stdin=subprocess.DEVNULL)
        self.follow()
        if ready:
            until(lambda: self.status().self_test is not None and (self.status().buffered_s or 0) >= 2, 120, "ready")
        return self

    def follow(self) -> None:
        """Read notices on a thread of its own, as soon as the daemon listens."""
        connection = until(self._connect, 120, what=f"the socket; its log: {self.log()[-2000:]}")
        connection.sendall(msgspec.json.encode(EventsRequest()) + b"\n")
        lines = connection.makefile("rb")
        assert b"done" in lines.readline()

        def read() -> None:
            with contextlib.suppress(OSError):
                for line in lines:
                    notice = answer_decoder.decode(line)
                    with self._news:
                        self.notices.append(notice)
                        self._news.notify_all()

        threading.Thread(target=read, daemon=True).start()

    def _connect(self) -> socket.socket | None:
        assert self.process is None or self.process.poll() is None, f"the daemon died:\n{self.log()}"
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(PATIENCE_S)
        try:
            connection.connect(str(self.socket))
        except OSError:
            connection.close()
            return None
        return connection

    def log(self) -> str:
        return (self.directory / "log.txt").read_text() if (self.directory / "log.txt").exists() else ""

    def kill(self) -> int:
        """SIGKILL; when it was sent (CLOCK_BOOTTIME ns)."""
        assert self.process is not None
        at_ns = boottime_ns()
        self.process.kill()
        self.process.wait()
        return at_ns

    def stop(self) -> int:
        """SIGTERM; the exit code. May be called twice."""
        if self.process is None:
            return 0
        process, self.process = self.process, None
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            return process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise

    def close(self) -> None:
        try:
            self.stop()
        finally:
            self.gps.stop()

    # --- talk -------------------------------------------------------------------------------------------------------

    def ask(self, request: Request) -> Any:
        """One request to the daemon, one answer."""
        connection = self._connect()
        assert connection is not None, self.log()
        with connection, connection.makefile("rb") as lines:
            connection.sendall(msgspec.json.encode(request) + b"\n")
            return answer_decoder.decode(lines.readline())

    def status(self) -> Status:
        answer = self.ask(StatusRequest())
        assert isinstance(answer, Status)
        return answer

    def ask_selftest(self) -> str | None:
        """Run a self-test; its verdict."""
        answer = self.ask(SelfTestRequest())
        return answer.verdict if isinstance(answer, SelfTestDone) else None

    def files(self) -> Spool:
        answer = self.ask(ListRequest())
        assert isinstance(answer, Spool)
        return answer

    def world(self, *operations: dict[str, Any], board: Path | None = None) -> None:
        """Operations on the simulated hardware, or on that of another `board` (one of several cameras)."""
        with self._hands(board) as operate:
            for operation in operations:
                operate(operation)

    @contextlib.contextmanager
    def _hands(self, board: Path | None = None) -> Iterator[Callable[[dict[str, Any]], None]]:
        """Operate the simulated hardware; each operation is done when it returns."""
        with at_board(board or self._hardware) as connection, connection.makefile("rb") as lines:

            def operate(operation: dict[str, Any]) -> None:
                connection.sendall(json.dumps(operation).encode() + b"\n")
                answer = json.loads(lines.readline())
                assert answer["ok"], answer

            yield operate

    def pins(self) -> dict[int, float]:
        """The level of each pin that is in use at this moment."""
        with at_board(self._hardware) as connection, connection.makefile("rb") as lines:
            connection.sendall(b'{"op":"pins"}\n')
            return {int(one["pin"]): float(one["level"]) for one in json.loads(lines.readline())["pins"]}

    def line(self, pin: int, *, active: bool) -> None:
        """Lines are active low."""
        self.world({"op": "pin", "pin": pin, "level": 0 if active else 1})

    def press(self, pin: int = RECORD, seconds: float = 0.08, times: int = 1) -> None:
        """Hold a button for a real time, and let go of it for longer than its debounce."""
        with self._hands() as operate:
            for _ in range(times):
                operate({"op": "pin", "pin": pin, "level": 0})
                time.sleep(seconds)
                operate({"op": "pin", "pin": pin, "level": 1})
                time.sleep(0.06)

    def double_press(self) -> str:
        """Start by the button; the stem of the recording."""
        seen = len(self.notices)
        self.press(times=2)
        return self.opened(seen)

    def opened(self, since: int) -> str:
        stem = self.wait("recording_opened", since=since).recording
        assert stem is not None
        return stem

    def trigger(self, pin: int) -> str:
        seen = len(self.notices)
        self.line(pin, active=True)
        return self.opened(seen)

    def hold_to_stop(self) -> Notice:
        seen = len(self.notices)
        self.press(seconds=3.15)
        return self.wait("recording_closed", since=seen)

    def wait(
        self, event: str, word: str | None = None, *, since: int = 0, count: int = 1, timeout_s: float = PATIENCE_S
    ) -> Notice:
        """The `count`-th notice of that kind after index `since`."""

        def found() -> list[Notice]:
            return [one for one in self.notices[since:] if one.event == event and word in (None, one.word)]

        with self._news:
            ok = self._news.wait_for(lambda: len(found()) >= count, timeout_s)
        assert ok, (
            f"no notice {event} {word}: {[(n.event, n.word) for n in self.notices[since:]]}\n{self.log()[-3000:]}"
        )
        return found()[count - 1]

    def fragments(self, count: int) -> Notice:
        """Wait for so many more fragments."""
        return self.wait("fragment", since=len(self.notices), count=count, timeout_s=count + PATIENCE_S)

    # --- what it left -----------------------------------------------------------------------------------------------

    def path(self, stem: str) -> Path:
        return self.spool / f"{stem}.evidence"

    def verify(self, stem: str) -> Report:
        report = verify_file(self.path(stem), self.trust)
        assert report.valid, (stem, report.findings)
        return report

    def recovered(self, stem: str) -> bool:
        """Whether the file is closed, or was set aside because it had not even begun."""
        aside = self.spool / "aside" / f"{stem}.evidence.no-open"
        return aside.exists() or (self.path(stem).exists() and verify_file(self.path(stem), self.trust).valid)

    def verify_recovered(self, stem: str) -> Report | None:
        """The report of a recovered file; None if it had not begun."""
        if not self.path(stem).exists():
            return None
        report = self.verify(stem)
        assert report.recovered is not None
        return report

    def log_statements(self) -> list[AnyStatement]:
        """All statements of all log segments, each of which must verify and name the one before it."""
        found: list[AnyStatement] = []
        previous: str | None = None
        for path in sorted(self.spool.glob("*-log-*.evidence")):
            report = verify_file(path, self.trust)
            assert report.valid, (path, report.findings)
            assert report.opened is not None
            assert report.opened.previous == previous, path
            previous = report.close_hash
            found += statements(path)
        return found

    def events(self) -> list[tuple[str, str | None, int | None]]:
        """(event, word, recording) of the device log."""
        return [(one.event, one.word, one.recording) for one in self.log_statements() if type(one).__name__ == "Event"]


@contextlib.contextmanager
def watch(bench: CameraBench) -> Iterator[list[dict[str, Any]]]:
    """What the indicators do, as it happens: {"pin": …, "level": …, "at_ns": …}."""
    seen: list[dict[str, Any]] = []
    with at_board(bench.directory / "hw.sock") as connection:
        connection.sendall(b'{"op":"watch"}\n')
        lines = connection.makefile("rb")
        lines.readline()

        def read() -> None:
            with contextlib.suppress(OSError, ValueError):
                seen.extend(json.loads(line) for line in lines)

        threading.Thread(target=read, daemon=True).start()
        yield seen
        connection.shutdown(socket.SHUT_RDWR)
