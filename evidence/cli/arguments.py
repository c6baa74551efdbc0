"""What all verbs share on the command line: exit codes, the parser's manners, times."""

from __future__ import annotations

import argparse
import datetime as dt
import sys
from collections.abc import Callable
from typing import Final

from evidence.usage import USAGE
from evidence.usage import UsageParser as Parser

__all__ = ["EXIT_CODES", "FORMATTER", "INVALID", "OK", "UNREADABLE", "USAGE", "Parser", "Verbs", "add_verb", "moment"]

OK: Final = 0
INVALID: Final = 1
UNREADABLE: Final = 2
FORMATTER: Final = argparse.RawDescriptionHelpFormatter

EXIT_CODES: Final = """\
exit codes:
  0   fine
  1   the file is not valid, not closed, or needs attention: the output says what and where
  2   the file cannot be read, is empty, or holds no evidence at all; or the output could not be written
  64  wrong usage: an option, a certificate or a key that cannot be used
"""


Verbs = argparse._SubParsersAction  # the only name that argparse has for what add_subparsers returns


def add_verb(
    verbs: Verbs[Parser], name: str, run: Callable[[argparse.Namespace], int], *, summary: str, text: str, example: str
) -> Parser:
    """Add one verb with its description and an example line."""
    parser = verbs.add_parser(
        name,
        help=summary,
        description=text,
        epilog=f"example:\n  firsthand-evidence {example}\n\n{EXIT_CODES}",
        formatter_class=FORMATTER,
        allow_abbrev=False,
    )
    parser.set_defaults(run=run)
    return parser


def moment(text: str) -> dt.datetime:
    """A time on the command line, ISO 8601; UTC unless it says otherwise."""
    try:
        when = dt.datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time like 2026-11-22T06:25:34Z") from None
    return when if when.tzinfo is not None else when.replace(tzinfo=dt.UTC)


def complain(message: str) -> None:
    """One line on standard error."""
    print(f"firsthand-evidence: {message}", file=sys.stderr)
