"""A desk on the bench: a station.toml with [desk], people, and cameras in its bays as their agents would tell."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec
from dock_bench import write_station

from dock.bay_report import BayReport
from dock.station.bays import Bay
from evidence import cms
from evidence.commands import AnyCommand, parse_command
from evidence.handover import Status
from evidence.requests import Offloading
from evidence.statements import moment
from evidence.trust import Trust

TAG = "04A21B9C7D0080"
PIN = "8305"


def write_desk(directory: Path, pki: Path, more: str = "") -> Path:
    """A station with a desk."""
    return write_station(
        directory,
        pki,
        limits=f'[desk]\ncommand_certificate = "{pki}/checkout.pem"\ncommand_key = "{pki}/checkout.key"\n{more}',
    )


def bay(serial: str, *, at_ns: int | None = None, files: int = 0, clock_ms: int | None = None, **more: Any) -> Bay:
    """What an agent tells of a camera that could not be better; `more` says what is different."""
    status = {
        "serial": serial,
        "model": "bench",
        "firmware": "1.0",
        "state": "docked" if more.get("docked", True) else "ready",
        "docked": True,
        "degraded": False,
        "uptime_s": 1,
        "self_test": "pass",
        "battery_percent": 100,
        "runtime_minutes": 720,
        "storage_minutes_left": 720,
        **more,
    }
    offloading = Offloading(files=files, bytes=files * 1000)
    report = BayReport(status=Status(**status), offloading=offloading, agent="test", clock_offset_ms=clock_ms)
    return Bay(serial=serial, at=moment(at_ns or time.time_ns()), address="127.0.0.1", report=report)


def put_in(directory: Path, one: Bay) -> None:
    """As a station would find it that starts in that directory."""
    (directory / "bays").mkdir(parents=True, exist_ok=True)
    (directory / "bays" / f"{one.serial}.json").write_bytes(msgspec.json.encode(one))


def obey(document: bytes, pki: Path) -> AnyCommand:
    """The command, as strictly as a recorder takes it."""
    command, message = parse_command(document)
    Trust.load(pki / "root.pem").check(message, role="command")
    cms.check_signature(message)
    return command
