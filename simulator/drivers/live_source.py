"""What simulated cameras and microphones have in common: a thread that delivers, and a place at the hardware socket."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from hal.errors import HalError
from simulator.drivers.hardware import HardwareSocket
from simulator.drivers.hardware_messages import Answer
from simulator.drivers.simulated_time import SimulatedTime

T = TypeVar("T")


class LiveSource(ABC, Generic[T]):
    """Delivers items on a thread of its own, from `start` until `stop`; single use."""

    def __init__(self, name: str, op: Any, on_fault_op: Callable[[Any], Answer], hardware_socket: str | None) -> None:
        """`op` is the message at the hardware socket whose faults `on_fault_op` plays."""
        self._name = name
        self._hardware = None if hardware_socket is None else HardwareSocket.open(hardware_socket)
        self._time = SimulatedTime() if self._hardware is None else self._hardware.time
        self._take_back = None if self._hardware is None else self._hardware.register(op, on_fault_op)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @abstractmethod
    def _deliver(self, on_item: Callable[[T], None]) -> None:
        """Deliver until `_stop` is set. May raise `HalError`, which becomes a fault."""

    def start(self, on_item: Callable[[T], None], on_fault: Callable[[str], None]) -> None:
        """Deliver on a thread of its own until `stop`."""
        assert self._thread is None, f"a {self._name} is started once"
        self._thread = threading.Thread(target=self._run, args=(on_item, on_fault), name=self._name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop and give up the hardware socket. May be called twice."""
        self._stop.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        if self._hardware is not None and self._take_back is not None:
            self._take_back()
            self._hardware.close()
            self._hardware = None

    def _run(self, on_item: Callable[[T], None], on_fault: Callable[[str], None]) -> None:
        try:
            self._deliver(on_item)
        except HalError as error:
            on_fault(str(error))
