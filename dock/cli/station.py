"""``firsthand-dock station``."""

from __future__ import annotations

import argparse
import asyncio
import contextlib

from dock.config import load_station
from dock.verbs import Verb


def _run(options: argparse.Namespace) -> int:
    from dock.station.server import run_station

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run_station(load_station(options.config)))
    return 0


VERB = Verb(
    "station",
    "take in evidence at the dock",
    """Serve cameras over mutual TLS: verify each file while it comes in, store it durably, read it back, and sign a
    receipt. Prints a line when ready; SIGTERM ends it.""",
    _run,
)
