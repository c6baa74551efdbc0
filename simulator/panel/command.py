"""``firsthand-sim panel``: the control panel, served to a browser on this computer."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from simulator.run_errors import BadScenario, OutRefused
from simulator.scenario import bundled, find_scenario, load_scenario

PORT: Final = 8470
EXIT_USAGE: Final = 64
_ABOUT: Final = """\
Open a simulated camera in your browser: its lamps and buttons, what it sees, the vehicle around it, the dock,
and the evidence as it grows. The camera daemon, the docking agent and the docking station behind it are the real
programs. Stop it with Ctrl-C.

Nothing that it makes is evidence: it is signed under a simulated root.
"""
_AFTER: Final = """\
examples:
  firsthand-sim panel
  firsthand-sim panel quick --port 9000 --out build/panel

exit code: 0 stopped by you, 1 something failed (it says what), 64 wrong usage
"""


def _port(text: str) -> int:
    value = int(text)
    if not 0 <= value <= 65_535:
        raise ValueError(text)
    return value


_port.__name__ = "port from 0 to 65535"


def add_parser(commands: Any) -> None:
    """The verb's place on the command line."""
    verb = commands.add_parser(
        "panel",
        help="a control panel in the browser: press, see, dock, verify, play",
        description=_ABOUT,
        epilog=_AFTER,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verb.add_argument(
        "scenario",
        nargs="?",
        default="guided",
        metavar="SCENARIO",
        help=f"whose policy and picture to take ({', '.join(bundled())}, or a TOML file); it plays when you say so",
    )
    verb.add_argument(
        "--port", type=_port, default=PORT, metavar="N", help=f"port on this computer, default {PORT}; 0 = any free one"
    )
    verb.add_argument(
        "--host", default="127.0.0.1", metavar="ADDRESS",
        help="address to listen at, default 127.0.0.1: only this computer. There is no log-in: leave it so",
    )  # fmt: skip
    verb.add_argument(
        "--out", type=Path, metavar="DIR",
        help="where everything goes, as for `shift`; default: a temporary directory that is removed at the end",
    )  # fmt: skip
    verb.add_argument("--clip", type=Path, metavar="FILE", help="film this video in a loop instead of the drawn street")
    verb.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM: the exit code."""
    try:
        scenario = load_scenario(find_scenario(options.scenario))
    except BadScenario as error:
        print(f"firsthand-sim panel: {error}", file=sys.stderr)
        return EXIT_USAGE
    try:
        from simulator.panel.serving import serve  # the command line answers fast without it
        from simulator.running import Order
    except ImportError as error:
        print(
            f"firsthand-sim panel: {error.name} is missing: install it with pip install 'firsthand[sim]'",
            file=sys.stderr,
        )
        return 1
    try:
        with tempfile.TemporaryDirectory(prefix="firsthand-panel-") as place:
            order = Order(scenario, options.out or Path(place) / "run", options.clip)
            return serve(order, options.host, options.port)
    except OutRefused as error:
        print(f"firsthand-sim panel: {error}", file=sys.stderr)
        return EXIT_USAGE
    except OSError as error:
        print(f"firsthand-sim panel: {error}", file=sys.stderr)
        return 1
