"""Drawings in a folder of their own: what is stale there, and how it is written anew."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def stale(folder: Path, wanted: Mapping[Path, str]) -> list[Path]:
    """Drawings that are not as wanted, or that nobody wants."""
    old = [path for path, text in wanted.items() if not path.exists() or path.read_text("utf-8") != text]
    return old + [path for path in sorted(folder.glob("*.svg")) if path not in wanted]


def write(folder: Path, wanted: Mapping[Path, str]) -> None:
    """Write what is stale, and remove what nobody wants."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in stale(folder, wanted):
        if path in wanted:
            path.write_text(wanted[path], "utf-8")
        else:
            path.unlink()
