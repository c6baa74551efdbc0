"""Write one evidence file: open, append, close (design, "The evidence file").

Statements and objects gather in a batch; `commit` puts the batch on disk in one write and one fdatasync. A `sealed`
statement always stands in the same batch as its object, before it (invariant 6).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from evidence import cms
from evidence.chain import Chain
from evidence.durable import AppendFile
from evidence.errors import RecordingClosed
from evidence.fmp4 import salt_box
from evidence.keys import Signer
from evidence.sealed import SALT_BYTES, Buffer, Recipient, seal
from evidence.statements import (
    AnyStatement,
    ClockStep,
    Close,
    Correction,
    Event,
    FileFacts,
    Gap,
    LogHead,
    MediaFacts,
    ObjectKind,
    Open,
    Recovered,
    Sealed,
    Stamp,
    Stream,
    encode,
    encode_canonical,
    moment_ns,
)


def signing_time(stamp: Stamp) -> dt.datetime:
    """The middle of the stamp's UTC claim, which becomes the CMS signing time."""
    middle = (moment_ns(stamp.utc.earliest) + moment_ns(stamp.utc.latest)) // 2
    return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=middle // 1000)


class EvidenceWriter:
    """The one writer of one file; used from one thread."""

    def __init__(
        self,
        file: AppendFile,
        signer: Signer,
        recipients: Sequence[Recipient],
        stamp: Callable[[], Stamp],
        *,
        serial: str,
        stream: Stream,
        number: int,
        chain: Chain | None = None,
    ) -> None:
        self.file = file
        self._signer = signer
        self._recipients = tuple(recipients)
        self._stamp = stamp
        self._identity: dict[str, Any] = {"v": 1, "serial": serial, "stream": stream, "number": number}
        self.chain = chain or Chain()
        """Where the file stands, the uncommitted batch included."""
        self._durable = self.chain.copy()
        self._parts: list[Buffer] = []
        self._hash = hashlib.sha256()

    @property
    def path(self) -> Path:
        return self.file.path

    @property
    def durable(self) -> Chain:
        """Where the file stands on disk."""
        return self._durable

    @property
    def sha256(self) -> str:
        """Of all bytes this writer made durable (the whole file, if it created it)."""
        return self._hash.hexdigest()

    @property
    def head(self) -> LogHead:
        """The last durable statement."""
        return LogHead(
            segment=self._identity["number"], seq=max(0, self._durable.statements - 1), hash=self._durable.head
        )

    def _append(self, kind: type[AnyStatement], fields: Mapping[str, Any], stamp: Stamp | None = None) -> None:
        if self.chain.closed is not None:
            raise RecordingClosed(f"{self.path.name} is closed, nothing can follow")
        stamp = stamp or self._stamp()
        statement = kind(
            **self._identity,
            seq=self.chain.statements,
            prev=self.chain.head,
            boot=stamp.boot,
            mono_ns=stamp.mono_ns,
            utc=stamp.utc,
            **fields,
        )
        data = cms.sign(encode(statement), self._signer, signing_time(stamp))
        self.chain.statement(statement, hashlib.sha256(data).hexdigest())
        self._add(data)

    def _add(self, data: Buffer) -> None:
        self._parts.append(data)

    def open(self, **fields: Any) -> None:
        """Add `open`; the fields are those of `evidence.statements.Open`. Recipients and key level are filled in."""
        recipients = tuple(one.sha256 for one in self._recipients)
        self._append(
            Open, {"recipients": recipients, "key_level": self._signer.level, "nonce": os.urandom(16).hex(), **fields}
        )

    def _seal(self, kind: ObjectKind, parts: Sequence[Buffer], media: MediaFacts | None) -> None:
        commitment = hashlib.sha256()
        for part in parts:
            commitment.update(part)
        sealed = seal(parts, self._recipients)
        digest = hashlib.sha256(sealed).hexdigest()
        self._append(
            Sealed,
            {
                "object": kind,
                "sha256": digest,
                "bytes": len(sealed),
                "commitment": commitment.hexdigest(),
                "media": media,
            },
        )
        self.chain.take_object(len(sealed), digest)
        self._add(sealed)

    def seal_mp4(self, kind: ObjectKind, parts: Sequence[Buffer], media: MediaFacts | None = None) -> None:
        """Seal an `init` or `media` object; a salt box is put behind the parts (invariant 5)."""
        self._seal(kind, [*parts, salt_box(os.urandom(SALT_BYTES))], media)

    def seal_metadata(self, values: Mapping[str, Any]) -> None:
        """Seal a `metadata` object: canonical JSON of `values` with a `salt` beside them."""
        self._seal("metadata", [encode_canonical({**values, "salt": os.urandom(SALT_BYTES).hex()})], None)

    def event(
        self,
        event: str,
        *,
        recording: int | None = None,
        word: str | None = None,
        file: FileFacts | None = None,
        object_sha256: str | None = None,
        correction: Correction | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """Add a public event; `details`, if any, follow it in a sealed metadata object."""
        named = {"recording": recording, "word": word, "file": file, "object_sha256": object_sha256}
        self._append(Event, {"event": event, "correction": correction, **named})
        if details:
            self.seal_metadata({"event": event, "seq": self.chain.statements - 1, **details})

    def gap(self, *, cause: str, start_ns: int, end_ns: int, frames: int = 0) -> None:
        """Add a `gap`: time or frames that are not recorded."""
        self._append(Gap, {"cause": cause, "start_ns": start_ns, "end_ns": end_ns, "frames": frames})

    def clock_step(self, before: Stamp, after: Stamp, cause: str) -> None:
        """Add a `clock` statement: the UTC claim moved against the monotonic clock."""
        self._append(ClockStep, {"before": before.utc, "after": after.utc, "cause": cause})

    def recovered(self, **fields: Any) -> None:
        """Add `recovered` (only `evidence.recovery` does)."""
        self._append(Recovered, fields)

    def close(self, reason: str) -> None:
        """Add `close` with the counts of the file."""
        chain = self.chain
        self._append(
            Close,
            {
                "reason": reason,
                "statements": chain.statements,
                "objects": chain.objects,
                "frames": chain.frames,
                "sound_frames": chain.sound_frames,
                "gps_fixes": chain.gps_fixes,
            },
        )

    def commit(self) -> int:
        """Make the batch durable: one write, one fdatasync; the file's size in bytes.

        Raises OSError with the batch thrown away and the file as it was before it: what the batch held must then be
        accounted for by the caller (a `gap`).
        """
        parts, self._parts = self._parts, []
        if parts:
            try:
                self.file.append(parts)
            except OSError:
                self.chain = self._durable.copy()
                raise
            for part in parts:
                self._hash.update(part)
            self._durable = self.chain.copy()
        return self.file.size

    def facts(self) -> FileFacts:
        """Name, size and hashes of a closed and committed file."""
        return FileFacts(name=self.path.name, bytes=self.file.size, sha256=self.sha256, close_hash=self._durable.head)
