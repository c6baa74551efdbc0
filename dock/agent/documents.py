"""The station's counter: fetches what waits for this camera, hands it to the recorder, brings the answer back (R7).

The agent judges nothing but the digest: commands, profiles and proofs are signed, and the recorder checks them.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from dock.agent.recorder_client import RecorderClient
from dock.agent.session import Session
from dock.errors import DocumentRefused, RecorderRefused, StationFailed
from dock.transport.https import StationLink, refuse
from evidence.statements import Count, Hash, Word
from hal import program_time

log = logging.getLogger(__name__)
EVERY_S: Final = 60.0
HOLD_S: Final = 20.0
"""How long a station may hold the question while nothing waits."""
SHORT_S: Final = 0.2
MOST: Final = 64
DOCUMENT_BYTES: Final = 256 * 1024
_ERROR_CHARS: Final = 500

Update = Callable[[Session, bytes], Awaitable[None]]
"""Takes an update's manifest. Raises `DocumentRefused` with one sentence for the station."""


class Offered(msgspec.Struct, frozen=True, kw_only=True):
    """One document that waits; keys that we do not know are left alone."""

    id: Hash
    """SHA-256 of its bytes."""
    kind: Word
    bytes: Count


_listing: Final = msgspec.json.Decoder(Annotated[list[Offered], Meta(max_length=1000)])


def decode_listing(data: bytes) -> list[Offered]:
    """The answer to GET /documents, the first `MOST` of it. Raises `StationFailed`."""
    try:
        listing: list[Offered] = _listing.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise StationFailed(f"asking for documents: not a list of them: {error}") from error
    return listing[:MOST]


class DocumentCounter:
    """Runs beside the uploads of each session."""

    def __init__(self, recorder: RecorderClient, update: Update | None = None) -> None:
        self._recorder = recorder
        self._update = update
        self._seen: set[str] = set()
        self._news: set[str] = set()
        """What the last listing had and the one before had not: then more may wait behind it."""
        self._unsaid: dict[str, str | None] = {}
        """Answers that the station has not heard: the recorder is not asked twice for want of a connection."""

    async def beside(self, session: Session) -> None:
        """Ask after the greeting, and again and again for as long as the session lasts.

        A station that holds the question until something waits is asked at once again: an officer who is handed this
        camera need not wait for a minute. One that answers at once is asked every minute.
        """
        link = session.new_link()
        wait_s = min(HOLD_S, session.config.offload.timeout_s / 2)
        while True:
            began_s = program_time.monotonic_s()
            if await self._round(session, link, wait_s):
                session.backlog.hurry()  # a proof or an acceptance may have changed what is to be answered
            held = program_time.monotonic_s() - began_s > wait_s / 2
            await session.pause(SHORT_S if held or self._news else EVERY_S)

    async def _round(self, session: Session, link: StationLink, wait_s: float = 0) -> bool:
        """Hand over all that waits; whether the recorder took something."""
        prefer = {"Prefer": f"wait={int(wait_s)}"} if wait_s >= 1 else {}
        answer = await asyncio.to_thread(link.call, "GET", "/documents", prefer)
        refuse(answer, "asking for documents")
        taken, listing = False, decode_listing(answer.body)
        self._news = {one.id for one in listing} - self._seen
        self._seen = {one.id for one in listing}
        for one in listing:
            if one.id not in self._unsaid:
                self._unsaid[one.id] = await self._hand_over(session, link, one)
            error = self._unsaid[one.id]
            taken = taken or error is None
            said = msgspec.json.encode({} if error is None else {"error": error[:_ERROR_CHARS]})
            headers = {"Content-Type": "application/json"}
            answered = await asyncio.to_thread(link.call, "POST", f"/documents/{one.id}/answer", headers, said)
            if answered.status != 404:  # it does not wait any more: nobody wants our answer
                refuse(answered, "answering about a document")
            del self._unsaid[one.id]
        return taken

    async def _hand_over(self, session: Session, link: StationLink, one: Offered) -> str | None:
        """What the recorder says to it; None: it took it."""
        if one.bytes > DOCUMENT_BYTES:
            return f"a document has at most {DOCUMENT_BYTES} bytes, this one {one.bytes}"
        answer = await asyncio.to_thread(link.call, "GET", f"/documents/{one.id}")
        refuse(answer, "fetching a document")
        if hashlib.sha256(answer.body).hexdigest() != one.id:
            raise StationFailed("fetching a document: its bytes are not those that were listed")
        try:
            await self._give(session, one.kind, answer.body)
        except (RecorderRefused, DocumentRefused) as error:
            log.warning("a document (%s) is refused: %s", one.kind, error)
            return str(error) or "refused"
        log.info("a document (%s) was handed over", one.kind)
        return None

    async def _give(self, session: Session, kind: str, data: bytes) -> None:
        match kind:
            case "command":
                await self._recorder.command(data)
            case "profile":
                await self._recorder.profile(data)
            case "proof":
                await self._recorder.proof(data)
            case "update" if self._update is not None:
                await self._update(session, data)
            case _:
                raise DocumentRefused(f"this agent has no use for a document of the kind {kind}: update the agent")
