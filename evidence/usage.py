"""The manners of all our command lines: wrong usage is one sentence and exit code 64 (EX_USAGE of sysexits.h)."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Mapping
from typing import Any, Final, NoReturn

USAGE: Final = 64
"""2 says something about a file, and must not mean a typing error."""
WIDTH: Final = 100
_COLUMN: Final = 17


class UsageParser(argparse.ArgumentParser):
    """argparse, but one sentence and exit code 64 for wrong usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"{self.prog}: {message}; see {self.prog} --help\n")


class GroupedParser(UsageParser):
    """A program of many verbs: its help lists them by who needs them. A verb of no group comes under `Other`."""

    def __init__(self, *, groups: Mapping[str, tuple[str, ...]], **more: Any) -> None:
        super().__init__(**more)
        self._groups = groups

    def format_help(self) -> str:
        found = next(one for one in self._actions if isinstance(one, argparse._SubParsersAction))
        says = {one.dest: one.help or "" for one in found._choices_actions}
        left = tuple(verb for verb in says if not any(verb in verbs for verbs in self._groups.values()))
        lines = [f"usage: {self.prog} VERB ...", "", *textwrap.wrap(self.description or "", WIDTH)]
        for group, verbs in {**self._groups, **({"Other": left} if left else {})}.items():
            lines += ["", f"{group}:"]
            for verb in verbs:
                if verb in says:
                    lines += _entry(verb, says[verb])
        lines += ["", f"{self.prog} VERB --help tells more of one.", *textwrap.wrap(self.epilog or "", WIDTH)]
        return "\n".join(lines) + "\n"


def _entry(verb: str, says: str) -> list[str]:
    """A verb and what it does, in two columns."""
    indent = " " * (_COLUMN + 2)
    lines = textwrap.wrap(says, WIDTH, initial_indent=indent, subsequent_indent=indent)
    if len(verb) < _COLUMN and lines:
        lines[0] = f"  {verb:<{_COLUMN}}{lines[0].lstrip()}"
        return lines
    return [f"  {verb}", *lines]
