"""The seam for what the officer sees, feels and hears: LEDs, vibration motor, sounder."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


class Indicators(Protocol):
    """Named output channels, e.g. ``green``, ``red``, ``amber``, ``haptic``, ``tone``."""

    @property
    def channels(self) -> frozenset[str]: ...

    def on(self, channel: str) -> None: ...

    def off(self, channel: str) -> None: ...

    def pulse(self, channel: str, on_s: float, off_s: float, count: int | None = None) -> None:
        """Blink without blocking; `count` None = until the next call for this channel."""
        ...

    def stop(self) -> None: ...


@runtime_checkable
class Dimmable(Protocol):
    """Indicators whose lamps can be dimmed at night."""

    def dim(self, level: float) -> None:
        """Light lamps at this share of their brightness from now on, over 0 to 1. Vibration and tone stay."""
        ...
