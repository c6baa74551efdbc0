"""The simulated clock: real CLOCK_BOOTTIME, and a UTC that the world can shift, doubt or start in 1970."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import get_args

from hal import program_time
from hal.clock import TimeSource, UtcClaim
from hal.errors import BadDriverOption
from simulator.drivers.hardware import HardwareSocket
from simulator.drivers.pace import boottime_ns
from simulator.drivers.simulated_time import SimulatedTime


class SimulatedClock:
    """`hal.clock.Clock` for a simulated camera.

    `utc_start` (ISO 8601 with its zone, e.g. ``1970-01-01T00:00:10Z``) is what UTC is at the start of the program:
    how a camera boots whose clock battery is dead. With a `hardware_socket` the pictures show the same UTC, and the
    world can change offset, source and uncertainty. Raises `BadDriverOption`.
    """

    def __init__(
        self,
        hardware_socket: str | None = None,
        source: TimeSource = "ntp",
        uncertainty_ns: int = 5_000_000,
        boot_id: str | None = None,
        utc_start: str | None = None,
    ) -> None:
        if source not in get_args(TimeSource):
            raise BadDriverOption(f"source = {source!r}: choose one of {', '.join(get_args(TimeSource))}")
        if not isinstance(uncertainty_ns, int) or uncertainty_ns < 0:
            raise BadDriverOption(f"uncertainty_ns = {uncertainty_ns!r}: give nanoseconds, 0 or more")
        self._boot_id = _uuid(boot_id)
        offset_ns = 0 if utc_start is None else _utc_ns(utc_start) - program_time.utc_ns()
        self._hardware = None if hardware_socket is None else HardwareSocket.open(hardware_socket)
        self._time = SimulatedTime() if self._hardware is None else self._hardware.time
        self._time.source = source
        self._time.uncertainty_ns = uncertainty_ns
        if utc_start is not None:
            self._time.utc_offset_ns = offset_ns

    @property
    def boot_id(self) -> str:
        return self._boot_id

    def boottime_ns(self) -> int:
        """Nanoseconds since the host's boot, sleep included."""
        return boottime_ns()

    def utc(self) -> UtcClaim:
        """The camera's present claim."""
        middle_ns, half_ns = self._time.utc_ns(), self._time.uncertainty_ns
        return UtcClaim(middle_ns - half_ns, middle_ns + half_ns, self._time.source)

    def close(self) -> None:
        """Give up the hardware socket. May be called twice."""
        if self._hardware is not None:
            self._hardware.close()
            self._hardware = None


def _uuid(boot_id: str | None) -> str:
    try:
        return str(uuid.uuid4() if boot_id is None else uuid.UUID(boot_id))
    except (ValueError, AttributeError, TypeError) as error:
        raise BadDriverOption(f"boot_id = {boot_id!r}: give a UUID, or leave it out for a new one") from error


def _utc_ns(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except (ValueError, TypeError) as error:
        raise BadDriverOption(f"utc_start = {text!r}: give a time such as 1970-01-01T00:00:10Z") from error
    if moment.tzinfo is None:
        raise BadDriverOption(f"utc_start = {text!r}: say the zone, e.g. {text}Z")
    since_1970 = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since_1970.days * 86_400 + since_1970.seconds) * 1_000_000_000 + since_1970.microseconds * 1000
