"""What simulated cameras and microphones have in common: steps that deliver, and a place at the hardware socket."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from hal.errors import HalError
from simulator.drivers.hardware import HardwareSocket
from simulator.drivers.hardware_messages import Answer
from simulator.drivers.runner import Steps, ThreadRunner
from simulator.drivers.simulated_time import SimulatedTime

T = TypeVar("T")


class LiveSource(ABC, Generic[T]):
    """Delivers items in steps, from `start` until `stop`; single use. Who takes the steps is the board's runner."""

    def __init__(self, name: str, op: Any, on_fault_op: Callable[[Any], Answer], hardware_socket: str | None) -> None:
        """`op` is the message at the hardware socket whose faults `on_fault_op` plays."""
        self._name = name
        self._hardware = None if hardware_socket is None else HardwareSocket.open(hardware_socket)
        self._time = SimulatedTime() if self._hardware is None else self._hardware.time
        self._take_back = None if self._hardware is None else self._hardware.register(op, on_fault_op)
        self._end: Callable[[], None] | None = None

    @abstractmethod
    def _steps(self, on_item: Callable[[T], None]) -> Steps:
        """Deliver, and yield the instant of the next step. May raise `HalError`, which becomes a fault."""

    def start(self, on_item: Callable[[T], None], on_fault: Callable[[str], None]) -> None:
        """Deliver until `stop`."""
        assert self._end is None, f"a {self._name} is started once"
        runner = ThreadRunner() if self._hardware is None else self._hardware.runner
        self._end = runner.play(self._name, self._run(on_item, on_fault))

    def stop(self) -> None:
        """Stop and give up the hardware socket. May be called twice."""
        if self._end is not None:
            self._end()
        if self._hardware is not None and self._take_back is not None:
            self._take_back()
            self._hardware.close()
            self._hardware = None

    def _run(self, on_item: Callable[[T], None], on_fault: Callable[[str], None]) -> Steps:
        try:
            yield from self._steps(on_item)
        except HalError as error:
            on_fault(str(error))
