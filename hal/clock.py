"""The clock seam, and the system's clock: CLOCK_BOOTTIME for order and duration, UTC only as a claim with an interval
(design, invariant 10).

The system driver asks the kernel how far its clock may be off: adjtimex(2) with no modes set reads and needs no
privilege. A unit with ProtectClock=yes, or a system call filter without adjtimex, takes that away; the claim is then
"none".
"""

from __future__ import annotations

import ctypes
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Protocol

from hal import program_time
from hal.errors import BadDriverOption

TimeSource = Literal["gnss", "ntp", "dock", "rtc", "none"]


@dataclass(frozen=True, slots=True)
class UtcClaim:
    """UTC lies in [earliest_ns, latest_ns] (nanoseconds since 1970), says `source`; "none" = nobody vouches for it."""

    earliest_ns: int
    latest_ns: int
    source: TimeSource

    @property
    def middle_ns(self) -> int:
        return (self.earliest_ns + self.latest_ns) // 2


class Clock(Protocol):
    """Time for everything in the camera."""

    @property
    def boot_id(self) -> str:
        """A UUID that changes at every boot."""
        ...

    def boottime_ns(self) -> int:
        """Nanoseconds since boot, sleep included; never steps."""
        ...

    def utc(self) -> UtcClaim:
        """The present UTC claim."""
        ...


FIRMWARE_BUILT = "2026-01-01"
"""No clock of ours can honestly show an earlier date. An image sets its own with the option `firmware_built`."""
UNVOUCHED_NS = 24 * 3600 * 1_000_000_000
"""Half the interval of a claim that nobody vouches for: a day. It is a convention, not a bound. A board without an
RTC wakes with the time of its last shutdown, however long ago that was, and source "none" says exactly this."""
STA_UNSYNC = 0x0040
TIME_ERROR = 5
BOOT_ID_PATH = "/proc/sys/kernel/random/boot_id"


class Timex(ctypes.Structure):
    """``struct timex`` of <sys/timex.h> on 64-bit Linux (208 bytes; ctypes inserts the same padding as C)."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),  # microseconds
        ("esterror", ctypes.c_long),  # microseconds
        ("status", ctypes.c_int),
        ("constant", ctypes.c_long),
        ("precision", ctypes.c_long),
        ("tolerance", ctypes.c_long),
        ("time_sec", ctypes.c_long),
        ("time_usec", ctypes.c_long),
        ("tick", ctypes.c_long),
        ("ppsfreq", ctypes.c_long),
        ("jitter", ctypes.c_long),
        ("shift", ctypes.c_int),
        ("stabil", ctypes.c_long),
        ("jitcnt", ctypes.c_long),
        ("calcnt", ctypes.c_long),
        ("errcnt", ctypes.c_long),
        ("stbcnt", ctypes.c_long),
        ("tai", ctypes.c_int),
        ("reserved", ctypes.c_int * 11),
    )


@dataclass(frozen=True, slots=True)
class KernelTime:
    """What the kernel says of its own clock."""

    synchronized: bool
    max_error_us: int
    """Upper bound of the error in microseconds; the kernel lets it grow by 500 ppm while nothing corrects the clock."""


def read_kernel_time() -> KernelTime | None:
    """adjtimex(2), read only. None if it is refused, fails, or this is not a 64-bit Linux."""
    if ctypes.sizeof(ctypes.c_long) != 8:
        return None
    answer = Timex()  # all zero: modes = 0 changes nothing
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(answer))
    except (OSError, AttributeError):  # no such function in this C library
        return None
    if state < 0 or answer.maxerror < 0:
        return None
    return KernelTime(state != TIME_ERROR and not answer.status & STA_UNSYNC, answer.maxerror)


def claim(
    now_ns: int, kernel: KernelTime | None, max_error_ns: int, built_ns: int, source: TimeSource = "ntp"
) -> UtcClaim:
    """The UTC claim of a clock that reads `now_ns` (nanoseconds since 1970). Pure.

    `source` if the kernel is synchronized within `max_error_ns` and the clock is not before the build date: then the
    interval is ± the kernel's maximum error. Else "none": ± that error or a day, whichever is larger, and never ending
    before a day after the build date.
    """
    error_ns = kernel.max_error_us * 1000 if kernel else 0
    if kernel and kernel.synchronized and error_ns <= max_error_ns and now_ns >= built_ns:
        return UtcClaim(now_ns - error_ns, now_ns + error_ns, source)
    error_ns = max(error_ns, UNVOUCHED_NS)
    return UtcClaim(now_ns - error_ns, max(now_ns, built_ns) + error_ns, "none")


def boottime_ns() -> int:
    """CLOCK_BOOTTIME in nanoseconds."""
    return program_time.boottime_ns()


def _realtime_ns() -> int:
    return program_time.utc_ns()


def _read_boot_id() -> str:
    try:
        return str(uuid.UUID(Path(BOOT_ID_PATH).read_text(encoding="ascii").strip()))
    except (OSError, ValueError):  # ProcSubset=pid hides it: an id of this process is a weaker, still true, claim
        return str(uuid.uuid4())


class SystemClock:
    """The kernel's clocks as a `Clock`.

    `ntp_max_error_s` (0.000001..16 s) is the largest error with which the kernel's word counts.
    `kernel_source` says what sets the kernel's clock on this board: "ntp", or "gnss" where chrony has nothing but a
    receiver (`gps.nmea-serial` with `chrony_socket`).
    `firmware_built` (ISO 8601, UTC if it names no zone) is the date before which no clock is believed.
    The three callables are for tests: the kernel's word, CLOCK_REALTIME and CLOCK_BOOTTIME in nanoseconds.

    The boot id is the kernel's; where /proc hides it, a random one that holds for this process.
    Raises `BadDriverOption` for an option out of range.
    """

    def __init__(
        self,
        ntp_max_error_s: float = 1.0,
        firmware_built: str | None = None,
        kernel_source: TimeSource = "ntp",
        *,
        kernel_time: Callable[[], KernelTime | None] = read_kernel_time,
        realtime: Callable[[], int] = _realtime_ns,
        boottime: Callable[[], int] = boottime_ns,
    ) -> None:
        if isinstance(ntp_max_error_s, bool) or not isinstance(ntp_max_error_s, int | float):
            raise BadDriverOption(f"clock: ntp_max_error_s must be a number of seconds, not {ntp_max_error_s!r}")
        if not 1e-6 <= ntp_max_error_s <= 16:
            raise BadDriverOption(f"clock: ntp_max_error_s must be 0.000001..16 seconds, not {ntp_max_error_s!r}")
        if kernel_source not in ("ntp", "gnss"):
            raise BadDriverOption(f"clock: kernel_source must be 'ntp' or 'gnss', not {kernel_source!r}")
        self._source = kernel_source
        self._max_error_ns = round(ntp_max_error_s * 1_000_000_000)
        self._built_ns = _date_ns(FIRMWARE_BUILT if firmware_built is None else firmware_built)
        self._kernel_time, self._realtime, self._boottime = kernel_time, realtime, boottime
        self._boot_id = _read_boot_id()

    @property
    def boot_id(self) -> str:
        """The kernel's boot id, a UUID in lower case."""
        return self._boot_id

    def boottime_ns(self) -> int:
        """CLOCK_BOOTTIME in nanoseconds."""
        return self._boottime()

    def utc(self) -> UtcClaim:
        """CLOCK_REALTIME with the kernel's word on it; see `claim`."""
        return claim(self._realtime(), self._kernel_time(), self._max_error_ns, self._built_ns, self._source)


def _date_ns(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise BadDriverOption(f"clock: firmware_built must be a date such as 2026-01-01, not {text!r}") from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp()) * 1_000_000_000
