"""The asset log: which card went into which camera, who made it and when, and how its test ended. A JSON line each.

Lines are appended durably and never changed. A serial is flashed once: again only with a reason, which is kept. An
attempt whose end nobody knows (the computer lost its power) counts as flashed, since the card may be in use.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from evidence import durable
from evidence.statements import Count, Frozen, Hash, Moment, Name, Serial, encode_canonical
from fleet.errors import BadAssetLog

LOG_BYTES: Final = 256 * 2**20
Sentence = Annotated[str, Meta(max_length=500)]


class Flashed(Frozen, frozen=True, kw_only=True, tag_field="kind", tag="flash"):
    """A step of one card."""

    v: Literal[1]
    at: Moment
    result: Literal["began", "ready", "failed", "interrupted"]
    serial: Serial
    board: Name
    version: Name
    image_sha256: Hash
    device: Name
    card_model: Name
    card_serial: Name
    card_bytes: Count
    technician: Name
    again: Sentence | None = None
    """Why a serial was flashed once more."""
    why: Sentence | None = None
    """Why it failed."""


class Renewed(Frozen, frozen=True, kw_only=True, tag_field="kind", tag="identity"):
    """A new identity on a card that stayed what it was (`flash --identity-only`)."""

    v: Literal[1]
    at: Moment
    result: Literal["ready", "failed"]
    serial: Serial
    device: Name
    card_model: Name
    card_serial: Name
    card_bytes: Count
    technician: Name
    why: Sentence


class Checked(Frozen, frozen=True, kw_only=True, tag_field="kind", tag="check"):
    """The extended test of one camera (R37)."""

    v: Literal[1]
    at: Moment
    serial: Serial
    verdict: Literal["pass", "warn", "block"]
    firmware: Name
    technician: Name
    report: Name
    """The report's file in the directory of reports."""


Asset = Flashed | Renewed | Checked
_DECODER: Final = msgspec.json.Decoder(Asset)


def whole_bytes(data: bytes) -> int:
    """How many bytes of a log are whole lines.

    A power cut leaves a last line without its end, or with zeros where a sector never reached the disk.
    """
    end = data.rfind(b"\n") + 1
    last = data.rfind(b"\n", 0, max(0, end - 1)) + 1
    return last if b"\0" in data[last:end] else end


def read_assets(data: bytes, where: str) -> list[Asset]:
    """All lines. A last line that was torn by a power cut is left out. Raises `BadAssetLog`."""
    found: list[Asset] = []
    lines = data[: whole_bytes(data)].split(b"\n")[:-1]
    for number, line in enumerate(lines, start=1):
        try:
            found.append(_DECODER.decode(line))
        except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadAssetLog(f"{where}, line {number}, is no entry of an asset log: {error}; restore it") from error
    return found


class AssetLog:
    """The file. Several programs and threads may append to it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()

    def read(self) -> list[Asset]:
        """Oldest first; empty if there is no log yet. Raises `BadAssetLog`."""
        try:
            with self.path.open("rb") as file:
                data = file.read(LOG_BYTES + 1)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise BadAssetLog(f"{self.path}: the asset log cannot be read: {error.strerror}") from error
        if len(data) > LOG_BYTES:
            raise BadAssetLog(f"{self.path}: larger than an asset log can be")
        return read_assets(data, str(self.path))

    def begin(self, entry: Flashed) -> None:
        """Enter that a card is begun. Raises `BadAssetLog` if its serial was flashed and nobody says why again."""
        with self._alone():
            last = last_of(self.read()).get(entry.serial)
            if last is not None and last.result in ("began", "ready") and entry.again is None:
                what = "is ready" if last.result == "ready" else "was begun, and nobody knows how it ended"
                raise BadAssetLog(
                    f"{entry.serial} was flashed on {last.at[:10]} by {last.technician} and {what}: two cameras of one "
                    "serial ruin each other's evidence; say --again REASON if the old card is destroyed"
                )
            self._append(entry)

    def add(self, entry: Asset) -> None:
        """Enter a line. Durable when it returns. Raises `BadAssetLog`."""
        with self._alone():
            self._append(entry)

    def _append(self, entry: Asset) -> None:
        line = encode_canonical(entry) + b"\n"
        try:
            read_assets(line, "what was to be entered")  # what cannot be read again would spoil the whole log
            with durable.AppendFile.reopen(self.path) as file:
                data = self.path.read_bytes()
                if (whole := whole_bytes(data)) < len(data):  # what a power cut tore
                    file.truncate(whole)
                file.append([line])
        except OSError as error:
            raise BadAssetLog(f"{self.path}: the asset log does not take this: {error.strerror}") from error

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        with self._lock:
            try:
                if not self.path.exists():
                    with contextlib.suppress(FileExistsError):
                        durable.AppendFile.create(self.path).close()
                        if os.geteuid() == 0:  # under sudo, beside files of the authority's own user
                            owner = self.path.parent.stat()
                            os.chown(self.path, owner.st_uid, owner.st_gid)
                descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            except OSError as error:
                raise BadAssetLog(f"{self.path}: the asset log cannot be opened: {error.strerror}") from error
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                yield
            finally:
                os.close(descriptor)


def last_of(assets: list[Asset]) -> dict[str, Flashed]:
    """The last step of each serial's card."""
    return {one.serial: one for one in assets if isinstance(one, Flashed)}


def table_lines(assets: list[Asset]) -> list[str]:
    """One line for each serial: its card as it is now, and its last test. Pure."""
    checks = {one.serial: one for one in assets if isinstance(one, Checked)}
    rows = [("serial", "board", "version", "card", "result", "when", "technician", "tested")]
    cards = last_of(assets)
    for serial in sorted({*cards, *checks}):
        tested = checks.get(serial)
        test = f"{tested.verdict} {tested.at[:10]}" if tested else "never"
        card = cards.get(serial)
        if card is None:
            rows.append((serial, "-", "-", "-", "-", "-", "-", test))
            continue
        size = f"{card.card_model} {card.card_bytes / 1e9:.1f} GB"
        when = card.at[:16].replace("T", " ")
        rows.append((serial, card.board, card.version, size, card.result, when, card.technician, test))
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return ["  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip() for row in rows]
