"""Stamps from the clock seam, and the watch over it: steps of UTC against the monotonic clock (R5, invariant 10)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from evidence.statements import Stamp, Utc, moment
from hal.clock import Clock, UtcClaim
from hal.gps import GpsEpoch

STEP_NS: Final = 250_000_000
"""UTC that moves against the monotonic clock by more than this between two looks is a step."""
GNSS_JUMP_NS: Final = 10_000_000_000


def utc_of(claim: UtcClaim) -> Utc:
    """A clock's claim as it stands in statements."""
    return Utc(earliest=moment(claim.earliest_ns), latest=moment(claim.latest_ns), source=claim.source)


def stamp_now(clock: Clock) -> Stamp:
    """The present instant."""
    claim = clock.utc()
    return Stamp(boot=clock.boot_id, mono_ns=clock.boottime_ns(), utc=utc_of(claim))


def utc_ns_at(clock: Clock, at_ns: int) -> int:
    """Our best UTC (nanoseconds since 1970) for an instant of CLOCK_BOOTTIME in this boot; never negative."""
    return max(0, clock.utc().middle_ns - (clock.boottime_ns() - at_ns))


@dataclass(frozen=True, slots=True)
class Step:
    before: Stamp
    after: Stamp
    cause: str


@dataclass
class ClockWatch:
    """Compares each look at the clock with the one before."""

    clock: Clock
    _last: tuple[int, UtcClaim] | None = None

    def look(self) -> Step | None:
        """A step since the last look, if there was one."""
        at_ns, claim = self.clock.boottime_ns(), self.clock.utc()
        last, self._last = self._last, (at_ns, claim)
        if last is None:
            return None
        moved_ns = (claim.middle_ns - last[1].middle_ns) - (at_ns - last[0])
        if claim.source != last[1].source:
            cause = "source_changed"
        elif abs(moved_ns) > STEP_NS:
            cause = "stepped_back" if moved_ns < 0 else "stepped_forward"
        else:
            return None
        boot = self.clock.boot_id
        return Step(
            Stamp(boot=boot, mono_ns=last[0], utc=utc_of(last[1])),
            Stamp(boot=boot, mono_ns=at_ns, utc=utc_of(claim)),
            cause,
        )


@dataclass
class GnssWatch:
    """Notices a receiver whose time goes back or jumps: logged, never followed (requirements, faults)."""

    clock: Clock
    _last: tuple[int, int] | None = None

    def look(self, epoch: GpsEpoch) -> Step | None:
        """A step of the receiver's own time since its last dated epoch, if there was one."""
        if epoch.utc_ns is None:
            return None
        last, self._last = self._last, (epoch.received_ns, epoch.utc_ns)
        if last is None:
            return None
        passed_ns = epoch.received_ns - last[0]
        if epoch.utc_ns < last[1]:
            cause = "gnss_went_back"
        elif abs(epoch.utc_ns - last[1] - passed_ns) > GNSS_JUMP_NS:
            cause = "gnss_jumped"
        else:
            return None
        boot = self.clock.boot_id

        def stamp(mono_ns: int, utc_ns: int) -> Stamp:
            return Stamp(
                boot=boot, mono_ns=mono_ns, utc=Utc(earliest=moment(utc_ns), latest=moment(utc_ns), source="gnss")
            )

        return Step(stamp(*last), stamp(epoch.received_ns, epoch.utc_ns), cause)
