"""The rules of one evidence file, pure: statements and objects go in, in order, and each broken rule is an error (R40).

1. The first item is `open`, seq 0, prev zeros; seq goes up by one; prev is SHA-256 of the statement before.
2. Serial, stream, number and boot are those of `open`; only `recovered`, and `close` after it, may be of a later boot.
3. Within one boot the monotonic clock never goes back.
4. A sealed object follows the `sealed` statement that announces it at once: same size, same SHA-256.
5. No object stands anywhere else (an orphan), and an announced one is missing only if `recovered` names it next.
6. Objects come as `init` once, before any `media`; a log has neither.
7. After `recovered` comes only `close`; after `close` comes nothing, and its counts are right.
8. Frames: a media object begins where the one before ended or later (a later start is a hole that the counts show).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from evidence.errors import BrokenChain
from evidence.statements import (
    NO_HASH,
    AnyStatement,
    Close,
    Lost,
    MediaFacts,
    Open,
    Recovered,
    Sealed,
)


@dataclass
class Chain:
    """Where a file stands after the items seen so far. Writer, verifier and recovery share it."""

    opened: Open | None = None
    closed: Close | None = None
    recovered: Recovered | None = None
    head: str = NO_HASH
    """SHA-256 of the last statement."""
    statements: int = 0
    objects: int = 0
    frames: int = 0
    sound_frames: int = 0
    gps_fixes: int = 0
    fragments: int = 0
    announced: Sealed | None = None
    """A `sealed` statement whose object must come next."""
    has_init: bool = False
    last_media: MediaFacts | None = None
    first_media: MediaFacts | None = None
    _boot: str = field(default="", repr=False)
    _mono_ns: int = field(default=0, repr=False)

    def copy(self) -> Chain:
        """The same position, to go back to when a write fails."""
        return Chain(**{name: getattr(self, name) for name in self.__dataclass_fields__})

    def statement(self, statement: AnyStatement, digest: str) -> None:
        """Take one statement whose DER has the SHA-256 `digest`. Raises `BrokenChain`."""
        self._check_place(statement)
        self._check_time(statement)
        if isinstance(statement, Open):
            self.opened = statement
        elif isinstance(statement, Sealed):
            self._announce(statement)
        elif isinstance(statement, Recovered):
            self.recovered = statement
        elif isinstance(statement, Close):
            self._close(statement)
        self.head = digest
        self.statements += 1

    def _check_place(self, statement: AnyStatement) -> None:
        if self.closed is not None:
            raise BrokenChain("a statement follows `close`")
        if statement.seq != self.statements:
            raise BrokenChain(f"statement seq {statement.seq} stands where seq {self.statements} belongs")
        if statement.prev != self.head:
            raise BrokenChain(f"statement seq {statement.seq} does not follow the statement before it (prev differs)")
        if isinstance(statement, Open) != (self.opened is None):
            raise BrokenChain("a file begins with `open`, once")
        if self.opened is not None:
            for name in ("serial", "stream", "number"):
                if getattr(statement, name) != getattr(self.opened, name):
                    raise BrokenChain(f"statement seq {statement.seq} is of another {name} than the file's `open`")
        if self.recovered is not None and not isinstance(statement, Close):
            raise BrokenChain("only `close` may follow `recovered`")
        self._check_announced(statement)

    def _check_announced(self, statement: AnyStatement) -> None:
        named = statement.lost if isinstance(statement, Recovered) else ()
        if self.announced is None:
            if named:
                raise BrokenChain("`recovered` names an object that nothing announced")
            return
        expected = Lost(object=self.announced.object, sha256=self.announced.sha256, bytes=self.announced.bytes)
        if named != (expected,):
            raise BrokenChain(f"the {self.announced.object} object that seq {self.announced.seq} announced is missing")
        self.announced = None

    def _check_time(self, statement: AnyStatement) -> None:
        late = isinstance(statement, Recovered) or (isinstance(statement, Close) and self.recovered is not None)
        if self._boot and statement.boot != self._boot and not late:
            raise BrokenChain(f"statement seq {statement.seq} is of another boot than the file's `open`")
        if statement.boot == self._boot and statement.mono_ns < self._mono_ns:
            raise BrokenChain(f"at statement seq {statement.seq} the monotonic clock goes back")
        self._boot, self._mono_ns = statement.boot, statement.mono_ns

    def _announce(self, statement: Sealed) -> None:
        is_log = self.opened is not None and self.opened.stream == "log"
        if statement.object in ("init", "media") and is_log:
            raise BrokenChain("a device log holds no media")
        if statement.object == "init" and self.has_init:
            raise BrokenChain("a recording has one init object")
        if statement.object == "media" and not self.has_init:
            raise BrokenChain("a media object stands before the init object")
        if (statement.object == "media") != (statement.media is not None):
            raise BrokenChain(f"statement seq {statement.seq} must state media facts for media, and only for media")
        if statement.media is not None and self.last_media is not None:
            before = self.last_media
            if statement.media.start_ns < before.start_ns + before.duration_ns - 1_000_000:
                raise BrokenChain(f"the media of seq {statement.seq} begins before the media before it ends")
        self.announced = statement

    def take_object(self, size: int, digest: str) -> None:
        """Take one sealed object. Raises `BrokenChain` for an orphan or one that differs from its announcement."""
        announced = self.announced
        if self.closed is not None:
            raise BrokenChain("an object follows `close`")
        if announced is None:
            raise BrokenChain(f"an object of {size} bytes that no statement announced (an orphan)")
        if announced.bytes != size or announced.sha256 != digest:
            raise BrokenChain(f"the {announced.object} object differs from what seq {announced.seq} announced")
        self.announced = None
        self.objects += 1
        self.has_init |= announced.object == "init"
        if announced.media is not None:
            self.fragments += 1
            self.frames += announced.media.frames
            self.sound_frames += announced.media.sound_frames
            self.gps_fixes += announced.media.gps_fixes
            self.last_media = announced.media
            self.first_media = self.first_media or announced.media

    def _close(self, statement: Close) -> None:
        for name in ("statements", "objects", "frames", "sound_frames", "gps_fixes"):
            if getattr(statement, name) != getattr(self, name):
                raise BrokenChain(
                    f"`close` counts {getattr(statement, name)} {name}, the file holds {getattr(self, name)}"
                )
        self.closed = statement
