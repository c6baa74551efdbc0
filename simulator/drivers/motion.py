"""A simulated accelerometer behind `hal.motion.Motion`: at rest until the world shakes it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from fractions import Fraction

from hal.motion import Acceleration
from simulator.drivers.hardware_messages import Answer, MotionOp
from simulator.drivers.live_source import LiveSource
from simulator.drivers.options import whole_number
from simulator.drivers.pace import NS_PER_S, Pace, boottime_ns

REST_MG = (0, 1000, 0)


class SimulatedMotion(LiveSource[Acceleration]):
    """`rate` samples a second (10 to 200). Raises `hal.errors.BadDriverOption`."""

    def __init__(self, hardware_socket: str | None = None, rate: int = 50) -> None:
        self._rate = whole_number("rate", rate, 10, 200)
        self._pushes = threading.Lock()
        self._push_mg = REST_MG
        self._until_ns: int | None = 0
        super().__init__("motion", MotionOp, self._push, hardware_socket)

    def _push(self, request: MotionOp) -> Answer:
        with self._pushes:
            self._push_mg = (request.x_mg, request.y_mg, request.z_mg)
            self._until_ns = None if request.for_s is None else boottime_ns() + int(request.for_s * NS_PER_S)
        return Answer(ok=True)

    def _deliver(self, on_item: Callable[[Acceleration], None]) -> None:
        pace = Pace(Fraction(1, self._rate))
        number = 0
        while pace.wait(number, self._stop):
            at_ns = pace.instant_ns(number)
            with self._pushes:
                if self._until_ns is not None and at_ns >= self._until_ns:
                    self._push_mg = REST_MG
                x_mg, y_mg, z_mg = self._push_mg
            on_item(Acceleration(x_mg, y_mg, z_mg, at_ns))
            number = max(number + 1, pace.due(boottime_ns()))
