"""The serial line between a receiver and the camera: whole sentences, and what else comes over a bad one. Pure.

A receiver that talks another protocol in between (UBX), a cable that flips bits and loses bytes, a line at another
speed, a line on which nothing comes: the camera must live with all of them (R5).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

GARBAGE_SHARE: Final = 0.5
"""Of the sentences on a bad cable so many do not arrive as they were sent."""
OVERLONG_BYTES: Final = 1500
_UBX_PAYLOAD_BYTES: Final = 92
"""As long as NAV-PVT."""


@dataclass
class ReceiverLine:
    """Turns sentences into the bytes that arrive."""

    seed: int = 0
    garbage: float = 0.0
    """Share of the sentences that arrive damaged, 0 to 1."""
    ubx: bool = False
    """Binary frames stand between the sentences."""
    silent: bool = False
    """Nothing comes at all."""
    wrong_speed: bool = False
    """The receiver talks at another speed: bytes come, and none of them makes sense."""
    _chance: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._chance = random.Random(f"line {self.seed}")

    def carry(self, lines: Sequence[str]) -> bytes:
        """What arrives of one epoch."""
        if self.silent:
            return b""
        if self.wrong_speed:
            return self._chance.randbytes(sum(len(line) + 2 for line in lines) * 2)
        data = b"".join(self._sentence(f"{line}\r\n".encode("ascii", errors="replace")) for line in lines)
        if self.ubx:
            return (
                ubx_frame(0x01, 0x07, self._chance.randbytes(_UBX_PAYLOAD_BYTES))
                + data
                + ubx_frame(0x05, 0x01, b"\x06\x01")
            )
        return data

    def _sentence(self, line: bytes) -> bytes:
        if not self.garbage or self._chance.random() >= self.garbage:
            return line
        damage = self._chance.choice(("bits", "cut", "joined", "noise", "overlong"))
        middle = self._chance.randrange(1, len(line) - 2)
        match damage:
            case "bits":
                return line[:middle] + bytes([line[middle] ^ (1 << self._chance.randrange(7))]) + line[middle + 1 :]
            case "cut":
                return line[:middle] + b"\r\n"
            case "joined":
                return line[:-2]  # the next sentence follows on the same line
            case "noise":
                return line[:middle] + self._chance.randbytes(20) + line[middle:]
        return b"$GPRMC," + b"9" * OVERLONG_BYTES


def ubx_frame(kind: int, number: int, payload: bytes) -> bytes:
    """A frame of u-blox's binary protocol, with its checksum (Fletcher, 8 bits)."""
    body = bytes([kind, number]) + len(payload).to_bytes(2, "little") + payload
    first = second = 0
    for byte in body:
        first = (first + byte) % 256
        second = (second + first) % 256
    return b"\xb5\x62" + body + bytes([first, second])
