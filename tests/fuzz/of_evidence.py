"""Fuzz targets of `evidence`: what cameras, stations and courts hand to a verifier."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import Final

import repaired
from target import LINES, NOW, Target, agency, as_file, from_file, trust

from evidence import cms, custody_ledger, custody_words, der, nal
from evidence.commands import parse_command
from evidence.disclosure import decode_manifest
from evidence.disclosure_package import open_package, verify_package
from evidence.errors import EvidenceError, MediaError
from evidence.export.captions import switch_off
from evidence.export.decrypt import read_metadata
from evidence.export.media_file import _short_lengths
from evidence.fmp4_read import parse_fragment, parse_init, read_salt
from evidence.gpmf import gps_sample, parse_gps_sample
from evidence.handover import answer_decoder, decode_contact, decode_peer_start, decode_receipt
from evidence.keys import load_certificates, load_private_key
from evidence.media_sei import is_message, read_message, signature_room
from evidence.media_verify import StreamVerdict, certificate_verdict, verify_stream
from evidence.pkcs11_uri import TokenUri
from evidence.release import read_release, update_fault
from evidence.requests import request_decoder
from evidence.revocation import load_crls
from evidence.sealed import parse_sealed
from evidence.signed_chain import link
from evidence.splitter import Splitter
from evidence.sps import parse_sps
from evidence.statements import decode, encode, encode_canonical
from evidence.timestamp import check_form
from evidence.unwrap_ledger import read_ledger
from evidence.update_state import read_state
from evidence.vault_proof import check_vault_proof, decode_proofs_wanted
from evidence.verify import StreamVerifier


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


def read_vault_proof(data: bytes) -> None:
    theirs, signers = agency()
    check_vault_proof(cms.sign(data, signers["proof"], NOW), theirs)


def read_custody(data: bytes) -> None:
    """An entry of the custody ledger, and its words."""
    _, signers = agency()
    signed = cms.sign(data, signers["station-receipt"], NOW)
    entry = link(signed, 0, custody_ledger.DECODER, None, custody_ledger.signature_check(None), "ledger").statement
    assert custody_words.line(entry)


def read_package(data: bytes) -> None:
    with tempfile.NamedTemporaryFile(suffix=".zip") as file:
        file.write(data)
        file.flush()
        verify_package(open_package(Path(file.name)), trust(), now=NOW)


def read_unwraps(data: bytes) -> None:
    """A vault desk's ledger, whose links somebody signed."""
    _, signers = agency()
    path = as_file("ledger.p7s", cms.sign(data, signers["station-receipt"], NOW))
    for _ in read_ledger(path, None):
        pass


def read_release_manifest(data: bytes) -> None:
    theirs, signers = agency()
    found = read_release(cms.sign(data, signers["release"], NOW), theirs)
    update_fault(found, model="bodycam", firmware="1.2.3")


def read_peer_start(data: bytes) -> None:
    assert encode_canonical(decode_peer_start(data)) == data


def read_command_document(data: bytes) -> None:
    """A command of whoever signed it: its form is read before its power is looked at."""
    parse_command(data)


def read_key_uri(data: bytes) -> None:
    TokenUri.parse(data.decode("utf-8", "replace"))


def read_short_lengths(data: bytes) -> None:
    """NAL units behind lengths of one or two octets, as other muxers write them."""
    for octets in (1, 2):
        with contextlib.suppress(MediaError):
            assert sum(len(unit) + octets for unit in _short_lengths(data, octets)) == len(data)


def read_index(data: bytes) -> None:
    """Where the index of an MP4 file is that another program wrote: the captions' track is switched off in it."""
    switch_off(as_file("export.mp4", data))


def read_key(path: Path) -> None:
    path.chmod(0o600)
    load_private_key(path)


def read_chain(data: bytes) -> None:
    """The certificates that a video stream itself carries."""
    assert signature_room(data) > 0
    verdict = certificate_verdict(StreamVerdict((), data, None), trust())
    assert not verdict.trusted or b"CERTIFICATE" in data


def read_token(data: bytes) -> None:
    check_form(data, "00" * 32, 1)


_MP4: Final = (repaired.boxes,)
_JSON: Final = (repaired.canonical_json,)
_DER: Final = (repaired.der_lengths,)
TARGETS: Final = (
    Target("der", read_der, mends=_DER),
    Target("signed", read_signed, mends=_DER),
    Target("sealed", parse_sealed, mends=_DER),
    Target("statement", read_statement, mends=_JSON),
    Target("file", read_file, mends=_DER),
    Target("nal", read_nal, mends=(repaired.nal_lengths,)),
    Target("nal-short", read_short_lengths, (MediaError,)),
    Target("sei", read_sei),
    Target("mp4-init", read_init, mends=_MP4),
    Target("mp4-fragment", read_fragment, mends=_MP4),
    Target("mp4-index", read_index, (EvidenceError, OSError), mends=_MP4),
    Target("gpmf", read_gpmf, mends=(repaired.gpmf_lengths,)),
    Target("receipt", read_receipt, mends=_JSON),
    Target("contact", read_contact, mends=_JSON),
    Target("peer-start", read_peer_start, mends=_JSON),
    Target("manifest", read_manifest, mends=_JSON),
    Target("package", read_package, (EvidenceError, OSError), mends=(repaired.zip_checksums,)),
    Target("handover-request", request_decoder.decode, LINES, mends=_JSON),
    Target("handover-answer", answer_decoder.decode, LINES, mends=_JSON),
    Target("command-document", read_command_document, mends=_DER),
    Target("vault-proof", read_vault_proof, mends=_JSON),
    Target("proofs-wanted", decode_proofs_wanted),
    Target("custody-entry", read_custody, mends=_JSON),
    Target("unwrap-ledger", read_unwraps, mends=_JSON),
    Target("release", read_release_manifest, mends=_JSON),
    Target("update-state", from_file("state.json", read_state), mends=_JSON),
    Target("object-metadata", read_metadata),
    Target("revocation-list", from_file("list.crl", load_crls), mends=_DER),
    Target("timestamp", read_token, mends=_DER),
    Target("stream-chain", read_chain, ()),
    Target("certificates", from_file("chain.pem", load_certificates)),
    Target("private-key", from_file("some.key", read_key)),
    Target("key-uri", read_key_uri),
)
