"""Where passphrases come from: a file of mode 0600, standard input, the environment's file, or the keyboard.

Never from the command line, which every user of the machine can read.
"""

from __future__ import annotations

import getpass
import hmac
import os
import stat
import sys
from pathlib import Path
from typing import Final

from fleet.errors import BadPassphrase

SHORTEST: Final = 12
"""Characters of a new passphrase."""
_LONGEST: Final = 1024


def read_passphrase(source: str | None, what: str, variable: str, *, new: bool = False) -> bytes:
    """The passphrase for `what`: from `source` (a path, or ``-`` for a line of standard input), from the file that the
    environment's `variable` names, or typed in. Raises `BadPassphrase`.
    """
    source = source or os.environ.get(variable)
    if source == "-":
        text = sys.stdin.readline(_LONGEST + 2)
    elif source:
        text = _from_file(Path(source))
    elif sys.stdin.isatty():
        text = getpass.getpass(f"passphrase of {what}: ")
        if new and not hmac.compare_digest(_bytes(getpass.getpass("once more: ")), _bytes(text)):
            raise BadPassphrase("the two passphrases differ: begin again")
    else:
        raise BadPassphrase(
            f"the passphrase of {what} is needed: give a file of mode 0600, - for standard input, "
            f"or set {variable} to such a file"
        )
    text = text.rstrip("\r\n")
    if not text or len(text) > _LONGEST:
        raise BadPassphrase(f"the passphrase of {what} is empty or too long")
    if new and len(text) < SHORTEST:
        raise BadPassphrase(f"a passphrase has at least {SHORTEST} characters: take five words drawn by lot")
    return text.encode()


def _from_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise BadPassphrase(f"{path} can be read by others: chmod 600 it, and take another secret")
            return file.readline(_LONGEST + 2).decode()
    except OSError as error:
        raise BadPassphrase(f"cannot read the passphrase from {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadPassphrase(f"the passphrase in {path} is no text") from error


def _bytes(typed: str) -> bytes:
    """What was typed, whatever a terminal made of it."""
    return typed.encode("utf-8", "surrogateescape")
