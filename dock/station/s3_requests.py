"""The S3 requests that obstore has no words for, over http.client: conditional multipart, checksums, object lock (R40).

obstore (0.12) puts a conditional object only in one piece held in memory, and cannot send object lock's headers; all
reading and listing is obstore's (`dock.station.s3_bucket`). Each write repeats the SHA-256 of its bytes, in the
signature and as `x-amz-checksum-sha256`: the store refuses what arrives altered.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import html
import http.client
import re
import ssl
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from dock.errors import StoreFailed, StoreForgot, StoreOccupied
from dock.station.pace import Pace
from dock.transport.credentials import AccessKey
from dock.transport.sigv4 import EMPTY_SHA256, encoded, encoded_query, signed_headers
from evidence.statements import moment
from hal import program_time

_ANSWER_BYTES: Final = 4 * 1024 * 1024
_BLOCK_BYTES: Final = 256 * 1024
_TIMEOUT_S: Final = 60.0
_UPLOAD_ID: Final = re.compile(r"<UploadId>([^<]{1,1024})</UploadId>")
_UPLOAD: Final = re.compile(
    r"<Upload>.{0,4096}?<Key>(?P<key>[^<]{1,1024})</Key>.{0,4096}?</Upload>", re.ASCII | re.DOTALL
)
_INITIATED: Final = re.compile(r"<Initiated>([0-9T:.-]{19,27}Z?)</Initiated>")
_CODE: Final = re.compile(r"<Code>([A-Za-z0-9]{1,64})</Code>")


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One part that the store has acknowledged."""

    number: int
    etag: str
    sha256: str
    """In base64, as S3 has it."""


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """A multipart upload that somebody began and nobody ended."""

    key: str
    upload_id: str
    initiated: dt.datetime


class S3Requests:
    """One bucket, one connection; for one thread at a time. Raises `StoreFailed` for whatever goes wrong."""

    def __init__(
        self, endpoint: str, bucket: str, region: str, credentials: AccessKey, *, ca: Path | None = None
    ) -> None:
        parts = urlsplit(endpoint)
        self._host, self._port, self._secure = parts.hostname or "", parts.port, parts.scheme == "https"
        self._netloc = parts.netloc
        self._bucket, self._region, self._credentials = bucket, region, credentials
        self._ca = ca
        self._open: http.client.HTTPConnection | None = None

    def close(self) -> None:
        """Drop the connection."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def put(self, key: str, data: bytes, *, lock: Mapping[str, str], pace: Pace) -> None:
        """A whole object in one request, unless the name is taken. Raises `StoreOccupied`."""
        digest = hashlib.sha256(data)
        headers = {**lock, "If-None-Match": "*", **_checksum(digest.digest())}
        self._ask("PUT", key, headers=headers, body=data, sha256=digest.hexdigest(), pace=pace)

    def begin(self, key: str, *, lock: Mapping[str, str]) -> str:
        """Begin a multipart upload; its id."""
        headers = {**lock, "x-amz-checksum-algorithm": "SHA256"}
        _, text = self._ask("POST", key, query=[("uploads", "")], headers=headers)
        found = _UPLOAD_ID.search(text)
        if found is None:
            raise StoreFailed("the store began a multipart upload and gave it no id")
        return html.unescape(found[1])

    def put_part(self, key: str, upload_id: str, number: int, data: bytes, *, pace: Pace) -> Part:
        """Send one part."""
        digest = hashlib.sha256(data)
        query = [("partNumber", str(number)), ("uploadId", upload_id)]
        headers, _ = self._ask(
            "PUT", key, query=query, headers=_checksum(digest.digest()), body=data, sha256=digest.hexdigest(), pace=pace
        )
        if not (etag := headers.get("etag")):
            raise StoreFailed(f"the store took part {number} of {key} and gave it no ETag")
        return Part(number=number, etag=etag, sha256=base64.b64encode(digest.digest()).decode())

    def complete(self, key: str, upload_id: str, parts: Sequence[Part]) -> None:
        """Make the parts one object, unless the name was taken meanwhile. Raises `StoreOccupied`."""
        items = "".join(
            f"<Part><PartNumber>{part.number}</PartNumber><ETag>{html.escape(part.etag)}</ETag>"
            f"<ChecksumSHA256>{part.sha256}</ChecksumSHA256></Part>"
            for part in parts
        )
        body = (
            '<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"{items}</CompleteMultipartUpload>"
        ).encode()
        self._ask(
            "POST",
            key,
            query=[("uploadId", upload_id)],
            headers={"If-None-Match": "*", "Content-Type": "application/xml"},
            body=body,
            sha256=hashlib.sha256(body).hexdigest(),
        )

    def abort(self, key: str, upload_id: str) -> None:
        """Give up a multipart upload; one that is not there is given up already."""
        self._ask("DELETE", key, query=[("uploadId", upload_id)], missing_is_fine=True)

    def pending(self, prefix: str) -> Iterator[Pending]:
        """The first thousand multipart uploads under `prefix` that have not ended."""
        _, text = self._ask("GET", "", query=[("uploads", ""), ("prefix", prefix)])
        for found in _UPLOAD.finditer(text):
            upload_id, initiated = _UPLOAD_ID.search(found[0]), _INITIATED.search(found[0])
            if upload_id is not None and initiated is not None:
                when = dt.datetime.fromisoformat(initiated[1].rstrip("Z")).replace(tzinfo=dt.UTC)
                yield Pending(key=html.unescape(found["key"]), upload_id=html.unescape(upload_id[1]), initiated=when)

    def head(self, key: str) -> dict[str, str] | None:
        """The object's headers, with checksums and lock; None if there is no such object."""
        headers, text = self._ask("HEAD", key, headers={"x-amz-checksum-mode": "ENABLED"}, missing_is_fine=True)
        return headers if text != "404" else None

    def retain(self, key: str, version: str | None, mode: str, until: str) -> None:
        """Lock what is stored already until then (RFC 3339)."""
        body = f"<Retention><Mode>{mode}</Mode><RetainUntilDate>{until}</RetainUntilDate></Retention>".encode()
        query = [("retention", "")] + ([("versionId", version)] if version else [])
        digest = hashlib.sha256(body)
        self._ask("PUT", key, query=query, headers=_checksum(digest.digest()), body=body, sha256=digest.hexdigest())

    def _ask(
        self,
        method: str,
        key: str,
        *,
        query: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        sha256: str = EMPTY_SHA256,
        pace: Pace | None = None,
        missing_is_fine: bool = False,
    ) -> tuple[dict[str, str], str]:
        """Headers and text of the answer."""
        path = f"/{self._bucket}/{key}" if key else f"/{self._bucket}"
        sent = signed_headers(
            self._credentials,
            self._region,
            method=method,
            path=path,
            query=query,
            headers={**(headers or {}), "Host": self._netloc},
            payload_sha256=sha256,
            now=program_time.utc_now(),
        )
        sent["Content-Length"] = str(len(body))
        try:
            connection = self._connection()
            target = encoded(path) + (f"?{encoded_query(query)}" if query else "")
            connection.request(method, target, _blocks(body, pace) if body else None, sent)
            answer = connection.getresponse()
            text = answer.read(_ANSWER_BYTES).decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise StoreFailed(f"the S3 store at {self._netloc} cannot be reached: {error}") from error
        except BaseException:
            self.close()  # stopped half-way through a body
            raise
        found = {name.lower(): value for name, value in answer.getheaders()}
        if answer.will_close:
            self.close()
        code = _CODE.search(text)
        # A multipart upload that fails late answers 200 and says so in the body.
        if (answer.status == 200 and "<Error>" not in text) or answer.status == 204:
            return found, text
        if answer.status == 404 and missing_is_fine:
            return found, "404"
        if answer.status == 412 or (code is not None and code[1] == "PreconditionFailed"):
            raise StoreOccupied(f"{key} is in the store already")
        kind = StoreForgot if code is not None and code[1] == "NoSuchUpload" else StoreFailed
        raise kind(_sentence(self._bucket, method, key, answer.status, code[1] if code else ""))

    def _connection(self) -> http.client.HTTPConnection:
        if self._open is None:
            if self._secure:
                context = ssl.create_default_context(cafile=str(self._ca) if self._ca is not None else None)
                context.minimum_version = ssl.TLSVersion.TLSv1_3
                self._open = http.client.HTTPSConnection(self._host, self._port, timeout=_TIMEOUT_S, context=context)
            else:
                self._open = http.client.HTTPConnection(self._host, self._port, timeout=_TIMEOUT_S)
        return self._open


def locked_until(headers: Mapping[str, str]) -> str | None:
    """Until when an object is locked, by the headers of HEAD; None if it is not."""
    if headers.get("x-amz-object-lock-mode", "").upper() not in ("GOVERNANCE", "COMPLIANCE"):
        return None
    try:
        when = dt.datetime.fromisoformat(headers.get("x-amz-object-lock-retain-until-date", ""))
    except ValueError:
        return None
    return moment(int(when.timestamp()) * 10**9)


def _checksum(digest: bytes) -> dict[str, str]:
    return {"x-amz-checksum-sha256": base64.b64encode(digest).decode()}


def _blocks(body: bytes, pace: Pace | None) -> Iterator[memoryview]:
    view = memoryview(body)
    for start in range(0, len(view), _BLOCK_BYTES):
        block = view[start : start + _BLOCK_BYTES]
        if pace is not None:
            pace(len(block))
        yield block


_ADVICE: Final = {
    "NoSuchBucket": "make the bucket first",
    "AccessDenied": "check what its credentials may do",
    "SignatureDoesNotMatch": "check the secret in the credentials file",
    "InvalidAccessKeyId": "check the credentials file",
    "RequestTimeTooSkewed": "set this machine's clock",
    "InvalidRequest": "a bucket with object_lock must have been made with object lock",
    "ObjectLockConfigurationNotFoundError": "make the bucket with object lock, or set object_lock to off",
    "NoSuchUpload": "the upload is begun anew",
}


def _sentence(bucket: str, method: str, key: str, status: int, code: str) -> str:
    what = f"the S3 store answers {status} {code}".rstrip()
    advice = "check region and endpoint" if 300 <= status < 400 else _ADVICE.get(code, "tried again later")
    return f"{what} to {method} {bucket}/{key}: {advice}"
