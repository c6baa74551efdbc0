"""How much memory the board has left: `MemAvailable` of the Linux kernel."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

MEMINFO: Final = Path("/proc/meminfo")
_AVAILABLE: Final = re.compile(r"^MemAvailable:\s+(\d{1,15}) kB$", re.MULTILINE)


def available_bytes(meminfo: Path = MEMINFO) -> int | None:
    """Bytes that can be given to programs without swapping; None if the kernel does not say (proc(5))."""
    try:
        with meminfo.open("rb") as file:
            match = _AVAILABLE.search(file.read(16_384).decode("ascii", "replace"))
    except OSError:
        return None
    return int(match[1]) * 1024 if match is not None else None
