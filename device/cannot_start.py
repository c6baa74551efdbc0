"""A camera that cannot record at all (no key, no certificate) says so with its lamps; its officer must not guess (R4).

The daemon ends after it, and is started again by its unit: the camera records as soon as the reason is gone.
"""

from __future__ import annotations

import logging
import threading
from typing import Any, Final

from device.config import DeviceSettings, Driver
from device.indicators import CATALOG, Beat
from hal import program_time
from hal.errors import HalError
from hal.indicators import Indicators
from hal.registry import load_driver

PATTERN: Final = CATALOG.states["cannot_start"]
SHOWN_S: Final = 5.0
"""How long before the next try: not at once again and again, on a board with a small cell."""


def show_cannot_start(settings: DeviceSettings, *, allow_simulated: bool, shown_s: float = SHOWN_S) -> None:
    """Show it for a while. A board whose lamps cannot be used is dark, and the journal says it."""
    board: Indicators | None = None
    try:
        pins = _load("pins", settings.pins, allow_simulated)
        board = _load("indicators", settings.indicators, allow_simulated, pin_factory=pins)
    except (HalError, ImportError, OSError, TypeError, ValueError) as error:
        logging.getLogger("firsthand.device").error("the lamps cannot say that the camera cannot record: %s", error)
    else:
        for lamp, how in PATTERN.lamps.items():
            if lamp not in board.channels:
                continue
            if isinstance(how, Beat):
                board.pulse(lamp, how.on_s, how.off_s, how.times)
            elif how == "on":
                board.on(lamp)
    program_time.wait(threading.Event(), shown_s)
    if board is not None:
        board.stop()


def _load(seam: str, driver: Driver, allow_simulated: bool, **more: Any) -> Any:
    return load_driver(seam, driver.driver, {**driver.options, **more}, allow_simulated=allow_simulated)
