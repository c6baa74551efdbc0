"""AWS Signature Version 4 for S3, as its reference describes it: pure, the time is passed in.

About fifty lines, because the usual library costs more memory than the whole camera side may take
(docs/design/transport.md).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from dock.transport.credentials import AccessKey

EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
_ALGORITHM = "AWS4-HMAC-SHA256"


def encoded(path: str) -> str:
    """A path as S3 signs and takes it: everything but unreserved characters and slashes in percent."""
    return quote(path, safe="/~")


def encoded_query(query: Sequence[tuple[str, str]]) -> str:
    """A query as it is signed, sorted; the same text goes on the wire."""
    pairs = sorted((quote(key, safe="~"), quote(value, safe="~")) for key, value in query)
    return "&".join(f"{key}={value}" for key, value in pairs)


def signed_headers(
    key: AccessKey,
    region: str,
    *,
    method: str,
    path: str,
    query: Sequence[tuple[str, str]],
    headers: Mapping[str, str],
    payload_sha256: str,
    now: dt.datetime,
) -> dict[str, str]:
    """`headers`, which must name Host, with date, payload's digest and signature added. `path` is not yet encoded."""
    stamp = now.astimezone(dt.UTC).strftime("%Y%m%dT%H%M%SZ")
    every = {**headers, "x-amz-content-sha256": payload_sha256, "x-amz-date": stamp}
    lowered = sorted((name.lower(), " ".join(value.split())) for name, value in every.items())
    names = ";".join(name for name, _ in lowered)
    canonical = "\n".join(
        (
            method,
            encoded(path),
            encoded_query(query),
            "".join(f"{name}:{value}\n" for name, value in lowered),
            names,
            payload_sha256,
        )
    )
    scope = f"{stamp[:8]}/{region}/s3/aws4_request"
    text = "\n".join((_ALGORITHM, stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()))
    step = f"AWS4{key.secret}".encode()
    for word in (stamp[:8], region, "s3", "aws4_request"):
        step = hmac.digest(step, word.encode(), "sha256")
    signature = hmac.digest(step, text.encode(), "sha256").hex()
    told = f"{_ALGORITHM} Credential={key.id}/{scope}, SignedHeaders={names}, Signature={signature}"
    return {**every, "Authorization": told}
