"""Who may use the recorder's socket: users by number and by name, as `device.toml` lists them."""

from __future__ import annotations

import logging
import pwd
from collections.abc import Iterable

log = logging.getLogger("firsthand.control")


def unknown(names: Iterable[str]) -> list[str]:
    """Those that are no users of this machine."""
    return [name for name in names if _uid(name) is None]


def uids(numbers: Iterable[int], names: Iterable[str]) -> frozenset[int]:
    """All of them as numbers. A name that does not exist is left out and said in the log: nobody can come as that."""
    names = tuple(names)
    for name in unknown(names):
        log.warning("there is no user %s: nobody can use the socket under that name", name)
    return frozenset(numbers) | {uid for name in names if (uid := _uid(name)) is not None}


def _uid(name: str) -> int | None:
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return None
