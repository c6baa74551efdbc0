"""LEDs, vibration motor and sounder on GPIO pins, through gpiozero. A tone is a pin that drives an active sounder."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from typing import Any

from gpiozero import DigitalOutputDevice, PinPWMError, PWMOutputDevice

from hal.errors import BadDriverOption, DeviceLost
from hal.pins import checked_pin, pin_errors

SHORTEST_PERIOD_S = 0.02
"""Faster blinking is invisible and would only burn the battery."""
LONGEST_PHASE_S = 3600.0
UNDIMMED = frozenset({"haptic", "tone"})


class DimmableLamp(PWMOutputDevice):  # type: ignore[misc]  # gpiozero has no type hints
    """A lamp whose "on" is `level` of its brightness."""

    def __init__(self, pin: int, pin_factory: Any | None) -> None:
        self._level, self._wanted = 1.0, 0.0
        super().__init__(pin, pin_factory=pin_factory)

    def _write(self, value: float) -> None:
        self._wanted = value
        super()._write(value * self._level)

    def dim(self, level: float) -> None:
        """Take this level from now on, also for what is lit."""
        self._level = level
        self._write(self._wanted)


class GpiozeroIndicators:
    """A `hal.indicators.Indicators` on GPIO pins, one pin for each channel, high = on.

    `channels` maps a channel to a BCM pin, e.g. ``{"red": 22, "haptic": 5}``. `pin_factory` None = gpiozero's default.
    All channels are opened here and are off. One that cannot be opened takes no other with it: it is tried again each
    time it is to show something, and says `DeviceLost` until then.

    Raises `BadDriverOption` for a pin out of 0..53 or used twice.
    """

    def __init__(self, channels: Mapping[str, int], pin_factory: Any | None = None) -> None:
        if not isinstance(channels, Mapping):
            raise BadDriverOption("indicators: channels must be a table of pins, e.g. channels = { red = 22 }")
        taken: dict[int, str] = {}
        pins = {name: checked_pin(f"indicator {name!r}", pin, taken) for name, pin in channels.items()}
        self._names = frozenset(pins)
        self._devices: dict[str, Any] = {}
        self._lock = threading.Lock()  # gpiozero's blink thread must not be replaced by two callers at once
        self._factory = pin_factory
        self._unopened = dict(pins)
        self._level = 1.0
        for name in pins:
            with contextlib.suppress(DeviceLost):
                self._open(name)

    def _open(self, name: str) -> None:
        """Open a channel that is not open yet. Raises `DeviceLost`."""
        pin = self._unopened[name]
        try:
            device = _opened(name, pin, self._factory)
        except pin_errors() as error:
            raise DeviceLost(
                f"indicator {name!r} cannot use pin {pin} ({error}): check that no other program uses it"
            ) from error
        if isinstance(device, DimmableLamp):
            device.dim(self._level)
        self._devices[name] = device
        del self._unopened[name]

    @property
    def channels(self) -> frozenset[str]:
        """The names of all channels, also after `stop`."""
        return self._names

    def on(self, channel: str) -> None:
        """Switch on until the next call. Raises KeyError for an unknown channel, `DeviceLost` if the pin fails."""
        self._drive(channel, lambda device: device.on())

    def off(self, channel: str) -> None:
        """Switch off until the next call. Raises KeyError for an unknown channel, `DeviceLost` if the pin fails."""
        self._drive(channel, lambda device: device.off())

    def pulse(self, channel: str, on_s: float, off_s: float, count: int | None = None) -> None:
        """Blink on a thread of gpiozero's: `on_s` seconds on, `off_s` off, `count` times or (None) until the next call.

        Raises KeyError for an unknown channel, ValueError for times that are no blinking, `DeviceLost`.
        """
        if not (0 <= on_s <= LONGEST_PHASE_S and 0 <= off_s <= LONGEST_PHASE_S) or on_s + off_s < SHORTEST_PERIOD_S:
            raise ValueError(
                f"on_s and off_s must be 0..{LONGEST_PHASE_S:g} s and together at least {SHORTEST_PERIOD_S} s"
            )
        if count is not None and count < 1:
            raise ValueError("count must be at least 1, or None for ever")
        self._drive(channel, lambda device: device.blink(on_s, off_s, n=count, background=True))

    def dim(self, level: float) -> None:
        """Light lamps at this share of their brightness, over 0 to 1; those on pins without PWM stay as they are.

        Raises ValueError for another share, `DeviceLost` if a pin fails.
        """
        if not 0 < level <= 1:
            raise ValueError(f"level must be over 0 and at most 1, not {level}")
        self._level = level
        for name, device in list(self._devices.items()):
            if isinstance(device, DimmableLamp):
                self._drive(name, lambda lamp: lamp.dim(level))

    def stop(self) -> None:
        """All off, threads ended, pins released. May be called twice; on, off and pulse then do nothing."""
        with self._lock:
            devices = list(self._devices.values())
            self._devices.clear()
            self._unopened.clear()
        for device in devices:
            with contextlib.suppress(*pin_errors()):  # a pin that fails must not keep the others lit
                device.off()
                device.close()

    def _drive(self, channel: str, act: Callable[[Any], None]) -> None:
        if channel not in self._names:
            raise KeyError(channel)
        with self._lock:
            if channel in self._unopened:
                self._open(channel)
            device = self._devices.get(channel)
            if device is None:
                return
            try:
                act(device)
            except pin_errors() as error:
                raise DeviceLost(f"indicator {channel!r} does not answer ({error}): check the board") from error


def _opened(name: str, pin: int, pin_factory: Any | None) -> Any:
    """A lamp that can be dimmed, where the pin can; vibration motor and sounder are only on or off."""
    if name not in UNDIMMED:
        with contextlib.suppress(PinPWMError):
            return DimmableLamp(pin, pin_factory)
    return DigitalOutputDevice(pin, pin_factory=pin_factory)
