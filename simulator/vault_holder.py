"""The vault's holder of a simulated department: opens what the station stores, and signs that it opened (R40).

Runs the real `firsthand-evidence prove-open` beside the station, as a holder would on a machine of the vault's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from evidence.handover import SpoolFile, Status
from evidence.requests import ProofRequest
from evidence.vault_proof import SUFFIX
from simulator.camera_link import CameraLink
from simulator.layout import RunLayout
from simulator.processes import Child, Children, python_module
from simulator.progress import Progress
from simulator.run_errors import ProcessDied

NAME: Final = "prove-open"


class VaultHolder:
    """One person with one key. Looks at the camera's needs and works beside it."""

    def __init__(self, layout: RunLayout, children: Children, camera: CameraLink, progress: Progress) -> None:
        self._layout = layout
        self._children = children
        self._camera = camera
        self._progress = progress
        self._running: tuple[Child, list[Path]] | None = None

    def look(self, status: Status) -> None:
        """Start the work that is waiting, or hand over what is done. Raises `ProcessDied` if nothing opens."""
        if self._running is not None:
            self._finish(*self._running)
        elif status.proof_missing:
            wanted = wanted_of(self._camera.spool().files)
            stored = [path for one in wanted if (path := self._layout.store / one.name).is_file()]
            if stored:
                self._start(stored)

    def _start(self, files: list[Path]) -> None:
        pki, key = self._layout.pki, ("--vault-key", str(self._layout.pki / "vault.key"))
        options = ("--root", str(pki / "root.pem"), "--vault-cert", str(pki / "vault.pem"), *key)
        holder = ("--cert", str(pki / "proof.pem"), "--key", str(pki / "proof.key"), "--out", str(self._layout.proofs))
        command = python_module("evidence", "prove-open", *map(str, files), *options, *holder)
        child = self._children.start(NAME, command)
        child.expected = True  # its end is what we wait for
        self._running = child, files

    def _finish(self, child: Child, files: list[Path]) -> None:
        code = child.process.poll()
        if code is None:
            return
        self._running = None
        if code != 0:
            raise ProcessDied(f"{NAME} ended with exit code {code}; the end of {child.log}:\n{child.tail()}")
        for path in files:
            self._progress.event(f"the vault's holder has opened {path.stem} and signs that all of it opens")
            self._camera.ask(ProofRequest(proof=(self._layout.proofs / f"{path.name}{SUFFIX}").read_bytes()))


def wanted_of(files: Sequence[SpoolFile]) -> list[SpoolFile]:
    """Which recordings must be opened: each critical one that waits, or else one that stands for all. Pure."""
    waiting = [one for one in files if one.proof_missing and one.stream == "recording"]
    return [one for one in waiting if one.upload_class == "critical"] or waiting[:1]
