"""Simulated lamps, vibration and tone behind `hal.indicators.Indicators`, stepped by the board's runner.

What is shown is told as pin events, like the changes of real output pins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hal.errors import BadDriverOption
from hal.program_time import boottime_ns
from simulator.drivers.hardware import HardwareSocket
from simulator.drivers.hardware_messages import Answer, PinEvent, PinsOp, PinState
from simulator.drivers.runner import NS_PER_S, Steps

UNDIMMED = frozenset({"haptic", "tone"})


class SimulatedLamps:
    """`channels` maps a channel to its pin, as for the real ones. Raises `hal.errors.BadDriverOption`."""

    def __init__(self, channels: Mapping[str, int], hardware_socket: str, pin_factory: object = None) -> None:  # noqa: ARG002 - needs none
        if not isinstance(channels, Mapping) or not all(isinstance(pin, int) for pin in channels.values()):
            raise BadDriverOption("indicators: channels must be a table of pins, e.g. channels = { red = 22 }")
        self._pins = dict(channels)
        self._hardware = HardwareSocket.open(hardware_socket)
        self._take_back = self._hardware.register(PinsOp, self._list)
        self._levels: dict[str, float] = dict.fromkeys(self._pins, 0.0)
        self._lit: dict[str, bool] = dict.fromkeys(self._pins, False)
        self._blinking: dict[str, Callable[[], None]] = {}
        self._brightness = 1.0
        self._open = True

    @property
    def channels(self) -> frozenset[str]:
        return frozenset(self._pins)

    def on(self, channel: str) -> None:
        self._still(channel)
        self._show(channel, lit=True)

    def off(self, channel: str) -> None:
        self._still(channel)
        self._show(channel, lit=False)

    def pulse(self, channel: str, on_s: float, off_s: float, count: int | None = None) -> None:
        self._still(channel)
        if self._open:
            self._blinking[channel] = self._hardware.runner.play(channel, self._blink(channel, on_s, off_s, count))

    def dim(self, level: float) -> None:
        self._brightness = level
        for channel, lit in self._lit.items():
            self._show(channel, lit=lit)

    def stop(self) -> None:
        if self._open:
            for channel in self._pins:
                self.off(channel)
            self._open = False
            self._take_back()
            self._hardware.close()

    def _blink(self, channel: str, on_s: float, off_s: float, count: int | None) -> Steps:
        at_ns, done = boottime_ns(), 0
        while count is None or done < count:
            self._show(channel, lit=on_s > 0)
            at_ns += round(on_s * NS_PER_S)
            yield at_ns
            self._show(channel, lit=off_s <= 0)
            at_ns += round(off_s * NS_PER_S)
            yield at_ns
            done += 1

    def _still(self, channel: str) -> None:
        if channel not in self._pins:
            raise KeyError(channel)
        blinking = self._blinking.pop(channel, None)
        if blinking is not None:
            blinking()

    def _show(self, channel: str, *, lit: bool) -> None:
        self._lit[channel] = lit
        level = float(lit) if channel in UNDIMMED else lit * self._brightness
        if level != self._levels[channel] and self._open:
            self._levels[channel] = level
            self._hardware.publish(PinEvent(self._pins[channel], level, boottime_ns()))

    def _list(self, _request: PinsOp) -> Answer:
        return Answer(
            ok=True, pins=[PinState(pin, "output", self._levels[channel]) for channel, pin in self._pins.items()]
        )
