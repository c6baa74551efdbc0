"""The manners of all our command lines: wrong usage is one sentence and exit code 64 (EX_USAGE of sysexits.h)."""

from __future__ import annotations

import argparse
from typing import Final, NoReturn

USAGE: Final = 64
"""2 says something about a file, and must not mean a typing error."""


class UsageParser(argparse.ArgumentParser):
    """argparse, but one sentence and exit code 64 for wrong usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"{self.prog}: {message}; see {self.prog} --help\n")
