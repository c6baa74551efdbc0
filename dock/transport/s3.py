"""Multipart upload to a bucket, resumable over a restart: each part with its SHA-256, completed only where nothing is.

1. The bucket's own list of parts says where an upload stands; a part counts only if our ledger has the same ETag for
   it, with the SHA-256 that we sent. What is not in both is sent again.
2. Completion carries If-None-Match: an object that is there is never replaced. After a completion without an answer the
   object itself is asked: same length, same SHA-256 in its metadata.
3. All that is `sent`, not received: the station reads it back (docs/design/transport.md).
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec

from dock.errors import ChecksumRefused, OffsetMoved, StationFailed, StationRefused, UploadGone
from dock.names import parse_name
from dock.transport import s3_words as words
from dock.transport.credentials import AccessKey
from dock.transport.https import Answer, StationLink, refuse
from dock.transport.sigv4 import EMPTY_SHA256, encoded, encoded_query, signed_headers
from dock.transport.transport import Chunk, Outgoing, Progress
from evidence.statements import Count, Hash, Name
from hal import program_time

LEAST_PART_BYTES: Final = 5 * 2**20
"""S3 takes no smaller part but the last."""
_MOST_PARTS: Final = 10_000
_PAGE: Final = 500
_ALTERED: Final = frozenset({"BadDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch", "InvalidDigest"})
_TAKEN: Final = 412


@dataclass(frozen=True)
class SentPart:
    """A part that the bucket took."""

    number: int
    etag: str
    sha256: str
    """Base64, as S3 writes it."""


class PartBook(Protocol):
    """Parts of uploads in work, kept over a restart (`dock.agent.foreign_ledger`). Losing it costs time only."""

    def parts(self, upload: str) -> list[SentPart]:
        """What was kept for it."""
        ...

    def keep(self, upload: str, part: SentPart) -> None:
        """Durable when it returns, if the disk allows."""
        ...


@dataclass(frozen=True)
class Bucket:
    """Which bucket, and as whom."""

    host: str
    """As in the Host header, with the port unless it is the scheme's own."""
    name: str
    prefix: str
    region: str
    key: AccessKey

    def path(self, name: str) -> str:
        """Where a file's object is: below its own serial, so that a camera's key can be bound to it."""
        return f"/{self.name}/{self.prefix}{parse_name(name).serial}/{name}"


class _Address(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an upload's address holds (JSON): all that a restarted agent needs."""

    name: Name
    bytes: Count
    sha256: Hash
    part_bytes: Count
    upload_id: str


class S3Transport:
    """`dock.transport.transport.Transport` to a bucket. `now` is a clock that the bucket's does not differ far from."""

    def __init__(
        self,
        link: StationLink,
        bucket: Bucket,
        book: PartBook,
        now: Callable[[], dt.datetime] = program_time.utc_now,
    ) -> None:
        self._link = link
        self._bucket = bucket
        self._book = book
        self._now = now
        self._held_for: str | None = None
        self._held_from = 0
        self._held = 0
        self._buffer = bytearray()

    def create(self, file: Outgoing) -> str:
        if file.sha256 is None:
            raise StationRefused(f"{file.name}: a bucket needs the file's SHA-256 before its first byte", 400)
        told = {
            "Content-Type": "application/octet-stream",
            "x-amz-checksum-algorithm": "SHA256",
            "x-amz-meta-sha256": file.sha256,
            "x-amz-meta-close-hash": file.close_hash,
        }
        answer = self._call("POST", file.name, [("uploads", "")], told)
        self._refuse(answer, f"announcing {file.name}")
        address = _Address(
            name=file.name,
            bytes=file.bytes,
            sha256=file.sha256,
            part_bytes=part_bytes(file.bytes),
            upload_id=words.read_upload_id(answer.body),
        )
        return msgspec.json.encode(address).decode()

    def offset(self, upload: str) -> Progress:
        self._drop_held()
        address = _read(upload)
        try:
            there = self._there(address, upload)
        except UploadGone:
            if self._object_is_ours(address):
                return Progress(address.bytes)
            raise
        return Progress(min(len(there) * address.part_bytes, address.bytes))

    def append(self, upload: str, offset: int, data: Chunk) -> int:
        """Held in memory until a part is whole: what is held at the end of a session is sent again."""
        address = _read(upload)
        if self._held_for != upload:
            self._held_for, self._held_from = upload, offset
        reached = self._held_from + self._held
        if offset != reached or self._held_from % address.part_bytes or reached + len(data) > address.bytes:
            self._drop_held()
            raise OffsetMoved(f"{address.name}: {len(data)} bytes at {offset} do not follow")
        try:
            self._fill(address, upload, memoryview(data))
        except BaseException:
            self._drop_held()
            raise
        return offset + len(data)

    def _fill(self, address: _Address, upload: str, data: memoryview) -> None:
        """One part's worth of memory for all parts, and no copy of it: the camera has little."""
        if len(self._buffer) < address.part_bytes:
            self._buffer = bytearray(address.part_bytes)
        buffer, taken = memoryview(self._buffer), 0
        while taken < len(data):
            whole = min(address.part_bytes, address.bytes - self._held_from)
            count = min(whole - self._held, len(data) - taken)
            buffer[self._held : self._held + count] = data[taken : taken + count]
            self._held += count
            taken += count
            if self._held == whole:
                number = self._held_from // address.part_bytes + 1
                self._send(address, upload, number, buffer[:whole])
                self._held_from += whole
                self._held = 0

    def _send(self, address: _Address, upload: str, number: int, data: memoryview) -> None:
        digest = hashlib.sha256(data)
        checksum = base64.b64encode(digest.digest()).decode()
        query = [("partNumber", str(number)), ("uploadId", address.upload_id)]
        answer = self._call("PUT", address.name, query, {"x-amz-checksum-sha256": checksum}, data, digest.hexdigest())
        self._refuse(answer, f"sending {address.name}")
        told = answer.headers.get("x-amz-checksum-sha256", checksum)
        if answer.status != 200 or told != checksum:
            raise ChecksumRefused(f"{address.name}: part {number} arrived altered")
        self._book.keep(upload, SentPart(number, words.usable_etag(answer.headers.get("ETag", "")), checksum))

    def _drop_held(self) -> None:
        self._held_for, self._held_from, self._held = None, 0, 0

    def complete(self, upload: str) -> None:
        address = _read(upload)
        try:
            there = self._there(address, upload)
        except UploadGone:
            if self._object_is_ours(address):
                return
            raise
        if min(len(there) * address.part_bytes, address.bytes) != address.bytes:
            raise OffsetMoved(f"{address.name}: the bucket has {len(there)} parts, not all")
        body = words.completion([(part.number, part.etag, part.sha256) for part in there])
        answer = self._call("POST", address.name, [("uploadId", address.upload_id)], {"If-None-Match": "*"}, body)
        if answer.status != _TAKEN:
            self._refuse(answer, f"completing {address.name}")
            words.read_completed(answer.body)
        if not self._object_is_ours(address):
            raise StationRefused(f"the bucket holds another object as {address.name}; nothing is replaced", 409)

    def close(self) -> None:
        self._drop_held()
        self._link.close()

    def _there(self, address: _Address, upload: str) -> list[SentPart]:
        """The parts from the first on, without a hole, that the bucket lists as we sent them."""
        ours = {part.number: part for part in self._book.parts(upload)}
        there: list[SentPart] = []
        for listed in self._listed(address):
            kept = ours.get(listed.number)
            start = (listed.number - 1) * address.part_bytes
            whole = listed.bytes == min(address.part_bytes, address.bytes - start)
            if listed.number != len(there) + 1 or not whole or kept is None or kept.etag != listed.etag:
                break
            there.append(kept)
        return there

    def _listed(self, address: _Address) -> Iterable[words.Part]:
        after: int | None = 0
        while after is not None:
            query = [("max-parts", str(_PAGE)), ("part-number-marker", str(after)), ("uploadId", address.upload_id)]
            answer = self._call("GET", address.name, query, {})
            self._refuse(answer, f"asking for the parts of {address.name}")
            parts, further = words.read_parts(answer.body)
            if further is not None and further <= after:
                raise StationFailed("the bucket lists the same parts again")
            yield from parts
            after = further

    def _object_is_ours(self, address: _Address) -> bool:
        """Whether the object is there, of our length and digest as its metadata say. No more than a hint."""
        answer = self._call("HEAD", address.name, [], {})
        if answer.status == 404:
            return False
        self._refuse(answer, f"looking at {address.name}")
        told = (answer.headers.get("Content-Length", ""), answer.headers.get("x-amz-meta-sha256", ""))
        return told == (str(address.bytes), address.sha256)

    def _call(
        self,
        method: str,
        name: str,
        query: list[tuple[str, str]],
        headers: dict[str, str],
        body: bytes | memoryview = b"",
        payload_sha256: str | None = None,
    ) -> Answer:
        path = self._bucket.path(name)
        digest = payload_sha256 or (hashlib.sha256(body).hexdigest() if body else EMPTY_SHA256)
        signed = signed_headers(
            self._bucket.key,
            self._bucket.region,
            method=method,
            path=path,
            query=query,
            headers={"Host": self._bucket.host, **headers},
            payload_sha256=digest,
            now=self._now(),
        )
        address = encoded(path) + (f"?{encoded_query(query)}" if query else "")
        return self._link.call(method, address, {**signed, "Content-Length": str(len(body))}, body)

    def _refuse(self, answer: Answer, what: str) -> None:
        """As `refuse`, by what S3 calls it."""
        code = words.error_code(answer.body) if answer.status >= 400 else ""
        if code == "NoSuchUpload":
            raise UploadGone(f"{what}: the bucket does not know the upload any more")
        if code in _ALTERED:
            raise ChecksumRefused(f"{what}: {code}")
        refuse(Answer(answer.status, answer.headers, code.encode() or answer.body), what)


def part_bytes(file_bytes: int) -> int:
    """5 MiB, or more where 10,000 parts would not do: what is cut off at undocking is sent again."""
    return max(LEAST_PART_BYTES, -(-file_bytes // _MOST_PARTS))


def _read(upload: str) -> _Address:
    """Raises `UploadGone` for what is no address of ours: the file is announced again."""
    try:
        return msgspec.json.decode(upload, type=_Address)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise UploadGone(f"an upload's address cannot be read: {error}") from error
