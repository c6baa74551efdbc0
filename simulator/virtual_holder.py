"""The vault's holder of a department in one process: opens and signs with the tool's own functions (R40)."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import Final

from dock.station.station import Station
from dock.station.vault_proofs import VaultProofs
from evidence.durable import replace
from evidence.export.decrypt import Vault
from evidence.handover import Status
from evidence.keys import FileSigner
from evidence.prove_open import open_all, sign_proof
from evidence.trust import Trust
from evidence.verify import verify_file
from hal import program_time
from simulator.layout import RunLayout
from simulator.progress import Progress
from simulator.virtual_dock import VirtualDock
from simulator.virtual_time import VirtualTime

AGAIN_S: Final = 1.0
WHO: Final = "the vault's holder"


class VirtualHolder:
    """`simulator.vault_holder.Holder`."""

    def __init__(self, virtual: VirtualTime, layout: RunLayout, dock: VirtualDock, progress: Progress) -> None:
        self._virtual = virtual
        self._layout = layout
        self._dock = dock
        self._progress = progress
        self._not_before_s = 0.0

    def look(self, status: Status) -> None:
        """Open what the station wants opened, if a camera waits for it. Raises `EvidenceError`, OSError."""
        now_s = self._virtual.boottime_ns() / 1e9
        if not status.proof_missing or now_s < self._not_before_s:
            return
        self._not_before_s = now_s + AGAIN_S
        for station in self._dock.stations:
            self._serve(station)

    def _serve(self, station: Station) -> None:
        verbs = station.part(VaultProofs).admin_verbs()

        def work() -> list[str]:
            done = []
            for one in verbs["proofs_wanted"]({}, WHO)["files"]:
                path = Path(one["path"])
                proof = self._prove(path)
                verbs["proofs_take"]({"proof": base64.b64encode(proof).decode()}, WHO)
                replace(self._layout.proofs / f"{path.name}.proof.p7s", proof)
                done.append(path.name.partition(".")[0])
            return done

        for stem in self._virtual.loop.run_until_complete(asyncio.to_thread(work)):
            self._progress.event(f"the vault's holder has opened {stem} and signs that all of it opens")

    def _prove(self, path: Path) -> bytes:
        pki = self._layout.pki
        trust, vault = Trust.load(pki / "root.pem"), Vault.load(pki / "vault.pem", pki / "vault.key")
        report = verify_file(path, trust)
        opened = open_all(path, report, vault, lambda _: None)
        return sign_proof(
            report, opened, vault, FileSigner.load(pki / "proof.key", pki / "proof.pem"), program_time.utc_now()
        )
