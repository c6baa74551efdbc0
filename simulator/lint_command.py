"""``firsthand-sim lint``: is a scenario right, without playing it? Everything that is wrong, with its line."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from simulator.lint import lint
from simulator.run_errors import BadScenario
from simulator.scenario import FOLDER, bundled, find_scenario

EXIT_OK, EXIT_WRONG, EXIT_USAGE = 0, 1, 64


def add_parser(commands: Any) -> None:
    """The verb's place on the command line."""
    verb = commands.add_parser(
        "lint",
        help="read scenarios and tell everything that is wrong in them, without playing them",
        description="Read scenarios without playing them. Each mistake is one line: file, line, what to write instead. "
        "Warnings are about what can be played and is probably not meant.",
        epilog="examples:\n  firsthand-sim lint my-stop.toml\n  firsthand-sim lint --all\n\n"
        "exit code: 0 no mistake (there may be warnings), 1 a mistake, or with --strict a warning, 64 wrong usage",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verb.add_argument("files", nargs="*", metavar="SCENARIO", help="a TOML file, or the name of a bundled scenario")
    verb.add_argument("--all", action="store_true", help="all bundled scenarios")
    verb.add_argument("--strict", action="store_true", help="a warning counts as a mistake")
    verb.add_argument("--json", action="store_true", help="print {mistakes, warnings} as JSON")
    verb.set_defaults(run=run)


def chosen(names: list[str], everything: bool) -> list[Path]:
    """The files that were asked for. Raises `BadScenario` for a name that is none, or if there is none at all."""
    files = [FOLDER / f"{name}.toml" for name in bundled()] if everything else []
    files += [find_scenario(name) for name in names]
    if not files:
        raise BadScenario("name a scenario file, or say --all")
    return list(dict.fromkeys(files))


def run(options: argparse.Namespace) -> int:
    """Tell all: the exit code."""
    try:
        files = chosen(options.files, options.all)
    except BadScenario as error:
        print(f"firsthand-sim lint: {error}", file=sys.stderr)
        return EXIT_USAGE
    mistakes: list[str] = []
    warned: list[str] = []
    for path in files:
        wrong, doubtful = lint(path)
        mistakes += wrong
        warned += doubtful
    if options.json:
        print(json.dumps({"mistakes": mistakes, "warnings": warned}, indent=2))
    else:
        for line in (*mistakes, *(f"{one} (warning)" for one in warned)):
            print(line)
        told = f"{len(mistakes)} mistakes, {len(warned)} warnings" if mistakes or warned else "nothing is wrong"
        print(f"{len(files)} scenario{'' if len(files) == 1 else 's'}: {told}")
    return EXIT_WRONG if mistakes or (options.strict and warned) else EXIT_OK
