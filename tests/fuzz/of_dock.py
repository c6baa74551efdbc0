"""Fuzz targets of `dock`: what the network, a broker, a browser and a foreign store say to agent and station."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import msgspec
import repaired
from cryptography import x509
from starlette.exceptions import HTTPException
from starlette.requests import Request
from target import CORPUS, LINES, NOW, Target, agency, as_file, from_file, scratch

from dock.admin_words import arguments_of
from dock.admin_words import request_decoder as admin_request_decoder
from dock.agent import queue_news
from dock.agent.documents import decode_listing
from dock.agent.foreign import SentTransport
from dock.agent.report import power_of
from dock.config import Tls, load_agent, load_station
from dock.errors import BadArguments, BadConfig, BadFileName, BadPerson, ReaderLost, StationFailed, UploadGone
from dock.mqtt.commands import CommandLine
from dock.mqtt.messages import queue_items, refusal
from dock.mqtt.peers import PeerStarts, peers_topic
from dock.names import original_name, parse_aside, parse_name
from dock.revoked import load_authorities, revoked_because
from dock.rfid_reader import LineReader
from dock.station import person, profile_shelf, s3_requests, update_shelf
from dock.station.bay_reports import decode_report
from dock.station.broker_witness import head_in
from dock.station.labels import LabelArguments, _categories
from dock.station.page.forms import from_our_page, read_form, same
from dock.station.people_csv import import_people
from dock.station.sent_files import SentWords
from dock.station.tus_words import checksum, content_length, metadata
from dock.tls import own_serial, own_start, peer_of, valid_at
from dock.transport import s3
from dock.transport.credentials import load_access_key, load_tus_pass
from dock.transport.s3_words import error_code, read_completed, read_parts, read_upload_id
from dock.transport.tus_foreign import most_bytes, same_origin
from evidence import cms
from evidence.errors import EvidenceError
from evidence.revocation import Revocations


def read_admin(data: bytes) -> None:
    """A request to the station's socket for people, and its arguments."""
    request = admin_request_decoder.decode(data)
    arguments_of(LabelArguments, request.arguments)


def read_upload(data: bytes) -> None:
    """Upload-Metadata as the station reads it, then the name in it."""
    headers = {"upload-metadata": data.decode("latin-1")}
    found = metadata(SimpleNamespace(headers=headers))  # type: ignore[arg-type]
    for value in found.values():
        text = value.decode("utf-8", "strict")
        with contextlib.suppress(BadFileName):
            name = parse_name(text)
            assert "/" not in name.text
            assert "\n" not in name.text
            assert parse_name(original_name(text)) == name


def read_bucket(data: bytes) -> None:
    """What S3 answers: whatever is read is safe to send back."""
    error_code(data)
    for read in (read_upload_id, read_completed):
        with contextlib.suppress(StationFailed):
            read(data)
    parts, further = read_parts(data)
    assert further is None or further == parts[-1].number
    assert not any(char in part.etag for part in parts for char in '<>&"')


def read_tus_answer(data: bytes) -> None:
    """Location and Tus-Max-Size of a foreign server: an upload is never elsewhere."""
    first, _, second = data.decode("latin-1").partition("\n")
    with contextlib.suppress(StationFailed):
        most_bytes(second)
    address = same_origin("http://127.0.0.1:8080/files", "/files", first)
    assert address.startswith("/")
    assert address.isprintable()
    assert " " not in address
    assert same_origin("http://127.0.0.1:8080/files", "/files", "http://127.0.0.1:8080" + address) == address


def read_broker(data: bytes) -> None:
    """A message of the broker: a topic, a line's end, its payload, for everybody who listens there."""
    first, _, payload = data.partition(b"\n")
    topic = first.decode("utf-8", "replace")
    found = head_in(topic, payload)
    assert found is None or topic == f"fleet/v1/{found[0]}/state"
    answer = refusal("SIM-0001", topic, payload)
    assert answer is None or answer[0].isascii()
    line = CommandLine("SIM-0001")
    if line.put(payload, topic, payload[:70], retained=False) is None:
        asked = line.take()
        assert asked is not None
        assert asked.reply_to is None or asked.reply_to.startswith("fleet/v1/SIM-0001/rsp/")
    starts = PeerStarts("station", "SIM-0001")
    taken = starts.put(topic, payload, 1.0)
    assert taken is not None or (topic.startswith(peers_topic("station", "")) and payload)


def read_facts(data: bytes) -> None:
    """What a recorder says of its battery and its queue, before it leaves the camera."""
    facts = msgspec.json.decode(data, type=dict[str, Any])
    power_of(facts)
    assert all(one.recording is None or len(one.recording) <= 64 for one in queue_items(facts))


def read_told(data: bytes) -> None:
    """What the agent itself kept between two starts."""
    queue_news._read(as_file("told.json", data))


def read_address(data: bytes) -> None:
    """Where an upload stands, as the agent kept it: of another target, of another version, or torn."""
    text = data.decode("utf-8", "replace")
    with contextlib.suppress(UploadGone):
        s3._read(text)
    transport = SentTransport.__new__(SentTransport)
    transport._store = "archive"
    transport._read(text)


def read_tag(data: bytes) -> None:
    """What an RFID reader's line delivers."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        os.write(writing, data[:60_000])
    os.close(writing)
    reader = LineReader.__new__(LineReader)
    reader._descriptor, reader._device = reading, Path("reader")
    try:
        for uid in reader.uids():
            assert uid.isalnum()
    finally:
        os.close(reading)


class _Register:
    """People as the import needs them; what it would write is of no interest here."""

    together = staticmethod(contextlib.nullcontext)

    def find(self, _id: str) -> None:
        return None

    def add(self, one: person.Person, *, who: str) -> None:
        person.checked_id(one.id)
        person.checked_name(one.name)

    def set_tag(self, _id: str, tag: str, *, who: str) -> None:
        person.checked_tag(tag)


def read_people(path: Path) -> None:
    import_people(_Register(), path, who="test")  # type: ignore[arg-type]


def read_person(data: bytes) -> None:
    """Each field that somebody types about a person."""
    text = data.decode("utf-8", "replace")
    for check in (
        person.checked_id, person.checked_name, person.checked_role, person.checked_day, person.checked_tag,
        person.checked_pin, person.checked_password,
    ):  # fmt: skip
        with contextlib.suppress(BadPerson):
            check(text)


def _request(headers: list[tuple[bytes, bytes]], *bodies: bytes) -> Request:
    waiting = [{"type": "http.request", "body": one, "more_body": True} for one in bodies]
    waiting.append({"type": "http.request", "body": b"", "more_body": False})

    async def receive() -> dict[str, Any]:
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": headers}
    return Request(scope, receive)


def read_page_form(data: bytes) -> None:
    """A form of the page: its type in the first line, then its body, in two pieces."""
    kind, _, body = data.partition(b"\n")
    request = _request([(b"content-type", kind), (b"origin", kind), (b"host", kind)], body[:20], body[20:])
    from_our_page(request)
    for name, text in asyncio.run(read_form(request)).items():
        assert all(char == "\n" or char.isprintable() for char in text)
        same(text, name)


def read_tus_headers(data: bytes) -> None:
    first, _, second = data.partition(b"\n")
    request = _request([(b"content-length", first), (b"upload-checksum", second)])
    with contextlib.suppress(HTTPException):
        assert content_length(request) >= 0
    found = checksum(request)
    assert found is None or len(found) == 32


def read_aside(data: bytes) -> None:
    assert parse_aside(data.decode("utf-8", "replace")).isascii()


def read_shelves(data: bytes) -> None:
    """Signed documents that somebody put where the station hands them out."""
    theirs, signers = agency()
    profile = as_file("shelf/profile.p7s", cms.sign(data, signers["profile"], NOW))
    with contextlib.suppress(EvidenceError, *LINES):
        _categories(profile, theirs)
    with contextlib.suppress(EvidenceError, ValueError):
        profile_shelf.read_profile(profile, theirs)
    as_file(f"shelf/{update_shelf.MANIFEST}", cms.sign(data, signers["release"], NOW))
    with contextlib.suppress(EvidenceError, ValueError, OSError):
        update_shelf.read_offer(scratch() / "shelf", theirs)


def read_credentials(path: Path) -> None:
    path.chmod(0o600)
    with contextlib.suppress(BadConfig):
        load_access_key(path)
    with contextlib.suppress(BadConfig):
        passed = load_tus_pass(path)
        assert all(one.isprintable() for one in passed.headers.values())


def read_peer(data: bytes) -> None:
    """A certificate that somebody shows, before anybody knows whose it is."""
    peer = peer_of(data)
    assert peer is None or peer.serial
    valid_at(data, NOW)
    path = as_file("shown.pem", data)
    for read in (own_start, own_serial):
        with contextlib.suppress(BadConfig):
            read(Tls(certificate=path, key=path, ca=path))
    with contextlib.suppress(BadConfig):
        load_authorities(path)
    revoked_because(data, (), Revocations((_crl(),)))


@functools.cache
def _crl() -> x509.CertificateRevocationList:
    return x509.load_der_x509_crl((CORPUS / "revocation-list" / "der").read_bytes())


def read_lock(data: bytes) -> None:
    """How long an object is locked, as an S3 store states it."""
    until = data.decode("latin-1")
    s3_requests.locked_until({"x-amz-object-lock-mode": "COMPLIANCE", "x-amz-object-lock-retain-until-date": until})


TARGETS: Final = (
    Target("admin-request", read_admin, (*LINES, BadArguments)),
    Target("upload-metadata", read_upload, (HTTPException, UnicodeDecodeError)),
    Target("tus-headers", read_tus_headers, (HTTPException,)),
    Target("bucket-answer", read_bucket, (StationFailed,)),
    Target("tus-answer", read_tus_answer, (StationFailed,)),
    Target("sent-file", lambda data: msgspec.json.decode(data, type=SentWords), LINES),
    Target("bay-report", decode_report, (ValueError,)),
    Target("document-list", decode_listing, (StationFailed,)),
    Target("broker-message", read_broker, ()),
    Target("recorder-facts", read_facts, LINES),
    Target("told-queue", read_told, ()),
    Target("upload-address", read_address, (UploadGone,)),
    Target("rfid-line", read_tag, (ReaderLost,)),
    Target("people-table", from_file("people.csv", read_people), (BadPerson,)),
    Target("person", read_person, ()),
    Target("page-form", read_page_form, (HTTPException,)),
    Target("aside-name", read_aside, (BadFileName,)),
    Target("shelves", read_shelves, ()),
    Target("credentials", from_file("credentials", read_credentials), ()),
    Target("peer-certificate", read_peer, (), mends=(repaired.der_lengths,)),
    Target("object-lock", read_lock, ()),
    Target("agent-settings", from_file("agent.toml", load_agent), (BadConfig,)),
    Target("station-settings", from_file("station.toml", load_station), (BadConfig,)),
)
