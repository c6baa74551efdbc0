"""Edited bytes made whole again, so that an edit inside a document is not refused for the length or checksum around it.

Each takes any bytes and returns bytes; what it cannot make sense of stays as it is. Nothing here is the product's own
code: a reader and its fuzzer must not share a mistake.
"""

from __future__ import annotations

import json
import zlib
from typing import Final

_MOST_DEPTH: Final = 24
_CONTAINERS: Final = frozenset(
    {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"mvex", b"moof", b"traf", b"dinf", b"edts", b"udta"}
)


def nmea_checksums(data: bytes) -> bytes:
    """The checksum behind each sentence's last asterisk."""
    lines = []
    for line in data.split(b"\n"):
        body, star, rest = line.rpartition(b"*")
        if star and body.startswith(b"$"):
            total = 0
            for octet in body[1:]:
                total ^= octet
            line = b"%s*%02X%s" % (body, total, rest[2:])
        lines.append(line)
    return b"\n".join(lines)


def boxes(data: bytes) -> bytes:
    """The sizes of MP4 boxes, from the inside out; a box whose size was torn reaches to its parent's end."""
    return _boxes(data, 0)


def _boxes(data: bytes, depth: int) -> bytes:
    found, at = [], 0
    while at + 8 <= len(data):
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        end = at + size if 8 <= size <= len(data) - at else len(data)
        body = data[at + 8 : end]
        if kind in _CONTAINERS and depth < _MOST_DEPTH:
            body = _boxes(body, depth + 1)
        found.append((8 + len(body)).to_bytes(4, "big") + kind + body)
        at = end
    return b"".join(found) + data[at:]


def der_lengths(data: bytes) -> bytes:
    """The lengths of DER elements, from the inside out, in their shortest form."""
    return _elements(data, 0)


def _elements(data: bytes, depth: int) -> bytes:
    found, at = [], 0
    while at + 2 <= len(data):
        tag, first, body = data[at], data[at + 1], at + 2
        octets = first & 0x7F if first & 0x80 else 0
        size = int.from_bytes(data[body : body + octets], "big") if octets else first
        body += octets
        if octets > 4 or body > len(data):
            break
        end = min(len(data), body + size)
        content = data[body:end]
        if tag & 0x20 and depth < _MOST_DEPTH:
            content = _elements(content, depth + 1)
        found.append(bytes((tag,)) + _length(len(content)) + content)
        at = end
    return b"".join(found) + data[at:]


def _length(size: int) -> bytes:
    if size < 0x80:
        return bytes((size,))
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((0x80 | len(octets),)) + octets


def nal_lengths(data: bytes) -> bytes:
    """Four-octet lengths before NAL units; the last unit takes the rest."""
    found, at = [], 0
    while at + 4 < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        end = at + 4 + size if 0 < size <= len(data) - at - 4 else len(data)
        found.append((end - at - 4).to_bytes(4, "big") + data[at + 4 : end])
        at = end
    return b"".join(found)


def gpmf_lengths(data: bytes) -> bytes:
    """The size of each GPMF block: an outer one spans what is left, an inner one keeps its sample's size if it can."""
    return _blocks(data, 0)


def _blocks(data: bytes, depth: int) -> bytes:
    found, at = [], 0
    while at + 8 <= len(data):
        key, kind, each = data[at : at + 4], data[at + 4], data[at + 5]
        size = each * int.from_bytes(data[at + 6 : at + 8], "big")
        end = at + 8 + size + -size % 4
        if end > len(data):
            end = len(data)
        body = data[at + 8 : end]
        if kind == 0 and depth < 6:
            body = _blocks(body, depth + 1)
            body += b"\0" * (-len(body) % 4)
            found.append(key + bytes((0, 4)) + (len(body) // 4 & 0xFFFF).to_bytes(2, "big") + body)
        else:
            body += b"\0" * (-len(body) % 4)
            count = min(len(body) // each, size // each) if each else 0
            found.append(key + bytes((kind, each)) + count.to_bytes(2, "big") + body)
        at = end
    return b"".join(found)


def zip_checksums(data: bytes) -> bytes:
    """CRC-32 of each stored member of a ZIP file, at its head and in the directory."""
    whole = bytearray(data)
    at = whole.find(b"PK\1\2")
    while at >= 0 and at + 46 <= len(whole):
        place = int.from_bytes(whole[at + 42 : at + 46], "little")
        if whole[place : place + 4] == b"PK\3\4" and whole[at + 10 : at + 12] == b"\0\0":
            size = int.from_bytes(whole[at + 20 : at + 24], "little")
            names = int.from_bytes(whole[place + 26 : place + 28], "little")
            begin = place + 30 + names + int.from_bytes(whole[place + 28 : place + 30], "little")
            code = zlib.crc32(whole[begin : begin + size]).to_bytes(4, "little")
            whole[at + 16 : at + 20] = whole[place + 14 : place + 18] = code
        at = whole.find(b"PK\1\2", at + 4)
    return bytes(whole)


def partition_mark(data: bytes) -> bytes:
    """The mark that ends a partition table."""
    return data[:510] + b"\x55\xaa" + data[512:] if len(data) >= 512 else data


def tar_checksums(data: bytes) -> bytes:
    """The checksum of each header of a tar archive that still stands where a header can stand."""
    whole = bytearray(data)
    for at in range(0, len(whole) - 511, 512):
        if whole[at + 257 : at + 262] == b"ustar":
            whole[at + 148 : at + 156] = b" " * 8
            whole[at + 148 : at + 156] = b"%06o\0 " % sum(whole[at : at + 512])
    return bytes(whole)


def canonical_json(data: bytes) -> bytes:
    """The same JSON with sorted keys and without spaces: what is signed must be written so."""
    try:
        values = json.loads(data)
        return json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return data
