"""The station's socket for people at its machine: ``admin.sock`` in its directory, for the verbs of its parts (R33).

1. The file's mode is 0660, and the kernel's word on who is at the other end (SO_PEERCRED) counts: root, the station's
   own user, and members of the socket's group are answered, nobody else.
2. A verb is a part's (`StationPart.admin_verbs`). It is told who asks: the name that was claimed, if any, with the
   user's name from the kernel; that stands in the custody ledger.
3. A verb runs in a thread; what it raises of ours becomes one sentence.
"""

from __future__ import annotations

import asyncio
import grp
import logging
import os
import pwd
import socket
import struct
from typing import Any, Final

import msgspec

from dock.admin_words import REQUEST_BYTES, SOCKET, AdminAnswer, address_of, request_decoder
from dock.errors import BadArguments, DockError
from dock.station.part import AdminVerb, StationPart
from dock.station.station import Station
from evidence.errors import EvidenceError

log = logging.getLogger(__name__)
MODE: Final = 0o660
_IDLE_S: Final = 60.0
_MOST: Final = 32


class Admin(StationPart):
    """The socket."""

    name = "admin"

    def __init__(self, station: Station) -> None:
        super().__init__(station)
        self._listener: socket.socket | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def begin(self) -> None:
        verbs_of(self.station)  # two parts with one verb are a mistake of ours: found here
        directory = self.station.config.directory
        (directory / SOCKET).unlink(missing_ok=True)  # a dead process's: station.lock says that we are alone
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self._listener.setblocking(False)
        with address_of(directory) as address:
            self._listener.bind(address)
        (directory / SOCKET).chmod(MODE)

    async def run(self) -> None:
        """Answers only once every part has begun."""
        assert self._listener is not None
        server = await asyncio.start_unix_server(self._serve, sock=self._listener, limit=REQUEST_BYTES)
        try:
            await asyncio.Event().wait()
        finally:
            server.close()
            for writer in tuple(self._open):
                writer.close()
            (self.station.config.directory / SOCKET).unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        user = _user_of(writer.get_extra_info("socket"), self.station)
        if user is None or len(self._open) >= _MOST:
            refusal = "you may not ask this station: ask its administrator to add you to the group of admin.sock"
            await _answer(writer, AdminAnswer(error=refusal if user is None else "too many ask at once, try again"))
            writer.close()
            return
        self._open.add(writer)
        try:
            while line := await _line(reader):
                await _answer(writer, await asyncio.to_thread(self._do, line, user))
        except (TimeoutError, ConnectionError, ValueError) as error:
            log.info("the admin socket's user %s is disconnected: %s", user, error or "silent for too long")
        finally:
            self._open.discard(writer)
            writer.close()

    def _do(self, line: bytes, user: str) -> AdminAnswer:
        try:
            request = request_decoder.decode(line)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            return AdminAnswer(error=f"not a request: {error}")
        try:
            return AdminAnswer(result=call(self.station, request.verb, request.arguments, actor(user, request.who)))
        except (DockError, EvidenceError) as error:
            return AdminAnswer(error=str(error))
        except OSError as error:
            return AdminAnswer(error=f"the station's disk failed: {error}")
        except Exception:
            log.exception("admin verb %s failed", request.verb)
            return AdminAnswer(error=f"the station failed at {request.verb}; its log says why")


def verbs_of(station: Station) -> dict[str, AdminVerb]:
    """Every verb of every part."""
    found: dict[str, AdminVerb] = {}
    for part in station.parts:
        for verb, do in part.admin_verbs().items():
            assert verb not in found, f"two parts have the verb {verb}"
            found[verb] = do
    return found


def call(station: Station, verb: str, arguments: dict[str, Any], who: str) -> dict[str, Any]:
    """Do one verb. Raises `DockError`, `EvidenceError`, OSError."""
    verbs = verbs_of(station)
    if verb not in verbs:
        raise BadArguments(f"this station has no verb {verb} (it has: {', '.join(sorted(verbs))})")
    return verbs[verb](arguments, who)


def actor(user: str, claimed: str | None) -> str:
    """Who acts, as the custody ledger tells it."""
    return (f"{claimed[:80]} (user {user})" if claimed else f"user {user}")[:128]


def user_name(uid: int) -> str:
    """The name of a user of this machine."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _user_of(ours: socket.socket, station: Station) -> str | None:
    """The user at the other end, by the kernel's word; None for one that is not answered."""
    size = struct.calcsize("3i")
    _, uid, gid = struct.unpack("3i", ours.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    if uid in (0, os.geteuid()) or (station.config.directory / SOCKET).stat().st_gid in _groups(uid, gid):
        return user_name(uid)
    return None


def _groups(uid: int, gid: int) -> set[int]:
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        return {gid}
    return {gid, *(group.gr_gid for group in grp.getgrall() if name in group.gr_mem)}


async def _line(reader: asyncio.StreamReader) -> bytes:
    """One request; empty at the end. Raises TimeoutError, ValueError for one that is too long."""
    async with asyncio.timeout(_IDLE_S):
        return await reader.readline()


async def _answer(writer: asyncio.StreamWriter, answer: AdminAnswer) -> None:
    writer.write(msgspec.json.encode(answer) + b"\n")
    await writer.drain()
