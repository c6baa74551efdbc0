"""The fault catalogue: every fault that the simulated world knows, by name (requirements, "Faults…")."""

from __future__ import annotations

import difflib
from importlib import import_module
from typing import Final

from simulator.faults.fault import Amount, Fault
from simulator.run_errors import WorldRefused

__all__ = ["Amount", "Fault", "catalogue", "find_fault"]

KINDS: Final[tuple[str, ...]] = (
    "card",
    "dock",
    "network",
    "station",
    "camera",
    "microphone",
    "people",
    "peers",
    "programs",
    "key",
    "gps",
    "motion",
    "battery",
    "heat",
    "lines",
    "clock",
)  # fmt: skip
"""Modules of this folder, each with its ``FAULTS``."""


def catalogue() -> dict[str, Fault]:
    """All faults by name, in order."""
    modules = (import_module(f"simulator.faults.{kind}") for kind in KINDS)
    return {one.name: one for module in modules for one in module.FAULTS}


def find_fault(name: str) -> Fault:
    """The fault of that name. Raises `WorldRefused` with the nearest name."""
    known = catalogue()
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else "see: firsthand-sim fault --list"
    raise WorldRefused(f"there is no fault {name!r}; {hint}")
