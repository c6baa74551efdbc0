"""Words for people: sizes, durations, safe text, and progress on a terminal."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

PROGRESS_BYTES: Final = 200 * 1000 * 1000
"""Smaller files are done before a progress line could be read."""


def plain(text: object) -> str:
    """Text from a file that nobody vouched for, without what could steer a terminal."""
    return "".join(one if one.isprintable() else f"\\x{ord(one):02x}" for one in str(text))


def size(count: int) -> str:
    """Bytes as a person reads them."""
    if count < 1000:
        return f"{count} B"
    value = float(count)
    for unit in ("kB", "MB", "GB", "TB"):
        value /= 1000
        if value < 1000 or unit == "TB":
            break
    return f"{value:.1f} {unit}"


def duration(nanoseconds: int) -> str:
    """Seconds, and hours and minutes from a minute on."""
    seconds = nanoseconds / 10**9
    if seconds < 60:
        return f"{seconds:.3f} s"
    minutes, rest = divmod(seconds, 60)
    return f"{seconds:.3f} s ({int(minutes) // 60}:{int(minutes) % 60:02d}:{rest:06.3f})"


def several(count: int, one: str, many: str | None = None) -> str:
    """A count with its noun."""
    return f"{count} {one if count == 1 else many or one + 's'}"


class Progress:
    """A percentage on standard error, only on a terminal and only for large files."""

    def __init__(self, verb: str, path: Path, *, least_bytes: int = PROGRESS_BYTES) -> None:
        try:
            self._total = path.stat().st_size
        except OSError:
            self._total = 0
        self._text = f"{verb} {plain(path.name)}"
        self._wanted = self._total >= max(1, least_bytes) and sys.stderr.isatty()
        self._shown = -1

    def __call__(self, done_bytes: int) -> None:
        percent = 100 * done_bytes // self._total if self._wanted else -1
        if percent > self._shown:
            self._shown = percent
            print(f"\r{self._text}: {percent:3d} %", end="", file=sys.stderr, flush=True)

    def finish(self) -> None:
        """Wipe the line."""
        if self._shown >= 0:
            print("\r" + " " * (len(self._text) + 8) + "\r", end="", file=sys.stderr, flush=True)
            self._shown = -1
