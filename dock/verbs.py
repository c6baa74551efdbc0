"""The verbs of ``firsthand-dock``. Each is a module of ``dock/cli/`` with a `Verb` called VERB."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from dock.errors import BadArguments

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


def verbs_for(word: str | None) -> list[Verb]:
    """The verb of that name; if there is none, all that can run here: for the help, and for typing errors.

    A camera's agent must start without what only a station needs, and needs no time for it. Raises `BadArguments`.
    """
    module = (word or "").replace("-", "_")
    if module in MODULES:
        try:
            return [importlib.import_module(f"dock.cli.{module}").VERB]
        except ModuleNotFoundError as error:
            raise BadArguments(f"needs {error.name}: install the package firsthand-station") from error
    return [verb for name in MODULES if (verb := _if_it_runs_here(name)) is not None]


def _if_it_runs_here(module: str) -> Verb | None:
    try:
        verb: Verb = importlib.import_module(f"dock.cli.{module}").VERB
    except ModuleNotFoundError:
        return None
    return verb
