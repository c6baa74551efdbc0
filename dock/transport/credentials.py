"""Secrets for foreign targets, each in a file of its own with mode 0600 (never in agent.toml)."""

from __future__ import annotations

import base64
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from dock.errors import BadConfig

_MOST_BYTES: Final = 8192


@dataclass(frozen=True)
class AccessKey:
    """What S3 requests are signed with; scoped to this camera's own prefix by whoever gave it out."""

    id: str
    secret: str = field(repr=False)


@dataclass(frozen=True)
class TusPass:
    """What a tus server is shown with each request."""

    headers: dict[str, str] = field(repr=False)


def load_access_key(path: Path) -> AccessKey:
    """Two lines: id and secret. Raises `BadConfig`."""
    lines = _lines(path)
    if len(lines) != 2 or " " in "".join(lines):
        raise BadConfig(f"{path}: needs two lines, the access key's id and its secret")
    return AccessKey(lines[0], lines[1])


def load_tus_pass(path: Path) -> TusPass:
    """One line: ``bearer TOKEN`` or ``basic USER PASSWORD``. Raises `BadConfig`."""
    lines = _lines(path)
    kind, *words = lines[0].split(" ") if len(lines) == 1 else ("",)
    if kind == "bearer" and len(words) == 1:
        return TusPass({"Authorization": f"Bearer {words[0]}"})
    if kind == "basic" and len(words) == 2 and ":" not in words[0]:
        return TusPass({"Authorization": f"Basic {base64.b64encode(':'.join(words).encode()).decode()}"})
    raise BadConfig(f"{path}: needs one line, `bearer TOKEN` or `basic USER PASSWORD`")


def _lines(path: Path) -> list[str]:
    """The lines of a secret that only its owner may read. Raises `BadConfig`."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor
            status = os.fstat(descriptor)
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise BadConfig(f"{path}: cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(status.st_mode) or status.st_mode & 0o077:
        raise BadConfig(f"{path}: must be a file that only its owner may read: chmod 600 {path}")
    text = data.decode("ascii", "replace")
    if len(data) > _MOST_BYTES or not text.replace("\n", "").isprintable() or not text.isascii():
        raise BadConfig(f"{path}: is not a file of credentials (plain ASCII lines)")
    return [line.strip() for line in text.split("\n") if line.strip()]
