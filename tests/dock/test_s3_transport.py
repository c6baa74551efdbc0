"""Our multipart upload against SeaweedFS's S3, looked at by boto3: what resumes, and what is refused."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterator

import pytest
from foreign_servers import BUCKET, SCOPED, Weed

from dock.errors import OffsetMoved, StationRefused, UploadGone
from dock.transport.credentials import AccessKey
from dock.transport.https import StationLink
from dock.transport.s3 import LEAST_PART_BYTES, Bucket, S3Transport, SentPart, part_bytes
from dock.transport.transport import Outgoing

DATA = os.urandom(2 * LEAST_PART_BYTES + 4321)


class Book:
    """Parts in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[int, SentPart]] = {}

    def parts(self, upload: str) -> list[SentPart]:
        return list(self.kept.get(upload, {}).values())

    def keep(self, upload: str, part: SentPart) -> None:
        self.kept.setdefault(upload, {})[part.number] = part


@pytest.fixture(scope="module")
def weed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Weed]:
    server = Weed(tmp_path_factory.mktemp("weed"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def book() -> Book:
    return Book()


def transport(weed: Weed, book: Book) -> S3Transport:
    """As after a restart: nothing but the book is remembered."""
    host = f"127.0.0.1:{weed.s3}"
    bucket = Bucket(host, BUCKET, "cameras/", "us-east-1", AccessKey(*SCOPED))
    return S3Transport(StationLink(f"http://{host}", None, 20.0), bucket, book)


def outgoing(number: int, serial: str = "SIM-0001", data: bytes = DATA) -> Outgoing:
    name = f"{serial}-{number:06d}.evidence"
    return Outgoing(name, len(data), "c" * 64, hashlib.sha256(data).hexdigest())


def send(to: S3Transport, upload: str, offset: int, until: int, data: bytes = DATA) -> None:
    while offset < until:
        offset = to.append(upload, offset, data[offset : min(offset + 1_000_000, until)])


@pytest.mark.requirement("R30", "R40")
def test_a_restarted_agent_goes_on_at_the_last_whole_part_and_the_bucket_keeps_the_digests(
    weed: Weed, book: Book
) -> None:
    file = outgoing(1)
    first = transport(weed, book)
    upload = first.create(file)
    send(first, upload, 0, LEAST_PART_BYTES + 3_000_000)
    again = transport(weed, book)
    assert again.offset(upload).offset == LEAST_PART_BYTES
    with pytest.raises(OffsetMoved):
        again.append(upload, LEAST_PART_BYTES + 3_000_000, b"x")
    with pytest.raises(OffsetMoved):
        again.complete(upload)
    send(again, upload, LEAST_PART_BYTES, len(DATA))
    assert weed.object("cameras/SIM-0001/SIM-0001-000001.evidence") is None
    again.complete(upload)
    again.complete(upload)
    assert transport(weed, book).offset(upload).offset == len(DATA)
    assert transport(weed, book).offset(upload).receipt is None
    key = "cameras/SIM-0001/SIM-0001-000001.evidence"
    assert weed.object(key) == DATA
    head = weed.boto.head_object(Bucket=BUCKET, Key=key, ChecksumMode="ENABLED")
    assert head["Metadata"] == {"sha256": file.sha256, "close-hash": file.close_hash}
    parts = [DATA[start : start + LEAST_PART_BYTES] for start in range(0, len(DATA), LEAST_PART_BYTES)]
    whole = hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).digest()
    assert head["ChecksumSHA256"] == f"{base64.b64encode(whole).decode()}-3"


@pytest.mark.requirement("R40")
def test_an_object_that_is_there_is_never_replaced(weed: Weed, book: Book) -> None:
    key = "cameras/SIM-0001/SIM-0001-000002.evidence"
    weed.boto.put_object(Bucket=BUCKET, Key=key, Body=b"somebody else's")
    to = transport(weed, book)
    small = DATA[:1000]
    upload = to.create(outgoing(2, data=small))
    send(to, upload, 0, len(small), small)
    with pytest.raises(StationRefused, match="nothing is replaced"):
        to.complete(upload)
    assert weed.object(key) == b"somebody else's"


def test_the_same_file_sent_again_after_the_ledger_was_lost_is_there_already(weed: Weed, book: Book) -> None:
    small = DATA[:1000]
    for kept in (book, Book()):
        to = transport(weed, kept)
        upload = to.create(outgoing(3, data=small))
        send(to, upload, 0, len(small), small)
        to.complete(upload)
    assert weed.object("cameras/SIM-0001/SIM-0001-000003.evidence") == small


def test_a_part_that_the_bucket_lists_otherwise_than_we_sent_it_is_sent_again(weed: Weed, book: Book) -> None:
    to = transport(weed, book)
    upload = to.create(outgoing(4))
    send(to, upload, 0, 2 * LEAST_PART_BYTES)
    book.keep(upload, SentPart(2, "other", "other"))
    assert to.offset(upload).offset == LEAST_PART_BYTES
    book.kept.clear()
    assert to.offset(upload).offset == 0


def test_an_upload_that_the_bucket_forgot_is_announced_again(weed: Weed, book: Book) -> None:
    to = transport(weed, book)
    upload = to.create(outgoing(5))
    key = "cameras/SIM-0001/SIM-0001-000005.evidence"
    [begun] = weed.boto.list_multipart_uploads(Bucket=BUCKET, Prefix=key)["Uploads"]
    weed.boto.abort_multipart_upload(Bucket=BUCKET, Key=key, UploadId=begun["UploadId"])
    for ask in (to.offset, to.complete):
        with pytest.raises(UploadGone):
            ask(upload)
    with pytest.raises(UploadGone):
        to.offset("/files/of-a-tus-server")


@pytest.mark.requirement("R41")
def test_a_cameras_key_opens_no_other_cameras_prefix(weed: Weed, book: Book) -> None:
    to = transport(weed, book)
    with pytest.raises(StationRefused, match="AccessDenied") as refused:
        to.create(outgoing(1, serial="SIM-0002"))
    assert refused.value.status == 403
    assert weed.object("cameras/SIM-0002/SIM-0002-000001.evidence") is None


def test_parts_grow_with_files_that_would_have_too_many() -> None:
    assert part_bytes(1) == part_bytes(48 * 2**30) == LEAST_PART_BYTES
    huge = 2**40
    assert -(-huge // part_bytes(huge)) <= 10_000
