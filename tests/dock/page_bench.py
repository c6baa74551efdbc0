"""The dock page on the bench: a real station with a page, cameras that report over mutual TLS, and a browser."""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import msgspec
from dock_bench import Process, poll_until, write_station
from playwright.sync_api import BrowserContext

from dock.bay_report import BayReport, KeptFile, PowerReport, UpdateReport
from dock.station.people import People
from dock.station.person import Person, Role
from evidence.custody_ledger import CustodyEntry, Ledger, ledger_files
from evidence.handover import Status
from evidence.requests import Offloading
from fleet.ca import create_agency, write_credential

PASSWORD = "correct horse battery"
PEOPLE: dict[str, tuple[str, list[Role]]] = {
    "ofc1": ("Ada Okafor", ["officer"]),
    "tech1": ("Tom Reyes", ["technician"]),
    "sup1": ("Grace Lindqvist", ["supervisor", "officer"]),
    "adm1": ("Nora Haddad", ["administrator"]),
}


@dataclass
class Bench:
    """One station with a page, in a directory of its own."""

    directory: Path
    pki: Path
    station: Process
    page_url: str
    serials: list[str]
    told: dict[str, httpx.Client] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        return self.directory / "station"

    def report(self, serial: str, **said: Any) -> None:
        """A camera's agent tells how it is."""
        if serial not in self.told:
            context = ssl.create_default_context(cafile=str(self.pki / "tls-ca.pem"))
            context.load_cert_chain(self.pki / f"{serial}-tls.pem", self.pki / f"{serial}-tls.key")
            self.told[serial] = httpx.Client(
                base_url=f"https://127.0.0.1:{self.station.port}", verify=context, timeout=60
            )
        answer = self.told[serial].post("/report", content=msgspec.json.encode(bay_report(serial, **said)))
        assert answer.status_code in (200, 204), answer.text

    def client(self) -> httpx.Client:
        """A program without a browser."""
        context = ssl.create_default_context(cafile=str(self.pki / "tls-ca.pem"))
        return httpx.Client(base_url=self.page_url, verify=context, follow_redirects=False, timeout=60)

    def close(self) -> None:
        for client in self.told.values():
            client.close()
        self.station.stop()


def bay_report(
    serial: str,
    *,
    docked: bool = True,
    battery: int | None = 100,
    files: int = 0,
    left: int = 0,
    speed: int = 0,
    minutes: int | None = None,
    trouble: str | None = None,
    queue: tuple[dict[str, Any], ...] = (),
    checks: tuple[dict[str, Any], ...] = (),
    offset_ms: int | None = 0,
    kept: tuple[KeptFile, ...] = (),
    update: UpdateReport | None = None,
    power: PowerReport | None = None,
    **status: Any,
) -> BayReport:
    """What an agent says of a camera; a good one unless told otherwise."""
    said: dict[str, Any] = {
        "firmware": "2.4.0",
        "state": "docked" if docked else "ready",
        "self_test": "pass",
        **status,
    }
    return BayReport(
        status=Status(
            serial=serial,
            model="bench",
            docked=docked,
            degraded=False,
            uptime_s=100,
            battery_percent=battery,
            free_bytes=said.pop("free_bytes", 60_000_000_000),
            **said,
        ),
        offloading=Offloading(
            files=files,
            bytes=left,
            bytes_per_s=speed,
            minutes_left=minutes,
            over="dock" if files else "none",
            trouble=trouble,
        ),
        agent="0.1.0",
        clock_offset_ms=offset_ms,
        queue=queue,
        self_test=checks,
        kept=kept,
        update=update,
        power=power or PowerReport(),
    )


def open_bench(directory: Path, *, cameras: int = 3, page: str = "", station: str = "", desk: bool = False) -> Bench:
    """An agency, its people, and a running station."""
    pki = directory / "pki"
    authority = create_agency(pki)
    serials = [f"SIM-{number:04d}" for number in range(1, cameras + 1)]
    for serial in serials:
        write_credential(pki, f"{serial}-tls", authority.tls_client(serial))
    config = write_station(directory, pki, limits=station)
    with config.open("a") as file:
        file.write(
            f'[page]\nlisten_port = 0\ncertificate = "{pki}/station-tls.pem"\nkey = "{pki}/station-tls.key"\n{page}\n'
        )
        if desk:
            file.write(f'[desk]\ncommand_certificate = "{pki}/checkout.pem"\ncommand_key = "{pki}/checkout.key"\n')
    registry = People(directory / "station", utc_ns=time.time_ns)
    for person, (name, roles) in PEOPLE.items():
        registry.add(Person(person, name, None, frozenset(roles), None), who="bench")
        registry.set_password(person, PASSWORD, who="bench")
    registry.close()
    process = Process(config, "station")
    process.started = subprocess.Popen(
        [sys.executable, "-m", "dock", "station", "--config", str(config)],
        stdout=subprocess.PIPE,
        stderr=config.with_suffix(".log").open("a"),
        text=True,
    )
    assert process.started.stdout is not None
    page_url = ""
    while not (process.ready and page_url):
        line = process.started.stdout.readline()
        assert "ready" in line, process.log()
        if "page ready" in line:
            page_url = f"https://localhost:{line.split(' (')[0].rpartition(':')[2]}"
        else:
            process.ready = line
    return Bench(directory, pki, process, page_url, serials)


def log_in(context: BrowserContext, bench: Bench, person: str, password: str = PASSWORD, path: str = "/") -> Any:
    """A new tab in which that person is logged in."""
    tab = context.new_page()
    tab.set_default_timeout(60_000)
    tab.goto(f"{bench.page_url}/login")
    tab.get_by_label("Identifier").fill(person)
    tab.get_by_label("Password").fill(password)
    with tab.expect_navigation():
        tab.get_by_role("button", name="Log in").click()
    if path != "/":
        tab.goto(f"{bench.page_url}{path}")
    return tab


def keep_picture(name: str, tab: Any) -> None:
    """A screenshot to look at, where PAGE_PICTURES says."""
    directory = os.environ.get("PAGE_PICTURES")
    if directory:
        Path(directory).mkdir(parents=True, exist_ok=True)
        tab.screenshot(path=str(Path(directory) / f"{name}.png"), full_page=True)


def forget(directory: Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)


def steps(bench: Bench, step: str) -> list[CustodyEntry]:
    """The entries of that step in the station's custody ledger."""

    def whole() -> list[list[CustodyEntry]]:
        """As soon as the entry that the station writes at this moment is there to its end."""
        ledger = Ledger(ledger_files(bench.data / "custody"), None)
        found = [one.statement for one in ledger.entries() if one.statement.step == step]
        return [found] if ledger.findings == [] else []

    (found,) = poll_until(whole, why="a ledger without findings")
    return found  # type: ignore[no-any-return]
