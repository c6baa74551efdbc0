"""One file on its way in: the part on disk, how much of it is durable, and the verifier that reads along."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from dock.names import parse_name
from evidence import durable
from evidence.durable import AppendFile
from evidence.statements import Count, Hash, Name, Serial
from evidence.verify import Report, StreamVerifier

_READ_BYTES: Final = 1024 * 1024
VerifierFactory = Callable[[str], StreamVerifier]


class UploadRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was announced, kept beside the part as ``ID.json``."""

    serial: Serial
    name: Name
    length: Count
    close_hash: Hash | None = None
    """What the camera calls the file's close hash; tells two files of one name and length apart."""

    @property
    def id(self) -> str:
        """The same file is the same upload: whoever announces it again goes on where it stopped."""
        text = f"{self.serial}\n{self.name}\n{self.length}\n{self.close_hash or ''}"
        return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(eq=False)
class Upload:
    """Blocking calls are made in threads, by the one holder of `lock`."""

    record: UploadRecord
    part: Path
    offset: int = 0
    """Durable bytes: never more than that is acknowledged."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    reader: asyncio.Task[bytes] | None = None
    """Waits for the body of the PATCH in work; a newer request may cut it off."""
    stored: str | None = None
    """Its name in the store, once it is there."""
    address: str | None = None
    """Where its bytes came from last."""
    _verifier: StreamVerifier | None = None
    _verified: int = 0

    @property
    def complete(self) -> bool:
        return self.offset == self.record.length

    @property
    def verifying(self) -> bool:
        """True while it holds a verifier's memory."""
        return self._verifier is not None

    def append(self, data: bytes, verifier: VerifierFactory) -> int:
        """Make `data` durable at the end, then verify it; the new offset. Blocks. Raises OSError (then unchanged)."""
        with AppendFile.reopen(self.part) as file:
            if file.size != self.offset:
                file.truncate(self.offset)  # left over from a write that failed
            file.append([data])
        if self._verifier is None and self.offset == 0:
            self._verifier = verifier(parse_name(self.record.name).text)
        if self._verifier is not None and self._verified == self.offset:
            self._verifier.feed(data)
            self._verified += len(data)
        self.offset += len(data)
        return self.offset

    def forget_verifier(self) -> None:
        """Give its memory back; `verdict` reads the part again."""
        self._verifier, self._verified = None, 0

    def verdict(self, verifier: VerifierFactory) -> Report:
        """Verify what has not been verified yet (after a restart: all), and judge. Blocks. Raises OSError."""
        judge = self._verifier or verifier(self.record.name)
        self._verifier = None
        with self.part.open("rb") as file:
            file.seek(self._verified)
            while block := file.read(_READ_BYTES):
                judge.feed(block)
        self._verified = 0
        return judge.finish()


def load_upload(record_path: Path) -> Upload | None:
    """An upload that a restart found; None (and nothing left of it) if its part is gone. Raises OSError."""
    try:
        record = msgspec.json.decode(record_path.read_bytes(), type=UploadRecord)
        parse_name(record.name)
    except (msgspec.DecodeError, ValueError, RecursionError):
        record_path.rename(record_path.with_suffix(".unreadable"))
        return None
    part = record_path.with_suffix(".part")
    if not part.exists():
        # Announced and never begun, or already in the store: announcing it again settles either.
        durable.unlink(record_path)
        return None
    with AppendFile.reopen(part) as file:
        file.truncate(min(file.size, record.length))  # also syncs what a kill left in the page cache
        return Upload(record, part, file.size)


def create_upload(record: UploadRecord, directory: Path) -> Upload:
    """A new upload, durably announced. Raises OSError."""
    path = directory / f"{record.id}.json"
    durable.replace(path, msgspec.json.encode(record))
    part = path.with_suffix(".part")
    AppendFile.create(part).close()
    return Upload(record, part)
