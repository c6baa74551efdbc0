"""Which network interfaces are up, as the kernel says: /sys/class/net/NAME/{operstate,carrier}."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

SYS_CLASS_NET: Final = Path("/sys/class/net")
_WORD_BYTES: Final = 64


def interfaces_up(directory: Path = SYS_CLASS_NET) -> tuple[str, ...]:
    """Names of the interfaces that can carry traffic, sorted; none if the directory cannot be read.

    `operstate` decides; `unknown` (point-to-point links, which LTE modems are) counts if there is a carrier.
    """
    try:
        names = sorted(path.name for path in directory.iterdir())
    except OSError:
        return ()
    return tuple(name for name in names if _is_up(directory / name))


def matching(names: Iterable[str], patterns: Iterable[str]) -> str | None:
    """The first name that one of the patterns names, the first pattern first."""
    names = tuple(names)
    return next((name for pattern in patterns for name in names if fnmatchcase(name, pattern)), None)


def _is_up(interface: Path) -> bool:
    state = _word(interface / "operstate")
    return state == "up" or (state == "unknown" and _word(interface / "carrier") == "1")


def _word(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_WORD_BYTES).decode("ascii", "replace").strip()
    except OSError:  # `carrier` of an interface that is down cannot be read
        return ""
