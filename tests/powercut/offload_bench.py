"""Power cuts from the first uploaded byte to the unlinked file: never neither copy (invariants 7 and 8)."""

from __future__ import annotations

import hashlib
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from acknowledgements import Expected, Notes
from card_judge import CardJudge
from cutting import Cut, Seen, Tally, cut_everywhere
from docked_again import DockedAgain
from offload_run import offload, offload_camera
from recorded_card import RecordedCard, work_directory
from recorder_run import Without

from dock.station.beside import RECEIPT_SUFFIX
from dock.station.custody import Custody
from evidence import cms
from evidence.custody_ledger import Ledger, ledger_files
from evidence.errors import EvidenceError
from evidence.handover import decode_receipt
from evidence.keys import FileSigner
from evidence.trust import Trust
from fleet.ca import create_agency


@dataclass
class OffloadJudge:
    """Judges the station's half of a card, and that each recording is somewhere."""

    pki: Path
    notes: Notes
    work: Path
    either: int = 0
    """Cards with a recording that only the station had."""

    def __post_init__(self) -> None:
        self._trust = Trust.load(self.pki / "root.pem")
        self._signer = FileSigner.load(self.pki / "station-receipt.key", self.pki / "station-receipt.pem")
        files = {one.path for one in self.notes.all if one.path.startswith("spool/") and "-log-" not in one.path}
        self._whole = {path: self.notes.meant(path) for path in sorted(files)}
        self._ledgers: dict[str, list[str]] = {}

    def judge(self, card: Path, expected: Expected, tombstones: frozenset[str]) -> list[str]:
        """What is wrong, one sentence each."""
        wrong = self._ledger(card / "station" / "custody")
        for path, data in self._whole.items():
            written = expected.appended.get(path) == len(data)
            left = path in expected.gone or any(
                one.path == path and one.operation == "unlink" for one in expected.under_way
            )
            if data and (written or left):
                wrong += self._somewhere(card, path, data, tombstones)
        return wrong

    def _somewhere(self, card: Path, path: str, data: bytes, tombstones: frozenset[str]) -> list[str]:
        """A recording that was closed, or goes: the camera has it, or the store has it and the papers are there."""
        file = card / path
        if file.is_file() and file.read_bytes().startswith(data):
            return []
        name, digest = file.name, hashlib.sha256(data).hexdigest()
        self.either += 1
        wrong = list[str]()
        stored = card / "station" / "store" / name
        if not stored.is_file() or hashlib.sha256(stored.read_bytes()).hexdigest() != digest:
            wrong.append(f"NEITHER COPY: {name} is gone from the camera, and the store does not have it")
        receipts = (card / "state" / "receipts" / f"{name}.receipt.p7s", stored.with_name(name + RECEIPT_SUFFIX))
        bad = [place.relative_to(card) for place in receipts if self._received(place) != digest]
        wrong += [f"{name} is gone, without a good receipt as {place}" for place in bad]
        if digest not in tombstones:
            wrong.append(f"{name} is gone, without a tombstone in the log")
        return wrong

    def _received(self, path: Path) -> str | None:
        """The digest that a receipt repeats; None if it is not there or does not hold."""
        try:
            message = cms.parse_signed(path.read_bytes())
            self._trust.check(message, role="receipt", at=message.signed_at)
            return decode_receipt(message.payload).sha256
        except (OSError, EvidenceError):
            return None

    def _ledger(self, directory: Path) -> list[str]:
        """The station's next start opens its ledger, and then it holds from its first entry on.

        That every byte of an entry that was told of is there is `Expected.broken`'s part, as for each appended file.
        """
        if not directory.is_dir():
            return []
        files = sorted(path for path in directory.iterdir() if path.is_file())
        key = hashlib.sha256(b"".join(path.name.encode() + path.read_bytes() for path in files)).hexdigest()
        if key not in self._ledgers:
            self._ledgers[key] = self._open_ledger(directory)
        return self._ledgers[key]

    def _open_ledger(self, directory: Path) -> list[str]:
        copy = self.work / "custody"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(directory, copy)
        try:
            custody = Custody(copy, self._signer, utc_ns=time.time_ns)
            steps = [one.step for one in custody.entries()]
            custody.close()
            ledger = Ledger(ledger_files(copy), self._trust)
            read = list(ledger.entries())
        except (EvidenceError, OSError) as error:
            return [f"the custody ledger cannot be opened: {error}"]
        wrong = [f"the custody ledger: {finding}" for finding in ledger.findings]
        if len(read) != len(steps):
            wrong.append(f"the custody ledger has {len(read)} entries, its index finds {len(steps)}")
        said = sorted({"ledger_broken", "ledger_behind"} & set(steps))
        return [*wrong, *(f"the station takes a power cut for damage: it goes on with `{one}`" for one in said)]


def run(*, cuts: int, seed: int, without: Without | None = None, name: str = "offload", visits: int = 0) -> Tally:
    """Record, offload and delete on one card, then cut; nothing stays.

    After `visits` of the cuts camera, station and agent are started on a copy of the card.
    """
    with work_directory() as directory:
        base = Path(directory)
        pki = base / "pki"
        create_agency(pki)
        with RecordedCard(base) as card:
            first = card.position()
            offload(card, offload_camera(card, pki, without), without)
        notes = Notes(base / "notes")
        camera, station = CardJudge(pki, notes, base / "work"), OffloadJudge(pki, notes, base / "work")
        again = DockedAgain(pki, base / "work", max(1, cuts // (visits + 1)), visits)

        def look(place: Path, _: Cut, expected: Expected) -> Seen:
            wrong, files = camera.judge(place)
            tombstones = frozenset(digest for one in files for digest in one.tombstones)
            return Seen((*wrong, *station.judge(place, expected, tombstones), *again.look(place)))

        tally = cut_everywhere(name, card, first, look, cuts=cuts, seed=seed)
        tally.facts |= {"files_judged": camera.judged, "cards_with_only_the_stores_copy": station.either}
        tally.facts["visits_to_the_dock"] = again.docked
        return tally
