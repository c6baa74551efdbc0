"""What can go wrong with updates."""

from __future__ import annotations

from fleet.errors import FleetError


class BadUpdate(FleetError):
    """A bundle, a manifest or a moment that does not allow an update; says why and what to do."""
