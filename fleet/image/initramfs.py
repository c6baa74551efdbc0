"""The initial RAM disk of an image: busybox, the card's drivers, `init.sh`; the same bytes for the same root."""

from __future__ import annotations

import hashlib
import lzma
import subprocess
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Final

from fleet.image.debian_root import CannotBuild

HEAD_BYTES: Final = 4096
"""So much of the root's beginning tells which root it is: the superblock of squashfs holds its sizes and its time."""
_DIRECTORY: Final = 0o040755
_PROGRAM: Final = 0o100755
_FILE: Final = 0o100644


def make_initramfs(root: Path, release: str, modules: Sequence[str], squashfs: Path) -> bytes:
    """For the kernel `release` of `root`, packed. `squashfs` is the root that this boot will mount, and no other.

    Raises `CannotBuild` for a driver that the kernel does not have, OSError.
    """
    archive = Archive()
    for name in ("bin", "dev", "proc", "sys", "root", "modules"):
        archive.add(name, _DIRECTORY)
    busybox = root / "usr/bin/busybox"
    if not busybox.exists():
        raise CannotBuild(f"{busybox} is missing: the root needs the package busybox-static")
    archive.add("bin/busybox", _PROGRAM, busybox.read_bytes())
    archive.add("init", _PROGRAM, (resources.files("fleet") / "image/init.sh").read_bytes())
    files = in_loading_order(root / "usr/lib/modules" / release, modules)
    for path in files:
        content = path.read_bytes()
        archive.add(f"modules/{_plain(path)}", _FILE, lzma.decompress(content) if path.suffix == ".xz" else content)
    archive.add("modules/order", _FILE, "".join(f"{_plain(path)}\n" for path in files).encode())
    with squashfs.open("rb") as file:
        archive.add("root.sha256", _FILE, hashlib.sha256(file.read(HEAD_BYTES)).hexdigest().encode() + b"\n")
    done = subprocess.run(["zstd", "-q", "-9", "-c"], input=archive.whole(), capture_output=True, check=False)
    if done.returncode != 0:
        raise CannotBuild(f"zstd: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def in_loading_order(directory: Path, wanted: Sequence[str]) -> list[Path]:
    """The files of these drivers and of all that they need, each after what it needs. Raises `CannotBuild`, OSError."""
    needs: dict[str, tuple[str, list[str]]] = {}
    for line in (directory / "modules.dep").read_text("utf-8").splitlines():
        path, _, others = line.partition(":")
        needs[_name(path)] = (path, [_name(other) for other in others.split()])
    built_in = {_name(line) for line in (directory / "modules.builtin").read_text("utf-8").splitlines()}
    found: list[Path] = []

    def add(name: str) -> None:
        if name in built_in:
            return
        if name not in needs:
            raise CannotBuild(
                f"the kernel {directory.name} has no driver {name}: correct `modules` of the board's file"
            )
        path, others = needs[name]
        if directory / path not in found:
            for other in reversed(others):
                add(other)
            found.append(directory / path)

    for name in wanted:
        add(name.replace("-", "_"))
    return found


def _name(path: str) -> str:
    return Path(path).name.partition(".ko")[0].replace("-", "_")


def _plain(path: Path) -> str:
    return path.name.partition(".ko")[0] + ".ko"


class Archive:
    """A cpio archive ("newc", early-userspace/buffer-format.rst of Linux's documentation), all of it root's."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._count = 0

    def add(self, name: str, mode: int, content: bytes = b"") -> None:
        """A directory or a file."""
        self._count += 1
        numbers = (self._count, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)
        head = b"070701" + b"".join(b"%08X" % number for number in numbers) + name.encode() + b"\0"
        self._parts += [head, bytes(-len(head) % 4), content, bytes(-len(content) % 4)]

    def whole(self) -> bytes:
        """All that was added, with the entry that ends it."""
        ending = Archive()
        ending._parts, ending._count = list(self._parts), -1
        ending.add("TRAILER!!!", 0)
        return b"".join(ending._parts)
