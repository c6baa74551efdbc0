"""RFC 3161 tokens for what is in the store: "not later than", by an authority outside the agency (layer D).

1. A token is asked for once a file has its receipt, over the SHA-256 that the receipt names: the whole file's.
2. Nothing waits for it: a receipt goes out at once, an authority that is down is asked again later, with back-off.
3. What answers our request, and holds under `timestamps.root` where one is pinned, is kept as ``NAME.tsr``; the first
   one stays. A restart goes on with whatever has a receipt and no token.
"""

from __future__ import annotations

import asyncio
import http.client
import logging
import random
import secrets
import ssl
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from dock.errors import TimestampUnavailable
from dock.station.store import Store
from evidence import cms
from evidence.errors import EvidenceError
from evidence.handover import decode_receipt
from evidence.timestamp import TOKEN_BYTES, TimestampTrust, check_form, timestamp_request

log = logging.getLogger(__name__)
Ask = Callable[[bytes], bytes]
"""Sends a TimeStampReq (DER), gives the TimeStampResp (DER). Blocks. Raises `TimestampUnavailable`."""
_RETRY_FIRST_S: Final = 5.0


class Timestamping:
    """Brings tokens for one store; `run` is one task on the station's loop."""

    def __init__(
        self, store: Store, ask: Ask, *, trust: TimestampTrust | None = None, retry_max_s: float = 900.0
    ) -> None:
        self._store = store
        self._ask = ask
        self._trust = trust
        self._retry_max_s = retry_max_s
        self._woken = asyncio.Event()
        self.on_token: Callable[[str, str, bytes], None] = lambda _stored, _sha256, _token: None
        """Called in a thread before a token is stored: name in the store, digest, token (DER). Raises OSError."""

    def wake(self) -> None:
        """A receipt was written. From the loop."""
        self._woken.set()

    async def run(self) -> None:
        """Until cancelled."""
        wait_s = _RETRY_FIRST_S
        while True:
            self._woken.clear()
            try:
                await asyncio.to_thread(self.round)
            except (TimestampUnavailable, EvidenceError, OSError) as error:
                log.warning("no timestamps now, trying again within %.0f s: %s", wait_s, error)
                await asyncio.sleep(wait_s * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
                wait_s = min(2 * wait_s, self._retry_max_s)
                continue
            wait_s = _RETRY_FIRST_S
            await self._woken.wait()

    def round(self) -> int:
        """Get a token for everything that has a receipt and none; how many were stored. Blocks.

        Raises `TimestampUnavailable`, `evidence.timestamp.BadTimestamp`, OSError at the first that fails.
        """
        stored = 0
        for name in self._store.without_token():
            sha256 = self._sha256(name)
            if sha256 is not None:
                token = self._token(sha256)
                self.on_token(name, sha256, token)
                self._store.put_token(name, token)
                log.info("%s has its timestamp", name)
                stored += 1
        return stored

    def _sha256(self, name: str) -> str | None:
        signed = self._store.receipt(name)
        if signed is None:
            return None
        try:
            return decode_receipt(cms.parse_signed(signed).payload).sha256
        except EvidenceError as error:
            log.error("%s gets no timestamp, its receipt cannot be read: %s", name, error)
            return None

    def _token(self, sha256: str) -> bytes:
        nonce = secrets.randbits(63)
        answer = self._ask(timestamp_request(sha256, nonce))
        check_form(answer, sha256, nonce)
        if self._trust is not None:
            self._trust.check(answer, nonce=nonce)
        return answer


def over_http(url: str, timeout_s: float) -> Ask:
    """Ask an authority by HTTP (RFC 3161, 3.4). TLS is checked where there is any; the token's signature counts."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    def ask(request: bytes) -> bytes:
        connection: http.client.HTTPConnection
        if parts.scheme == "https":
            context = ssl.create_default_context()
            context.minimum_version = ssl.TLSVersion.TLSv1_3
            connection = http.client.HTTPSConnection(host, port, timeout=timeout_s, context=context)
        else:
            connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
        try:
            connection.request("POST", target, request, {"Content-Type": "application/timestamp-query"})
            response = connection.getresponse()
            answer = response.read(TOKEN_BYTES + 1)
            if response.status != 200:
                raise TimestampUnavailable(f"the timestamp authority {host} answers {response.status}")
            return answer
        except (OSError, http.client.HTTPException) as error:
            raise TimestampUnavailable(f"the timestamp authority {host} cannot be asked: {error}") from error
        finally:
            connection.close()

    return ask
