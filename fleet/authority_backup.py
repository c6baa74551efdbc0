"""The authority's directory, saved to sticks and brought back (docs/keys/authority.md; R11).

1. A backup is a tar of the directory as it is: its keys are encrypted already, its register is one state of it.
2. A copy counts once it was read back from the medium, every digest held, and a passphrase opened the keys in it.
3. A restoration makes a new directory, tries it the same way, and overwrites nothing.
4. What was taken back after the backup stays taken back: a restoration reads the newest published lists, and goes on
   from their numbers. What was issued since is unknown to the register, and can be taken back by its number only.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import sqlite3
import tarfile
import tempfile
from pathlib import Path, PurePosixPath
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from evidence import durable
from evidence.revocation import load_crls
from evidence.roles import Role
from fleet.authority_store import AuthorityStore, now
from fleet.errors import BadBackup
from fleet.issued import Reason, as_number
from fleet.root_rotation import open_root

_LIST: Final = "backup.json"
_REGISTER: Final = "issued.sqlite"
_MOST_BYTES: Final = 512 * 2**20
_REASONS: Final[dict[x509.ReasonFlags, Reason]] = {
    x509.ReasonFlags.cessation_of_operation: "retired",
    x509.ReasonFlags.superseded: "replaced",
    x509.ReasonFlags.affiliation_changed: "transferred",
}


def back_up(store: AuthorityStore, copies: list[Path], root_passphrase: bytes | None, passphrase: bytes) -> None:
    """Save the authority into each of `copies`, and try each. Raises `FleetError`, `EvidenceError`, OSError."""
    _try(store, root_passphrase, passphrase)
    data = _archive(store.directory)
    for path in copies:
        durable.write_new(path, data, mode=0o600)
        with tempfile.TemporaryDirectory() as name:
            restore(path, Path(name) / "tried", root_passphrase, passphrase)


def _archive(directory: Path) -> bytes:
    files = {path.relative_to(directory).as_posix(): path for path in sorted(directory.rglob("*")) if path.is_file()}
    contents = {
        name: _register(path) if name == _REGISTER else path.read_bytes()
        for name, path in files.items()
        if not name.startswith("next/") and not name.endswith(("-wal", "-shm", ".tmp"))
    }
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()}
    told = json.dumps({"at": now().isoformat(), "sha256": digests}).encode()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in {_LIST: told, **contents}.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o600
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def _register(path: Path) -> bytes:
    """The register as one state of it, also while a server writes. Raises `BadBackup`."""
    source, target = sqlite3.connect(path, timeout=30), sqlite3.connect(":memory:")
    try:
        source.backup(target)
        return target.serialize()
    except sqlite3.Error as error:
        raise BadBackup(f"the register {path} cannot be copied: {error}") from error
    finally:
        target.close()
        source.close()


def restore(copy: Path, out: Path, root_passphrase: bytes | None, passphrase: bytes) -> AuthorityStore:
    """Bring an authority into a new directory, and try it. Raises `FleetError`, `EvidenceError`, OSError.

    Without `root_passphrase` the root's key is not tried: it may be in its safe.
    """
    if out.exists():
        raise BadBackup(f"{out} exists, and nothing is overwritten: give a new directory")
    with copy.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)  # rule 2: ask the medium
        data = file.read(_MOST_BYTES + 1)
    contents = _contents(copy, data)
    out.mkdir(parents=True, mode=0o700)
    for name, content in contents.items():
        path = out / name
        path.parent.mkdir(exist_ok=True, parents=True, mode=0o700)
        durable.write_new(path, content, mode=0o600)
    store = AuthorityStore(out)
    _try(store, root_passphrase, passphrase)
    return store


def _try(store: AuthorityStore, root_passphrase: bytes | None, passphrase: bytes) -> None:
    """Open every key with its passphrase, and the register. Raises `FleetError`, `EvidenceError`."""
    keys = store.unlock(passphrase)
    for role in store.current.authorities:
        keys.issuer(role)
    if root_passphrase is not None:
        for generation in store.generations:
            if (generation.directory / "root.key").exists():
                open_root(generation, root_passphrase)
    store.register.find()


def carry_over(store: AuthorityStore, lists: Path) -> int:
    """Bring the register up to lists that were published after the backup; how many certificates it learned of.

    Raises `BadBackup`, `evidence.errors.BadKey`.
    """
    learned = known = 0
    for crl in load_crls(lists):
        for generation in store.generations:
            for role, authority in generation.authorities.items():
                if crl.issuer == authority.subject and _signed(crl, authority):
                    learned, known = learned + _learn(store, generation.number, role, crl), known + 1
                    break
    if not known:
        raise BadBackup(f"{lists} holds no list of this authority: get the newest revoked.crl from a station")
    return learned


def _signed(crl: x509.CertificateRevocationList, authority: x509.Certificate) -> bool:
    key = authority.public_key()
    return isinstance(key, ec.EllipticCurvePublicKey) and crl.is_signature_valid(key)


def _learn(store: AuthorityStore, generation: int, role: Role, crl: x509.CertificateRevocationList) -> int:
    learned = 0
    for entry in crl:
        number = as_number(entry.serial_number)
        revoked_s, since_s = int(entry.revocation_date_utc.timestamp()), None
        reason: Reason = "key_compromise"
        for extension in entry.extensions:
            if isinstance(extension.value, x509.InvalidityDate):
                since_s = int(extension.value.invalidity_date_utc.timestamp())
            elif isinstance(extension.value, x509.CRLReason):
                reason = _REASONS.get(extension.value.reason, reason)
        learned += store.register.learn(number, generation, role, reason, revoked_s, since_s)
    store.register.reach_list_number(
        generation, role, crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    )
    return learned


def _contents(copy: Path, data: bytes) -> dict[str, bytes]:
    """What a backup holds, each with the digest that it should have. Raises `BadBackup`."""
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
            found: dict[str, bytes] = {}
            for info in tar:
                name, file = PurePosixPath(info.name), tar.extractfile(info) if info.isreg() else None
                if file is None or name.is_absolute() or ".." in name.parts:
                    raise BadBackup(f"{copy} holds {info.name!r}, which no authority saves")
                found[info.name] = file.read()
        wanted: dict[str, str] = json.loads(found.pop(_LIST))["sha256"]
    except (tarfile.TarError, KeyError, ValueError, TypeError, OverflowError, RecursionError) as error:
        if isinstance(error, BadBackup):
            raise
        raise BadBackup(f"{copy} is no backup of an authority, or is damaged: take the other copy") from error
    if {name: hashlib.sha256(content).hexdigest() for name, content in found.items()} != wanted:
        raise BadBackup(f"{copy} is damaged: take the other copy")
    return found
