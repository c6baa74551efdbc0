"""Programs that tests run in real time come before what only computes, as the recorder's unit does (Nice=-10)."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

NICE = -10


@contextlib.contextmanager
def comes_first() -> Iterator[None]:
    """This process and what it starts meanwhile. Nothing changes for a user, who may not put himself first."""
    before = os.getpriority(os.PRIO_PROCESS, 0)
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, min(before, NICE))
    try:
        yield
    finally:
        os.setpriority(os.PRIO_PROCESS, 0, before)
