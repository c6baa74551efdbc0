"""The kernel's GPIO character devices, asked by hand: which chips there are, and who uses their lines.

`gpioinfo` shows the same. Asking opens no line, so a running camera is not disturbed (linux/gpio.h, version 2).
"""

from __future__ import annotations

import fcntl
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CHIP_INFO: Final = 0x8044B401
LINE_INFO: Final = 0xC100B405
_CHIP: Final = struct.Struct("32s32sI")
_LINE: Final = struct.Struct("32s32sIIQ160s16x")
USED: Final = 1
MOST_LINES: Final = 64


@dataclass(frozen=True, slots=True)
class GpioChip:
    """One chip. `users` says for each line in use who has it."""

    device: str
    label: str
    lines: int
    users: dict[int, str]


def gpio_chip(path: Path) -> GpioChip:
    """Ask a chip, e.g. ``/dev/gpiochip0``. Raises OSError if it is none or may not be opened."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _, label, lines = _CHIP.unpack(fcntl.ioctl(descriptor, CHIP_INFO, bytes(_CHIP.size)))
        users: dict[int, str] = {}
        for offset in range(min(lines, MOST_LINES)):
            asked = _LINE.pack(b"", b"", offset, 0, 0, b"")
            _, consumer, _, _, flags, _ = _LINE.unpack(fcntl.ioctl(descriptor, LINE_INFO, asked))
            if flags & USED:
                users[offset] = _text(consumer) or "the kernel"
    finally:
        os.close(descriptor)
    return GpioChip(path.name, _text(label), lines, users)


def _text(name: bytes) -> str:
    return name.split(b"\0")[0].decode("utf-8", "replace")
