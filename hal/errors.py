"""What can go wrong with hardware. Each message says what a person should do."""

from __future__ import annotations


class HalError(Exception):
    """Base of all hardware errors."""


class DriverNotFound(HalError, LookupError):
    """No driver of that name for that seam."""


class SimulatedDriverRefused(HalError, PermissionError):
    """A simulated driver was configured without --allow-simulated (design, invariant 11)."""


class BadDriverOption(HalError, ValueError):
    """An option of a driver is unknown, missing or out of range."""


class BatteryLost(HalError, OSError):
    """The fuel gauge cannot be read."""


class DeviceLost(HalError, OSError):
    """A device cannot be opened or has gone."""
