"""What the kernel says in a small file under /sys: read whole, of bounded size."""

from __future__ import annotations

from pathlib import Path


def read_text(path: Path, most_bytes: int) -> str:
    """The beginning of the file, without the space around it; what is not ASCII is replaced. Raises OSError."""
    with path.open("rb") as file:
        return file.read(most_bytes).decode("ascii", "replace").strip()


def text_of(path: Path, most_bytes: int) -> str | None:
    """The same; None if it cannot be read: the kernel does not say it."""
    try:
        return read_text(path, most_bytes)
    except OSError:
        return None
