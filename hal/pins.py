"""Where GPIO pins come from: the default pin factory, and the checks that inputs and outputs share.

`switches_gpiozero` and `indicators_gpiozero` take a gpiozero ``Factory`` from the composition root, so that a
simulated board can stand behind the very same drivers.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from gpiozero import GPIOZeroError

from hal.errors import BadDriverOption

HIGHEST_PIN = 53
"""BCM283x and BCM2711 have GPIO 0..53; the 40-pin header carries 2..27."""


def default_factory(work_dir: str = "/run/firsthand") -> Any | None:
    """None: gpiozero chooses by itself (lgpio first; ``GPIOZERO_PIN_FACTORY`` overrides).

    lgpio makes a FIFO in the current directory, which in a hardened unit is read-only. It goes to `work_dir` instead,
    if that is a writable directory and ``LG_WD`` is not set yet. Call this before anything imports lgpio.
    """
    if "LG_WD" not in os.environ and Path(work_dir).is_dir() and os.access(work_dir, os.W_OK):
        os.environ["LG_WD"] = work_dir
    return None


def checked_pin(what: str, pin: object, taken: dict[int, str]) -> int:
    """`pin` as a BCM number that nobody else uses; notes it in `taken`. Raises `BadDriverOption`."""
    if isinstance(pin, bool) or not isinstance(pin, int) or not 0 <= pin <= HIGHEST_PIN:
        raise BadDriverOption(f"{what}: pin must be a BCM number 0..{HIGHEST_PIN}, not {pin!r}")
    if pin in taken:
        raise BadDriverOption(f"{what}: pin {pin} is already used by {taken[pin]}; give each its own pin")
    taken[pin] = what
    return pin


def pin_errors() -> tuple[type[Exception], ...]:
    """What opening or closing a pin can raise. lgpio's own error derives from nothing narrower than Exception."""
    lgpio = sys.modules.get("lgpio")
    return (GPIOZeroError, OSError, *((lgpio.error,) if lgpio is not None else ()))
