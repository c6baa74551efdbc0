"""A camera with its agent, a station with an archive behind it, a broker: each may be killed and begun again."""

from __future__ import annotations

import contextlib
import random
import shutil
import socket
import sqlite3
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from dock_bench import write_agent, write_station
from killed_camera import READY_S, KilledCamera
from life import Life, Main, Program, until
from owed import held

import dock.__main__
from simulator.scaled_time import ScaledTime

EXAMPLES: Final = Path(dock.__main__.__file__).parent / "examples"
VICTIMS: Final = ("recorder", "agent", "station", "broker")
_CHUNK_BYTES: Final = 8192
_RELAY_KBIT_S: Final = 1200


def free_port() -> int:
    """A port that nobody listens on, and that the kernel gives to nobody else while its program is dead."""
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = random.SystemRandom().randrange(min(10_000, first // 2), first)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def mosquitto() -> str | None:
    """The broker's program, if it is installed."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")


def _dock(words: object) -> int:
    return dock.__main__.main([str(one) for one in words])  # type: ignore[attr-defined]


@dataclass
class Department:
    """All of it in one directory."""

    directory: Path
    pki: Path
    scaled: ScaledTime
    camera: KilledCamera = field(init=False)
    lives: dict[str, Life] = field(default_factory=dict)
    programs: dict[str, Program] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (self.directory / "camera").mkdir()
        self.camera = KilledCamera(self.directory / "camera", self.pki, self.scaled)
        self.archive, self.station = self.directory / "archive", self.directory / "station"
        self.archive.mkdir()
        (self.archive / "firsthand-archive").write_text("vault\n")
        self.port, self.broker_port = free_port(), free_port()
        station = write_station(self.directory, self.pki, port=self.port)
        relay = (
            f'[archive]\nkind = "directory"\nname = "vault"\ndirectory = "{self.archive}"\nkbit_s = {_RELAY_KBIT_S}\n'
        )
        station.write_text(f"{station.read_text()}\n{relay}")
        agent = write_agent(
            self.directory, self.pki, port=self.port, offload=f"chunk_bytes = {_CHUNK_BYTES}", timeout_s=5.0
        )
        more = ""
        if mosquitto() is not None:
            more = f'[telemetry]\nhost = "localhost"\nport = {self.broker_port}\nstate_s = 1.0\nbackoff_max_s = 1.0\n'
            self._write_broker()
        agent.write_text(agent.read_text().replace("recorder.sock", str(self.camera.socket)) + more)
        self.state = self.directory / "agent-state"
        for name, file in (("station", station), ("agent", agent)):
            main: Main = _dock
            log = self.directory / f"{name}.log"
            self.programs[name] = Program(name, main, (name, "--config", str(file)), log, self.scaled)
        self._broker: subprocess.Popen[bytes] | None = None

    def _write_broker(self) -> None:
        text = (EXAMPLES / "mosquitto.conf").read_text()
        text = text.replace("/etc/mosquitto/pki", str(self.pki)).replace("8883", f"{self.broker_port} 127.0.0.1")
        text = text.replace("/etc/mosquitto/fleet.acl", str(EXAMPLES / "mosquitto.acl"))
        text = text.replace("persistence true", "persistence false\nuser root")
        (self.directory / "mosquitto.conf").write_text(text)

    # --- life ---------------------------------------------------------------------------------------------------------

    def begin(self, name: str, *, die_at: int | None = None, torn: bool = False, count: bool = False) -> None:
        """Start one of the programs."""
        if name == "recorder":
            self.camera.begin(die_at=die_at, torn=torn, count=count)
        elif name == "broker":
            program = mosquitto()
            if program is not None:
                with (self.directory / "broker.log").open("ab") as said:
                    self._broker = subprocess.Popen(
                        [program, "-c", str(self.directory / "mosquitto.conf")], stdout=said, stderr=said
                    )
        else:
            self.lives[name] = Life(self.programs[name], die_at=die_at, torn=torn, count=count)

    def alive(self, name: str) -> bool:
        if name == "broker":
            return self._broker is not None and self._broker.poll() is None
        life = self.camera.life if name == "recorder" else self.lives.get(name)
        return life is not None and life.alive()

    def kill(self, name: str) -> None:
        """SIGKILL; dead when it returns."""
        if name == "broker":
            if self._broker is not None:
                self._broker.kill()
                self._broker.wait()
        elif name == "recorder":
            self.camera.kill()
        else:
            self.lives[name].kill()

    def said(self, name: str) -> str:
        if name == "broker":
            return ""
        life = self.camera.life if name == "recorder" else self.lives.get(name)
        return life.said()[-800:] if life is not None else ""

    def answers(self, name: str) -> float | None:
        """How many seconds after its start it answers; None if it does not."""
        if name == "recorder":
            return self.camera.answers()
        if name == "broker":
            began = time.monotonic()
            return None if until(lambda: self._listens(self.broker_port), READY_S) is None else time.monotonic() - began
        life = self.lives[name]
        until(lambda: not life.alive() or "ready" in life.said(), READY_S)
        return time.monotonic() - life.began_s if life.alive() and "ready" in life.said() else None

    def _listens(self, port: int) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    def close(self) -> None:
        """Everything is dead."""
        self.kill("broker")
        self.camera.kill()
        for life in self.lives.values():
            life.kill()

    # --- where things stand -------------------------------------------------------------------------------------------

    def phase(self) -> str:
        """What the department does with the camera's recordings at this instant, by what lies where."""
        recordings = [path.name for path in self.camera.spool.glob("*-0*.evidence") if "-log-" not in path.name]
        if not recordings:
            return "dock: logs or nothing left"
        incoming = list((self.station / "incoming").glob("*.part")) if self.station.exists() else []
        own = [name for name in recordings if (self.station / "store" / name).exists()]
        archived = [name for name in own if (self.archive / f"{name}.receipt.p7s").exists()]
        if archived:
            return "dock: receipt and deletion"
        if own:
            return "dock: relay to the archive"
        return "dock: upload" if incoming else "dock: greeting"

    def drained(self) -> bool:
        """Nothing but the log is left on the camera, and each closed file of it has its receipt."""
        receipts = self.camera.state / "receipts"
        return all(
            "-log-" in path.name and (receipts / f"{path.name}.receipt.p7s").exists()
            for path in self.camera.spool.glob("*.evidence")
            if path.name != self._open_log()
        )

    def open_recordings(self) -> list[str]:
        """Recordings on the camera that are not closed."""
        paths = [path for path in self.camera.spool.glob("*-0*.evidence") if "-log-" not in path.name]
        return [path.name for path in paths if not held(path).closed]

    def _open_log(self) -> str:
        return max((path.name for path in self.camera.spool.glob("*-log-*.evidence")), default="")

    def outbox(self) -> int:
        """Messages that wait for the broker."""
        path = self.state / "outbox.sqlite"
        if not path.exists():
            return 0
        with contextlib.closing(sqlite3.connect(path, timeout=5)) as database:
            return int(database.execute("SELECT count(*) FROM outbox").fetchone()[0])
