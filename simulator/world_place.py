"""Where worlds play on this computer: each run leaves a note in the user's runtime directory while it lasts.

So that `firsthand-sim fault` and `do` find the newest one without being told, or the one of a run's directory.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from simulator.layout import short_place
from simulator.run_errors import WorldRefused
from simulator.world_messages import (
    MAX_LINE_BYTES,
    NotUnderstood,
    WorldAnswer,
    WorldOp,
    decode_answer,
    encode_line,
)

_ANSWER_BYTES: Final = 64 * MAX_LINE_BYTES
_WITHIN_S: Final = 65.0
"""A little more than the door takes to say that the world had no time."""
_START: Final = 'start one with "firsthand-sim shift --out DIR"'


class WorldNote(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One world that plays, or has ended without taking its note away."""

    run: str
    """The run's directory."""
    socket: str
    pid: int


_decoder = msgspec.json.Decoder(WorldNote)


def notes_directory() -> Path:
    """Where the notes lie, not necessarily made yet."""
    return Path(short_place() or tempfile.gettempdir()) / f"firsthand-worlds-{os.getuid()}"


@contextlib.contextmanager
def announced(run: Path, door: Path) -> Iterator[None]:
    """The world of `run` can be found by others while the ``with`` block lasts. A directory that is not ours alone is
    left alone: then it is found by nobody."""
    directory = notes_directory()
    note = directory / f"{os.getpid()}.json"
    with contextlib.suppress(OSError):
        directory.mkdir(mode=0o700, exist_ok=True)
    if not _ours(directory):
        yield
        return
    note.write_bytes(msgspec.json.encode(WorldNote(str(run), str(door), os.getpid())))
    try:
        yield
    finally:
        note.unlink(missing_ok=True)


def find_world(run: Path | None) -> Path:
    """The door of the newest world, or of the one of `run`. Raises `WorldRefused` with one sentence."""
    found = _notes()
    if run is not None:
        wanted = str(run.resolve())
        mine = [one for one in found if one.run == wanted]
        if not mine:
            others = f"; a world plays in {found[0].run}" if found else ""
            raise WorldRefused(f"no world plays in {run}{others}: {_START}")
        return Path(mine[0].socket)
    if not found:
        raise WorldRefused(f"no world plays now: {_START}")
    return Path(found[0].socket)


def ask_world(door: Path, operation: WorldOp) -> WorldAnswer:
    """Ask a world. Raises `WorldRefused` if nobody answers, or nonsense comes."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(_WITHIN_S)
        try:
            line.connect(str(door))
            line.sendall(encode_line(operation))
            with line.makefile("rb") as answers:
                answer = answers.readline(_ANSWER_BYTES)
        except OSError as error:
            raise WorldRefused(f"nobody answers on {door}: {error.strerror or error}") from error
    if not answer:
        raise WorldRefused("the world has ended before it answered")
    try:
        return decode_answer(answer)
    except NotUnderstood as error:
        raise WorldRefused(str(error)) from error


def _notes() -> list[WorldNote]:
    """Worlds that listen, newest first; notes of dead ones are taken away."""
    directory = notes_directory()
    if not _ours(directory):
        return []
    found: list[tuple[int, WorldNote]] = []
    for path in directory.glob("*.json"):
        with contextlib.suppress(OSError, msgspec.MsgspecError, UnicodeDecodeError):
            written_ns = path.stat().st_mtime_ns
            note = _decoder.decode(path.read_bytes()[:MAX_LINE_BYTES])
            if _listens(note.socket):
                found.append((written_ns, note))
            else:
                path.unlink(missing_ok=True)
    return [note for _, note in sorted(found, key=lambda one: one[0], reverse=True)]


def _listens(door: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            return probe.connect_ex(door) == 0
        except OSError:  # a path that is too long
            return False


def _ours(directory: Path) -> bool:
    """Made by us, and written by nobody else: in a temporary directory others can make one of that name."""
    try:
        seen = directory.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(seen.st_mode) and seen.st_uid == os.getuid() and not seen.st_mode & 0o077
