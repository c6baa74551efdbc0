"""What a GNSS receiver says of the time, handed to chrony through its SOCK reference clock (chrony.conf(5), refclock).

Nothing here sets a clock: chrony weighs these samples against everything else it knows, and steps only right after its
start. A sentence comes a few hundred milliseconds after the second that it names; a receiver's pulse (PPS), which the
kernel gives chrony by itself, makes microseconds of that. What is not believed is not handed on:

1. Only epochs with a fix and a full date, and not before the firmware was built.
2. Only a receiver that has kept step with the monotonic clock for `STEADY` epochs in a row.
3. A receiver whose time jumps by more than `JUMP_NS` is not believed again before the next start: it is being deceived,
   or broken (docs/design/time.md, 5).
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from hal.clock import FIRMWARE_BUILT
from hal.errors import BadDriverOption
from hal.gps import GpsEpoch

STEADY: Final = 5
STEP_NS: Final = 500_000_000
"""Sentences of one second may come so much earlier or later than those of the one before."""
JUMP_NS: Final = 10_000_000_000
MAX_PATH_BYTES: Final = 107
MAGIC: Final = 0x534F434B
_SAMPLE: Final = struct.Struct("@qqdiiii")
"""``struct sock_sample`` on 64-bit Linux: timeval of the system clock, true time minus it in seconds, pulse, leap,
padding, magic."""
_BUILT_NS: Final = int(datetime.fromisoformat(FIRMWARE_BUILT).replace(tzinfo=UTC).timestamp()) * 1_000_000_000


class ChronySamples:
    """Sends what is believed to the socket `path`, which chronyd makes. Never blocks, never raises.

    `realtime` and `boottime` are CLOCK_REALTIME and CLOCK_BOOTTIME in nanoseconds, `on_fault` takes one sentence.
    """

    def __init__(
        self, path: str, realtime: Callable[[], int], boottime: Callable[[], int], on_fault: Callable[[str], None]
    ) -> None:
        self._path, self._realtime, self._boottime, self._on_fault = path, realtime, boottime, on_fault
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        self._last_ns: int | None = None
        """The receiver's UTC minus CLOCK_BOOTTIME in the newest epoch."""
        self._steady = 0
        self._trusted_ns: int | None = None
        """…and when it had been steady for long enough."""
        self._deceived = False
        self._said = False

    def feed(self, epoch: GpsEpoch) -> None:
        """Take one epoch, and hand it on if it is believed."""
        utc_ns = epoch.utc_ns
        if not epoch.fix or utc_ns is None or utc_ns < _BUILT_NS or self._deceived:
            return
        ahead_ns = utc_ns - epoch.received_ns
        if self._trusted_ns is not None and abs(ahead_ns - self._trusted_ns) > JUMP_NS:
            self._deceived = True
            jump_s = (ahead_ns - self._trusted_ns) / 1e9
            self._on_fault(f"the GPS receiver's time jumped by {jump_s:+.0f} s: chrony is not told its time any more")
            return
        kept_step = self._last_ns is not None and abs(ahead_ns - self._last_ns) <= STEP_NS
        self._steady = self._steady + 1 if kept_step else 1
        self._last_ns = ahead_ns
        if self._steady >= STEADY:
            self._trusted_ns = ahead_ns
            # Two clocks cannot be read at once: the most of a few readings is the one that nothing came between.
            ahead_of_boot_ns = max(self._realtime() - self._boottime() for _ in range(3))
            self._send(utc_ns, epoch.received_ns + ahead_of_boot_ns)

    def _send(self, utc_ns: int, system_ns: int) -> None:
        seconds, rest_ns = divmod(system_ns, 1_000_000_000)
        system_us = rest_ns // 1000
        offset_s = (utc_ns - seconds * 1_000_000_000 - system_us * 1000) / 1e9
        try:
            self._socket.sendto(_SAMPLE.pack(seconds, system_us, offset_s, 0, 0, 0, MAGIC), self._path)
            self._said = False
        except (FileNotFoundError, ConnectionRefusedError, BlockingIOError):
            return  # chronyd is not up yet, starts again, or is busy: the next second will do
        except OSError as error:
            if not self._said:
                self._said = True
                self._on_fault(
                    f"chrony cannot be told the GPS receiver's time at {self._path} ({error.strerror}): "
                    "the recorder's user must be allowed to write to that socket"
                )

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()


def checked_path(path: object) -> str | None:
    """The option `chrony_socket`. Raises `BadDriverOption`."""
    if path is None:
        return None
    if not isinstance(path, str) or not Path(path).is_absolute() or not 2 <= len(path.encode()) <= MAX_PATH_BYTES:
        raise BadDriverOption(
            f"gps: chrony_socket must be an absolute path of at most {MAX_PATH_BYTES} bytes, as in chrony's line "
            f"`refclock SOCK`, not {path!r}"
        )
    return path
