"""One recording on disk, as the writer thread sees it: open, fragments, events, close.

Every method only gathers; `commit` makes it durable. After an OSError the same job may run again (`device.writer`):
what was muxed is kept with its fragment, since the picture's signatures form a chain of their own. A file that could
not be opened at its trigger is opened by the first job that finds a card which works again.

With a slow key (docs/design/keys.md) fragments that wait together are joined into one media object, so that one
statement covers them all.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from device.fragments import Fragment, follows, joined
from device.losses import Gap, Losses, gap_of
from device.muxing import Muxed, Muxer
from device.signing_pace import PacedSigner
from evidence.durable import AppendFile, make_directory, sync_directory, write_new
from evidence.errors import MediaError, RecordingClosed
from evidence.evidence_file import EvidenceWriter
from evidence.fmp4 import salt_box
from evidence.keys import Signer
from evidence.recovery import ASIDE
from evidence.sealed import SALT_BYTES, Recipient, seal
from evidence.statements import FileFacts, MediaFacts, Stamp
from evidence.verify import file_name

log = logging.getLogger("firsthand.recording")

JOINED_NS: Final = 8_000_000_000
"""Longest media object that is made of joined fragments."""


def create_file(path: Path) -> AppendFile:
    """A new file; an empty one that an earlier attempt of ours left behind is taken. Raises OSError."""
    try:
        return AppendFile.create(path)
    except FileExistsError:
        if path.stat().st_size:
            raise
        sync_directory(path.parent)
        return AppendFile.reopen(path)


@dataclass
class Addition:
    """A fragment on its way to the disk, with the gaps that are written before it."""

    fragment: Fragment
    muxed: Muxed | None = None
    gaps: list[Gap] = field(default_factory=list)
    prepared: bool = False
    carries: list[Addition] = field(default_factory=list)
    """Earlier fragments whose frames are in this one's media object."""
    given_up: bool = False


class RecordingFile:
    """The evidence file of one recording. Writer thread only, but for `number`, `stem`, `prepare_open`, `losses`."""

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
        self.losses = Losses()
        self._spool = spool
        self._serial = serial
        self._signer = PacedSigner(signer)
        self._recipients = recipients
        self._stamp = stamp
        self._muxer = muxer
        self._writer: EvidenceWriter | None = None
        self._opening: tuple[Mapping[str, Any], Mapping[str, Any]] | None = None
        self._opening_due = False
        self._init_parts: list[Any] | None = None
        self._held: list[Addition] = []
        """Fragments that wait to be joined, until the batch ends or something else is appended."""

    @property
    def key_away(self) -> bool:
        """True while the key does not sign. Any thread."""
        return self._signer.away

    @property
    def begun(self) -> bool:
        """True once its `open` is durable. Writer thread."""
        return self._writer is not None and self._writer.durable.opened is not None

    def prepare_open(self, fields: Mapping[str, Any], metadata: Mapping[str, Any]) -> None:
        """What the file begins with: fields of `open`, and the opening metadata."""
        self._opening = fields, metadata

    def open(self) -> RecordingFile:
        """Create the file with `open`; the opening metadata follows in the same batch. Raises OSError."""
        self._ready()
        return self

    def _ready(self) -> EvidenceWriter:
        if self._opening is None:
            raise OSError(errno.EINVAL, f"{self.name} has nothing to begin with")
        if self._writer is None:
            self._writer = EvidenceWriter(
                create_file(self._spool / self.name),
                self._signer,
                self._recipients,
                self._stamp,
                serial=self._serial,
                stream="recording",
                number=self.number,
            )
        if self._writer.chain.opened is None:
            self._writer.open(**self._opening[0])
            self._opening_due = True
        return self._writer

    def _seal_opening(self, writer: EvidenceWriter) -> None:
        """The opening metadata stands in the batch of `open`, behind its first media object if there is one."""
        if self._opening_due and self._opening is not None:
            writer.seal_metadata(self._opening[1])
            self._opening_due = False

    def add(self, addition: Addition) -> RecordingFile:
        """Append a fragment, behind `init` if it is the first, and behind the gaps that are owed."""
        writer = self._ready()
        if addition.prepared:  # again, after a failure
            if self._held and self._held[-1] is addition:
                self._held = []
            self._seal_fragment(writer, addition)
            return self
        if self._held and not follows(self._held[-1].fragment, addition.fragment, self._held[0].fragment, JOINED_NS):
            self._seal_held(writer)
        self._held.append(addition)
        if not self._signer.slow and len(self._held) == 1:
            try:
                self._seal_held(writer)
            except OSError:  # its own job fails, and will offer it again
                self._held = []
                raise
        return self

    def _seal_held(self, writer: EvidenceWriter) -> None:
        """Make one media object of all that is held. Raises OSError if the key fails: all stays held."""
        if not self._held:
            return
        last = self._held[-1]
        if not last.prepared:
            last.carries = self._held[:-1]
            last.muxed = self._mux(joined([one.fragment for one in self._held]))
            last.gaps = self.losses.take()
            for one in self._held:
                one.prepared = True
        self._seal_fragment(writer, last)
        self._held = []

    def _seal_fragment(self, writer: EvidenceWriter, addition: Addition) -> None:
        self._pay(writer, addition.gaps)
        if addition.muxed is not None:
            if not writer.chain.has_init and self._init_parts is not None:
                writer.seal_mp4("init", self._init_parts)
            writer.seal_mp4("media", addition.muxed.parts, addition.muxed.facts)
            self._seal_opening(writer)

    @staticmethod
    def _pay(writer: EvidenceWriter, gaps: Sequence[Gap]) -> None:
        """Sign what is owed: each gap, and the digest of what lies aside for it."""
        for gap in gaps:
            writer.gap(**gap.fields())  # type: ignore[arg-type]
            for name, digest in gap.kept:
                writer.event("kept_aside", word=gap.cause, object_sha256=digest, details={"name": name})

    def _keep_aside(self, addition: Addition) -> tuple[tuple[str, str], ...]:
        """Seal what the key would not announce, and lay it beside the recording (writer thread; sealing needs no key).

        Each object is a playable MP4 of its own once the vault opens it. Nothing of it is evidence until a statement
        names its digest. A card that does not take it is no reason to fail: the gap says that it is missing.
        """
        if addition.prepared and addition.muxed is None:
            return ()  # its frames are in the object of the fragment that carries it
        muxed = addition.muxed or self._mux(addition.fragment)
        if muxed is None:
            return ()
        parts = [*(self._init_parts or ()), *muxed.parts, salt_box(os.urandom(SALT_BYTES))]
        sealed = seal(parts, tuple(self._recipients))
        directory = self._spool / ASIDE
        name = f"{self.name}.unsigned-{muxed.facts.first_frame:09d}.p7"
        try:
            make_directory(directory)
            write_new(directory / name, sealed)
        except OSError as error:
            log.error("%s: not kept aside: %s", name, error)
            return ()
        return ((name, hashlib.sha256(sealed).hexdigest()),)

    def give_up(self, addition: Addition, gap: Gap) -> None:
        """A fragment will not be written: owe it, and what it would have written. Any thread.

        With the cause ``key_failed`` (writer thread) its pictures are sealed and kept aside.
        """
        if gap.cause == "key_failed" and not addition.given_up:
            gap = replace(gap, kept=self._keep_aside(addition))
        gaps, addition.gaps = addition.gaps, []
        self.losses.give_back(gaps)
        for one in addition.carries:
            if not one.given_up:
                one.given_up = True
                self.losses.add(gap_of(gap.cause, one.fragment))
        if not addition.given_up:
            addition.given_up = True
            self.losses.add(gap)

    def _mux(self, fragment: Fragment) -> Muxed | None:
        first, last = fragment.frames[0], fragment.frames[-1]
        muxed: Muxed | None = None
        try:
            if not self._muxer.started:
                self._init_parts = list(self._muxer.init(first))
            muxed = self._muxer.mux(fragment)
        except MediaError as error:
            log.error("%s: a fragment cannot be written: %s", self.name, error)
        refused = len(fragment.frames) if muxed is None else muxed.refused_frames
        if refused:
            self.losses.add(Gap("frames_lost", first.captured_ns, last.captured_ns, refused))
        return muxed

    def event(self, event: str, word: str | None, details: Mapping[str, Any] | None) -> RecordingFile:
        writer = self._ready()
        self._seal_held(writer)
        writer.event(event, word=word, details=details)
        return self

    def clock_step(self, before: Stamp, after: Stamp, cause: str) -> RecordingFile:
        writer = self._ready()
        self._seal_held(writer)
        writer.clock_step(before, after, cause)
        return self

    def close(self, reason: str, metadata: Mapping[str, Any], gaps: Sequence[Gap]) -> RecordingFile:
        """Append the last gaps, the closing metadata and `close`."""
        writer = self._ready()
        if writer.chain.closed is not None:
            raise RecordingClosed(f"{self.name} is closed already")
        self._seal_held(writer)
        self._pay(writer, gaps)
        self._seal_opening(writer)
        writer.seal_metadata(metadata)
        writer.close(reason)
        return self

    def commit(self) -> int:
        """One write and one fdatasync for all that was gathered. Raises OSError."""
        writer = self._ready()
        self._seal_held(writer)
        self._seal_opening(writer)
        return writer.commit()

    def finished(self) -> FileFacts:
        """Facts of the closed file; releases it."""
        writer = self._ready()
        facts = writer.facts()
        writer.file.close()
        return facts


def facts_of(addition: Addition) -> MediaFacts | None:
    """Facts of a fragment that is on disk; None if no frame of it was usable."""
    return addition.muxed.facts if addition.muxed is not None else None
