"""A simulated GPS receiver behind `hal.gps.GpsReceiver`, for a camera in the world's own process.

The world lays a receiver ready on the board (`things["gps"]`: UTC in, the epoch's bytes out); they are read as the real
driver reads them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from hal.errors import BadDriverOption
from hal.gps import GpsEpoch
from hal.gps_serial import LineListener
from hal.program_time import boottime_ns, utc_ns
from simulator.drivers.hardware import HardwareSocket
from simulator.drivers.runner import NS_PER_S, Steps

BAUD: Final = 9600
SILENCE_NS: Final = 5 * NS_PER_S
"""As the real driver has it."""


class Receiver(Protocol):
    """What speaks NMEA once a second."""

    def epoch_bytes(self, utc_ns: int) -> bytes:
        """What arrives of the next second; nothing if the receiver is silent."""
        ...


class SimulatedGps:
    """Raises `hal.errors.BadDriverOption` if no world has laid a receiver ready."""

    def __init__(self, hardware_socket: str) -> None:
        self._hardware = HardwareSocket.open(hardware_socket)
        if "gps" not in self._hardware.things:
            self._hardware.close()
            raise BadDriverOption("gps driver 'simulated' needs a world in the same process; use nmea-serial")
        self._receiver: Receiver = self._hardware.things["gps"]
        self._end: Callable[[], None] | None = None

    def start(self, on_epoch: Callable[[GpsEpoch], None], on_fault: Callable[[str], None]) -> None:
        listener = LineListener("of this world", BAUD, SILENCE_NS, on_epoch, on_fault)
        self._end = self._hardware.runner.play("gps", self._steps(listener))

    def stop(self) -> None:
        if self._end is not None:
            self._end()
            self._end = None
            self._hardware.close()

    def _steps(self, listener: LineListener) -> Steps:
        at_ns = boottime_ns()
        listener.begin(at_ns)
        while True:
            at_ns += NS_PER_S
            yield at_ns
            listener.hear(self._receiver.epoch_bytes(utc_ns()), at_ns)
            listener.end()  # all that comes of a second comes at once
