"""Who besides us can get at a private key's file: asked when a program starts, and at each self-test.

What follows is the caller's: a recorder says it and records (invariant 1), agent and station do not start with a key
that is open. Owner and mode only: an access list shows in the mode's group bits, and whoever is root needs neither.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class Exposure:
    """Somebody else can get at a key."""

    sentence: str
    """What is wrong, and what to do."""
    grave: bool
    """False: an administrator may have meant it so (a file of root's that one group reads; another user's that root
    uses)."""


def exposure(path: Path, *, uid: int | None = None) -> Exposure | None:
    """How far a key's file is open to others than the user `uid` (default: ours); None if it is not, or not there."""
    user = os.geteuid() if uid is None else uid
    try:
        found = path.stat()
    except OSError:
        return None  # whoever loads it says so
    mode = stat.S_IMODE(found.st_mode)
    if mode & _OTHERS:
        by_group_only = mode & _OTHERS == stat.S_IRGRP and found.st_uid == 0
        who = "its group" if not mode & stat.S_IRWXO else "everybody"
        verb = "changed" if mode & (stat.S_IWGRP | stat.S_IWOTH) else "read"
        return Exposure(
            f"{path} can be {verb} by {who} (mode {mode:04o}): chmod 600 it, and replace the key if it may have leaked",
            grave=not by_group_only,
        )
    if found.st_uid not in (0, user):
        # Root reads what anybody owns; without root this file could not be read at all.
        return Exposure(f"{path} belongs to the user {found.st_uid}, not to us: chown it", grave=user != 0)
    return None
