"""What schemathesis is told of tus: a piece of a file is sent as it is (`station_api.py`)."""

from __future__ import annotations

from typing import Any

import schemathesis


@schemathesis.serializer("application/offset+octet-stream")
def as_it_is(_context: Any, value: Any) -> bytes:
    """The octets of a generated body."""
    if isinstance(value, bytes):
        return value
    return bytes(value) if hasattr(value, "__bytes__") else str(value).encode("utf-8", "surrogatepass")
