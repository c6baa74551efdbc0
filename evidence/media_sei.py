"""The SEI message of ONVIF Media Signing for H.264: writing it, and reading it strictly.

Source: ONVIF Media Signing Specification and its reference framework, version 25.12.3. A message is a
user_data_unregistered SEI (payload type 5) with ONVIF's UUID, one reserved byte and tag-length-value fields, the
signature last. The signature is ECDSA over the SHA-256 of everything from the NAL header up to the signature field,
before emulation prevention; with a P-384 key too, since the message names SHA-256 for its picture hashes as well. A
message without a signature is vouched for by the message of the group in which it stands: its SHA-256 (of the whole NAL
unit, before emulation prevention) is one of that group's hashes.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from evidence.errors import MediaError
from evidence.keys import UNREADABLE
from evidence.nal import SEI, Buffer, escape, nal_type, unescape

ONVIF_UUID: Final = uuid.UUID("005bc93f-2d71-5e95-ada4-796f90877a6f")
FRAMEWORK_VERSION: Final = bytes((25, 12, 3))
HASH_BYTES: Final = 32
MAX_HASHES: Final = 300
"""Most slice hashes in one message; more are only summed up in the GOP hash."""
MAX_SIGNATURE_BYTES: Final = 72
MAX_P384_SIGNATURE_BYTES: Final = 104
MAX_ARBITRARY_BYTES: Final = 4096
MAX_MESSAGE_BYTES: Final = 256 * 1024

_SHA256_OID: Final = bytes.fromhex("0609608648016503040201")
_GENERAL, _HASHES, _SIGNATURE, _CRYPTO, _VENDOR, _CERTIFICATES, _ARBITRARY = 1, 2, 3, 4, 5, 6, 7
_TICKS_1601_TO_1970: Final = 11_644_473_600 * 10**7
_HASHED_ESCAPED: Final = 0x40
_GENERAL_BYTES: Final = 1 + 3 + 1 + 8 + 8 + 4 + 2 + 2 * HASH_BYTES


@dataclass(frozen=True, slots=True)
class VendorInfo:
    """Who made the camera, shown by every validator; at most 255 bytes of UTF-8 each."""

    firmware: str
    serial: str
    manufacturer: str


@dataclass(frozen=True, slots=True)
class GopClaim:
    """What one message says about one finished group of pictures (or part of one)."""

    counter: int
    """Counts messages from 1."""
    partial: bool
    """True when the group was cut at a picture that is no IDR."""
    start_utc_ns: int
    end_utc_ns: int
    """Camera's UTC in nanoseconds since 1970; the format keeps 100 ns."""
    hashed_nals: int
    gop_hash: bytes
    linked_hash: bytes
    """First hash of the group before this one; zeros in the first message."""
    hashes: tuple[bytes, ...] = ()
    """The hash of every slice; empty when there were too many."""
    arbitrary: bytes = b""


@dataclass(frozen=True, slots=True)
class SignedMessage:
    """A message that was read. `digest` is what `signature` (DER) must sign.

    Without a signature (empty) `digest` is what stands in the hash list of the group that the message is in.
    """

    claim: GopClaim | None
    """None in a certificate message."""
    chain_pem: bytes | None
    vendor: VendorInfo | None
    digest: bytes
    signature: bytes


def signature_room(chain_pem: bytes) -> int:
    """Most octets that a DER signature of the chain's first key has; those of P-256 if it cannot be read."""
    try:
        key = x509.load_pem_x509_certificates(chain_pem)[0].public_key()
    except UNREADABLE:
        return MAX_SIGNATURE_BYTES
    is_p384 = isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP384R1)
    return MAX_P384_SIGNATURE_BYTES if is_p384 else MAX_SIGNATURE_BYTES


def write_message(
    claim: GopClaim,
    chain_pem: bytes,
    vendor: VendorInfo,
    sign: Callable[[bytes], bytes],
    room: int = MAX_SIGNATURE_BYTES,
) -> bytes:
    """The SEI NAL unit, escaped, without start code. `sign` takes a SHA-256 digest and returns a DER signature.

    `room` is what `signature_room` says of the chain. Raises MediaError when a field is out of range or the signature
    longer than that; errors of `sign` pass.
    """
    fields = _field(_CRYPTO, b"\x01" + bytes((len(_SHA256_OID),)) + _SHA256_OID + bytes(3))
    fields += _field(_VENDOR, b"\x01" + b"".join(map(_short, (vendor.firmware, vendor.serial, vendor.manufacturer))))
    fields += _field(_CERTIFICATES, b"\x01\x00" + chain_pem)
    fields += _claim_fields(claim)
    unsigned = _sei(fields, 3 + 3 + room)
    signature = sign(hashlib.sha256(unsigned).digest())
    if not 0 < len(signature) <= room:
        raise MediaError(f"a signature of {len(signature)} bytes: in DER the key's curve has at most {room}")
    padded = signature.ljust(room, b"\x01")
    signed = unsigned + _field(_SIGNATURE, b"\x01" + len(signature).to_bytes(2, "big") + padded)
    return signed[:1] + escape(signed[1:] + b"\x80")


def write_unsigned(claim: GopClaim) -> tuple[bytes, bytes]:
    """A message without a signature, escaped, and its digest, to be hashed into the group in which it will stand.

    Raises MediaError when a field is out of range.
    """
    raw = _sei(_claim_fields(claim), 0) + b"\x80"
    return raw[:1] + escape(raw[1:]), hashlib.sha256(raw).digest()


def is_message(nal: Buffer) -> bool:
    """True for an SEI NAL unit that begins with a media signing message (which may still be malformed)."""
    if nal_type(nal) != SEI or len(nal) < 20 or nal[1] != 5:
        return False
    start = _payload_start(nal)
    return bytes(nal[start : start + 16]) == ONVIF_UUID.bytes


def read_message(nal: Buffer) -> SignedMessage:
    """Read a media signing SEI. Raises MediaError when it is malformed or of an unknown version."""
    if len(nal) > MAX_MESSAGE_BYTES or not is_message(nal):
        raise MediaError("not a media signing message")
    raw = unescape(nal)
    if raw[:1] + escape(raw[1:]) != nal:
        raise MediaError("a media signing message that is not escaped as H.264 demands")
    start = _payload_start(raw)
    size = sum(raw[2:start])
    if start + size + 1 != len(raw) or raw[-1] != 0x80 or size < 17:
        raise MediaError("a media signing message whose size is wrong")
    if raw[start + 16] & _HASHED_ESCAPED:
        raise MediaError("a media signing message that was signed with emulation prevention: not supported")
    fields, signature_at = _split_fields(raw, start + 17, start + size)
    signature = _read_signature(fields[_SIGNATURE]) if _SIGNATURE in fields else b""
    if not signature and _GENERAL not in fields:
        raise MediaError("a media signing message without a signature and without a claim")
    crypto = fields.get(_CRYPTO)
    if crypto is not None and crypto[:13] != b"\x01\x0b" + _SHA256_OID:
        raise MediaError("a media signing message with another hash than SHA-256")
    certificates = fields.get(_CERTIFICATES)
    if certificates is not None and (len(certificates) < 3 or certificates[0] != 1):
        raise MediaError("a media signing message with a malformed certificate field")
    return SignedMessage(
        claim=_read_claim(fields) if _GENERAL in fields else None,
        chain_pem=certificates[2:] if certificates is not None else None,
        vendor=_read_vendor(fields[_VENDOR]) if _VENDOR in fields else None,
        digest=hashlib.sha256(raw[:signature_at] if signature else raw).digest(),
        signature=signature,
    )


def _sei(fields: bytes, signature_bytes: int) -> bytes:
    """The message up to where its signature field stands, before emulation prevention."""
    payload = ONVIF_UUID.bytes + b"\x00" + fields
    size = len(payload) + signature_bytes
    return bytes((SEI, 5)) + b"\xff" * (size // 255) + bytes((size % 255,)) + payload


def _claim_fields(claim: GopClaim) -> bytes:
    fields = _field(_GENERAL, _general(claim))
    if 0 < len(claim.hashes) <= MAX_HASHES:
        fields += _field(_HASHES, b"\x01" + b"".join(claim.hashes))
    if len(claim.arbitrary) > MAX_ARBITRARY_BYTES:
        raise MediaError(f"{len(claim.arbitrary)} bytes of signed data: at most {MAX_ARBITRARY_BYTES}")
    if claim.arbitrary:
        fields += _field(_ARBITRARY, b"\x01" + claim.arbitrary)
    return fields


def _read_signature(value: bytes) -> bytes:
    length = int.from_bytes(value[1:3], "big")
    padding = value[3 + length :]
    if len(value) < 3 or value[0] != 1 or not 0 < length <= len(value) - 3 or padding.strip(b"\x01"):
        raise MediaError("a media signing message with a malformed signature field")
    return value[3 : 3 + length]


def _field(tag: int, value: bytes) -> bytes:
    if len(value) > 0xFFFF:
        raise MediaError(f"a media signing field of {len(value)} bytes: at most 65535")
    return bytes((tag,)) + len(value).to_bytes(2, "big") + value


def _short(name: str) -> bytes:
    encoded = name.encode()
    if len(encoded) > 255:
        raise MediaError("a vendor information text of more than 255 bytes")
    return bytes((len(encoded),)) + encoded


def _general(claim: GopClaim) -> bytes:
    times = [utc_ns // 100 + _TICKS_1601_TO_1970 for utc_ns in (claim.start_utc_ns, claim.end_utc_ns)]
    if not all(0 <= time < 1 << 63 for time in times):
        raise MediaError("a media signing time outside the years that the format knows")
    if not (0 < claim.counter < 1 << 32 and 0 < claim.hashed_nals < 1 << 16):
        raise MediaError("a media signing counter out of range")
    numbers = b"".join(time.to_bytes(8, "big") for time in times)
    numbers += claim.counter.to_bytes(4, "big") + claim.hashed_nals.to_bytes(2, "big")
    return b"\x02" + FRAMEWORK_VERSION + bytes((claim.partial,)) + numbers + claim.gop_hash + claim.linked_hash


def _payload_start(nal: Buffer) -> int:
    """Byte offset of the payload: after the NAL header, the payload type and the size in steps of 255."""
    start = 2
    while start < min(len(nal) - 1, 2 + MAX_MESSAGE_BYTES // 255) and nal[start] == 0xFF:
        start += 1
    return start + 1


def _split_fields(raw: bytes, start: int, end: int) -> tuple[dict[int, bytes], int]:
    fields: dict[int, bytes] = {}
    signature_at = start
    while start < end:
        if _SIGNATURE in fields:
            raise MediaError("a media signing message with fields after its signature")
        signature_at = start
        tag = raw[start]
        body = start + 3
        start = body + int.from_bytes(raw[start + 1 : body], "big")
        if start > end or body > end or tag in fields or not _GENERAL <= tag <= _ARBITRARY or start == body:
            raise MediaError("a media signing message with a malformed field")
        fields[tag] = raw[body:start]
    return fields, signature_at


def _read_claim(fields: dict[int, bytes]) -> GopClaim:
    general = fields[_GENERAL]
    if len(general) != _GENERAL_BYTES or general[0] != 2:
        raise MediaError("a media signing message with an unknown form of the general field")
    hashes = fields.get(_HASHES, b"\x01")
    if hashes[0] != 1 or (len(hashes) - 1) % HASH_BYTES or len(hashes) > 1 + MAX_HASHES * HASH_BYTES:
        raise MediaError("a media signing message with a malformed hash list")
    arbitrary = fields.get(_ARBITRARY, b"\x01")
    if arbitrary[0] != 1:
        raise MediaError("a media signing message with an unknown form of arbitrary data")
    times = [int.from_bytes(general[at : at + 8], "big", signed=True) for at in (5, 13)]
    return GopClaim(
        counter=int.from_bytes(general[21:25], "big"),
        partial=bool(general[4]),
        start_utc_ns=(times[0] - _TICKS_1601_TO_1970) * 100,
        end_utc_ns=(times[1] - _TICKS_1601_TO_1970) * 100,
        hashed_nals=int.from_bytes(general[25:27], "big"),
        gop_hash=general[27:59],
        linked_hash=general[59:91],
        hashes=tuple(hashes[at : at + HASH_BYTES] for at in range(1, len(hashes), HASH_BYTES)),
        arbitrary=arbitrary[1:],
    )


def _read_vendor(value: bytes) -> VendorInfo:
    texts: list[str] = []
    position = 1
    for _ in range(3):
        length = value[position] if position < len(value) else 256
        text = value[position + 1 : position + 1 + length]
        if len(text) != length:
            raise MediaError("a media signing message with malformed vendor information")
        texts.append(text.decode("utf-8", "replace"))
        position += 1 + length
    return VendorInfo(*texts)
