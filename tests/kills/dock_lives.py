"""A docked camera's visit, over and over: recorder, agent, station and broker are killed at random instants of it."""

from __future__ import annotations

import hashlib
import random
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from department import VICTIMS, Department, mosquitto
from killed_camera import READY_S
from life import until
from orphans import orphans
from owed import Owed, held, not_kept
from recorder_lives import SPEED
from tally import Tally

from evidence import cms
from evidence.custody_ledger import Ledger, ledger_files
from evidence.errors import EvidenceError
from evidence.handover import decode_receipt
from evidence.trust import Trust
from simulator.scaled_time import ScaledTime

DRAINED_S: Final = 300.0
"""Within so long, on whatever machine this is, everything is in the archive once nobody is killed any more."""
_WEIGHTS: Final = {"recorder": 3, "agent": 5, "station": 7, "broker": 1}


@dataclass
class DockLives:
    """Visits of one camera."""

    department: Department
    owed: Owed
    chance: random.Random
    tally: Tally

    @staticmethod
    def equipped(department: Department) -> Department:
        """A department with what these visits need."""
        return department

    def begin(self) -> None:
        """Everybody works."""
        for name in VICTIMS:
            self.department.begin(name)
            if self._there(name):
                self.department.answers(name)

    def _there(self, name: str) -> bool:
        return name != "broker" or mosquitto() is not None

    def visit(self, kills: int) -> None:
        """Two recordings, into the dock, so many deaths, and in the end everything is in the archive."""
        camera = self.department.camera
        for _ in range(2):
            if camera.start_recording() is None or not self._recorded():
                self.tally.checked("it records", f"it does not: {self.department.said('recorder')}")
                return
            camera.stop_recording()
        camera.dock(docked=True)
        for _ in range(kills):
            time.sleep(self.chance.uniform(0.0, 0.25))
            name = self.chance.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
            if self._there(name):
                self.kill(name)
        self.settle()
        camera.dock(docked=False)

    def _recorded(self) -> bool:
        time.sleep(self.chance.uniform(1.0, 4.0) / SPEED)
        return self.department.alive("recorder")

    def kill(self, name: str) -> None:
        """One of them, at this instant; what the camera and the archive hold then; and it comes back."""
        phase = self.phase()
        if not self.department.alive(name):
            self.tally.checked("nobody dies unasked", f"{name} in {phase}: {self.department.said(name)}")
        self.department.kill(name)
        self.died(name)
        self.tally.kills[name, phase] += 1
        if name == "recorder":
            self.look()
        else:
            self.tally.checked("never neither copy", *self.owed.missing())
        if self.chance.random() < 0.3:
            time.sleep(self.chance.uniform(0.0, 0.2))
        self.department.begin(name)
        if name == "broker" or self.chance.random() < 0.7:  # else the next death may come before it is ready
            self.back(name)

    def look(self) -> None:
        """What the dead recorder owes, and what it told to be durable: on its card, or let go to the archive."""
        dead, wrong = self.owed.dead()
        self.tally.checked("never neither copy", *wrong)
        frames, closed = self.department.camera.told()
        gone = {*frames, *closed} - {one.path.stem for one in dead}
        places = [path for stem in sorted(gone) if (path := self.department.archive / f"{stem}.evidence").exists()]
        kept = [*dead, *(held(path) for path in places)]
        self.tally.checked("what was acknowledged is there", *not_kept(kept, frames, closed))

    def died(self, name: str) -> None:
        """One of them is dead; what depends on it has not begun again."""

    def phase(self) -> str:
        """What goes on at this instant."""
        return self.department.phase()

    def back(self, name: str, *, timed: bool = True) -> None:
        """It answers again; how long that took is of no interest where it began some time ago."""
        took_s = self.department.answers(name)
        wrong = [] if took_s is not None else [f"{name} did not: {self.department.said(name)}"]
        self.tally.checked("it starts again", *wrong)
        if took_s is not None and timed:
            self.tally.back(name, took_s)

    def settle(self) -> None:
        """Nobody is killed any more: everything comes to the archive, and everything there fits together."""
        for name in VICTIMS:
            if self._there(name) and not self.department.alive(name):
                self.tally.checked("nobody dies unasked", f"{name}: {self.department.said(name)}")
                self.department.begin(name)
        self.back("recorder", timed=False)
        department = self.department
        if department.camera.recording() is not None:  # resumed: a recording that nobody stops goes on in the dock
            self.tally.checked(
                "a recording can be stopped", *([] if department.camera.stop_recording() else ["it can not"])
            )
        if until(department.drained, DRAINED_S, pause_s=0.05) is None:
            left = sorted(path.name for path in department.camera.spool.glob("*.evidence"))
            self.tally.checked("the dock empties the camera", f"{left} stay: {department.said('agent')}")
        else:
            self.tally.checked("the dock empties the camera")
        if mosquitto() is not None:
            empty = until(lambda: department.outbox() == 0, DRAINED_S, pause_s=0.05) is not None
            self.tally.checked("telemetry goes on", *([] if empty else [f"{department.outbox()} messages wait"]))
        self.tally.checked("never neither copy", *self.owed.missing())
        self.tally.checked("receipts are for what is there", *self.receipts())
        self.tally.checked("the custody ledger holds", *self.ledger())

    def receipts(self) -> list[str]:
        """Every receipt is for the bytes that the archive holds, and the camera's is the archive's."""
        wrong = [f"{path.name}: one name, two contents" for path in self.department.archive.glob("*.conflict-*")]
        for path in self.department.archive.glob("*.receipt.p7s"):
            name = path.name.removesuffix(".receipt.p7s")
            try:
                message = cms.parse_signed(path.read_bytes())
                self.owed.trust.check(message, role="receipt")
                receipt = decode_receipt(message.payload)
                digest = hashlib.sha256((self.department.archive / name).read_bytes()).hexdigest()
            except (EvidenceError, OSError) as error:
                wrong.append(f"{path.name}: {error}")
                continue
            if (receipt.name, receipt.sha256, receipt.verdict) != (name, digest, "valid"):
                wrong.append(f"{path.name} is {receipt.verdict} for {receipt.sha256} of {receipt.name}, not {digest}")
            taken = self.department.camera.state / "receipts" / path.name
            if taken.exists() and decode_receipt(cms.parse_signed(taken.read_bytes()).payload).sha256 != digest:
                wrong.append(f"{path.name}: the camera was told another content")
        return wrong

    def ledger(self) -> list[str]:
        ledger = Ledger(ledger_files(self.department.station / "custody"), self.owed.trust)
        steps = [(one.statement.step, one.statement.name) for one in ledger.entries()]
        archived = {name for step, name in steps if step == "archived"}
        names = {path.name.removesuffix(".receipt.p7s") for path in self.department.archive.glob("*.receipt.p7s")}
        return [*ledger.findings, *(f"{name} was archived without a word in the ledger" for name in names - archived)]

    def end(self) -> None:
        """Everybody ends in order; nothing lies about, and an audit of camera and archive finds nothing."""
        department = self.department
        life = department.camera.life
        assert life is not None
        life.ask_to_end()
        code = life.wait(READY_S)
        self.tally.checked("it shuts down in order", *([] if code == 0 else [f"its exit code is {code}"]))
        department.close()
        for name in ("station", "agent"):  # a start clears what the last death left
            department.begin(name)
            self.back(name)
        department.close()
        self.tally.checked("numbers and the log have no holes", *self.owed.whole(department.archive))
        places = (department.camera.spool, department.camera.state, department.station, department.state)
        self.tally.checked("nothing is left lying about", *orphans(*places), *self._parts())

    def _parts(self) -> list[str]:
        """Uploads in work, when nothing is in work."""
        left = [*self.department.archive.glob(".*.part"), *(self.department.station / "incoming").glob("*.*")]
        return [f"{path.name} was left in {path.parent.name}" for path in left]


def kill_at_the_dock(
    directory: Path,
    pki: Path,
    kills: int,
    seed: int,
    *,
    kind: type[DockLives] = DockLives,
    visits: int = 8,
    deaths: int = 8,
    go_on: Callable[[Tally], bool] = lambda _: True,
) -> Tally:
    """Kill so often; a new department after so many visits with so many deaths each."""
    chance, tally = random.Random(seed), Tally()
    number = 0
    while tally.total < kills and go_on(tally):
        number += 1
        place = directory / f"dock-{number}"
        place.mkdir()
        department = kind.equipped(Department(place, pki, ScaledTime.from_now(SPEED)))
        camera = department.camera
        owed = Owed(camera.spool, Trust.load(pki / "root.pem"), department.archive, camera.state / "receipts")
        lives = kind(department, owed, chance, tally)
        wrong = len(tally.violations)
        try:
            lives.begin()
            for _ in range(visits):
                if tally.total < kills:
                    lives.visit(min(deaths, kills - tally.total))
            lives.end()
        finally:
            department.close()
        if len(tally.violations) == wrong:
            shutil.rmtree(place, ignore_errors=True)
        else:
            tally.violations.append(f"(the department that this is about is kept in {place})")
    return tally
