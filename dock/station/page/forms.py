"""What a form sent, read strictly: bounded, each field once, no control characters."""

from __future__ import annotations

import asyncio
import hmac
from typing import Final
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import Request

from dock.station.tus_words import Body

FORM_BYTES: Final = 16 * 1024
FIELDS_MOST: Final = 32
TEXT_MOST: Final = 12_000
_TYPE: Final = "application/x-www-form-urlencoded"
_READ_S: Final = 20.0


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a POST. Raises `HTTPException` 400, 413 or 415 with one sentence."""
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != _TYPE:
        raise HTTPException(415, f"send the form as {_TYPE}")
    body = Body(request, _READ_S)
    try:
        async with asyncio.timeout(_READ_S):  # also for one that drips
            data = await body.read(FORM_BYTES + 1)
    except TimeoutError as error:
        raise HTTPException(408, "the form took too long; send it again") from error
    if body.torn:
        raise HTTPException(400, "the form ended early; send it again")
    if len(data) > FORM_BYTES:
        raise HTTPException(413, f"a form has at most {FORM_BYTES} bytes; write less")
    try:
        pairs = parse_qsl(
            data.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(data),
            errors="strict",
            max_num_fields=FIELDS_MOST,
        )
    except ValueError as error:
        raise HTTPException(400, "the form cannot be read; load the page again") from error
    fields: dict[str, str] = {}
    for name, value in pairs:
        if name in fields:
            raise HTTPException(400, f"the form has {name[:40]!r} twice; load the page again")
        fields[name] = clean(value)
    return fields


def clean(text: str) -> str:
    """Line ends as newlines, no other control characters. Raises 400 for a text that is too long."""
    if len(text) > TEXT_MOST:
        raise HTTPException(400, f"a text has at most {TEXT_MOST} characters; write less")
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(char for char in plain if char == "\n" or char.isprintable()).strip()


def same(given: str | None, wanted: str) -> bool:
    """Whether a token is the wanted one, in constant time."""
    return given is not None and hmac.compare_digest(given.encode(), wanted.encode())


def from_our_page(request: Request) -> bool:
    """Whether the browser says that the request comes from a page of ours; a client that says nothing passes."""
    site = request.headers.get("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        return False
    origin = request.headers.get("origin")
    return origin is None or origin == f"https://{request.headers.get('host', '')}"
