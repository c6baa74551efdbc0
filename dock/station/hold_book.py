"""Which recordings are on hold: one small JSON file for each in ``holds/`` (R35, invariant 13).

A file that is there and cannot be read is a hold. It goes away only when the last hold is released and the camera has
been told.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from dock.errors import BadFileName, BadHold
from dock.names import EvidenceName, original_name, parse_name
from evidence import durable
from evidence.commands import Sentence
from evidence.statements import Frozen, Moment, Name

HoldKind = Literal["litigation", "request", "internal"]
ENDING: Final = ".evidence"
Order = Literal["hold", "release"]


class Hold(Frozen, frozen=True, kw_only=True):
    """One reason to keep a recording. Several may stand side by side."""

    kind: HoldKind
    reason: Sentence
    who: Name
    at: Moment


class HeldRecording(Frozen, frozen=True, kw_only=True):
    """One recording that is on hold, or whose camera does not yet know that it is not any more."""

    name: Name
    """The evidence file, by its name on the camera."""
    holds: tuple[Hold, ...] = ()
    order: Order | None = None
    """What the camera is still to be told."""
    order_reason: str = ""
    camera_knows: bool = False
    """The camera has taken our order to keep it."""
    refused: Annotated[int, Meta(ge=0)] = 0
    """How often the camera refused the order that waits."""


_DECODER: Final = msgspec.json.Decoder(HeldRecording)


def recording_of(text: str) -> EvidenceName:
    """The recording that somebody means: its stem, its file, or a name in the store. Raises `BadHold`."""
    try:
        name = parse_name(original_name(text if ENDING in text else text + ENDING))
    except BadFileName as error:
        raise BadHold(f"{text[:80]!r} is no recording: give its number as in SIM-0001-000012") from error
    if name.stream != "recording":
        raise BadHold(f"{text[:80]!r} is a device log: logs are never cleaned up, only recordings are held")
    return name


class HoldBook:
    """The files. Calls from any thread."""

    def __init__(self, directory: Path) -> None:
        """Raises OSError."""
        durable.make_directory(directory)
        self._directory = directory
        self._lock = threading.RLock()
        self._orders: dict[str, EvidenceName] = {}
        """Files with an order that waits, so that a camera's question reads only what is for it."""
        for one in self.all():
            if one.order is not None:
                self._orders[one.name] = recording_of(one.name)

    @property
    def lock(self) -> threading.RLock:
        """Held over a look and the write that follows from it."""
        return self._lock

    def look(self, name: EvidenceName) -> HeldRecording:
        """What is known; nothing is a recording without holds. Raises `BadHold` for a file that cannot be read."""
        path = self._path(name)
        try:
            found = _DECODER.decode(path.read_bytes())
        except FileNotFoundError:
            self._directory.stat()  # a directory that is gone is no word on any hold
            return HeldRecording(name=name.text)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise BadHold(f"{path} cannot be read, so the recording stays on hold: {error}") from error
        if found.name != name.text:
            raise BadHold(f"{path} speaks of {found.name}, so the recording stays on hold")
        return found

    def keep(self, record: HeldRecording) -> None:
        """Durable when it returns. Raises OSError."""
        meant = recording_of(record.name)
        path = self._path(meant)
        if record.order is None:
            self._orders.pop(record.name, None)
        else:
            self._orders[record.name] = meant
        if record.holds or record.order is not None:
            durable.replace(path, msgspec.json.encode(record))
        elif path.exists():
            durable.unlink(path)

    def waiting(self, serial: str) -> list[HeldRecording]:
        """Recordings of one camera that it is to be told of. Raises `BadHold`, OSError."""
        with self._lock:
            return [self.look(meant) for meant in tuple(self._orders.values()) if meant.serial == serial]

    def all(self) -> list[HeldRecording]:
        """Every recording with a file that can be read. Raises OSError."""
        found: list[HeldRecording] = []
        for path in sorted(self._directory.glob("*.json")):
            try:
                found.append(self.look(recording_of(path.stem)))
            except BadHold:
                continue
        return found

    def unreadable(self) -> list[str]:
        """Names of files that cannot be read; their recordings are on hold. Raises OSError."""
        names: list[str] = []
        for path in sorted(self._directory.glob("*.json")):
            try:
                self.look(recording_of(path.stem))
            except BadHold:
                names.append(path.name)
        return names

    def _path(self, name: EvidenceName) -> Path:
        return self._directory / f"{name.text.removesuffix(ENDING)}.json"
