"""One recording on disk, as the writer thread sees it: open, fragments, events, close.

Every method only gathers; `commit` makes it durable. After an OSError the same job may run again (`device.writer`):
what was muxed is kept with its fragment, since the picture's signatures form a chain of their own.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from device.fragments import Fragment
from device.muxing import Muxed, Muxer
from evidence.durable import AppendFile
from evidence.errors import MediaError, RecordingClosed
from evidence.evidence_file import EvidenceWriter
from evidence.keys import Signer
from evidence.sealed import Recipient
from evidence.statements import FileFacts, MediaFacts, Stamp
from evidence.verify import file_name

log = logging.getLogger("firsthand.recording")


class RecordingFile:
    """The evidence file of one recording. Writer thread only, but for `number`, `stem` and `media_ns`."""

    def __init__(
        self,
        spool: Path,
        number: int,
        serial: str,
        signer: Signer,
        recipients: Sequence[Recipient],
        stamp: Callable[[], Stamp],
        muxer: Muxer,
    ) -> None:
        self.number = number
        self.name = file_name(serial, "recording", number)
        self.stem = self.name.removesuffix(".evidence")
        self.durable_end_ns: int | None = None
        """Capture time up to which everything is on disk."""
        self.fragments = 0
        self._spool = spool
        self._serial = serial
        self._signer = signer
        self._recipients = recipients
        self._stamp = stamp
        self._muxer = muxer
        self._writer: EvidenceWriter | None = None
        self._muxed: dict[int, tuple[Muxed | None, list[dict[str, Any]]]] = {}
        self._init_parts: list[Any] | None = None
        self._opening: Mapping[str, Any] | None = None
        self._next_frame: int | None = None
        self._media_end_ns = 0

    def open(self, fields: Mapping[str, Any], metadata: Mapping[str, Any]) -> RecordingFile:
        """Create the file with `open`; the opening metadata follows in the same batch. Raises OSError."""
        if self._writer is None:
            file = AppendFile.create(self._spool / self.name)
            self._writer = EvidenceWriter(
                file,
                self._signer,
                self._recipients,
                self._stamp,
                serial=self._serial,
                stream="recording",
                number=self.number,
            )
        if self._writer.chain.opened is None:
            self._writer.open(**fields)
            self._opening = metadata
        return self

    def _seal_opening(self, writer: EvidenceWriter) -> None:
        """The opening metadata stands behind the first media object of its batch, or alone if there is none."""
        opening, self._opening = self._opening, None
        if opening is not None:
            writer.seal_metadata(opening)

    @property
    def _open_writer(self) -> EvidenceWriter:
        if self._writer is None or self._writer.chain.opened is None:
            raise OSError(errno.EIO, f"{self.name} could not be opened for writing")
        return self._writer

    def add(self, fragment: Fragment) -> RecordingFile | None:
        """Append a fragment, with `init` before the first and a `gap` before frames that the source lost."""
        writer = self._open_writer
        key = id(fragment)
        if key not in self._muxed:
            self._muxed[key] = self._mux(fragment)
        muxed, gaps = self._muxed[key]
        for gap in gaps:
            writer.gap(**gap)
        if muxed is not None:
            if not writer.chain.has_init and self._init_parts is not None:
                writer.seal_mp4("init", self._init_parts)
            writer.seal_mp4("media", muxed.parts, muxed.facts)
            self._seal_opening(writer)
        return self

    def forget(self, fragment: Fragment) -> None:
        """A fragment was given up."""
        self._muxed.pop(id(fragment), None)

    def fragment_durable(self, fragment: Fragment) -> MediaFacts | None:
        """Note that a fragment is on disk; its facts."""
        muxed, _ = self._muxed.pop(id(fragment), (None, []))
        if muxed is None:
            return None
        self.fragments += 1
        self.durable_end_ns = muxed.facts.start_ns + muxed.facts.duration_ns
        return muxed.facts

    def _mux(self, fragment: Fragment) -> tuple[Muxed | None, list[dict[str, Any]]]:
        gaps: list[dict[str, Any]] = []
        first, last = fragment.frames[0], fragment.frames[-1]
        if self._next_frame is not None and first.sequence > self._next_frame:
            start_ns = self._media_end_ns
            gaps.append(_gap("frames_lost", start_ns, first.captured_ns, first.sequence - self._next_frame))
        inside = last.sequence - first.sequence + 1 - len(fragment.frames)
        if inside > 0:
            gaps.append(_gap("frames_lost", first.captured_ns, last.captured_ns, inside))
        self._next_frame = last.sequence + 1
        self._media_end_ns = last.captured_ns
        try:
            if not self._muxer.started:
                self._init_parts = list(self._muxer.init(first))
            muxed = self._muxer.mux(fragment)
        except MediaError as error:
            log.error("%s: a fragment cannot be written: %s", self.name, error)
            muxed = None
        refused = len(fragment.frames) if muxed is None else muxed.refused_frames
        if refused:
            gaps.append(_gap("frames_lost", first.captured_ns, last.captured_ns, refused))
        return muxed, gaps

    def gap(
        self, cause: str, start_ns: int, end_ns: int, frames: int = 0, next_frame: int | None = None
    ) -> RecordingFile:
        """Account for something that is not recorded; `next_frame` is the first frame number after it."""
        self._open_writer.gap(**_gap(cause, start_ns, end_ns, frames))
        if next_frame is not None:
            self._next_frame = next_frame
        return self

    def event(self, event: str, word: str | None, details: Mapping[str, Any] | None) -> RecordingFile:
        self._open_writer.event(event, word=word, details=details)
        return self

    def clock_step(self, before: Stamp, after: Stamp, cause: str) -> RecordingFile:
        self._open_writer.clock_step(before, after, cause)
        return self

    def close(self, reason: str, metadata: Mapping[str, Any]) -> RecordingFile:
        """Append the closing metadata and `close`."""
        writer = self._open_writer
        if writer.chain.closed is not None:
            raise RecordingClosed(f"{self.name} is closed already")
        writer.seal_metadata(metadata)
        writer.close(reason)
        return self

    def commit(self) -> int:
        """One write and one fdatasync for all that was gathered. Raises OSError."""
        writer = self._open_writer
        self._seal_opening(writer)
        return writer.commit()

    def finished(self) -> FileFacts:
        """Facts of the closed file; releases it."""
        writer = self._open_writer
        facts = writer.facts()
        writer.file.close()
        return facts

    def abandon(self) -> None:
        """Let go of a file that cannot be closed now; the next start recovers it."""
        if self._writer is not None:
            self._writer.file.close()


def _gap(cause: str, start_ns: int, end_ns: int, frames: int) -> dict[str, Any]:
    return {"cause": cause, "start_ns": start_ns, "end_ns": max(start_ns, end_ns), "frames": frames}
