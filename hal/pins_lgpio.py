"""Pins on a GPIO chip of one's choice, by number or by label, on a board that need not be a Raspberry Pi.

gpiozero asks for the Raspberry Pi's revision to know its header; another board has none, nor has a kernel that
simulates its lines (gpio-sim). There GPIO 0 to 27 are taken to be lines 0 to 27 of the chip.
"""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import Any, Final

from hal.errors import BadDriverOption, DeviceLost
from hal.pins import default_factory

FORTY_PINS: Final = 0xC03111
"""Revision code of a Raspberry Pi 4 B: its header is that of every board with forty pins."""
HIGHEST_CHIP: Final = 63
LONGEST_LABEL: Final = 31
"""The kernel's names have 32 bytes with their final zero."""


def chip_factory(chip: int | str = 0, work_dir: str = "/run/firsthand") -> Any:
    """A gpiozero pin factory on `chip`: its number (``/dev/gpiochipN``) or its label (``gpioinfo`` shows it).

    A label is better: numbers change with the kernel (a Raspberry Pi 5's header was chip 4 and is chip 0 again), and
    its label does not (``pinctrl-rp1``). A chip that is not there is each pin's fault, told when the pin is opened,
    and looked for again at the next one. Raises `BadDriverOption`; ImportError if lgpio is not installed.
    """
    if isinstance(chip, bool) or not isinstance(chip, int | str):
        raise BadDriverOption(f"pins: chip must be a chip's number or label, not {chip!r}")
    if isinstance(chip, int) and not 0 <= chip <= HIGHEST_CHIP:
        raise BadDriverOption(f"pins: chip must be 0..{HIGHEST_CHIP}, or a label such as 'pinctrl-rp1', not {chip!r}")
    if isinstance(chip, str) and not (1 <= len(chip) <= LONGEST_LABEL and chip.isascii() and chip.isprintable()):
        raise BadDriverOption(f"pins: a chip's label has 1 to {LONGEST_LABEL} letters, not {chip[:64]!r}")
    default_factory(work_dir)  # where lgpio puts its FIFO: before anything imports lgpio
    with contextlib.chdir("."):  # its import goes to LG_WD and stays there: relative paths of others would be lost
        import lgpio
    from gpiozero import PinUnknownPi
    from gpiozero.pins.lgpio import LGPIOFactory, LGPIOPin

    class ChipFactory(LGPIOFactory):  # type: ignore[misc]  # gpiozero has no type hints
        """gpiozero's own, with the chip found by label and opened late."""

        def __init__(self) -> None:
            super(LGPIOFactory, self).__init__()  # not LGPIOFactory's: it opens the chip at once
            self.pin_class = LGPIOPin
            self._handle: int | None = None
            self._chip: int | None = None

        def _get_revision(self) -> int:
            try:
                return int(super()._get_revision())
            except (PinUnknownPi, OSError, ValueError):
                return FORTY_PINS

        def pin(self, name: Any) -> Any:
            if self._handle is None:
                self._chip, self._handle = _opened(lgpio, chip)
            return super().pin(name)

    return ChipFactory()


def _opened(lgpio: Any, chip: int | str) -> tuple[int, int]:
    """Number and handle of the chip. Raises `DeviceLost`."""
    if isinstance(chip, int):
        try:
            return chip, int(lgpio.gpiochip_open(chip))
        except lgpio.error as error:
            raise DeviceLost(
                f"/dev/gpiochip{chip} cannot be opened: check the setting `chip` and the group gpio"
            ) from error
    seen = []
    for number in _numbers():
        try:
            handle = lgpio.gpiochip_open(number)
        except lgpio.error:
            continue
        label = str(lgpio.gpio_get_chip_info(handle)[3])
        if label == chip:
            return number, handle
        seen.append(label)
        lgpio.gpiochip_close(handle)
    there = f"there are {', '.join(seen)}" if seen else "none can be opened: check the group gpio"
    raise DeviceLost(f"no GPIO chip has the label {chip!r} ({there}): check the setting `chip`")


def _numbers() -> list[int]:
    found = (re.fullmatch(r"gpiochip([0-9]{1,3})", path.name) for path in Path("/dev").glob("gpiochip*"))
    return sorted(int(match[1]) for match in found if match)
