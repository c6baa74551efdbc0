"""Edits that keep a document's form: another value in JSON, another element in DER, another line in a text."""

from __future__ import annotations

import json
import random
from typing import Any, Final

_VALUES: Final[tuple[Any, ...]] = (
    None, True, False, 0, -1, 1, 2**31, 2**53, 2**63, 2**64, -(2**63) - 1, 1e308, -0.0, 1e-9, "", "x", "\n", "\0", "é",
    "\ud800", "../../etc/passwd", "/", "x" * 5000, "1", "-1", "2026-02-30T12:00:00.000000Z", "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999Z", "2026-02-30", "SIM-0001", "SIM-0001-000001", "ab" * 32, [], {}, [[]], {"": None},
    [None] * 200,
)  # fmt: skip
_MOST_BYTES: Final = 64 * 1024


def edited(data: bytes, others: list[bytes], chance: random.Random) -> bytes:
    """The data with one edit that fits its form; unchanged if it has none that is known here."""
    if data[:1] in (b"{", b"["):
        return json_edited(data, chance)
    if data[:1] in (b"\x30", b"\x31"):
        return der_edited(data, others, chance)
    return lines_edited(data, others, chance)


def json_edited(data: bytes, chance: random.Random) -> bytes:
    """One value replaced, one key taken out, doubled or renamed."""
    try:
        values = json.loads(data)
    except (ValueError, RecursionError):
        return data
    places: list[tuple[Any, Any]] = []
    _places(values, places, 0)
    if not places:
        return data
    holder, key = chance.choice(places)
    kind = chance.randrange(6)
    if kind == 0:
        del holder[key]
    elif kind == 1 and isinstance(holder, dict):
        holder[chance.choice(("", "v", "kind", "a" * 300, "é"))] = holder.pop(key)
    elif kind == 2 and isinstance(holder, list):
        holder[key:key] = [holder[key]] * chance.choice((1, 100))
    elif kind == 3:
        other, place = chance.choice(places)
        holder[key] = other[place]
    else:
        holder[key] = chance.choice(_VALUES)
    try:
        return json.dumps(values).encode("utf-8", "surrogatepass")[:_MOST_BYTES]
    except (ValueError, RecursionError):
        return data  # it holds itself now


def _places(value: Any, found: list[tuple[Any, Any]], depth: int) -> None:
    if depth > 20 or len(found) > 2000:
        return
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        found.append((value, key))
        _places(one, found, depth + 1)


def der_edited(data: bytes, others: list[bytes], chance: random.Random) -> bytes:
    """One element taken out, doubled, retagged, or put in the place of another. Lengths are another's work."""
    places = _elements(data)
    if not places:
        return data
    begin, end = chance.choice(places)
    kind = chance.randrange(5)
    if kind == 0:
        return data[:begin] + data[end:]
    if kind == 1:
        return (data[:end] + data[begin:end] * chance.choice((1, 40)) + data[end:])[:_MOST_BYTES]
    if kind == 2:
        tags = (0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0C, 0x17, 0x18, 0x30, 0x31, 0xA0, 0xA1, 0x80)
        return data[:begin] + bytes((chance.choice(tags),)) + data[begin + 1 :]
    other = chance.choice(others) if kind == 3 else data
    found = _elements(other)
    if not found:
        return data
    start, stop = chance.choice(found)
    return (data[:begin] + other[start:stop] + data[end:])[:_MOST_BYTES]


def _elements(data: bytes) -> list[tuple[int, int]]:
    """Where elements of DER begin and end, outer ones and inner ones."""
    found: list[tuple[int, int]] = []
    waiting = [(0, len(data))]
    while waiting and len(found) < 3000:
        at, end = waiting.pop()
        while at + 2 <= end:
            first, body = data[at + 1], at + 2
            if first & 0x80:
                octets = first & 0x7F
                if not 0 < octets <= 4:
                    break
                size, body = int.from_bytes(data[body : body + octets], "big"), body + octets
            else:
                size = first
            if body + size > end:
                break
            found.append((at, body + size))
            if data[at] & 0x20:
                waiting.append((body, body + size))
            at = body + size
    return found


def lines_edited(data: bytes, others: list[bytes], chance: random.Random) -> bytes:
    """A line taken out, doubled, moved, or taken from another document; or a word of a line from another line."""
    lines = data.split(b"\n")
    at = chance.randrange(len(lines))
    kind = chance.randrange(5)
    if kind == 0:
        del lines[at]
    elif kind == 1:
        lines[at:at] = [lines[at]] * chance.choice((1, 1, 50))
    elif kind == 2:
        lines.insert(chance.randrange(len(lines)), lines.pop(at))
    elif kind == 3:
        lines.insert(at, chance.choice(chance.choice(others).split(b"\n")))
    else:
        words = lines[at].split(b" ")
        given = chance.choice(lines).split(b" ")
        words[chance.randrange(len(words))] = chance.choice(given)
        lines[at] = b" ".join(words)
    return b"\n".join(lines)[:_MOST_BYTES]
