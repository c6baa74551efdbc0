"""The seam for temperatures of the board."""

from __future__ import annotations

from typing import Protocol


class Thermal(Protocol):
    """Temperature zones of the board."""

    def read_mc(self) -> dict[str, int]:
        """Zone -> thousandths of a degree Celsius. Raises `hal.errors.HalError` if none can be read."""
        ...

    def throttled(self) -> bool:
        """Whether the board slows itself down because of heat or a weak supply, as far as the driver can tell."""
        ...
