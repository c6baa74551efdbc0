"""The evidence as it grows: every file of the camera and the station, statement by statement, as anybody can read it.

Only what stands in the open is told: kinds, sizes, times, hashes, public words. What is sealed stays sealed; the panel
has no key for it here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from evidence.cms import parse_signed
from evidence.errors import EvidenceError
from evidence.log_entries import Entry
from evidence.log_words import load
from evidence.splitter import ObjectBytes, Splitter, StatementBytes
from evidence.statements import AnyStatement, Close, Open, Sealed, decode

SHOWN: Final = 80
"""Newest items of each file that the page shows."""
_PIECE_BYTES: Final = 1 << 20
_OBJECTS: Final = {
    "init": "how the video is encoded",
    "media": "video, sound and position",
    "metadata": "the details: who, where, why",
}


@dataclass
class _File:
    """One evidence file, read as far as it stands on the disk."""

    name: str
    splitter: Splitter = field(default_factory=Splitter)
    read_bytes: int = 0
    items: list[dict[str, Any]] = field(default_factory=list)
    statements: int = 0
    objects: int = 0
    fragments: int = 0
    sealed: Sealed | None = None
    closed: str = ""
    broken: str = ""
    began: str = ""
    place: str = "camera"
    receipt: bool = False


class Files:
    """Looks at the spool and at the stations' stores; `look` is cheap enough for a few times a second."""

    def __init__(self, spool: Path, stores: tuple[Path, ...]) -> None:
        self._spool = spool
        self._stores = stores
        self._files: dict[str, _File] = {}
        self._words = load()

    def look(self) -> list[dict[str, Any]]:
        """All files, oldest first, with their newest items."""
        here = {path.name: path for path in self._spool.glob("*.evidence")}
        there = {path.name: path for store in self._stores for path in store.glob("*.evidence")}
        for name in sorted(here.keys() | there.keys()):
            paths = [path for path in (here.get(name), there.get(name)) if path is not None]
            one = self._files.get(name)
            if one is None or _is_shorter(paths, one.read_bytes):  # a recovery cut its torn end: read it anew
                one = self._files[name] = _File(name)
            self._read(one, paths)
            one.place = "both" if name in here and name in there else "station" if name in there else "camera"
            one.receipt = one.receipt or any((store / f"{name}.receipt.p7s").is_file() for store in self._stores)
        return [self._told(one) for _, one in sorted(self._files.items())]

    def recordings(self) -> list[str]:
        """Stems of the recordings that are at the station with their receipts, oldest first."""
        return [
            Path(one.name).stem
            for _, one in sorted(self._files.items())
            if one.receipt and one.place != "camera" and "-log-" not in one.name
        ]

    def _read(self, one: _File, paths: list[Path]) -> None:
        for path in paths:
            try:
                with path.open("rb") as file:
                    file.seek(one.read_bytes)
                    while not one.broken and (data := file.read(_PIECE_BYTES)):
                        one.read_bytes += len(data)
                        self._feed(one, data)
                return
            except FileNotFoundError:
                continue  # deleted between two looks; the station has it

    def _feed(self, one: _File, data: bytes) -> None:
        try:
            for item in one.splitter.feed(data):
                if isinstance(item, StatementBytes):
                    self._statement(one, item)
                else:
                    _object(one, item)
        except EvidenceError as error:
            one.broken = str(error)

    def _statement(self, one: _File, item: StatementBytes) -> None:
        statement = decode(parse_signed(item.data).payload)
        one.statements += 1
        if isinstance(statement, Sealed):
            one.sealed = statement
            return
        if isinstance(statement, Open):
            one.began = statement.utc.latest
        if isinstance(statement, Close):
            one.closed = statement.reason
        one.items.append({"kind": statement.kind, "text": self._sentence(statement, one.name), "bytes": len(item.data)})

    def _sentence(self, statement: AnyStatement, name: str) -> str:
        entry = Entry(statement, name)
        return self._words.sentence(entry.name, entry.fields)

    def _told(self, one: _File) -> dict[str, Any]:
        return {
            "name": one.name,
            "log": "-log-" in one.name,
            "bytes": one.read_bytes,
            "statements": one.statements,
            "objects": one.objects,
            "fragments": one.fragments,
            "closed": one.closed.replace("_", " "),
            "broken": one.broken,
            "place": one.place,
            "receipt": one.receipt,
            "count": len(one.items),
            "items": one.items[-SHOWN:],
        }


def _is_shorter(paths: list[Path], read_bytes: int) -> bool:
    try:
        return bool(paths) and all(path.stat().st_size < read_bytes for path in paths)
    except FileNotFoundError:
        return False


def _object(one: _File, item: ObjectBytes) -> None:
    one.objects += 1
    announced, one.sealed = one.sealed, None
    kind = announced.object if announced is not None else "object"
    text = _OBJECTS.get(kind, kind)
    media = announced.media if announced is not None else None
    if media is not None:
        one.fragments += 1
        position = "with position" if media.gps_fixes else "no position"
        sound = "" if media.sound_frames else ", no sound"
        text = f"second {one.fragments}: {media.frames} pictures, {position}{sound}"
    one.items.append({"kind": "sealed", "text": text, "bytes": item.size})
