"""What stands in a camera's device log so far: the public entries, read from its files while they grow."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from evidence.cms import parse_signed
from evidence.errors import EvidenceError
from evidence.splitter import Splitter, StatementBytes
from evidence.statements import Event, decode


@dataclass(frozen=True, slots=True)
class Entry:
    """One public entry."""

    event: str
    word: str | None
    recording: int | None
    at_ns: int = 0
    """CLOCK_BOOTTIME of the camera."""


@dataclass
class LogWatch:
    """Reads on where it stopped, in the spool and, for what is offloaded, in the store."""

    places: tuple[Path, ...]
    entries: list[Entry] = field(default_factory=list)
    _read_bytes: dict[str, int] = field(default_factory=dict)

    def look(self) -> list[Entry]:
        """All entries so far, oldest first."""
        segments: dict[str, Path] = {}
        for place in reversed(self.places):
            segments.update({path.name: path for path in place.glob("*-log-*.evidence")})
        for name in sorted(segments):
            self._read(segments[name])
        return self.entries

    def _read(self, path: Path) -> None:
        offset = self._read_bytes.get(path.name, 0)
        splitter = Splitter()
        try:
            with path.open("rb") as file:
                file.seek(offset)
                for item in splitter.feed(file.read()):
                    if isinstance(item, StatementBytes):
                        self._take(item.data)
        except FileNotFoundError:
            return  # offloaded and deleted between two looks: the store has it
        except EvidenceError:
            pass  # a segment that was cut short and is being recovered; what is whole counts
        self._read_bytes[path.name] = offset + splitter.item_start

    def _take(self, data: bytes) -> None:
        statement = decode(parse_signed(data).payload)
        if isinstance(statement, Event):
            self.entries.append(Entry(statement.event, statement.word, statement.recording, statement.mono_ns))
