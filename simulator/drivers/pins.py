"""Simulated GPIO: gpiozero's own mock pins, driven and watched through the hardware socket.

The device's real gpiozero code runs on top of it. Numbers are BCM numbers, as in gpiozero.
"""

from __future__ import annotations

import threading
from typing import Any

from gpiozero.pins.mock import MockFactory, MockPWMPin

from simulator.drivers.hardware import HardwareSocket
from simulator.drivers.hardware_messages import Answer, OpRefused, PinEvent, PinOp, PinsOp, PinState
from simulator.drivers.pace import boottime_ns

_PI_3B = "a02082"  # any board with the 40-pin header; said here so that no environment variable decides it


class SimulatedPin(MockPWMPin):  # type: ignore[misc]  # gpiozero has no type hints
    """A mock pin that keeps the level the world drives (stronger than a pull resistor) and tells of output changes."""

    def __init__(self, factory: SimulatedFactory, info: Any) -> None:
        self._driven = False
        super().__init__(factory, info)

    @property
    def number(self) -> int:
        return int(self.info.name.removeprefix("GPIO"))

    def drive(self, level: int) -> None:
        """The world puts a level on this input. Raises `OpRefused` for an output."""
        if self._function != "input":
            raise OpRefused(f"pin {self.number} is an output of the camera and cannot be driven")
        self._driven = True
        if level:
            self.drive_high()
        else:
            self.drive_low()

    def stand(self) -> PinState:
        """The pin as it is."""
        return PinState(self.number, self._function, _level(self._state))

    def _set_pull(self, value: str) -> None:
        if self._driven and self._function == "input":
            self._pull = value  # the resistor is there, and the world's level wins
        else:
            super()._set_pull(value)

    def _change_state(self, value: float) -> bool:
        changed = bool(super()._change_state(value))
        if changed and self._function == "output":
            self.factory.hardware.publish(PinEvent(self.number, _level(value), boottime_ns()))
        return changed


class SimulatedFactory(MockFactory):  # type: ignore[misc]  # gpiozero has no type hints
    """gpiozero's mock factory, with its pins on the hardware socket."""

    def __init__(self, hardware: HardwareSocket) -> None:
        super().__init__(revision=_PI_3B, pin_class=SimulatedPin)
        self.hardware = hardware
        self._driving = threading.Lock()
        self._take_back = [hardware.register(PinOp, self._drive), hardware.register(PinsOp, self._list)]

    def close(self) -> None:
        """Release pins and socket. May be called twice."""
        super().close()
        for take_back in self._take_back:
            take_back()
        if self._take_back:
            self._take_back = []
            self.hardware.close()

    def _drive(self, request: PinOp) -> Answer:
        with self._driving:  # one edge after the other, also from two peers
            self.pin(f"GPIO{request.pin}").drive(request.level)
        return Answer(ok=True)

    def _list(self, _request: PinsOp) -> Answer:
        pins = sorted((pin.stand() for pin in list(self.pins.values())), key=lambda state: state.pin)
        return Answer(ok=True, pins=pins)


def simulated_factory(hardware_socket: str) -> SimulatedFactory:
    """A gpiozero pin factory whose inputs are driven, and whose outputs are watched, through the hardware socket.

    Raises `hal.errors.BadDriverOption` if the socket cannot be opened.
    """
    return SimulatedFactory(HardwareSocket.open(hardware_socket))


def _level(state: float) -> float:
    """0 or 1 as whole numbers, what lies between rounded for the eye."""
    return int(state) if state in (0, 1) else round(float(state), 3)
