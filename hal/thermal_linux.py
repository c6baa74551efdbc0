"""The board's temperatures as Linux shows them: ``/sys/class/thermal/thermal_zone*/{type,temp}``.

``temp`` is in thousandths of a degree Celsius (Documentation/ABI/testing/sysfs-class-thermal). Whether a Raspberry Pi
slows itself down stands in its firmware's ``get_throttled``, a hexadecimal mask: bit 0 under-voltage now, bit 1 the
frequency is capped, bit 2 throttled, bit 3 the soft temperature limit; bits from 16 on say that it once was.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from hal.errors import BadDriverOption, DeviceLost

MAX_BYTES = 64
MAX_ZONES = 64
NOW = 0xF
_LOW_MC, _HIGH_MC = -60_000, 200_000
_NUMBER = re.compile(r"-?[0-9]{1,7}")
_MASK = re.compile(r"(0x)?[0-9a-fA-F]{1,8}")


class LinuxThermal:
    """A `hal.thermal.Thermal` under `root`, normally ``/sys/class/thermal``.

    `throttled_file` is the firmware's mask; a board without one is never throttled as far as anybody can tell. Nothing
    is opened before `read_mc`. Raises `BadDriverOption` for options that are no paths.
    """

    def __init__(
        self,
        root: str = "/sys/class/thermal",
        throttled_file: str = "/sys/devices/platform/soc/soc:firmware/get_throttled",
    ) -> None:
        for name, value in (("root", root), ("throttled_file", throttled_file)):
            if not isinstance(value, str) or not value:
                raise BadDriverOption(f"thermal: {name} must be a path, not {value!r}")
        self._root = Path(root)
        self._throttled = Path(throttled_file)

    def read_mc(self) -> dict[str, int]:
        """Zone -> thousandths of a degree Celsius; zones that do not answer are left out, as sleeping sensors do.

        Zones of one type are told apart by their number: ``cpu-thermal``, ``cpu-thermal-3``.
        Raises `DeviceLost` if none answers.
        """
        try:
            zones = sorted(self._root.glob("thermal_zone*"), key=_number)[:MAX_ZONES]
        except OSError as error:
            raise DeviceLost(f"{self._root} cannot be listed ({error.strerror}): check the kernel") from error
        found: dict[str, int] = {}
        for zone in zones:
            text = _line(zone / "temp")
            if text is None or not _NUMBER.fullmatch(text) or not _LOW_MC <= int(text) <= _HIGH_MC:
                continue
            kind = _line(zone / "type") or zone.name
            found[kind if kind not in found else f"{kind}-{_number(zone)}"] = int(text)
        if not found:
            raise DeviceLost(f"no temperature under {self._root}: load the board's thermal driver")
        return found

    def throttled(self) -> bool:
        """Whether the firmware slows the board down now, for heat or a weak supply. Never raises."""
        text = _line(self._throttled)
        return text is not None and bool(_MASK.fullmatch(text)) and bool(int(text, 16) & NOW)


def _number(zone: Path) -> int:
    digits = zone.name.removeprefix("thermal_zone")
    return int(digits) if digits.isdecimal() and len(digits) < 6 else 0


def _line(path: Path) -> str | None:
    """A small file of one line; None if it cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)  # read every few seconds: no file object for it
    except OSError:
        return None
    try:
        return os.read(descriptor, MAX_BYTES).decode("ascii", errors="replace").strip()
    except OSError:
        return None
    finally:
        os.close(descriptor)
