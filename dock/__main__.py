"""``firsthand-dock``: the agent on the camera, the station at the dock, and what people do at it."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from dock.errors import DockError
from dock.verbs import verbs_for
from evidence.errors import EvidenceError
from evidence.usage import UsageParser


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 0 done or stopped by a signal, 1 cannot (one sentence says why), 64 wrong usage."""
    words = sys.argv[1:] if arguments is None else arguments
    word = next(iter(words), None)
    try:
        options = _parser(word).parse_args(words)
    except DockError as error:
        print(f"firsthand-dock {word}: {error}", file=sys.stderr)
        return 1
    logging.basicConfig(
        level=logging.DEBUG if options.verbose else logging.INFO,
        format="%(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    try:
        status: int = options.run(options)
    except (DockError, EvidenceError, OSError) as error:
        print(f"firsthand-dock {options.command}: {error}", file=sys.stderr)
        return 1
    return status


def _parser(word: str | None = None) -> argparse.ArgumentParser:
    parser = UsageParser(
        prog="firsthand-dock",
        description="Bring evidence from the camera into the agency's store, with a signed receipt for every file.",
        epilog="The camera runs `agent`, the dock runs `station`. Examples of both files: dock/examples/.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for verb in verbs_for(word):
        command = commands.add_parser(verb.name, help=verb.what, description=verb.more)
        file = "agent.toml" if verb.name == "agent" else "station.toml"
        command.add_argument("--config", type=Path, required=True, metavar="FILE", help=f"e.g. {file}")
        command.add_argument("-v", "--verbose", action="store_true", help="log more, on standard error")
        verb.arguments(command)
        command.set_defaults(run=verb.run)
    return parser


if __name__ == "__main__":
    sys.exit(main())
