"""The next visit to the dock after a power cut: camera, station and agent, the real programs, on a copy of the card."""

from __future__ import annotations

import hashlib
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "device"))

from camera_bench import CameraBench, until  # noqa: E402
from offload_run import docked  # noqa: E402

from evidence import cms  # noqa: E402
from evidence.custody_ledger import Ledger, ledger_files  # noqa: E402
from evidence.handover import decode_receipt  # noqa: E402
from evidence.trust import Trust  # noqa: E402

VISIT_S: Final = 300


@dataclass
class DockedAgain:
    """Ends the visit on each so manieth card that it is shown, as often as it may."""

    pki: Path
    work: Path
    each: int
    most: int
    shown: int = 0
    docked: int = 0

    def look(self, card: Path) -> list[str]:
        """What is wrong after the visit; nothing if this card is not one to be tried."""
        self.shown += 1
        if self.docked >= self.most or self.shown % self.each:
            return []
        self.docked += 1
        directory = self.work / f"dock-{self.docked}"
        shutil.copytree(card, directory / "card", ignore=shutil.ignore_patterns("lost+found", "ballast", "*.sock"))
        place = directory / "card"
        camera = CameraBench(directory, self.pki, spool=place / "spool", extra={"state": str(place / "state")})
        camera.state = place / "state"
        stems = [path.stem for path in sorted(camera.spool.glob("SIM-0001-0*.evidence"))]
        try:
            camera.start(ready=False)
            with docked(("-m",), place, directory, camera):
                until(
                    lambda: all(_receipt(camera, stem).exists() for stem in stems),
                    VISIT_S,
                    f"a receipt for each of {', '.join(stems)}",
                )
            camera.stop()
            return self._wrong(camera, place / "station", stems)
        except AssertionError as error:
            return [f"the camera's next visit to the dock: {str(error)[:500]}"]
        finally:
            camera.close()
            shutil.rmtree(directory)

    def _wrong(self, camera: CameraBench, station: Path, stems: list[str]) -> list[str]:
        """Each receipt is for what the store holds, and the ledger names it."""
        ledger, wrong = Ledger(ledger_files(station / "custody"), Trust.load(self.pki / "root.pem")), list[str]()
        steps = {(one.statement.name, one.statement.step) for one in ledger.entries()}
        for name in (f"{stem}.evidence" for stem in stems):
            receipt = decode_receipt(cms.parse_signed(_receipt(camera, Path(name).stem).read_bytes()).payload)
            stored = station / "store" / name
            if not stored.exists() or hashlib.sha256(stored.read_bytes()).hexdigest() != receipt.sha256:
                wrong.append(f"the receipt for {name} is for something else than the store holds")
            if (name, "receipt") not in steps:
                wrong.append(f"the ledger does not name the receipt for {name}")
        return [*wrong, *(f"the custody ledger after the next visit: {one}" for one in ledger.findings)]


def _receipt(camera: CameraBench, stem: str) -> Path:
    return camera.state / "receipts" / f"{stem}.evidence.receipt.p7s"
