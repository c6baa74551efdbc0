"""A docked camera is handed one release after another: recorder, agent and station are killed at random instants of it.

After each: the installer was only ever given bundles that are whole and signed, the release arrives in the end, the
recorder is not left waiting for an installer that is dead, and it records.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import os
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from department import Department
from dock_lives import DRAINED_S, DockLives
from installer import GIVEN, OUTCOME, RUNNING
from life import until

from evidence import cms
from evidence.custody_ledger import Ledger, ledger_files
from evidence.errors import EvidenceError
from evidence.keys import FileSigner
from evidence.release import Bundle, Release
from evidence.statements import encode_canonical
from evidence.update_state import read_state

HERE: Final = Path(__file__).resolve().parent
BUNDLE_BYTES: Final = 16 * 2**20
"""More than is written to the card at once (`dock.agent.updates.WRITE_BYTES`)."""
_WEIGHTS: Final = {"recorder": 3, "agent": 6, "station": 4}


@dataclass
class UpdateLives(DockLives):
    """Visits in which a release is handed out."""

    releases: dict[str, str] = field(default_factory=dict)
    """Version -> SHA-256 of its bundle."""

    @staticmethod
    def equipped(department: Department) -> Department:
        """A department whose station has a shelf of releases, and whose camera has an installer."""
        directory = department.directory
        (directory / "shelf").mkdir()
        (directory / "installer").mkdir()
        program = directory / "install.sh"
        program.write_text(
            f'#!/bin/sh\nexec {sys.executable} {HERE / "installer.py"} {directory / "installer"} "$1" "$2"\n'
        )
        program.chmod(0o755)
        pki = department.pki
        keys = f'command_certificate = "{pki}/checkout.pem"\ncommand_key = "{pki}/checkout.key"\n'
        desk = f'[desk]\n{keys}updates = "shelf"\n'
        outcome = directory / "installer" / OUTCOME
        updates = f'[updates]\nreserve_mib = 0\ninstall = "{program}"\noutcome = "{outcome}"\n'
        for name, more in (("station", desk), ("agent", updates)):
            config = Path(department.programs[name].words[-1])
            config.write_text(f"{config.read_text()}\n{more}")
        return department

    def publish(self) -> str:
        """Put a new release on the shelf; its version."""
        shelf, version = self.department.directory / "shelf", f"9.{len(self.releases)}"
        data = self.chance.randbytes(BUNDLE_BYTES)
        bundle = Bundle(name=f"camera-{version}.bundle", sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))
        for old in shelf.glob("*.bundle"):
            old.unlink()
        (shelf / bundle.name).write_bytes(data)
        pki = self.department.pki
        signer = FileSigner.load(pki / "release.key", pki / "release.pem")
        release = Release(v=1, version=version, sha256="0" * 64, bundle=bundle)
        fresh = shelf / ".release"
        fresh.write_bytes(cms.sign(encode_canonical(release), signer, dt.datetime.now(dt.UTC)))
        fresh.replace(shelf / "release.p7s")
        self.releases[version] = bundle.sha256
        return version

    def visit(self, kills: int) -> None:
        """A release, so many deaths; in the end it is installed, and the camera records."""
        camera = self.department.camera
        version = self.publish()
        camera.dock(docked=True)
        begins_in = self.chance.choice(("update: download", "update: installing"))
        until(lambda: self.phase() == begins_in, 20.0)
        for _ in range(kills):
            time.sleep(self.chance.uniform(0.0, 0.2))
            self.kill(self.chance.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0])
        self.settle()
        arrived = until(lambda: version in self.installed(), DRAINED_S, pause_s=0.1) is not None
        said = f"{version} does not: {self.department.said('agent')} {self.department.said('station')}"
        self.tally.checked("the update arrives", *([] if arrived else [said]))
        given = self._given()
        wrong = [f"{one} with {digest}" for one, digest in given if self.releases.get(one) != digest]
        self.tally.checked("only what is whole and signed is installed", *wrong)
        self.tally.checked("nobody waits for a dead installer", *self._idle())
        camera.dock(docked=False)
        records = camera.start_recording() is not None and self._recorded()
        self.tally.checked("it records", *([] if records else [f"it does not: {self.department.said('recorder')}"]))
        camera.stop_recording()

    def end(self) -> None:
        """What was recorded since the last release goes to the archive, too."""
        camera = self.department.camera
        camera.dock(docked=True)
        self.settle()
        camera.dock(docked=False)  # else its end, which closes a log segment, begins an upload
        super().end()

    def phase(self) -> str:
        """What is done with the release at this instant, by what lies where."""
        updates, newest = self.department.state / "updates", list(self.releases.values())[-1]
        if (self.department.directory / "installer" / RUNNING).exists():
            return "update: installing"
        with contextlib.suppress(OSError, EvidenceError):
            pending = read_state(self.department.directory / "installer" / OUTCOME).pending
            if pending is not None and (pending.sha256, pending.phase) == (newest, "installed"):
                return "update: told of"
        if (updates / f"{newest}.part").exists():
            return "update: download"
        return "update: verified" if (updates / f"{newest}.bundle").exists() else "update: offer"

    def died(self, name: str) -> None:
        """An agent's installer dies with it: systemd ends all of a unit."""
        if name == "agent":
            session = self.department.lives["agent"].pid
            for process in (int(one.name) for one in Path("/proc").iterdir() if one.name.isdigit()):
                with contextlib.suppress(ProcessLookupError):
                    if os.getsid(process) == session:
                        os.kill(process, signal.SIGKILL)
            (self.department.directory / "installer" / RUNNING).unlink(missing_ok=True)

    def installed(self) -> set[str]:
        """The versions of which the station's ledger says that they are installed."""
        ledger = Ledger(ledger_files(self.department.station / "custody"), None)
        return {
            one.statement.details["version"] for one in ledger.entries() if one.statement.step == "update_installed"
        }

    def _given(self) -> list[tuple[str, str]]:
        path = self.department.directory / "installer" / GIVEN
        lines = path.read_text().splitlines() if path.exists() else []
        return [(version, digest) for version, digest in (line.split() for line in lines)]

    def _idle(self) -> list[str]:
        camera = self.department.camera
        over = until(lambda: (now := camera.status()) is not None and now.state != "updating", DRAINED_S, pause_s=0.1)
        return [] if over is not None else [f"it is still updating: {self.department.said('agent')}"]
