"""``firsthand-dock agent``."""

from __future__ import annotations

import argparse
import asyncio
import contextlib

from dock.config import load_agent
from dock.verbs import Verb


def _run(options: argparse.Namespace) -> int:
    from dock.agent.daemon import run_agent

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run_agent(load_agent(options.config)))
    return 0


VERB = Verb(
    "agent",
    "upload evidence from the camera",
    """Watch the recorder's socket; when docked, upload what waits in the spool and bring the receipts back. It
    holds no evidence key and cannot delete anything. SIGTERM ends it.""",
    _run,
)
