"""A plain mutation fuzzer: small edits of kept documents, and nothing that is not seeded."""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Sequence
from typing import Final

import structured

MOST_BYTES: Final = 64 * 1024
IN_FORM: Final = 0.4
MENDED: Final = 0.6
_NUMBERS: Final = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_TEXTS: Final = (
    b'"', b"{", b"}", b"[" * 400, b",", b":", b"null", b"-1", b"1e999", b"9" * 40, b"\\u0000", b"\\ud800", b"\xff",
    b"\n", b"\x00\x00\x01", b"\x00\x00\x03", b"..", b"/", b"%00", b"*", b"$", b"=",
)  # fmt: skip


def mutated(seeds: list[bytes], chance: random.Random, mends: Sequence[Callable[[bytes], bytes]] = ()) -> bytes:
    """One seed with one to six edits, blind ones or such as keep its form; mended every other time, where it can be."""
    data = bytearray(chance.choice(seeds))
    for _ in range(chance.choice((1, 1, 1, 2, 3, 6))):
        if chance.random() < IN_FORM:
            data = bytearray(structured.edited(bytes(data), seeds, chance))
        else:
            _edit(data, seeds, chance)
    whole = bytes(data[:MOST_BYTES])
    return chance.choice(mends)(whole) if mends and chance.random() < MENDED else whole


def _edit(data: bytearray, seeds: list[bytes], chance: random.Random) -> None:
    at = chance.randrange(len(data) + 1)
    size = chance.choice((1, 1, 2, 4, 8, 16, 64))
    kind = chance.randrange(9)
    if kind == 0 and at < len(data):
        data[at] ^= 1 << chance.randrange(8)
    elif kind == 1 and at < len(data):
        data[at] = chance.randrange(256)
    elif kind == 2:
        del data[at : at + size]
    elif kind == 3:
        data[at:at] = data[at : at + size] * chance.choice((1, 2, 30))
    elif kind == 4:
        width = chance.choice((1, 2, 4, 8))
        number = chance.choice(_NUMBERS) & (1 << 8 * width) - 1
        data[at : at + width] = number.to_bytes(width, chance.choice(("big", "little")))
    elif kind == 5:
        data[at : at + chance.choice((0, 1, size))] = chance.choice(_TEXTS)
    elif kind == 6:
        other = chance.choice(seeds)
        begin = chance.randrange(len(other) + 1)
        data[at : at + size] = other[begin : begin + chance.choice((4, 16, 256))]
    elif kind == 7:
        del data[at:]
    elif kind == 8 and at < len(data) and chr(data[at]) in string.printable:
        data[at] = ord(chance.choice(string.digits + string.ascii_letters))
