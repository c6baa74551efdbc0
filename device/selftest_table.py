"""The self-test as a table that a newcomer can read: what was seen, and what to do about what is not in order."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TextIO

from evidence.handover import SelfTestDone

EXIT: Final = {"pass": 0, "warn": 0, "block": 2}
"""Exit codes of `firsthand-device selftest`."""
MEANING: Final = {
    "pass": "this camera is ready for the shift.",
    "warn": "this camera may be used; have what is listed above looked at.",
    "block": "do not use this camera: it is out of service and must not be checked out.\n"
    "Its record and emergency buttons still record, marked `degraded`.",
}
_COLOURS: Final = {"pass": "32", "warn": "33", "note": "36", "fail": "31", "block": "31", "not_present": "2"}


def coloured(stream: TextIO) -> bool:
    """Whether to colour: only on a terminal, and not where NO_COLOR is set (no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR")


def table_lines(test: SelfTestDone, *, colour: bool = False, width: int = 100) -> list[str]:
    """The table, the verdict last. Pure."""
    names = max((len(str(row["name"])) for row in test.checks), default=5)
    left = names + 2 + 11 + 2 + 8 + 2
    lines = [f"{'check':<{names}}  {'result':<11}  {'took':>8}  what was seen"]
    for row in test.checks:
        result = str(row["result"])
        took = f"{row['duration_ms']} ms"
        word = _paint(f"{result.replace('_', ' '):<11}", result, colour=colour)
        first, *rest = _wrapped(str(row["value"]), width - left)
        lines.append(f"{row['name']:<{names}}  {word}  {took:>8}  {first}".rstrip())
        lines += [" " * left + one for one in rest]
        lines += [" " * left + one for one in _help(row, width - left)]
    verdict = _paint(test.verdict.upper(), test.verdict, colour=colour)
    return [*lines, "", *f"{verdict}: {MEANING[test.verdict]}".splitlines()]


def _help(row: Mapping[str, Any], width: int) -> Iterator[str]:
    """What was wanted and what to do, for a row that is not in order."""
    if row["result"] in ("pass", "not_present"):
        return
    for word, text in (("wanted", str(row["limit"])), ("do", str(row["advice"]))):
        if text:
            yield from textwrap.wrap(
                f"{word}: {text}", max(20, width), initial_indent=" " * 2, subsequent_indent=" " * 6
            )


def _wrapped(text: str, width: int) -> Sequence[str]:
    return textwrap.wrap(text, max(20, width)) or [""]


def _paint(text: str, what: str, *, colour: bool) -> str:
    return f"\x1b[{_COLOURS[what]}m{text}\x1b[0m" if colour else text
