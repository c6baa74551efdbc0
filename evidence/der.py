"""Strict DER (X.690): a small writer, and a reader that refuses everything but the one shortest form.

Only what CMS needs: definite lengths, one-byte tags, no recursion. All sizes are bytes.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from evidence.errors import MalformedDer

INTEGER: Final = 0x02
OCTET_STRING: Final = 0x04
OID: Final = 0x06
UTC_TIME: Final = 0x17
GENERALIZED_TIME: Final = 0x18
SEQUENCE: Final = 0x30
SET: Final = 0x31
MAX_HEADER_BYTES: Final = 6


def header(tag: int, length: int) -> bytes:
    """Tag and length octets in their shortest form."""
    if length < 0x80:
        return bytes((tag, length))
    size = (length.bit_length() + 7) // 8
    return bytes((tag, 0x80 | size)) + length.to_bytes(size, "big")


def tlv(tag: int, *parts: bytes) -> bytes:
    """One element around its joined parts."""
    body = parts[0] if len(parts) == 1 else b"".join(parts)
    return header(tag, len(body)) + body


def sequence(*parts: bytes) -> bytes:
    return tlv(SEQUENCE, *parts)


def set_of(parts: Iterable[bytes], tag: int = SET) -> bytes:
    """A SET OF in DER order (X.690, 11.6)."""
    return tlv(tag, *sorted(parts)) if (parts := list(parts)) else tlv(tag, b"")


def integer(value: int) -> bytes:
    """A non-negative INTEGER."""
    return tlv(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def oid(dotted: str) -> bytes:
    """An OBJECT IDENTIFIER from its dotted form."""
    first, second, *rest = (int(arc) for arc in dotted.split("."))
    body = bytearray()
    for arc in (first * 40 + second, *rest):
        chunk = [arc & 0x7F]
        while arc := arc >> 7:
            chunk.append(arc & 0x7F | 0x80)
        body += bytes(reversed(chunk))
    return tlv(OID, bytes(body))


def time(moment: dt.datetime) -> bytes:
    """UTCTime for 1950..2049, else GeneralizedTime, as RFC 5652 (11.3) wants it; whole seconds, UTC."""
    moment = moment.astimezone(dt.UTC)
    if 1950 <= moment.year < 2050:
        return tlv(UTC_TIME, moment.strftime("%y%m%d%H%M%SZ").encode())
    return tlv(GENERALIZED_TIME, f"{moment.year:04d}{moment:%m%d%H%M%SZ}".encode())


def parse_time(element: Element) -> dt.datetime:
    """The moment of a UTCTime or GeneralizedTime. Raises `MalformedDer`."""
    text = bytes(element.body).decode("ascii", "replace")
    try:
        if element.tag == UTC_TIME and len(text) == 13:
            year = int(text[:2])
            century = 1900 if year >= 50 else 2000
            return dt.datetime.strptime(f"{century + year}{text[2:]}", "%Y%m%d%H%M%SZ").replace(tzinfo=dt.UTC)
        if element.tag == GENERALIZED_TIME and len(text) == 15:
            return dt.datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=dt.UTC)
    except ValueError:
        pass
    raise MalformedDer("a time is not in DER form")


@dataclass(frozen=True, slots=True)
class Element:
    """One element: its tag, the view of its body, and the view of all its octets."""

    tag: int
    body: memoryview
    whole: memoryview


def read_header(data: bytes | bytearray | memoryview, offset: int = 0) -> tuple[int, int, int] | None:
    """(tag, header size, body size) at `offset`; None if more octets are needed. Raises `MalformedDer`."""
    available = len(data) - offset
    if available < 2:
        return None
    tag, first = data[offset], data[offset + 1]
    if tag & 0x1F == 0x1F:
        raise MalformedDer(f"tag 0x{tag:02x} has more than one octet")
    if first < 0x80:
        return tag, 2, first
    size = first & 0x7F
    if not 1 <= size <= MAX_HEADER_BYTES - 2:
        raise MalformedDer("a length is indefinite or too long")
    if available < 2 + size:
        return None
    length = int.from_bytes(data[offset + 2 : offset + 2 + size], "big")
    if length < 0x80 or length.bit_length() <= 8 * (size - 1):
        raise MalformedDer("a length is not in its shortest form")
    return tag, 2 + size, length


class Reader:
    """Reads the elements of one body in order. Every method raises `MalformedDer` on what it does not expect."""

    def __init__(self, data: bytes | bytearray | memoryview) -> None:
        self._data = memoryview(data)
        self._offset = 0

    @property
    def at_end(self) -> bool:
        return self._offset == len(self._data)

    def element(self, tag: int | None = None) -> Element:
        """The next element, of that tag if one is given."""
        found = read_header(self._data, self._offset)
        if found is None:
            raise MalformedDer("an element is cut off")
        actual, head, length = found
        if tag is not None and actual != tag:
            raise MalformedDer(f"expected tag 0x{tag:02x}, found 0x{actual:02x}")
        start, end = self._offset, self._offset + head + length
        if end > len(self._data):
            raise MalformedDer("an element is longer than what holds it")
        self._offset = end
        return Element(actual, self._data[start + head : end], self._data[start:end])

    def enter(self, tag: int = SEQUENCE) -> Reader:
        """A reader of the next element's body."""
        return Reader(self.element(tag).body)

    def octets(self, tag: int = OCTET_STRING) -> bytes:
        return bytes(self.element(tag).body)

    def expect(self, encoded: bytes) -> None:
        """The next element must be exactly these octets."""
        element = self.element()
        if element.whole != encoded:
            raise MalformedDer("an algorithm, version or type is not the one that this format fixes")

    def end(self) -> None:
        if not self.at_end:
            raise MalformedDer("there are octets after the last element")
