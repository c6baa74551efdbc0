"""Disclosure packages on disk: a directory, or a ZIP file of one. The rules are those of `evidence.disclosure`.

Everything in a package may come from an adversary: names must be the few that a package can have, links are not
followed, every read is bounded, and nothing is unpacked to disk.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import re
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from evidence import durable
from evidence.disclosure import (
    MANIFEST,
    MOST_ITEMS,
    OBJECTS,
    README,
    STATEMENTS,
    VIDEO,
    Manifest,
    Proof,
    Selection,
    check_plaintext,
    object_name,
    read_package_manifest,
    statement_name,
)
from evidence.disclosure_page import page
from evidence.errors import BrokenChain, EvidenceError, NotEvidence
from evidence.export.decrypt import Vault
from evidence.export.items import ObjectItem, StatementItem, walk
from evidence.limits import OBJECT_BYTES, STATEMENT_BYTES
from evidence.statements import encode_canonical
from evidence.trust import Trust

MANIFEST_BYTES: Final = 256 * 1024 * 1024
"""A row of a manifest is below 250 bytes."""
_COPY_BYTES: Final = 1024 * 1024
_STATEMENT: Final = re.compile(rf"^{STATEMENTS}/[0-9]{{6}}-[a-z]{{1,16}}\.p7s$")
_OBJECT: Final = re.compile(rf"^{OBJECTS}/([0-9]{{6}})-(init\.mp4|media\.m4s|metadata\.json)$")
_SINGLE: Final = frozenset({MANIFEST, VIDEO, README})
_MOST_FINDINGS: Final = 100


class Files(Protocol):
    """The files of a package by their names, which use ``/``."""

    def names(self) -> Iterator[str]:
        """All names, wild ones included. Raises `NotEvidence`."""
        ...

    def open(self, name: str) -> BinaryIO:
        """Raises OSError; `NotEvidence` for what is no plain file."""
        ...


class DirectoryFiles:
    """A package that is a directory."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def names(self) -> Iterator[str]:
        for root, directories, files in os.walk(self._path):
            inside = Path(root).relative_to(self._path)
            linked = [one for one in directories if (Path(root) / one).is_symlink()]
            yield from ((inside / one).as_posix() for one in (*files, *linked))

    def open(self, name: str) -> BinaryIO:
        descriptor = os.open(self._path / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        file = os.fdopen(descriptor, "rb")
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            file.close()
            raise NotEvidence(f"{name} is no plain file")
        return file


class ZipFiles:
    """A package that is a ZIP file, read where it is; at its top or in one folder."""

    def __init__(self, path: Path) -> None:
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise NotEvidence(f"{path} is no ZIP file that can be read") from error
        self._members: dict[str, zipfile.ZipInfo] = {}
        members = self._zip.infolist()
        if not all(one.filename for one in members):
            raise NotEvidence(f"{path} holds a file without a name")
        members = [one for one in members if not one.is_dir()]
        tops = {one.filename.partition("/")[0] for one in members if "/" in one.filename}
        folder = f"{tops.pop()}/" if len(tops) == 1 and all("/" in one.filename for one in members) else ""
        for one in members:
            name = one.filename.removeprefix(folder)
            if name in self._members or one.flag_bits & 1:
                raise NotEvidence(f"{path} names a file twice, or hides it behind a password")
            self._members[name] = one

    def names(self) -> Iterator[str]:
        return iter(self._members)

    def open(self, name: str) -> BinaryIO:
        if name not in self._members:
            raise FileNotFoundError(2, "No such file", name)
        return self._zip.open(self._members[name])  # type: ignore[return-value]


@dataclass
class Verdict:
    """What a package proves."""

    findings: list[str] = field(default_factory=list)
    """Why it is not valid; empty if it is."""
    proof: Proof | None = None
    manifest: Manifest | None = None
    """What is disclosed and what is not, as the statements and files say; None if the chain is broken."""

    @property
    def valid(self) -> bool:
        return not self.findings

    def found(self, text: str) -> None:
        if len(self.findings) < _MOST_FINDINGS:
            self.findings.append(text)


def is_package(path: Path) -> bool:
    """True for what `verify` should read as a package: a directory, a ZIP file, or a package's own manifest."""
    return path.is_dir() or path.name == MANIFEST or (path.suffix.lower() == ".zip" and path.is_file())


def open_package(path: Path) -> Files:
    """The files of a package. Raises `NotEvidence`, OSError."""
    if path.name == MANIFEST and path.is_file():
        path = path.parent
    return DirectoryFiles(path) if path.is_dir() else ZipFiles(path)


def _read(files: Files, name: str, limit: int) -> bytes:
    try:
        with files.open(name) as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise NotEvidence(f"{name} cannot be read: {error.strerror}") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise NotEvidence(f"{name} cannot be read from the ZIP file") from error
    if len(data) > limit:
        raise NotEvidence(f"{name} is larger than such a file can be ({limit} bytes)")
    return data


def verify_package(files: Files, trust: Trust, *, now: dt.datetime | None) -> Verdict:
    """Hold a package against the camera's signatures, without any vault key. Raises `NotEvidence` if it is none."""
    names: set[str] = set()
    verdict = Verdict()
    for name in files.names():
        if name in _SINGLE or _STATEMENT.match(name) or _OBJECT.match(name):
            names.add(name)
        else:
            verdict.found(f"{name!r} does not belong into a package")
        if len(names) > 2 * MOST_ITEMS:
            raise NotEvidence("the package has more files than an evidence file has items")
    statements = sorted(name for name in names if _STATEMENT.match(name))
    if MANIFEST not in names or not statements:
        raise NotEvidence("this is no disclosure package: it needs a manifest.json and statements")
    proof = verdict.proof = Proof(trust, now)
    try:
        for name in statements:
            number, statement = proof.statement(_read(files, name, STATEMENT_BYTES))
            if statement_name(number, statement.kind) != name:
                raise BrokenChain(f"this is the {statement.kind} statement that is item {number:06d}")
        proof.finish()
    except EvidenceError as error:
        verdict.found(f"{name}: {error}")
        return verdict
    _check_objects(files, names, proof, verdict)
    return verdict


def _check_objects(files: Files, names: set[str], proof: Proof, verdict: Verdict) -> None:
    """The plaintexts, the video and the manifest, once the statements hold."""
    disclosed: list[int] = []
    video = hashlib.sha256()
    has_media = False
    for name in sorted(name for name in names if _OBJECT.match(name)):
        number = int(name[len(OBJECTS) + 1 :][:6])
        announced = proof.objects.get(number)
        if announced is None or object_name(number, announced.object) != name:
            verdict.found(f"{name}: the camera signed no such object")
            continue
        try:
            data = _read(files, name, OBJECT_BYTES)
            check_plaintext(number, announced, data)
        except EvidenceError as error:
            verdict.found(f"{name}: {error}")
        disclosed.append(number)
        if announced.object != "metadata":
            video.update(data)
            has_media |= announced.object == "media"
    if has_media != (VIDEO in names):
        verdict.found(f"{VIDEO} is missing" if has_media else f"{VIDEO} stands there although no picture is disclosed")
    elif has_media and _digest(files, VIDEO, verdict) not in (None, video.hexdigest()):
        verdict.found(f"{VIDEO} is not made of the disclosed objects")
    verdict.manifest = proof.manifest(disclosed)
    try:
        for finding in read_package_manifest(_read(files, MANIFEST, MANIFEST_BYTES), verdict.manifest):
            verdict.found(finding)
    except EvidenceError as error:
        verdict.found(str(error))


def _digest(files: Files, name: str, verdict: Verdict) -> str | None:
    digest = hashlib.sha256()
    try:
        with files.open(name) as file:
            while chunk := file.read(_COPY_BYTES):
                digest.update(chunk)
    except (OSError, EvidenceError, zipfile.BadZipFile, zlib.error, EOFError, ValueError) as error:
        verdict.found(f"{name} cannot be read: {error}")
        return None
    return digest.hexdigest()


def write_package(path: Path, target: Path, vault: Vault, selection: Selection, proof: Proof) -> Manifest:
    """Disclose from `path` into the new directory or .zip file `target`; `proof` must be fresh.

    Raises `EvidenceError` for a file that is not whole and a selection that is not in it, OSError; then nothing is
    left behind.
    """
    if target.exists():
        raise NotEvidence(f"{target} is there already: name a new one, nothing was written")
    target.parent.mkdir(parents=True, exist_ok=True)
    building = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    building.mkdir(mode=0o700)
    try:
        manifest = _fill(path, building, vault, selection, proof)
        if target.suffix.lower() == ".zip":
            packed = building / "package.zip"
            _pack(building, packed)
            durable.rename(packed, target)
        else:
            durable.rename(building, target)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return manifest


def _fill(path: Path, directory: Path, vault: Vault, selection: Selection, proof: Proof) -> Manifest:
    sealed: dict[int, ObjectItem] = {}
    (directory / STATEMENTS).mkdir()
    (directory / OBJECTS).mkdir()
    with path.open("rb") as file:
        for item in walk(file, most=MOST_ITEMS):
            if isinstance(item, StatementItem):
                data = os.pread(file.fileno(), item.size, item.offset)
                number, statement = proof.statement(data)
                (directory / statement_name(number, statement.kind)).write_bytes(data)
            elif isinstance(item, ObjectItem):
                sealed[item.number] = item
            else:
                raise BrokenChain(f"item {item.number:06d}: {item.problem}")
        proof.finish()
        if sealed.keys() != proof.objects.keys():
            raise BrokenChain("the objects in the file are not those that its statements announce")
        assert proof.chain.opened is not None
        vault.check_recipient(proof.chain.opened)
        chosen = sorted(selection.choose(proof.objects))
        with_video = any(proof.objects[number].object == "media" for number in chosen)
        for number in chosen:
            kind = proof.objects[number].object
            data = vault.plaintext(file, sealed[number])
            check_plaintext(number, proof.objects[number], data)
            (directory / object_name(number, kind)).write_bytes(data)
            if with_video and kind != "metadata":
                with (directory / VIDEO).open("ab") as video:
                    video.write(data)
    manifest = proof.manifest(chosen)
    (directory / README).write_text(page(manifest, simulated=proof.trust.simulated), "utf-8")
    durable.write_new(directory / MANIFEST, encode_canonical(manifest))
    return manifest


def _pack(directory: Path, packed: Path) -> None:
    """Stored, not compressed: what is in it is encoded video, and a reader then needs no inflater."""
    names = sorted(one for one in DirectoryFiles(directory).names() if one != packed.name)
    with zipfile.ZipFile(packed, "x", zipfile.ZIP_STORED) as made:
        for name in names:
            with (
                made.open(zipfile.ZipInfo(name), "w", force_zip64=True) as member,
                (directory / name).open("rb") as file,
            ):
                shutil.copyfileobj(file, member, _COPY_BYTES)
