"""Who may ask: only a peer whose certificate has the TLS role and a serial (invariant 12)."""

from __future__ import annotations

import errno
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

log = logging.getLogger(__name__)
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
Handler = Callable[[Request], Awaitable[Response]]


def known(handler: Handler) -> Handler:
    """Refuses a peer that is no camera with 403; disk trouble is a 500 or 507."""

    async def checked(request: Request) -> Response:
        if getattr(request.state, "peer", None) is None:
            raise HTTPException(403, "the client certificate is not one of a camera (TLS role, serial)")
        try:
            return await handler(request)
        except OSError as error:
            log.error("%s %s failed: %s", request.method, request.url.path, error)
            raise HTTPException(507 if error.errno in _NO_ROOM else 500, "the station's disk failed") from error

    return checked
