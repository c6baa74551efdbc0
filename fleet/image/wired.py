"""What an image takes from the installed package's own file of the board: how that is wired (docs/design/board.md)."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Final

from fleet.image.debian_root import CannotBuild

BOARDS: Final = "usr/lib/firsthand/site/device/boards"
RULES: Final = "etc/udev/rules.d/61-firsthand-board.rules"


def wired(root: Path, name: str, key: str) -> list[str]:
    """The lines under one key of the table ``[board]``; none if the package does not know the board.

    Raises `CannotBuild`.
    """
    path = root / BOARDS / f"{name}.toml"
    try:
        lines = tomllib.loads(path.read_text("utf-8")).get("board", {}).get(key, [])
    except FileNotFoundError:
        return []
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CannotBuild(f"{path.name} of the package is not valid TOML: {error}") from error
    return [str(line) for line in lines]


def write_rules(root: Path, name: str) -> None:
    """The udev rules that make the kernel know parts which no overlay names. Raises `CannotBuild`, OSError."""
    lines = wired(root, name, "udev")
    if not lines:
        return
    (root / RULES).parent.mkdir(parents=True, exist_ok=True)
    (root / RULES).write_text("\n".join([f"# Parts of a {name} (device/boards/{name}.toml).", *lines, ""]), "utf-8")
