"""A simulated accelerometer behind `hal.motion.Motion`: at rest until the world shakes it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from fractions import Fraction

from hal.driver_options import whole_number
from hal.motion import Acceleration
from simulator.drivers.hardware_messages import Answer, MotionOp, OpRefused
from simulator.drivers.live_source import LiveSource
from simulator.drivers.pace import NS_PER_S, Pace, boottime_ns
from simulator.drivers.runner import Steps
from simulator.movement import REST_MG, Movement, Mover


class SimulatedMotion(LiveSource[Acceleration]):
    """`rate` samples a second (10 to 200), handed over `fifo` at a time; while it rests only `resting_rate`.

    Real sensors do both: they wake by motion, and their FIFO spares the processor. Raises
    `hal.errors.BadDriverOption`.
    """

    def __init__(
        self, hardware_socket: str | None = None, rate: int = 50, resting_rate: int | None = None, fifo: int = 1
    ) -> None:
        self._rate = whole_number("rate", rate, 10, 200)
        self._fifo = whole_number("fifo", fifo, 1, 32)
        slow = self._rate if resting_rate is None else whole_number("resting_rate", resting_rate, 1, self._rate)
        self._skip = self._rate // slow
        self._moving = threading.Lock()
        self._mover = Mover()
        super().__init__("motion", MotionOp, self._move, hardware_socket)

    def _move(self, request: MotionOp) -> Answer:
        with self._moving:
            moved(self._mover, request, boottime_ns())
        return Answer(ok=True)

    def _steps(self, on_item: Callable[[Acceleration], None]) -> Steps:
        pace = Pace(Fraction(1, self._rate))
        number = 0
        while True:
            last = number + self._fifo - 1
            yield pace.instant_ns(last)
            while number <= last:
                at_ns = pace.instant_ns(number)
                with self._moving:
                    mg = self._mover.sample_mg(at_ns)
                    number += self._skip if self._mover.rests(at_ns) else 1
                on_item(Acceleration(*mg, at_ns))
            number = max(number, pace.due(boottime_ns()))


def moved(mover: Mover, request: MotionOp, now_ns: int) -> None:
    """Do what the message says from `now_ns` (CLOCK_BOOTTIME) on. Raises `OpRefused`."""
    for_ns = None if request.for_s is None else int(request.for_s * NS_PER_S)
    push_mg = (request.x_mg, request.y_mg, request.z_mg)
    if request.pattern is None:
        mover.push(push_mg, now_ns, for_ns)
        return
    if push_mg != REST_MG:
        raise OpRefused("a camera moves by a pattern or is pushed by x_mg, y_mg, z_mg: leave one of them out")
    mover.move(Movement(request.pattern, request.seed), now_ns, for_ns)
