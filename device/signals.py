"""Show states and play patterns on the indicators; a board without them, or with broken ones, still records."""

from __future__ import annotations

from collections.abc import Callable

from device import indicators as patterns
from device.states import State
from hal.errors import HalError
from hal.indicators import Indicators


class Signals:
    """The indicators of one camera. `on_fault` takes (part, sentence)."""

    def __init__(self, indicators: Indicators | None, on_fault: Callable[[str, str], None]) -> None:
        self._indicators = indicators
        self._fault = on_fault

    def show(self, state: State) -> None:
        """Set the lamps for a state."""
        if self._indicators is not None:
            try:
                patterns.show_state(self._indicators, state)
            except (HalError, OSError) as error:
                self._fault("indicators", str(error))

    def play(self, pattern: tuple[patterns.Pattern, ...]) -> None:
        """Play a pattern once."""
        if self._indicators is not None:
            try:
                patterns.play(self._indicators, pattern)
            except (HalError, OSError) as error:
                self._fault("indicators", str(error))

    def stop(self) -> None:
        """All off."""
        if self._indicators is not None:
            try:
                self._indicators.stop()
            except (HalError, OSError) as error:
                self._fault("indicators", str(error))
