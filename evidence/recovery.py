"""After a crash: cut the torn tail, set orphans aside, sign only what was announced (R38, invariant 6).

1. Read on while every statement is canonical, signed by this camera and in its chain, and every object is the announced
   one. The first thing that is not ends the whole part.
2. What stands after it is never destroyed: it goes to ``aside/`` beside the file, then the file is cut.
3. An object that was announced and is not whole is named by its digest in `recovered`; a whole object that nothing
   announced is an orphan, counted and set aside, never evidence.
4. `recovered` and `close` are appended in one write. A file without a whole `open` cannot be closed: it goes aside.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from evidence.chain import Chain
from evidence.durable import AppendFile, make_directory, rename
from evidence.errors import EvidenceError, NotEvidence
from evidence.evidence_file import EvidenceWriter
from evidence.keys import Signer
from evidence.sealed import Recipient
from evidence.splitter import ObjectBytes, Splitter, StatementBytes
from evidence.statements import FileFacts, Lost, Open, Stamp
from evidence.trust import Trust
from evidence.verify import READ_BYTES, check_statement

ASIDE: Final = "aside"
COPY_BYTES: Final = 8 * 1024 * 1024
"""Of a tail that is set aside, at a time."""


@dataclass(frozen=True, slots=True)
class Found:
    """What recovery found in a file, before it changes anything."""

    size: int
    whole_bytes: int
    """Up to here everything is announced, whole and signed."""
    orphan_bytes: int
    """Whole sealed objects right after that, which no statement announced."""
    chain: Chain
    reason: str
    """Why the whole part ends where it does."""

    @property
    def closed(self) -> bool:
        return self.chain.closed is not None

    @property
    def opened(self) -> Open | None:
        return self.chain.opened

    @property
    def cut_bytes(self) -> int:
        """Bytes of the tail, orphans included."""
        return self.size - self.whole_bytes

    @property
    def lost(self) -> tuple[Lost, ...]:
        """The announced object that is not whole, if there is one."""
        one = self.chain.announced
        return () if one is None else (Lost(object=one.object, sha256=one.sha256, bytes=one.bytes),)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What recovery did."""

    found: Found
    file: FileFacts | None
    """The closed file; None if it could not be closed and was set aside."""
    aside: tuple[Path, ...]


def examine(path: Path, trust: Trust, *, now: dt.datetime | None = None) -> Found:
    """Read a file as far as it is whole; changes nothing. Certificate times are judged only if `now` is given.

    Raises `NotEvidence` if it cannot be read.
    """
    chain, splitter = Chain(), Splitter()
    whole = orphans = 0
    reason = "the file ends there"
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            try:
                while chunk := file.read(READ_BYTES):
                    for item in splitter.feed(chunk):
                        if orphans or (isinstance(item, ObjectBytes) and chain.announced is None):
                            orphans += _orphan_size(item, whole + orphans)
                            reason = "a sealed object follows that no statement announced"
                            continue
                        _take(item, chain, trust, now)
                        whole = splitter.item_start if isinstance(item, StatementBytes) else item.offset + item.size
            except EvidenceError as error:
                reason = str(error)
    except OSError as error:
        raise NotEvidence(f"cannot read {path}: {error.strerror}") from error
    return Found(size, whole, orphans, chain, reason)


def _orphan_size(item: StatementBytes | ObjectBytes, expected_offset: int) -> int:
    """Bytes of an orphan that directly follows; nothing else counts as one."""
    return item.size if isinstance(item, ObjectBytes) and item.offset == expected_offset else 0


def _take(item: StatementBytes | ObjectBytes, chain: Chain, trust: Trust, now: dt.datetime | None) -> None:
    if isinstance(item, ObjectBytes):
        chain.take_object(item.size, item.sha256)
        return
    serial = chain.opened.serial if chain.opened is not None else None
    statement, _ = check_statement(item.data, trust, serial=serial, now=now)
    chain.statement(statement, hashlib.sha256(item.data).hexdigest())


def recover(
    path: Path,
    trust: Trust,
    signer: Signer,
    recipients: Sequence[Recipient],
    stamp: Callable[[], Stamp],
    *,
    reason: str = "recovered",
    now: dt.datetime | None = None,
) -> Outcome:
    """Close a file that a crash left open. A closed file is left as it is, except for bytes after its `close`.

    Raises `NotEvidence` if it cannot be read, OSError if it cannot be written. May be interrupted and repeated.
    """
    found = examine(path, trust, now=now)
    aside: list[Path] = []
    opened = found.opened
    if opened is None:
        aside.append(_set_aside_whole(path))
        return Outcome(found, None, tuple(aside))
    if found.cut_bytes:
        aside.append(_set_tail_aside(path, found.whole_bytes))
    with AppendFile.reopen(path) as file:
        if found.cut_bytes:
            file.truncate(found.whole_bytes)
        if not found.closed:
            writer = EvidenceWriter(
                file,
                signer,
                recipients,
                stamp,
                serial=opened.serial,
                stream=opened.stream,
                number=opened.number,
                chain=found.chain,
            )
            if found.chain.recovered is None:
                writer.recovered(
                    cut_bytes=found.cut_bytes - found.orphan_bytes, lost=found.lost, orphans=found.orphan_bytes
                )
            writer.close(reason)
            writer.commit()
        size = file.size
    return Outcome(
        found, FileFacts(name=path.name, bytes=size, sha256=_digest(path), close_hash=found.chain.head), tuple(aside)
    )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _aside_directory(path: Path) -> Path:
    directory = path.parent / ASIDE
    make_directory(directory)
    return directory


def _set_aside_whole(path: Path) -> Path:
    target = _aside_directory(path) / f"{path.name}.no-open"
    if target.exists():  # a second file of that name, since a log segment's number is taken again
        target = target.with_name(f"{target.name}-{_digest(path)[:12]}")
    rename(path, target)
    return target


def _set_tail_aside(path: Path, offset: int) -> Path:
    """Copy what stands behind `offset` to a file of its own, durably, before it is cut.

    In pieces: one damaged byte at the beginning of a long recording makes a tail larger than the camera's memory.
    """
    with path.open("rb") as file:
        file.seek(offset)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        target = _aside_directory(path) / f"{path.name}.tail-{offset}-{digest[:12]}"
        if target.exists():
            return target
        temporary = target.with_name(f".{target.name}.tmp")
        temporary.unlink(missing_ok=True)
        file.seek(offset)
        try:
            with AppendFile.create(temporary) as copy:
                while piece := file.read(COPY_BYTES):
                    copy.append([piece])
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
    rename(temporary, target)
    return target
