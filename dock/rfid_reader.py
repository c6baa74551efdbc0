"""The seam for RFID readers: whatever sends the UID of a tag as a line on a serial port or as a keyboard (R32).

A reader of another kind needs a function that yields UIDs, and nothing else.
"""

from __future__ import annotations

import os
import select
import termios
import tty
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from dock.errors import BadPerson, ReaderLost
from dock.station.person import checked_tag

_LINE_BYTES: Final = 200
BAUD: Final[dict[int, int]] = {9600: termios.B9600, 19200: termios.B19200, 115200: termios.B115200}


class LineReader:
    """Reads UIDs from a tty. Raises `ReaderLost` once the device is gone."""

    def __init__(self, device: Path, baud: int = 9600) -> None:
        try:
            self._descriptor = os.open(device, os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
        except OSError as error:
            raise ReaderLost(f"the reader {device} cannot be opened: {error.strerror}") from error
        self._device = device
        if os.isatty(self._descriptor):
            tty.setraw(self._descriptor)
            speed = termios.tcgetattr(self._descriptor)
            speed[4] = speed[5] = BAUD[baud]
            termios.tcsetattr(self._descriptor, termios.TCSANOW, speed)

    def uids(self) -> Iterator[str]:
        """Each tag that is held to the reader. What is no UID is left out: noise, or a half line at the beginning."""
        line = b""
        while True:
            select.select([self._descriptor], [], [])
            try:
                data = os.read(self._descriptor, _LINE_BYTES)
            except OSError as error:
                raise ReaderLost(f"the reader {self._device} is gone: {error.strerror}") from error
            if not data:
                raise ReaderLost(f"the reader {self._device} is gone")
            *whole, line = (line + data).replace(b"\r", b"\n").replace(b"\x03", b"").replace(b"\x02", b"").split(b"\n")
            line = line[-_LINE_BYTES:]
            for one in whole:
                try:
                    yield checked_tag(one.decode("ascii", "replace"))
                except BadPerson:
                    continue

    def close(self) -> None:
        os.close(self._descriptor)
