"""The trusted side of an installation: checks a handed bundle anew, and has RAUC write it into the other slot.

The agent is the network's side. It may hand over names of two files of its own directory, and end the installation at
any moment; everything else is decided here, as root (docs/design/updates.md):

1. The manifest is the release role's, and names this very bundle: its bytes are read after nobody else can write them.
2. The version is newer than what the recorder says it runs and than the newest that ever proved itself here, for this
   model, and no release that this camera went back from.
3. The recorder says that an update has begun, in the dock, with enough charge. The running slot is the one that starts.
4. RAUC trusts the authority of that manifest's signer, and nothing else.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import select
import stat
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from msgspec.structs import replace

from evidence import durable
from evidence.cms import parse_signed
from evidence.handover import Status
from evidence.limits import SIGNED_DOCUMENT_BYTES
from evidence.release import Bundle, Release, number_of, read_release, update_fault
from evidence.trust import Trust
from evidence.update_state import Pending, UpdateState
from fleet.update import autoboot, recorder
from fleet.update.bundle import said
from fleet.update.errors import BadUpdate
from fleet.update.kept import Places, alone, load, running_slot, save

log = logging.getLogger(__name__)
OURS: Final = "bundle.raucb"
_TEXT_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Tools:
    """What is started; a test starts others."""

    install: Sequence[str] = ("rauc", "install")
    """The bundle's path follows."""
    stop: Sequence[str] = ("systemctl", "stop", "rauc.service")
    """Ends an installation at once, whatever it is doing."""


def install(
    places: Places, names: tuple[str, str], *, owner: int, gone: int | None = None, tools: Tools | None = None
) -> str:
    """Install the handed bundle and manifest (names in `places.handed`, files of the user `owner`); the version.

    `gone` is a descriptor that can be read as soon as whoever asked has gone: that ends it. Raises `BadUpdate`,
    `EvidenceError`, OSError; the camera starts as before then.
    """
    with alone(places):
        manifest = _small_file(places.handed / names[1], owner)
        release = read_release(manifest, Trust.load(places.root))
        state, status, slot = load(places), recorder.status_of(places.recorder), running_slot(places)
        if (fault := fault_of(release, state, status)) is not None:
            raise BadUpdate(fault)
        if slot != autoboot.read(places.select):
            raise BadUpdate(f"the camera tries slot {slot} just now: first that is decided")
        assert release.bundle is not None
        with _ours(places, names[0], release.bundle, owner) as bundle:
            _trust(places, parse_signed(manifest).chain[1:])
            pending = Pending(
                version=release.version, sha256=release.bundle.sha256, slot=autoboot.other(slot), phase="installing"
            )
            save(places, replace(state, pending=pending))
            try:
                _run(tools or Tools(), bundle, gone)
            finally:
                places.keyring.unlink(missing_ok=True)  # from here on RAUC trusts nobody
        after = load(places).pending
        if after is None or after.phase != "installed" or after.sha256 != release.bundle.sha256:
            raise BadUpdate("rauc ended well and named no slot to start: see its log (journalctl -u rauc)")
        return release.version


def fault_of(release: Release, state: UpdateState, status: Status) -> str | None:
    """Why this camera may not be brought to that release now; None if it may. Pure."""
    fault = update_fault(release, model=status.model, firmware=status.firmware)
    if fault is not None or release.bundle is None:
        return fault or "the release names no bundle"
    newest, version = number_of(state.newest or "0") or (), number_of(release.version) or ()
    if version < newest:
        return f"release {release.version} is older than {state.newest}, which ran here: there is no way back"
    if (failed := state.failure_of(release.bundle.sha256)) is not None:
        return f"release {release.version} was tried and did not prove itself: {failed.why}"
    if status.state != "updating" or status.recording is not None or not status.docked:
        return f"the recorder knows of no update: it is {status.state.replace('_', ' ')}"
    return recorder.too_empty(status)


def _small_file(path: Path, owner: int) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != owner or status.st_size > SIGNED_DOCUMENT_BYTES:
            raise BadUpdate(f"{path.name} is no manifest that the agent fetched")
        with os.fdopen(os.dup(descriptor), "rb") as file:
            return file.read(SIGNED_DOCUMENT_BYTES)
    finally:
        os.close(descriptor)


@contextmanager
def _ours(places: Places, name: str, bundle: Bundle, owner: int) -> Iterator[Path]:
    """The bundle under a name of our own, its bytes checked when nobody else can write them any more.

    The agent keeps its name of the same file, so that nothing is fetched or copied twice.
    """
    path = places.kept / OURS
    path.unlink(missing_ok=True)
    os.link(places.handed / name, path, follow_symlinks=False)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_uid not in (owner, os.getuid()):
                raise BadUpdate(f"{name} is no bundle that the agent fetched")
            if status.st_uid != os.getuid():  # else it was taken over before, by an installation that was broken off
                os.fchown(descriptor, os.getuid(), -1)
                os.fchmod(descriptor, 0o644)
            try:
                fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
                fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
            except OSError as error:
                raise BadUpdate(f"{name} is still open for writing: it is no finished bundle") from error
            with os.fdopen(os.dup(descriptor), "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        finally:
            os.close(descriptor)
        if digest != bundle.sha256:
            raise BadUpdate(f"{name} is not the bundle that the manifest names")
        yield path
    finally:
        path.unlink(missing_ok=True)


def _trust(places: Places, authorities: Sequence[x509.Certificate]) -> None:
    pem = b"".join(one.public_bytes(serialization.Encoding.PEM) for one in authorities)
    durable.make_directory(places.keyring.parent, mode=0o755)
    durable.replace(places.keyring, pem, mode=0o644)


def _run(tools: Tools, bundle: Path, gone: int | None) -> None:
    """Run the installation to its end, or until whoever asked has gone. Raises `BadUpdate`."""
    try:
        process = subprocess.Popen(
            [*tools.install, str(bundle)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
    except OSError as error:
        raise BadUpdate(f"{tools.install[0]} cannot be started: {error.strerror}") from error
    ended = os.pidfd_open(process.pid)
    assert process.stdout is not None
    text = b""
    try:
        waiting = [process.stdout.fileno(), *([gone] if gone is not None else [])]
        while process.stdout.fileno() in waiting:
            ready, _, _ = select.select(waiting, [], [])
            if gone in ready:
                raise BadUpdate("broken off: whoever asked for it has gone")
            piece = os.read(process.stdout.fileno(), 4096)
            text = (text + piece)[-_TEXT_BYTES:]
            if not piece:
                break
        ready, _, _ = select.select([ended, *([gone] if gone is not None else [])], [], [])
        if ended not in ready:
            raise BadUpdate("broken off: whoever asked for it has gone")
    finally:
        os.close(ended)
        if process.poll() is None:
            process.kill()
            with suppress(OSError):
                subprocess.run(list(tools.stop), check=False, capture_output=True)
        process.stdout.close()
        process.wait()
    if process.returncode != 0:
        raise BadUpdate(f"rauc does not install it: {said(_cause(text.decode('utf-8', 'replace')))}")


def _cause(text: str) -> str:
    """RAUC's own word on what failed, if it said one."""
    errors = [line.partition("LastError:")[2] for line in text.splitlines() if "LastError:" in line]
    return errors[-1] if errors else text


Installation = Callable[[tuple[str, str], int, int], str]
"""What serves a request: names, the user who asks, a descriptor that tells when that one has gone."""
