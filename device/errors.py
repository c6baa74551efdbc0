"""The error tree of the camera daemon."""

from __future__ import annotations


class DeviceError(Exception):
    """Base; each message says what a person should do."""


class CannotStart(DeviceError):
    """The daemon cannot even record: no key, no spool."""


class ProfileRefused(DeviceError):
    """A policy profile that is unsigned, older, truncated or unknown."""


class ReceiptRefused(DeviceError):
    """A receipt that does not allow a deletion; nothing was deleted."""


class ProofRefused(DeviceError):
    """A vault proof that is not about what lies on this camera, or that is missing; nothing was deleted."""


class CommandRefused(DeviceError):
    """A signed command that is not for this camera, not allowed, too old, or was given before."""


class UnknownBoard(DeviceError):
    """A board that is not in the package; the message names the nearest."""


class NoNewConfig(DeviceError):
    """A device.toml that cannot be made or written."""


class CannotCopy(DeviceError):
    """What `probe` found cannot be written down."""
