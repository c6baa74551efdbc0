"""``firsthand-fleet first-boot``: on a new camera, from the flashed identity to settings, keys and certificates."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from evidence.usage import UsageParser
from fleet.cli.enrol import LATER, REFUSED
from fleet.errors import RequestRefused, ServerUnreachable, WrongServer


def add_to(verbs: argparse._SubParsersAction[UsageParser]) -> None:
    """Declare the verb."""
    first = verbs.add_parser(
        "first-boot",
        help="on a new camera: make its keys, enrol it, write its settings (from firsthand-first-boot.service)",
        description="Reads identity.toml and agency/ as `flash` wrote them, and does what is still to be done, perhaps "
        f"nothing. Exit code 0: ready. {LATER}: the server cannot be asked now, run it again. "
        f"{REFUSED}: refused, a technician must look. 1: something here is wrong.",
    )
    first.add_argument("--from", dest="select", type=Path, default=Path("/boot/firsthand"), metavar="DIR",
                       help="where identity.toml lies (default %(default)s)")  # fmt: skip
    first.add_argument("--etc", type=Path, default=Path("/etc/firsthand"), metavar="DIR", help="default %(default)s")
    first.add_argument("--var-dir", type=Path, default=Path("/var/lib/firsthand"), metavar="DIR",
                       help="default %(default)s")  # fmt: skip
    first.add_argument("--drop-token", action="store_true", help="only remove a used token from the card")
    first.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from fleet.first_boot import NotReady, Places, drop_used_token, first_boot

    places = Places(arguments.select, arguments.etc, arguments.var_dir)
    try:
        (drop_used_token if arguments.drop_token else first_boot)(places, print)
    except (ServerUnreachable, NotReady) as error:
        print(f"firsthand-fleet: {error}", file=sys.stderr)
        return LATER
    except (RequestRefused, WrongServer) as error:
        print(f"firsthand-fleet: {error}", file=sys.stderr)
        return REFUSED
    return 0
