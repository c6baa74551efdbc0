"""``firsthand-dock``: the agent on the camera, and the station at the dock."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import sys
from pathlib import Path
from typing import Final

from dock.config import load_agent, load_station
from dock.errors import DockError
from evidence.errors import EvidenceError
from evidence.usage import UsageParser

_COMMANDS: Final = {
    "station": (
        "take in evidence at the dock",
        """Serve cameras over mutual TLS: verify each file while it comes in, store it durably, read it back, and sign a
        receipt. Prints a line when ready; SIGTERM ends it.""",
    ),
    "agent": (
        "upload evidence from the camera",
        """Watch the recorder's socket; when docked, upload what waits in the spool and bring the receipts back. It
        holds no evidence key and cannot delete anything. SIGTERM ends it.""",
    ),
}


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 0 stopped by a signal, 1 cannot run (one sentence says why), 64 wrong usage."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(
        level=logging.DEBUG if options.verbose else logging.INFO,
        format="%(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    try:
        with contextlib.suppress(KeyboardInterrupt):
            if options.command == "station":
                from dock.station.server import run_station

                asyncio.run(run_station(load_station(options.config)))
            else:
                from dock.agent.daemon import run_agent

                asyncio.run(run_agent(load_agent(options.config)))
    except (DockError, EvidenceError, OSError) as error:
        print(f"firsthand-dock {options.command}: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = UsageParser(
        prog="firsthand-dock",
        description="Bring evidence from the camera into the agency's store, with a signed receipt for every file.",
        epilog="The camera runs `agent`, the dock runs `station`. Examples of both files: dock/examples/.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (what, more) in _COMMANDS.items():
        command = commands.add_parser(name, help=what, description=more)
        command.add_argument("--config", type=Path, required=True, metavar="FILE", help=f"e.g. {name}.toml")
        command.add_argument("-v", "--verbose", action="store_true", help="log more, on standard error")
    return parser


if __name__ == "__main__":
    sys.exit(main())
