"""What a person at the station's machine and the running station say to each other: one JSON object a line.

Spoken over ``admin.sock`` in the station's directory (`dock.station.admin`); asked by `dock.cli.station_asker`.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from dock.errors import BadArguments
from evidence.settings import explain
from evidence.statements import Frozen, Name, Word

SOCKET: Final = "admin.sock"
REQUEST_BYTES: Final = 256 * 1024
ANSWER_BYTES: Final = 8 * 1024 * 1024
_SUN_PATH: Final = 100
"""Longest path that surely fits into a socket's address (unix(7): 108 with its zero)."""
_T = TypeVar("_T")


class AdminRequest(Frozen, frozen=True, kw_only=True):
    """Do this."""

    verb: Word
    """One of the verbs of the station's parts."""
    who: Name | None = None
    """Who asks, by their own word. The user's name comes from the kernel and is always told beside it."""
    arguments: dict[str, Any] = msgspec.field(default_factory=dict)
    """What the verb needs."""


class AdminAnswer(Frozen, frozen=True, kw_only=True):
    """Done, with a result; or not, with one sentence."""

    error: str | None = None
    result: dict[str, Any] = msgspec.field(default_factory=dict)


request_decoder: Final = msgspec.json.Decoder(AdminRequest)
answer_decoder: Final = msgspec.json.Decoder(AdminAnswer)


def arguments_of(kind: type[_T], arguments: dict[str, Any]) -> _T:
    """A verb's arguments as the structure that it expects, strictly. Raises `BadArguments` with one sentence."""
    try:
        return msgspec.convert(arguments, kind)
    except msgspec.ValidationError as error:
        raise BadArguments(explain(error, kind)) from error


@contextlib.contextmanager
def address_of(directory: Path) -> Iterator[str]:
    """The socket's address, however long the directory's name is. Raises OSError."""
    plain = str(directory / SOCKET)
    if len(plain.encode()) <= _SUN_PATH:
        yield plain
        return
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{SOCKET}"
    finally:
        os.close(descriptor)


def connect(directory: Path, timeout_s: float) -> socket.socket:
    """A connection to the station that works in a directory. Raises OSError."""
    ours = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        ours.settimeout(timeout_s)
        with address_of(directory) as address:
            ours.connect(address)
    except BaseException:
        ours.close()
        raise
    return ours
