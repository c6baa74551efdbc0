"""The agent's end of the recorder's Unix socket: JSON lines, one answer for each request (evidence.handover)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import msgspec

from dock.errors import RecorderConfused, RecorderRefused, RecorderUnreachable
from evidence.handover import (
    LINE_BYTES,
    Answer,
    Done,
    Facts,
    Notice,
    ReceiptTaken,
    Refused,
    Spool,
    Status,
    answer_decoder,
)
from evidence.requests import (
    CommandRequest,
    ContactRequest,
    EventsRequest,
    FactsRequest,
    ListRequest,
    Offloading,
    OffloadRequest,
    PeerRequest,
    ProfileRequest,
    ProofRequest,
    ReceiptRequest,
    Request,
    StatusRequest,
    UpdateRequest,
)

_ANSWER_S: Final = 30.0
_T = TypeVar("_T")
_Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class RecorderClient:
    """Requests go one after the other over one connection, opened when needed; events have their own.

    Every method raises `RecorderUnreachable` (try again later), `RecorderRefused` or `RecorderConfused`.
    """

    def __init__(self, socket_path: Path, *, answer_s: float = _ANSWER_S) -> None:
        self._path = socket_path
        self._answer_s = answer_s
        self._lock = asyncio.Lock()
        self._connection: _Connection | None = None

    async def status(self) -> Status:
        """How the camera is."""
        return await self._ask(StatusRequest(), Status)

    async def spool(self) -> Spool:
        """Which closed files wait, and where they are: all pages of the list."""
        page = await self._ask(ListRequest(), Spool)
        files = list(page.files)
        while page.more and page.files:
            after = page.files[-1].name
            page = await self._ask(ListRequest(after=after), Spool)
            if page.files and page.files[0].name <= after:
                raise RecorderConfused("the recorder's list of files does not go on where it ended")
            files += page.files
        return Spool(directory=page.directory, files=tuple(files))

    async def offloading(self, now: Offloading) -> None:
        """Tell how far the offload is: for the officer's screen."""
        await self._ask(OffloadRequest(offloading=now), Done)

    async def command(self, signed: bytes) -> None:
        """Hand over a signed command (DER): the recorder judges it."""
        await self._ask(CommandRequest(command=signed), Done)

    async def profile(self, signed: bytes) -> None:
        """Hand over a signed profile (DER): the recorder judges it."""
        await self._ask(ProfileRequest(profile=signed), Done)

    async def proof(self, signed: bytes) -> None:
        """Hand over a vault proof (DER): the recorder judges it."""
        await self._ask(ProofRequest(proof=signed), Done)

    async def update(self, phase: Literal["began", "ended"]) -> None:
        """Tell that the installer begins, or is done: a recording that begins meanwhile aborts it."""
        await self._ask(UpdateRequest(phase=phase), Done)

    async def facts(self, about: Literal["queue", "storage", "support", "power"]) -> dict[str, Any]:
        """One of the recorder's accounts."""
        return (await self._ask(FactsRequest(about=about), Facts)).facts

    async def contact(self, signed: bytes) -> None:
        """Hand over a station's signed greeting (DER)."""
        await self._ask(ContactRequest(contact=signed), Done)

    async def receipt(self, name: str, signed: bytes) -> ReceiptTaken:
        """Hand over a receipt (DER): the recorder checks it, and it alone deletes (invariant 7)."""
        return await self._ask(ReceiptRequest(name=name, receipt=signed), ReceiptTaken)

    async def queue(self) -> dict[str, Any]:
        """The supervisor's queue, as the recorder keeps it."""
        return await self.facts("queue")

    async def peer(self, announcement: bytes) -> None:
        """Hand over another camera's announcement (DER): the recorder checks it, and begins to record (R23)."""
        await self._ask(PeerRequest(announcement=announcement), Done)

    async def events(self) -> AsyncIterator[Notice]:
        """What happens, as it happens, until the connection ends (then `RecorderUnreachable`)."""
        reader, writer = await self._open()
        try:
            first = await self._exchange((reader, writer), EventsRequest())
            if isinstance(first, Refused):
                raise RecorderRefused(first.error)
            while True:
                if isinstance(first, Notice):
                    yield first
                first = await _read_answer(reader)
        finally:
            writer.close()

    async def close(self) -> None:
        """Drop the connection."""
        if self._connection is not None:
            _, writer = self._connection
            self._connection = None
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _ask(self, request: Request, wanted: type[_T]) -> _T:
        async with self._lock:
            try:
                if self._connection is None:
                    self._connection = await self._open()
                answer = await self._exchange(self._connection, request)
            except BaseException:
                # Also when cancelled: an answer that comes later must not be taken for the next one.
                await self.close()
                raise
            if isinstance(answer, Refused):
                raise RecorderRefused(answer.error)
            if not isinstance(answer, wanted):
                await self.close()
                raise RecorderConfused(f"the recorder answered {type(answer).__name__} to {type(request).__name__}")
            return answer

    async def _open(self) -> _Connection:
        try:
            async with asyncio.timeout(self._answer_s):
                return await asyncio.open_unix_connection(self._path, limit=LINE_BYTES)
        except (OSError, TimeoutError) as error:
            raise RecorderUnreachable(f"the recorder's socket {self._path} cannot be opened: {error}") from error

    async def _exchange(self, connection: _Connection, request: Request) -> Answer:
        reader, writer = connection
        try:
            async with asyncio.timeout(self._answer_s):
                writer.write(msgspec.json.encode(request) + b"\n")
                await writer.drain()
                return await _read_answer(reader)
        except TimeoutError as error:
            raise RecorderUnreachable("the recorder did not answer in time") from error
        except OSError as error:
            raise RecorderUnreachable(f"the recorder's connection broke: {error}") from error


async def _read_answer(reader: asyncio.StreamReader) -> Answer:
    try:
        line = await reader.readuntil(b"\n")
    except (asyncio.IncompleteReadError, OSError) as error:
        raise RecorderUnreachable("the recorder closed the connection") from error
    except asyncio.LimitOverrunError as error:
        raise RecorderConfused("the recorder sent a line that is too long") from error
    try:
        answer: Answer = answer_decoder.decode(line)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise RecorderConfused(f"the recorder's answer is not one of the agreed words: {error}") from error
    return answer
