"""What is fuzzed: every reader of bytes from outside, each with the refusals that its documentation allows.

A target takes bytes and returns. It may raise what stands in `allowed`; everything else is a find, and so is a call
that takes longer than `SLOW_S`. What a reader accepts is held against its writer where there is one.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Final

import msgspec
from starlette.exceptions import HTTPException

from device.commands import check_command
from device.errors import CommandRefused, ProfileRefused
from device.profile import parse_profile
from dock.admin_words import arguments_of
from dock.admin_words import request_decoder as admin_request_decoder
from dock.agent.documents import decode_listing
from dock.errors import BadArguments, BadFileName, StationFailed
from dock.names import original_name, parse_name
from dock.station.bay_reports import decode_report
from dock.station.labels import LabelArguments
from dock.station.sent_files import SentWords
from dock.station.tus_words import metadata
from dock.transport.s3_words import error_code, read_completed, read_parts, read_upload_id
from dock.transport.tus_foreign import most_bytes, same_origin
from evidence import cms, custody_ledger, custody_words, der, nal
from evidence.disclosure import decode_manifest
from evidence.disclosure_package import open_package, verify_package
from evidence.errors import EvidenceError, MediaError
from evidence.fmp4_read import parse_fragment, parse_init, read_salt
from evidence.gpmf import gps_sample, parse_gps_sample
from evidence.handover import answer_decoder, decode_contact, decode_receipt
from evidence.keys import FileSigner
from evidence.media_sei import is_message, read_message
from evidence.media_verify import verify_stream
from evidence.requests import request_decoder
from evidence.sealed import parse_sealed
from evidence.signed_chain import link
from evidence.splitter import Splitter
from evidence.sps import parse_sps
from evidence.statements import decode, encode, encode_canonical
from evidence.trust import Trust
from evidence.vault_proof import check_vault_proof, decode_proofs_wanted
from evidence.verify import StreamVerifier
from fleet import est
from fleet.assets import read_assets
from fleet.ca import create_agency
from fleet.csr import load_request
from fleet.errors import FleetError
from fleet.flash.bmap import read_bmap
from fleet.flash.image import partition_one
from fleet.flash.manifest import read_manifest as read_manifest_of_image
from fleet.transfer import decode_departure
from hal.clock import UtcClaim
from hal.nmea import EpochAssembler

CORPUS: Final = Path(__file__).parent / "corpus"
VECTORS: Final = Path(__file__).parents[1] / "vectors"
SIGNERS: Final = ("profile", "release", "supervisor", "proof", "station-receipt")
SLOW_S: Final = 2.0
NOW: Final = dt.datetime(2026, 6, 1, 12, tzinfo=dt.UTC)


@dataclass(frozen=True)
class Target:
    """One reader."""

    name: str
    run: Callable[[bytes], object]
    allowed: tuple[type[BaseException], ...] = (EvidenceError,)

    def seeds(self) -> list[bytes]:
        """The kept corpus: good documents, and every find that was ever made."""
        return [path.read_bytes() for path in sorted((CORPUS / self.name).iterdir())]

    def __call__(self, data: bytes) -> None:
        """Raises only what is a find."""
        with contextlib.suppress(*self.allowed):
            self.run(data)


@functools.cache
def trust() -> Trust:
    return Trust.load(VECTORS / "pki" / "root.pem")


@functools.cache
def agency() -> tuple[Trust, dict[str, FileSigner]]:
    """A throw-away agency whose keys sign whatever the fuzzer makes."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        create_agency(directory)
        signers = {stem: FileSigner.load(directory / f"{stem}.key", directory / f"{stem}.pem") for stem in SIGNERS}
        return Trust.load(directory / "root.pem"), signers


def policy_office() -> tuple[Trust, FileSigner]:
    theirs, signers = agency()
    return theirs, signers["profile"]


def supervisor() -> tuple[Trust, FileSigner]:
    theirs, signers = agency()
    return theirs, signers["supervisor"]


def read_der(data: bytes) -> None:
    readers = [der.Reader(data)]
    while readers:
        reader = readers.pop()
        while not reader.at_end:
            element = reader.element()
            if element.tag in (der.UTC_TIME, der.GENERALIZED_TIME):
                with contextlib.suppress(EvidenceError):
                    der.time(der.parse_time(element))
            if element.tag & 0x20:
                readers.append(der.Reader(element.body))


def read_signed(data: bytes) -> None:
    cms.check_signature(cms.parse_signed(data))


def read_statement(data: bytes) -> None:
    statement = decode(data)
    assert encode(statement) == data
    assert not any(text.endswith("\n") for text in (statement.serial, statement.prev, statement.boot))


def read_file(data: bytes) -> None:
    """The verifier never raises, and the splitter gives the same items in whatever pieces the bytes come."""
    verifier = StreamVerifier(trust(), "SIM-0001-log-000001.evidence", NOW)
    verifier.feed(data)
    verifier.finish()
    assert _items(data, len(data) + 1) == _items(data, 97)


def _items(data: bytes, step: int) -> list[object]:
    splitter, found = Splitter(), list[object]()
    try:
        for start in range(0, len(data), step):
            for one in splitter.feed(data[start : start + step]):
                found.append(one)
    except EvidenceError as error:
        found.append(str(error))
    return found


def read_nal(data: bytes) -> None:
    for split in (nal.split_annexb, nal.split_avcc):
        with contextlib.suppress(MediaError):
            units = split(data)
            verify_stream([units, units])
            nal.parameter_sets(units)
            for unit in units:
                if nal.nal_type(unit) == nal.SPS:
                    with contextlib.suppress(MediaError):
                        parse_sps(unit)
    escaped = nal.escape(data)
    assert not any(code in escaped for code in (b"\0\0\0", b"\0\0\1", b"\0\0\2"))


def read_sei(data: bytes) -> None:
    if is_message(data):
        read_message(data)


def read_init(data: bytes) -> None:
    parse_init(data)
    read_salt(data)


def read_fragment(data: bytes) -> None:
    info = parse_fragment(data)
    for track in info.tracks:
        assert all(0 <= one.offset <= one.offset + one.size <= len(data) for one in track.samples)


def read_gpmf(data: bytes) -> None:
    points, sentences = parse_gps_sample(data)
    gps_sample(points, sentences, "again")


def read_receipt(data: bytes) -> None:
    assert encode_canonical(decode_receipt(data)) == data


def read_contact(data: bytes) -> None:
    assert encode_canonical(decode_contact(data)) == data


def read_manifest(data: bytes) -> None:
    assert encode_canonical(decode_manifest(data)) == data


def read_profile(data: bytes) -> None:
    theirs, signer = policy_office()
    parse_profile(cms.sign(data, signer, NOW), theirs)


def read_image_manifest(data: bytes) -> None:
    theirs, signers = agency()
    read_manifest_of_image(cms.sign(data, signers["release"], NOW), theirs)


def read_asset_log(data: bytes) -> None:
    for entry in read_assets(data, "log"):
        assert read_assets(encode_canonical(entry) + b"\n", "log") == [entry]


def read_block_map(data: bytes) -> None:
    found = read_bmap(data)
    assert 0 < found.mapped_bytes <= found.image_bytes


def read_command(data: bytes) -> None:
    theirs, signer = supervisor()
    now_ns = time.time_ns()
    check_command(cms.sign(data, signer, NOW), theirs, "SIM-0001", UtcClaim(now_ns, now_ns + 1, "gnss"))


def read_vault_proof(data: bytes) -> None:
    theirs, signers = agency()
    check_vault_proof(cms.sign(data, signers["proof"], NOW), theirs)


def read_custody(data: bytes) -> None:
    """An entry of the custody ledger, and its words."""
    _, signers = agency()
    signed = cms.sign(data, signers["station-receipt"], NOW)
    entry = link(signed, 0, custody_ledger.DECODER, None, custody_ledger.signature_check(None), "ledger").statement
    assert custody_words.line(entry)


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


def read_nmea(data: bytes) -> None:
    assembler = EpochAssembler()
    epochs = [assembler.add(line, 10**8 * number) for number, line in enumerate(data.split(b"\n"))]
    for epoch in (*epochs, assembler.finish()):
        assert epoch is None or not epoch.fix or abs(epoch.latitude_nd or 0) <= 90 * 10**9


def read_package(data: bytes) -> None:
    with tempfile.NamedTemporaryFile(suffix=".zip") as file:
        file.write(data)
        file.flush()
        verify_package(open_package(Path(file.name)), trust(), now=NOW)


def read_departure(data: bytes) -> None:
    assert encode_canonical(decode_departure(data)) == data


def read_enrolment(data: bytes) -> None:
    """A request as an enrolment server reads it: its authorization in the first line, then its body."""
    head, _, body = data.partition(b"\n")
    with contextlib.suppress(FleetError):
        serial, token = est.parse_basic(head.decode("latin-1"))
        assert serial
        assert token
    load_request(est.decode_body(body))


_LINES = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What `device.control` and `dock.agent.recorder_client` answer with one sentence."""
TARGETS: Final = (
    Target("der", read_der),
    Target("signed", read_signed),
    Target("sealed", parse_sealed),
    Target("statement", read_statement),
    Target("file", read_file),
    Target("nal", read_nal),
    Target("sei", read_sei),
    Target("mp4-init", read_init),
    Target("mp4-fragment", read_fragment),
    Target("gpmf", read_gpmf),
    Target("receipt", read_receipt),
    Target("contact", read_contact),
    Target("manifest", read_manifest),
    Target("package", read_package, (EvidenceError, OSError)),
    Target("handover-request", request_decoder.decode, _LINES),
    Target("handover-answer", answer_decoder.decode, _LINES),
    Target("profile", read_profile, (ProfileRefused,)),
    Target("command", read_command, (CommandRefused,)),
    Target("vault-proof", read_vault_proof),
    Target("proofs-wanted", decode_proofs_wanted),
    Target("custody-entry", read_custody),
    Target("admin-request", read_admin, (*_LINES, BadArguments)),
    Target("upload-metadata", read_upload, (HTTPException, UnicodeDecodeError)),
    Target("nmea", read_nmea, ()),
    Target("bucket-answer", read_bucket, (StationFailed,)),
    Target("tus-answer", read_tus_answer, (StationFailed,)),
    Target("sent-file", functools.partial(msgspec.json.decode, type=SentWords), _LINES),
    Target("bay-report", decode_report, (ValueError,)),
    Target("document-list", decode_listing, (StationFailed,)),
    Target("departure", read_departure),
    Target("certificate-request", load_request, (FleetError,)),
    Target("enrolment", read_enrolment, (FleetError,)),
    Target("block-map", read_block_map, (FleetError,)),
    Target("image-manifest", read_image_manifest, (FleetError,)),
    Target("partition-table", partition_one, (FleetError,)),
    Target("asset-log", read_asset_log, (FleetError,)),
    Target("enrolment-answer", est.decode_answer, (FleetError,)),
)
