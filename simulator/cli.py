"""The command line of the simulator. Exit codes: 0 fine, 1 not, 64 wrong usage, 128 + n after signal n."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any, Final

from evidence.usage import UsageParser
from simulator import (
    check_command,
    fault_command,
    fleet_command,
    indicator_show,
    lint_command,
    read_frames,
    replay_command,
)
from simulator.at_speed import speed
from simulator.lint import warnings
from simulator.panel import command as panel
from simulator.progress import Progress
from simulator.run_errors import BadInput, BadScenario, Interrupted, NotAsExpected, OutRefused, RunError
from simulator.scenario import bundled, find_scenario, load_scenario
from simulator.table import closing_words, recordings_table
from simulator.timeline import told_failure

EXIT_OK: Final = 0
EXIT_NOT_OK: Final = 1
EXIT_USAGE: Final = 64
_SHIFT: Final = """\
Play a police shift from end to end with simulated hardware and the real programs: the camera daemon
(firsthand-device), the docking agent and station (firsthand-dock) run as processes of their own, and the
evidence tool exports the videos. At the end a table says what the evidence itself proves.

No root, no camera, no network: everything happens on this computer, under the directory --out.
"""
_AFTER: Final = """\
examples:
  firsthand-sim shift --out build/shift
  firsthand-sim shift quick --out /tmp/quick
  firsthand-sim shift --out build/real --clip street.mp4 --nmea receiver.log
  firsthand-sim shift whole-shift --deterministic --seed 7 --out build/whole
  firsthand-sim shift quick --out build/drive --route commute.gpx

exit code: 0 everything verified, 1 something did not (it says what), 64 wrong usage
"""


def _seed(text: str) -> int:
    value = int(text)
    if not 0 <= value < 2**31:
        raise ValueError(text)
    return value


_seed.__name__ = "whole number from 0 to 2147483647"


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top: argparse.ArgumentParser = UsageParser(
        prog="firsthand-sim", description="A simulated world for Firsthand cameras."
    )
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    shift = commands.add_parser(
        "shift",
        help="play a shift from end to end and check the evidence",
        description=_SHIFT,
        epilog=_AFTER,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    shift.add_argument(
        "scenario",
        nargs="?",
        default="default",
        metavar="SCENARIO",
        help=f"a bundled scenario ({', '.join(bundled())}) or a TOML file; default: default, about two minutes",
    )
    shift.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help="where everything goes; replaced if an earlier run made it, refused if it holds anything else",
    )
    shift.add_argument(
        "--clip", type=Path, metavar="FILE", help="film this video in a loop instead of the generated street"
    )
    shift.add_argument(
        "--nmea", type=Path, metavar="FILE", help="play this GPS receiver's log (NMEA 0183) instead of a made-up drive"
    )
    shift.add_argument(
        "--route",
        type=Path,
        metavar="FILE",
        help="drive along the track or route of this GPX file instead of the blocks",
    )
    shift.add_argument(
        "--seed", type=_seed, metavar="N", help="another town for the generated street (default: the scenario's, or 1)"
    )
    shift.add_argument(
        "--speed",
        type=speed,
        default=1.0,
        metavar="N",
        help="the same programs as processes, all clocks N times as fast as this machine's (docs/simulator/time.md)",
    )
    only = "judge only what the scenario itself expects, and make no videos (as firsthand-sim check does)"
    shift.add_argument("--expected-only", action="store_true", help=only)
    fast = "in one process and virtual time: the same programs, much faster than real time; the same seed, the same "
    shift.add_argument("--deterministic", action="store_true", help=f"{fast}timeline (--out/timeline.jsonl), no videos")
    shift.add_argument("--json", action="store_true", help="print the report as JSON; progress goes to standard error")
    shift.set_defaults(run=run_shift)
    fault_command.add_parser(commands)
    check_command.add_parser(commands)
    lint_command.add_parser(commands)
    panel.add_parser(commands)
    fleet_command.add_parser(commands)
    read_frames.add_parser(commands)
    replay_command.add_parser(commands)
    indicator_show.add_parser(commands)
    return top


def run_shift(options: argparse.Namespace) -> int:
    """``firsthand-sim shift``: the exit code."""
    progress = Progress(sys.stderr if options.json else sys.stdout)
    try:
        from simulator import running, shift  # the command line answers fast, and `read-frames` needs none of it

        scenario = load_scenario(find_scenario(options.scenario))
        seed = scenario.seed if options.seed is None else options.seed
        for one in warnings(scenario):
            progress.plain(f"{scenario.name}:{one.line}: {one.text} (warning)")
        order = running.Order(scenario, options.out, options.clip, options.nmea, seed, options.route, options.speed)
        if options.deterministic:
            from simulator.virtual_run import run_virtual

            if order.clip is not None or order.nmea is not None:
                raise BadInput("--deterministic films and drives by the seed alone: leave out --clip and --nmea")
            if order.speed != 1:
                raise BadInput("--deterministic has a time of its own, which waits for the work: leave out --speed")
            report = run_virtual(order, progress, judged=not options.expected_only)
        else:
            report = shift.run_shift(order, progress, export=not options.expected_only)
    except BadScenario as error:
        print("\n".join(error.mistakes or (f"firsthand-sim shift: {error}",)), file=sys.stderr)
        return EXIT_USAGE
    except (BadInput, OutRefused) as error:
        print(f"firsthand-sim shift: {error}", file=sys.stderr)
        return EXIT_USAGE
    except Interrupted as error:
        progress.plain(f"firsthand-sim shift: {error}")
        return 128 + error.number
    except BrokenPipeError:
        raise
    except (RunError, OSError) as error:
        progress.plain()
        if isinstance(error, NotAsExpected):
            print("\n".join(told_failure(error, options.out)), file=sys.stderr)
        print(f"firsthand-sim shift: {error}", file=sys.stderr)
        return EXIT_NOT_OK
    progress.plain()
    if options.expected_only:
        for line in report["problems"] or (f"as expected: {scenario.title}",):
            progress.plain(line)
    else:
        told(report, options.out, progress)
    if options.json:
        print(json.dumps(report, indent=2))
    return EXIT_OK if report["ok"] else EXIT_NOT_OK


def told(report: dict[str, Any], out: Path, progress: Progress) -> None:
    """The whole report, for people."""
    for line in (*recordings_table(report), "", *closing_words(report, out, _evidence_tool())):
        progress.plain(line)


def _evidence_tool() -> str:
    """How to call the evidence tool from this shell: by name if it is on the PATH, else beside our interpreter."""
    if shutil.which("firsthand-evidence"):
        return "firsthand-evidence"
    here = Path(sys.executable).parent / "firsthand-evidence"
    return str(here.relative_to(Path.cwd()) if here.is_relative_to(Path.cwd()) else here)


def main(arguments: list[str] | None = None) -> int:
    """The program's exit code."""
    try:
        options = parser().parse_args(arguments)
    except SystemExit as stop:
        return int(stop.code or 0)
    try:
        code: int = options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:  # `firsthand-sim shift | head`: nobody reads any more, and that is no fault of ours
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    return code
