"""Files that a killed program left under a temporary name, and that nobody will ever look at again."""

from __future__ import annotations

from pathlib import Path


def orphans(*directories: Path) -> list[str]:
    """One sentence for each directory that has some."""
    found = []
    for directory in directories:
        left = sorted(path for path in directory.rglob("*.tmp")) if directory.is_dir() else []
        if left:
            names = ", ".join(path.name for path in left[:3])
            found.append(f"{len(left)} temporary files were left below {directory.name}: {names}")
    return found
