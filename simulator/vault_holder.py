"""The vault's holder of a simulated department: opens what the station wants opened, and signs that it did (R40).

With the real tools, as a holder would: the station's work list is fetched, the files are opened beside the station, and
the proofs are brought back to it. The station hands them to the camera. What goes wrong is tried again: the station may
just have been killed.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Protocol

from evidence.handover import Status
from evidence.trust import Trust
from evidence.vault_proof import check_vault_proof
from simulator.layout import RunLayout
from simulator.processes import Child, Children, python_module
from simulator.progress import Progress

AGAIN_S: Final = 1.0
Then = Callable[[], None]


class Holder(Protocol):
    """Who opens what the station wants opened, and signs that it did."""

    def look(self, status: Status) -> None:
        """Go on with the work, or begin it when a camera waits."""
        ...


class VaultHolder:
    """One person with one key, who comes whenever a camera waits for a proof."""

    def __init__(self, layout: RunLayout, children: Children, progress: Progress) -> None:
        self._layout = layout
        self._children = children
        self._progress = progress
        self._running: tuple[Child, Then] | None = None
        self._not_before_s = 0.0
        self._brought: set[Path] = set()
        self._stations = itertools.cycle(layout.stations)
        self._station = layout.station
        """Whose list is worked on."""

    @property
    def _list(self) -> Path:
        return self._layout.logs / "proofs-wanted.json"

    def look(self, status: Status) -> None:
        """Go on with the work, or begin it when a camera waits. Raises OSError."""
        if self._running is not None:
            child, then = self._running
            code = child.process.poll()
            if code is None:
                return
            self._running = None
            self._not_before_s = time.monotonic() + AGAIN_S
            if code == 0:
                then()
        elif status.proof_missing and time.monotonic() >= self._not_before_s:
            self._station = next(one for one in self._stations if (one / "station.toml").exists())
            self._run("proofs-wanted", self._dock("wanted", "--json"), self._open, out=self._list)

    def _run(self, name: str, command: Sequence[str], then: Then, *, out: Path | None = None) -> None:
        child = self._children.start(name, command, out=out)
        child.expected = True  # its end is what we wait for
        self._running = child, then

    def _dock(self, *words: str) -> list[str]:
        return python_module("dock", "proofs", "--config", str(self._station / "station.toml"), *words)

    def _open(self) -> None:
        if not json.loads(self._list.read_bytes())["files"]:
            return
        pki = self._layout.pki
        vault = ("--vault-cert", str(pki / "vault.pem"), "--vault-key", str(pki / "vault.key"))
        holder = ("--cert", str(pki / "proof.pem"), "--key", str(pki / "proof.key"), "--out", str(self._layout.proofs))
        options = ("--list", str(self._list), "--root", str(pki / "root.pem"))
        self._run("prove-open", python_module("evidence", "prove-open", *options, *vault, *holder), self._bring)

    def _bring(self) -> None:
        new = sorted(set(self._layout.proofs.glob("*.p7s")) - self._brought)
        for path in new:
            stem = path.name.partition(".")[0]
            self._progress.event(f"the vault's holder has opened {stem} and signs that all of it opens")
        if new:
            self._run("proofs-take", self._dock("take", *map(str, new)), lambda: self._brought.update(new))


def proven(directory: Path, trust: Trust) -> list[str]:
    """Names of the files whose proofs hold. Raises `EvidenceError` for one that does not."""
    return [check_vault_proof(path.read_bytes(), trust).name for path in sorted(directory.glob("*.p7s"))]
