"""The real station's application with a liar in front of it (R6, R30, R34, R38).

Every request reaches the real station unless the lie is that it does not. So a lie can begin and end at any moment, and
what the station then holds is what a real one would hold.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import os
import re
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dock.errors import BadFileName
from dock.names import original_name
from dock.station.intake import Finished
from dock.station.station import Station
from dock.station.upload import Upload, UploadRecord
from simulator.forged import Forger
from simulator.lies import (
    FORGED_GREETINGS,
    FORGED_RECEIPTS,
    ForgedGreeting,
    ForgedReceipt,
    Honest,
    Lie,
    Stage,
    StationOp,
    Told,
    stage_of,
)
from simulator.run_errors import WorldRefused

_ELSEWHERE: Final = "https://127.0.0.1:9/elsewhere"
_GARBAGE: Final = b"\x30\x82\xff\xff" * 9
_FILENAME: Final = re.compile(r"(?:^|,)\s*filename ([A-Za-z0-9+/=]+)")


@dataclass
class _Standing:
    """A lie in force."""

    lie: Lie
    left: int | None
    over: asyncio.Event = field(default_factory=asyncio.Event)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class LyingApp:
    """An ASGI application around the station's own. Commands and requests come on one event loop."""

    def __init__(self, app: ASGIApp, station: Station, pki: Path, *, die: Callable[[], None] | None = _die) -> None:
        self._app = app
        self._station = station
        self._forger = Forger(station.signer, pki, station.utc_ns)
        self._die = die
        self._standing: list[_Standing] = []
        self._asked: Counter[str] = Counter()
        self._lies = 0
        self._confirmed: set[str] = set()
        """Uploads that are confirmed and not whole."""

    def do(self, op: StationOp) -> dict[str, Any]:
        """One command. Raises `WorldRefused` for a lie whose key is not here, or that this world cannot have."""
        match op:
            case Lie():
                self._forger.can(op.what)
                if op.what == "killed" and self._die is None:
                    raise WorldRefused("this world is one process: its station cannot be killed by itself")
                self._standing.append(_Standing(op, op.times))
            case Honest():
                for one in [one for one in self._standing if op.label in ("", one.lie.label)]:
                    one.over.set()
                    self._standing.remove(one)
            case Told():
                return {**self._asked, "lies": self._lies}
        return {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        stage = stage_of(scope["method"], scope["path"]) if scope["type"] == "http" else None
        if stage is None:
            await self._app(scope, receive, send)
            return
        self._asked[stage] += 1
        record = await self._about(scope, stage)
        standing = self._lie_for(stage, record, scope)
        if standing is None:
            await self._honestly(scope, receive, send, stage)
            return
        with contextlib.suppress(ClientDisconnect):
            await self._lying(standing, record, scope, receive, send)

    def _lie_for(self, stage: Stage, record: UploadRecord | str, scope: Scope) -> _Standing | None:
        name = record if isinstance(record, str) else record.name
        for one in self._standing:
            confirmed = one.lie.what == "incomplete" and stage in ("where", "receipt") and name in self._confirmed
            if (one.lie.stage == stage or confirmed) and one.lie.file in name and self._fits(one.lie, record, scope):
                return one
        return None

    def _fits(self, lie: Lie, record: UploadRecord | str, scope: Scope) -> bool:
        """`incomplete` and `killed` are about the last bytes of a file."""
        if lie.what not in ("incomplete", "killed") or isinstance(record, str) or scope["method"] != "PATCH":
            return True
        headers = Request(scope).headers
        end = int(headers.get("upload-offset", "0")) + int(headers.get("content-length", "0"))
        return end >= record.length

    def _tell(self, standing: _Standing) -> None:
        self._lies += 1
        if standing.left is not None:
            standing.left -= 1
            if standing.left == 0 and standing in self._standing:
                self._standing.remove(standing)

    # --- the truth ----------------------------------------------------------------------------------------------------

    async def _honestly(self, scope: Scope, receive: Receive, send: Send, stage: Stage) -> None:
        if stage != "receipt":
            await self._app(scope, receive, send)
            return
        status, headers, body = await self._answer(scope, receive)
        if status == 200:
            self._forger.seen(scope["path"].rpartition("/")[2], body)
        await _say(send, status, headers, body)

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[int, dict[str, str], bytes]:
        """What the real station says."""
        said: list[Message] = []

        async def keep(message: Message) -> None:
            said.append(message)

        await self._app(scope, receive, keep)
        start = said[0]
        headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in start.get("headers", ())}
        return int(start["status"]), headers, b"".join(message.get("body", b"") for message in said[1:])

    async def _about(self, scope: Scope, stage: Stage) -> UploadRecord | str:
        """Which file a request is about: what is known of it, or its name, or nothing."""
        if stage in ("where", "bytes"):
            found = await self._upload(scope)
            return found.record if found is not None else ""
        if stage == "announce":
            told = _FILENAME.search(Request(scope).headers.get("upload-metadata", ""))
            with contextlib.suppress(binascii.Error, UnicodeDecodeError):
                return base64.b64decode(told[1]).decode() if told is not None else ""
        if stage == "receipt":
            with contextlib.suppress(BadFileName):
                return original_name(scope["path"].rpartition("/")[2])
        return ""

    async def _upload(self, scope: Scope) -> Upload | Finished | None:
        return await self._station.intake.find(scope["path"].rpartition("/")[2])

    # --- the lies -----------------------------------------------------------------------------------------------------

    async def _lying(
        self, standing: _Standing, record: UploadRecord | str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        lie, name = standing.lie, record if isinstance(record, str) else record.name
        if lie.what in FORGED_GREETINGS:
            await self._forge(standing, scope, receive, send, lambda body: self._greeting(body, lie))
        elif lie.what in FORGED_RECEIPTS:
            await self._forge(standing, scope, receive, send, lambda body: self._receipt(name, body, lie))
        elif lie.what == "silent":
            self._tell(standing)
            await self._silence(standing, receive)
        elif lie.what == "torn":
            self._tell(standing)
            await _say(send, *await self._answer(scope, receive), torn=True)
        elif lie.what == "incomplete":
            await self._incomplete(standing, record, scope, receive, send)
        else:
            await self._plainly(standing, scope, receive, send)

    async def _plainly(self, standing: _Standing, scope: Scope, receive: Receive, send: Send) -> None:
        """A wrong answer whatever was asked; the body of the request is read, and kept only by `killed`."""
        lie = standing.lie
        self._tell(standing)
        if lie.what == "killed" and self._die is not None:
            await self._answer(scope, receive)
            self._die()
            return
        size = len(await Request(scope, receive).body())
        if lie.what == "redirect":
            await _say(send, 307, {"Location": _ELSEWHERE}, b"")
        elif lie.what == "garbage":
            await _say(send, 200, {}, _GARBAGE)
        elif lie.what == "ack_lost":
            offset = int(Request(scope).headers.get("upload-offset", "0"))
            await _say(send, 204, {"Tus-Resumable": "1.0.0", "Upload-Offset": str(offset + size)}, b"")
        else:
            headers = {} if lie.retry_after_s is None else {"Retry-After": str(lie.retry_after_s)}
            await _say(send, lie.status, headers, b"told so")

    async def _forge(
        self, standing: _Standing, scope: Scope, receive: Receive, send: Send, forge: Callable[[bytes], bytes | None]
    ) -> None:
        status, headers, body = await self._answer(scope, receive)
        forged = forge(body) if status == 200 else None
        if forged is None:
            await _say(send, status, headers, body)
            return
        self._tell(standing)
        await _say(send, status, headers, forged)

    def _greeting(self, body: bytes, lie: Lie) -> bytes:
        return self._forger.greeting(body, cast("ForgedGreeting", lie.what))

    def _receipt(self, name: str, body: bytes, lie: Lie) -> bytes | None:
        return self._forger.receipt(name, body, cast("ForgedReceipt", lie.what))

    async def _silence(self, standing: _Standing, receive: Receive) -> None:
        """Until the camera gives up, or the silence is over: then the connection is dropped without an answer."""

        async def gone() -> None:
            while (await receive())["type"] != "http.disconnect":
                continue

        waiting = [asyncio.ensure_future(gone()), asyncio.ensure_future(standing.over.wait())]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()

    async def _incomplete(
        self, standing: _Standing, record: UploadRecord | str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """The end of the file is taken and thrown away, and the whole of it is confirmed, with a receipt."""
        if isinstance(record, UploadRecord):  # its bytes, or how many of them are here
            await Request(scope, receive).body()
            self._confirmed.add(record.name)
            place = {"Upload-Offset": str(record.length), "Firsthand-Receipt": f"/receipts/{record.name}"}
            status = 204 if scope["method"] == "PATCH" else 200
            await _say(send, status, {"Tus-Resumable": "1.0.0", "Upload-Length": str(record.length), **place}, b"")
            return
        upload = next((one for one in self._station.intake.in_work() if one.record.name == record), None)
        if upload is None:
            await self._app(scope, receive, send)
            return
        self._tell(standing)
        held = await asyncio.to_thread(upload.part.read_bytes)
        config = self._station.config
        signed = self._forger.incomplete(upload.record, held, config.station, config.system_id)
        await _say(send, 200, {"Content-Type": "application/pkcs7-mime"}, signed)


async def _say(send: Send, status: int, headers: dict[str, str], body: bytes, *, torn: bool = False) -> None:
    """Answer; `torn`: announce all of the body, give half of it, and end without the rest."""
    response = Response(b"", status, {key: value for key, value in headers.items() if key.lower() != "content-length"})
    kept = [(key, value) for key, value in response.raw_headers if key != b"content-length"]
    length = max(len(body), 64) if torn else len(body)
    if status != 204:
        kept.append((b"content-length", str(length).encode()))
    await send({"type": "http.response.start", "status": status, "headers": kept})
    if torn:
        await send({"type": "http.response.body", "body": body[: length // 2], "more_body": True})
        return
    await send({"type": "http.response.body", "body": body})
