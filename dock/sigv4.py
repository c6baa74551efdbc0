"""AWS Signature Version 4 for S3 requests, over the standard library (pure: no I/O, the time is passed in).

Source: "Signature Version 4 signing process" and "Authenticating Requests (AWS Signature Version 4)" of Amazon S3's API
reference. Every header that is given is signed, so that nobody on the way can take a lock or a checksum off.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

EMPTY_SHA256: Final = hashlib.sha256(b"").hexdigest()
_ALGORITHM: Final = "AWS4-HMAC-SHA256"


@dataclass(frozen=True)
class Credentials:
    """Who signs."""

    key_id: str
    secret: str = field(repr=False)
    token: str | None = field(default=None, repr=False)
    """Session token of temporary credentials."""


def target(path: str, query: Sequence[tuple[str, str]] = ()) -> str:
    """The request target as it is signed and must be sent: encoded path, sorted query."""
    encoded = quote(path, safe="/-_.~")
    return f"{encoded}?{_query(query)}" if query else encoded


def signed_headers(
    credentials: Credentials,
    region: str,
    *,
    method: str,
    host: str,
    path: str,
    query: Sequence[tuple[str, str]] = (),
    headers: Mapping[str, str],
    payload_sha256: str,
    now: dt.datetime,
) -> dict[str, str]:
    """All headers to send: those given, the date, the digest of the body, and `Authorization`.

    `host` is what the Host header will say (with the port if it is not the scheme's own); `path` is not encoded.
    """
    stamp = now.astimezone(dt.UTC).strftime("%Y%m%dT%H%M%SZ")
    sent = {**headers, "x-amz-date": stamp, "x-amz-content-sha256": payload_sha256}
    if credentials.token is not None:
        sent["x-amz-security-token"] = credentials.token
    lower = sorted((key.lower(), " ".join(value.split())) for key, value in {**sent, "host": host}.items())
    names = ";".join(key for key, _ in lower)
    canonical = "\n".join(
        [
            method,
            quote(path, safe="/-_.~"),
            _query(query),
            *(f"{key}:{value}" for key, value in lower),
            "",
            names,
            payload_sha256,
        ]
    )
    scope = f"{stamp[:8]}/{region}/s3/aws4_request"
    to_sign = "\n".join([_ALGORITHM, stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{credentials.secret}".encode()
    for step in (stamp[:8], region, "s3", "aws4_request"):
        key = hmac.digest(key, step.encode(), "sha256")
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    who = f"Credential={credentials.key_id}/{scope}"
    return {**sent, "Authorization": f"{_ALGORITHM} {who}, SignedHeaders={names}, Signature={signature}"}


def _query(query: Sequence[tuple[str, str]]) -> str:
    pairs = sorted((quote(key, safe="-_.~"), quote(value, safe="-_.~")) for key, value in query)
    return "&".join(f"{key}={value}" for key, value in pairs)
