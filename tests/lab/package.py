"""Our own package for the lab's roots, made again only when something that goes into it has changed."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
from pathlib import Path
from typing import Final

from kernel_modules import cache_directory

from fleet.deb import Arch
from fleet.deb_contents import PAGES, build_packages
from fleet.deb_site import ROOMS

BASE: Final = Path(__file__).resolve().parents[2]
KEPT: Final = 4
"""Packages of older code that stay in the cache."""


def _digest() -> str:
    found = hashlib.sha256()
    files = [
        path for room in (*ROOMS, "systemd") for path in (BASE / room).rglob("*") if "__pycache__" not in path.parts
    ]
    for path in sorted([*files, BASE / "pyproject.toml", *(BASE / "docs" / page for page in PAGES)]):
        if path.is_file():
            found.update(f"{path.relative_to(BASE)} {path.stat().st_mode & 0o100}\0".encode() + path.read_bytes())
    return found.hexdigest()[:16]


def camera_package(arch: Arch = "amd64") -> Path:
    """The package `firsthand` of this checkout for trixie. Needs the package index. Raises `CannotPackage`."""
    kept = cache_directory() / "packages"
    kept.mkdir(parents=True, exist_ok=True)
    with (kept / f"{arch}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        place = kept / f"{arch}-{_digest()}"
        found = sorted(place.glob("*.deb"))
        if found:
            return found[0]
        for old in sorted(kept.glob(f"{arch}-*/*.deb"), key=lambda path: path.stat().st_mtime)[:-KEPT]:
            old.unlink()
            old.parent.rmdir()
        part = kept / f"{arch}.part"  # a build that is cut off leaves no half package under a name that counts
        shutil.rmtree(part, ignore_errors=True)
        shutil.rmtree(place, ignore_errors=True)
        (made,) = build_packages(part, suite="trixie", arch=arch, station=False)
        part.rename(place)
        return place / made.name
