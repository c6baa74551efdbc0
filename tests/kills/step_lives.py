"""Killed at every durable step there is: before step 1, before step 2…, and with half of a write done.

Random instants find what takes long; this finds what is short: between a rename and the sync of its directory, between
a receipt and its tombstone.
"""

from __future__ import annotations

import http.client
import itertools
import random
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from department import Department
from dock_bench import TUS, Client
from dock_camera import Camera
from dock_lives import DockLives
from killed_camera import READY_S, KilledCamera
from life import until
from owed import Owed
from recorder_lives import SPEED, RecorderLives
from tally import Tally

from evidence import cms
from evidence.handover import SpoolFile, decode_receipt
from evidence.trust import Trust
from simulator.scaled_time import ScaledTime

A_PLACE = 25
"""So many deaths on one card, or in one department."""


@dataclass
class StepLives:
    """All lives of one program, each a step longer than the one before."""

    directory: Path
    pki: Path
    tally: Tally
    chance: random.Random
    first: int = 1
    every: int = 1
    """Of the steps only each so many: a slice of the bench."""
    go_on: Callable[[Tally], bool] = lambda _: True

    def numbers(self, process: str, what: str, one: Callable[[int, bool], bool]) -> int:
        """Die at each step; how many there are. `one` lives once and says whether it died."""
        last = 0
        for torn in (False, True):
            for at in itertools.count(self.first, self.every):
                if not self.go_on(self.tally):
                    return last
                if not one(at, torn):
                    break
                last = max(last, at)
                self.tally.steps[process, f"{what}, {'half a write' if torn else 'before the step'}"] += 1
        return last

    def _places(self, name: str) -> Iterator[Path]:
        for number in itertools.count(1):
            place = self.directory / f"{name}-{number}"
            place.mkdir()
            yield place

    # --- the recorder's day -------------------------------------------------------------------------------------------

    def recorder(self) -> int:
        """Start, self-test, trigger, roll-over, stop, shutdown."""
        places, lives = self._places("steps"), list[RecorderLives]()

        def one(at: int, torn: bool) -> bool:
            if not lives or self.tally.steps.total() % A_PLACE == 0:
                self._end(lives)
                place = next(places)
                camera = KilledCamera(place, self.pki, ScaledTime.from_now(SPEED))
                trust = Trust.load(self.pki / "root.pem")
                lives[:] = [RecorderLives(camera, Owed(camera.spool, trust), self.chance, self.tally)]
            return self._day(lives[0], at, torn)

        try:
            return self.numbers("recorder", "a recording", one)
        finally:
            self._end(lives)

    def _day(self, lives: RecorderLives, at: int, torn: bool) -> bool:
        camera = lives.camera
        life = camera.begin(die_at=at, torn=torn)
        if camera.answers() is not None and camera.start_recording() is not None:
            until(lambda: not life.alive(), 6.5 / SPEED)
            camera.stop_recording()
        life.ask_to_end()
        if life.wait(READY_S) == 0:
            return False
        if life.status != -9:
            self.tally.checked("nobody dies unasked", f"at step {at}: {life.status}: {life.said()[-800:]}")
        camera.kill()
        lives.look()
        lives.live_well()
        return True

    def _end(self, lives: list[RecorderLives]) -> None:
        for one in lives:
            one.camera.kill()
            one.audit()
            shutil.rmtree(one.camera.directory, ignore_errors=True)

    # --- the dock -----------------------------------------------------------------------------------------------------

    def at_the_dock(self, victim: str) -> int:
        """Of a docked camera's visit, from the victim's start to the last deletion."""
        places, held = self._places(f"steps-{victim}"), list[DockLives]()

        def one(at: int, torn: bool) -> bool:
            if not held or self.tally.steps.total() % A_PLACE == 0:
                for old in held:
                    old.department.close()
                    shutil.rmtree(old.department.directory, ignore_errors=True)
                department = Department(next(places), self.pki, ScaledTime.from_now(SPEED))
                camera = department.camera
                trust = Trust.load(self.pki / "root.pem")
                owed = Owed(camera.spool, trust, department.archive, camera.state / "receipts")
                held[:] = [DockLives(department, owed, self.chance, self.tally)]
                held[0].begin()
            return self._visit(held[0], victim, at, torn)

        try:
            return self.numbers(victim, "a visit to the dock", one)
        finally:
            for old in held:
                old.department.close()
                shutil.rmtree(old.department.directory, ignore_errors=True)

    def _visit(self, lives: DockLives, victim: str, at: int, torn: bool) -> bool:
        department = lives.department
        camera = department.camera
        camera.start_recording()
        until(lambda: camera.recorded(), READY_S)
        camera.stop_recording()
        until(lambda: not department.open_recordings(), READY_S)
        department.kill(victim)
        lives.owed.dead()
        if victim != "recorder":
            camera.dock(docked=True)
        department.begin(victim, die_at=at, torn=torn)
        department.answers(victim)
        if victim == "recorder":
            camera.dock(docked=True)
        until(lambda: department.drained() or not department.alive(victim), READY_S)
        died = not department.alive(victim)
        if died:
            wrong = lives.owed.dead()[1] if victim == "recorder" else lives.owed.missing()
            self.tally.checked("never neither copy", *wrong)
        else:
            department.kill(victim)  # or it would die later, at its step: nobody asked for that
        department.begin(victim)
        lives.back(victim)
        lives.settle()
        camera.dock(docked=False)
        return died

    # --- the station --------------------------------------------------------------------------------------------------

    def station(self) -> int:
        """One file, from the station's start over the upload and the relay to its receipt."""
        places = self._places("steps-station")

        def one(at: int, torn: bool) -> bool:
            place = next(places)
            (place / "spool").mkdir()
            department = Department(place, self.pki, ScaledTime.from_now(SPEED))
            file = Camera(self.pki, place / "spool").record(1)
            try:
                department.begin("station", die_at=at, torn=torn)
                if department.answers("station") is not None and self._send(department, file, place / "spool"):
                    return False
                # A connection ends before its process does.
                over = until(lambda: not department.alive("station"), READY_S) is not None
                self.tally.checked("nobody hangs", *([] if over else [f"at step {at}: {department.said('station')}"]))
                department.kill("station")
                department.begin("station")
                took_s = department.answers("station")
                self.tally.checked("it starts again", *([] if took_s is not None else [department.said("station")]))
                self._send(department, file, place / "spool")
                self._receipted(department, file, f"step {at}{' torn' if torn else ''}")
            finally:
                department.close()
            shutil.rmtree(place, ignore_errors=True)
            return True

        return self.numbers("station", "a file to the archive", one)

    def _send(self, department: Department, file: SpoolFile, spool: Path) -> bool:
        """As an agent would, but without patience: until the receipt is there (True), or the station is dead."""
        receipted, data = False, (spool / file.name).read_bytes()
        try:
            client = Client(department.port, self.pki)
            status, told, _ = client.create(file.name, len(data), close_hash=file.close_hash)
            if status == 201 and (offset := int(told["upload-offset"])) < len(data):
                client.patch(told["location"], offset, data[offset:])
            end_s = time.monotonic() + READY_S
            while not receipted and department.alive("station") and time.monotonic() < end_s:
                time.sleep(0.02)
                receipted = "firsthand-receipt" in client("HEAD", told["location"], TUS)[1]
            client.close()
        except (OSError, KeyError, http.client.HTTPException):
            pass  # it died over it
        if receipted:  # and what it tidies up after the receipt
            incoming = department.station / "incoming"
            until(lambda: not department.alive("station") or not list(incoming.glob("*.*")), READY_S)
        return receipted and department.alive("station")

    def _receipted(self, department: Department, file: SpoolFile, when: str) -> None:
        wrong = []
        receipt = department.archive / f"{file.name}.receipt.p7s"
        if not receipt.exists():
            wrong.append(f"{when}: no receipt after all: {department.said('station')}")
        else:
            said = decode_receipt(cms.parse_signed(receipt.read_bytes()).payload)
            if (said.verdict, said.close_hash) != ("valid", file.close_hash):
                wrong.append(f"{when}: the receipt says {said.verdict}")
        owed = Owed(department.archive, Trust.load(self.pki / "root.pem"))
        lives = DockLives(department, owed, self.chance, self.tally)
        self.tally.checked("receipts are for what is there", *wrong, *lives.receipts())
        self.tally.checked("the custody ledger holds", *(f"{when}: {one}" for one in lives.ledger()))
