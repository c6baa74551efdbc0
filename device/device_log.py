"""The signed device log: segments in the evidence file's own format, chained by close hashes (invariant 9).

A segment is closed at each docking, boot and 1 MiB; the next one's `open` carries its close hash, so that the segments
form one chain. Public words only in the open; details are sealed. Writer thread only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from device.recording_file import create_file
from device.signing_pace import PacedSigner
from evidence.evidence_file import EvidenceWriter
from evidence.keys import Signer
from evidence.limits import LOG_SEGMENT_BYTES
from evidence.sealed import Recipient
from evidence.statements import FileFacts, LogHead, Stamp
from evidence.verify import file_name


class DeviceLog:
    """The segment that is being written."""

    def __init__(
        self,
        spool: Path,
        serial: str,
        signer: Signer,
        recipients: Sequence[Recipient],
        stamp: Callable[[], Stamp],
        *,
        next_segment: int,
        previous: str | None,
        on_closed: Callable[[int, FileFacts], None],
    ) -> None:
        self._spool = spool
        self._serial = serial
        self._signer = PacedSigner(signer)
        self._recipients = recipients
        self._stamp = stamp
        self._segment = next_segment
        self._previous = previous
        self._on_closed = on_closed
        self._writer: EvidenceWriter | None = None
        self._failed: OSError | None = None
        self.open_fields: Callable[[], Mapping[str, Any]] = dict
        """Gives the fields of each segment's `open`."""

    def resume(self, next_segment: int, previous: str | None) -> None:
        """Go on after the segments that are in the spool (at boot, before the first event)."""
        self._segment, self._previous = next_segment, previous

    @property
    def segment(self) -> int:
        """Number of the segment that is being written, or of the next one."""
        return self._segment

    @property
    def head(self) -> LogHead | None:
        """The last durable statement, if the segment has one."""
        if self._writer is None or self._writer.durable.opened is None:
            return None
        return self._writer.head

    def _ready(self) -> EvidenceWriter:
        """The writer, with a segment opened if none is. Raises OSError."""
        if self._failed is not None:
            raise self._failed  # nothing may join a batch whose begin was thrown away: its retry would double it
        if self._writer is not None and self._writer.chain.closed is not None:
            # The old segment must be on disk before the next one names it. `close` comes in a batch of its own, so
            # that this happens only after a failure.
            try:
                self.commit()
            except OSError as error:
                self._failed = error
                raise
        if self._writer is None:
            file = create_file(self._spool / file_name(self._serial, "log", self._segment))
            self._writer = EvidenceWriter(
                file,
                self._signer,
                self._recipients,
                self._stamp,
                serial=self._serial,
                stream="log",
                number=self._segment,
            )
        if self._writer.chain.opened is None:
            self._writer.open(**self.open_fields(), previous=self._previous, upload_class="log", hold=False)
        return self._writer

    def event(self, event: str, **fields: Any) -> DeviceLog:
        """Append an event (see `EvidenceWriter.event`). Raises OSError."""
        self._ready().event(event, **fields)
        return self

    def clock_step(self, before: Stamp, after: Stamp, cause: str) -> DeviceLog:
        self._ready().clock_step(before, after, cause)
        return self

    def close(self, reason: str) -> DeviceLog:
        """End the segment; the next event opens a new one. Raises OSError."""
        self._ready().close(reason)
        return self

    def commit(self) -> int:
        """Make it durable; rolls over to a new segment when it is closed or over 1 MiB. Raises OSError."""
        failed, self._failed = self._failed, None
        if failed is not None:
            raise failed
        writer = self._writer
        if writer is None:
            return 0
        size = writer.commit()
        if writer.durable.closed is None and size > LOG_SEGMENT_BYTES:
            writer.close("segment_full")
            try:
                size = writer.commit()
            except OSError:
                return size  # the events are durable; the segment is closed by the next commit
        if writer.durable.closed is not None:
            facts = writer.facts()
            writer.file.close()
            number, self._segment = self._segment, self._segment + 1
            self._previous = facts.close_hash
            self._writer = None
            self._on_closed(number, facts)
        return size
