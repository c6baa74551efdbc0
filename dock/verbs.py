"""The verbs of ``firsthand-dock``. Each is a module of ``dock/cli/`` with a `Verb` called VERB."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

MODULES: Final = (
    "station",
    "agent",
    "lost",
    "found",
    "accept",
    "reconcile",
    "proofs",
    "people",
    "custody",
    "add_export",
    "hold",
    "release",
    "holds",
    "label",
    "hand_off",
    "bays",
    "checkout",
    "check_in",
    "withhold",
    "supervise",
    "reader",
    "time_config",
)
"""Modules of ``dock/cli/`` in the order in which the help lists them; loaded only when they are needed."""


def _nothing(_: argparse.ArgumentParser) -> None:
    """No arguments of its own."""


@dataclass(frozen=True)
class Verb:
    """One verb."""

    name: str
    what: str
    """A line for the list."""
    more: str
    """A paragraph for its own help."""
    run: Callable[[argparse.Namespace], int]
    """Exit status. `DockError`, `EvidenceError` and OSError become one sentence and status 1."""
    arguments: Callable[[argparse.ArgumentParser], None] = _nothing
    """Adds arguments beside ``--config FILE`` and ``--verbose``, which every verb has."""


def all_verbs() -> list[Verb]:
    """Every verb."""
    return [importlib.import_module(f"dock.cli.{name}").VERB for name in MODULES]
