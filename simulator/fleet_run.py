"""`firsthand-sim fleet`: many simulated cameras dock at one real station at once, and tell one real broker."""

from __future__ import annotations

import os
import re
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from dock.config_base import Tls
from evidence.keys import load_certificates
from evidence.sealed import Recipient
from evidence.trust import Trust
from fleet.ca import Authority, create_agency, write_credential
from simulator import fleet_mqtt
from simulator.fleet_camera import FleetCamera
from simulator.fleet_line import AS_IT_IS, FleetLine
from simulator.fleet_visit import Visit, dock
from simulator.processes import Child, Children, python_module
from simulator.progress import Progress
from simulator.run_errors import OutRefused
from simulator.settings_text import toml_text

SYSTEM_ID: Final = "simulated-fleet"
READY_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class FleetOrder:
    """What the user asked for."""

    cameras: int
    recordings: int
    megabytes: int
    """Of each recording."""
    events: int
    """MQTT events of each camera; 0 leaves the broker out."""
    out: Path
    line: FleetLine = AS_IT_IS
    """What lies between the cameras and the rest."""


def run_fleet(order: FleetOrder, progress: Progress) -> dict[str, Any]:
    """The report. Raises `RunError`, OSError; no process is left behind."""
    if order.out.exists() and any(order.out.iterdir()):
        raise OutRefused(f"{order.out} is not empty: name a new directory")
    pki, cards = order.out / "pki", order.out / "cameras"
    (order.out / "logs").mkdir(parents=True)
    progress.plain(f"{order.cameras} simulated cameras dock at one station. Nothing of this is evidence.")
    authority = create_agency(pki, simulated=True)
    write_credential(pki, "fleet-server", authority.tls_client("FLEET-SERVER"))
    cameras, files = _make(order, authority, pki, cards, progress)
    with Children(order.out / "logs") as children:
        station = children.start("station", python_module("dock", "station", "--config", str(_station_toml(order.out))))
        ready = children.wait_for_text(station, "station ready: https://", READY_S)
        port = order.line.before(children, "station", int(re.findall(r"https://[^ ]*:([0-9]+)", ready)[0]))
        cpu_before = _cpu_s(station)
        progress.event(f"the station is ready; {order.cameras} cameras dock now")
        began = time.monotonic()
        trust = Trust.load(pki / "root.pem")
        with ThreadPoolExecutor(order.cameras) as pool:
            visits = list(
                pool.map(
                    lambda pair: dock(
                        pair[0], pair[1], f"https://localhost:{port}", SYSTEM_ID, trust, _tls(pair[0], pki)
                    ),
                    zip(cameras, files, strict=True),
                )
            )
        seconds = time.monotonic() - began
        used = {"peak_mib": _peak_mib(station), "cpu_s": round(_cpu_s(station) - cpu_before, 2)}
        progress.event(f"all have undocked after {seconds:.1f} s")
        told = None
        if order.events:
            name, broker_port = fleet_mqtt.start_broker(children, pki, order.out)
            broker_port = order.line.before(children, "broker", broker_port)
            progress.event(f"{order.cameras} cameras tell {order.events} events each to {name}")
            told = fleet_mqtt.tell(cameras, order.events, pki, name, broker_port)
    return _report(order, visits, seconds, used, told)


def _make(
    order: FleetOrder, authority: Authority, pki: Path, cards: Path, progress: Progress
) -> tuple[list[FleetCamera], list[Any]]:
    recipient = Recipient.of(load_certificates(pki / "vault.pem")[0])
    cameras = [FleetCamera.made(authority, number, cards, recipient) for number in range(1, order.cameras + 1)]
    files = []
    for number, camera in enumerate(cameras, 1):
        files.append(camera.shift(order.recordings, order.megabytes * 1_000_000))
        if number % 50 == 0 or number == len(cameras):
            progress.event(f"{number} of {len(cameras)} cards are full")
    return cameras, files


def _station_toml(out: Path) -> Path:
    pki = out / "pki"
    values = {
        "system_id": SYSTEM_ID,
        "station": "STATION-1",
        "listen_host": "127.0.0.1",
        "listen_port": 0,
        "directory": str(out / "station"),
        "root": str(pki / "root.pem"),
        "tls": {
            k: str(pki / v)
            for k, v in (("certificate", "station-tls.pem"), ("key", "station-tls.key"), ("ca", "tls-ca.pem"))
        },
        "receipts": {"certificate": str(pki / "station-receipt.pem"), "key": str(pki / "station-receipt.key")},
        "limits": {"reserve_bytes": 64 * 1024 * 1024},
    }
    path = out / "station.toml"
    path.write_text(toml_text(values, "Written by `firsthand-sim fleet`."), encoding="utf-8")
    return path


def _tls(camera: FleetCamera, pki: Path) -> Tls:
    return Tls(certificate=camera.directory / "tls.pem", key=camera.directory / "tls.key", ca=pki / "tls-ca.pem")


def _peak_mib(child: Child) -> float:
    status = Path(f"/proc/{child.process.pid}/status").read_text(encoding="ascii")
    return round(int(re.findall(r"VmHWM:\s+([0-9]+)", status)[0]) / 1024, 1)


def _cpu_s(child: Child) -> float:
    fields = Path(f"/proc/{child.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _report(
    order: FleetOrder, visits: list[Visit], seconds: float, used: dict[str, float], told: fleet_mqtt.Told | None
) -> dict[str, Any]:
    total, files = sum(one.bytes for one in visits), sum(one.files for one in visits)
    wanted = order.cameras * (order.recordings + 1)
    slowest = max(visits, key=lambda one: one.seconds)
    trouble = [f"{one.serial}: {text}" for one in visits for text in one.trouble]
    return {
        "cameras": order.cameras,
        "line": asdict(order.line),
        "files": files,
        "receipts_valid": sum(one.valid for one in visits),
        "bytes": total,
        "seconds": round(seconds, 1),
        "mb_per_s": round(total / 1e6 / seconds, 1),
        "slowest_s": round(slowest.seconds, 1),
        "told_to_wait": sum(one.waits for one in visits),
        "station_peak_mib": used["peak_mib"],
        "station_cpu_s_per_gb": round(used["cpu_s"] / max(total / 1e9, 1e-9), 2),
        "trouble": trouble[:20],
        "mqtt": asdict(told) if told is not None else None,
        "ok": not trouble and sum(one.valid for one in visits) == wanted and (told is None or told.heard == told.sent),
    }


def lines_of(report: dict[str, Any]) -> list[str]:
    """The report as a person reads it."""
    size, seconds = report["bytes"] / 1e9, report["seconds"]
    much = f"{report['files']} files of {report['cameras']} cameras, {size:.2f} GB"
    receipts = f"{report['receipts_valid']} receipts say valid"
    memory = f"the station used {report['station_peak_mib']} MiB at most"
    over = FleetLine(**report["line"])
    lines = [
        *([f"over a line with {over}"] if over != AS_IT_IS else []),
        f"{much}, in {seconds} s: {report['mb_per_s']} MB/s",
        f"{receipts}; the slowest camera was done after {report['slowest_s']} s",
        f"the station asked for patience {report['told_to_wait']} times",
        f"{memory} and {report['station_cpu_s_per_gb']} s of CPU per GB",
    ]
    told = report["mqtt"]
    if told is not None:
        lines.append(
            f"{told['cameras']} cameras told {told['broker']} {told['sent']} events in {told['seconds']:.1f} s; "
            f"{told['sent'] - told['heard']} were lost"
        )
    return [*lines, *report["trouble"], "ok" if report["ok"] else "NOT OK"]


def clear(out: Path) -> None:
    """Take the cards and the store away: they are large, and nothing of them is evidence."""
    for name in ("cameras", "station"):
        shutil.rmtree(out / name, ignore_errors=True)
