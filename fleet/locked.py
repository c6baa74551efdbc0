"""The lock files of `requirements/`: which version of each library, by the hashes of its files, for which machine.

``make lock`` writes them (requirements/lock.py); packages are made of nothing else (`fleet.deb_site`), ``make audit``
holds them against the known vulnerabilities, and ``make sbom`` lists them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fleet.errors import FleetError

try:
    from packaging.markers import InvalidMarker, Marker
    from packaging.utils import canonicalize_name
except ImportError as error:  # a camera has no use for it
    raise FleetError("making packages needs the library packaging; run: pip install 'firsthand[fleet]'") from error

BYTES: Final = 4 << 20
"""A lock file is a tenth of this."""
_PIN: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)==([A-Za-z0-9.!+_-]+)(?: *; *(.+))?", re.ASCII)
_HASH: Final = re.compile(r"--hash=sha256:([0-9a-f]{64})", re.ASCII)


class BadLock(FleetError):
    """A lock file is no lock file, or is not there."""


@dataclass(frozen=True, slots=True)
class Pin:
    """One library."""

    name: str
    version: str
    marker: str | None
    """For which Pythons and machines (PEP 508); None is all."""
    sha256: tuple[str, ...]
    """Of each file that its index has of this version."""

    def holds(self, python: str, machine: str) -> bool:
        """Whether it is for Linux with that Python (`3.13`) on that machine (`aarch64`)."""
        return self.marker is None or Marker(self.marker).evaluate(
            {
                "implementation_name": "cpython",
                "os_name": "posix",
                "platform_machine": machine,
                "platform_python_implementation": "CPython",
                "platform_system": "Linux",
                "python_full_version": f"{python}.0",
                "python_version": python,
                "sys_platform": "linux",
            }
        )

    def line(self) -> str:
        """As pip wants it, hashes and all, without the marker."""
        return " ".join([f"{self.name}=={self.version}", *(f"--hash=sha256:{one}" for one in self.sha256)])


def lock_path(base: Path, name: str) -> Path:
    """Where the lock of a set (`camera`, `station`, `office`, `everything`) lies in a checkout."""
    return base / "requirements" / f"{name}.txt"


def load_lock(path: Path) -> tuple[Pin, ...]:
    """All libraries of a lock file, in its order. Raises `BadLock`."""
    try:
        with path.open("rb") as file:
            data = file.read(BYTES + 1)
        text = data.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadLock(f"{path} cannot be read: run `make lock` in a checkout of Firsthand") from error
    if len(data) > BYTES:
        raise BadLock(f"{path} is larger than a lock file can be")
    lines = (line for line in text.replace("\\\n", " ").splitlines() if line.strip() and not line.startswith("#"))
    found = tuple(_pin(path, line) for line in lines)
    if not found:
        raise BadLock(f"{path} locks nothing: run `make lock`")
    return found


def for_machine(pins: tuple[Pin, ...], python: str, machine: str) -> tuple[Pin, ...]:
    """Those for one Python and machine. Raises `BadLock` if one of them stands there twice."""
    found = tuple(pin for pin in pins if pin.holds(python, machine))
    names = [pin.name for pin in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise BadLock(f"the lock has two versions of {', '.join(twice)} for Python {python} on {machine}")
    return found


def _pin(path: Path, line: str) -> Pin:
    what, *options = re.split(r"\s+(?=--)", line.strip())
    pinned, hashes = _PIN.fullmatch(what), [_HASH.fullmatch(one.strip()) for one in options]
    if pinned is None or not hashes or None in hashes:
        raise BadLock(f"{path.name}: {what[:80]!r} is not NAME==VERSION with --hash=sha256 behind it: run `make lock`")
    if pinned[3] is not None:
        try:
            Marker(pinned[3])
        except InvalidMarker as error:
            raise BadLock(f"{path.name}: {what[:80]!r} has a marker that cannot be read: run `make lock`") from error
    digests = tuple(sorted(one[1] for one in hashes if one is not None))
    return Pin(canonicalize_name(pinned[1]), pinned[2], pinned[3], digests)
