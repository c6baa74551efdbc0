"""Loaded by every program that a test starts with this directory in PYTHONPATH: logs all, and keeps what is secret.

Each secret that a program draws (content keys, salts, tokens of sessions and forms) is written to the file that
FIRSTHAND_SECRETS names, so that it can be looked for in what the program says. FIRSTHAND_SECRETS is for tests only.
"""

import logging
import os

_draw = os.urandom
_where = os.environ.get("FIRSTHAND_SECRETS")


def _kept(size: int) -> bytes:
    drawn = _draw(size)
    if size in (24, 32):  # shorter ones are nonces, which everybody may know
        with open(_where, "a") as file:  # noqa: PTH123 - before pathlib is loaded
            file.write(drawn.hex() + "\n")
    return drawn


def _all_of_it(**settings: object) -> None:
    _configure(**{**settings, "level": logging.DEBUG})


if _where is not None:
    os.urandom = _kept
    _configure = logging.basicConfig
    logging.basicConfig = _all_of_it
