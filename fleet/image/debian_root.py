"""A Debian root file system as a tar file, made once by mmdebstrap and kept in a cache outside the repository."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from fleet.errors import FleetError

Arch = Literal["amd64", "arm64"]
MIRROR: Final = "http://deb.debian.org/debian"
CACHE: Final = Path("/var/cache/firsthand")


class CannotBuild(FleetError):
    """An image or a part of it cannot be made here; the sentence says what is missing."""


@dataclass(frozen=True, slots=True)
class DebianRoot:
    """What goes into it. Equal values give the same cached file."""

    suite: str = "trixie"
    arch: Arch = "amd64"
    packages: tuple[str, ...] = ("systemd", "systemd-sysv", "dbus", "udev", "kmod", "python3")
    mirror: str = MIRROR
    """Its `Release` file is checked by signature; that it is past its date (forky, snapshots) is allowed."""

    def name(self) -> str:
        """The name of its file in the cache."""
        words = "\n".join((self.suite, self.arch, self.mirror, *sorted(self.packages)))
        return f"{self.suite}-{self.arch}-{hashlib.sha256(words.encode()).hexdigest()[:16]}.tar"

    def tar(self, cache: Path | None = None) -> Path:
        """The file, made if it is not there yet (15 s to a minute; arm64 on another machine some minutes).

        ``FIRSTHAND_CACHE`` names another cache. Several processes may ask at once: one makes it. Raises `CannotBuild`.
        """
        directory = cache or Path(os.environ.get("FIRSTHAND_CACHE", CACHE))
        try:
            directory.mkdir(parents=True, exist_ok=True)
            lock = (directory / f"{self.name()}.lock").open("w")
        except OSError as error:
            raise CannotBuild(f"{directory}: {error.strerror}: run as root, or set FIRSTHAND_CACHE") from error
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            made = directory / self.name()
            if not made.exists():
                self._make(made)
            return made

    def _make(self, made: Path) -> None:
        if shutil.which("mmdebstrap") is None:
            raise CannotBuild("mmdebstrap is missing; run: sudo apt-get install mmdebstrap")
        part = made.with_suffix(".part.tar")
        command = ["mmdebstrap", "--variant=minbase", f"--arch={self.arch}", f"--include={','.join(self.packages)}",
                   "--aptopt=Acquire::Check-Valid-Until \"false\"", "--aptopt=APT::Install-Recommends \"false\"",
                   self.suite, str(part), self.mirror]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            part.unlink(missing_ok=True)
            last = done.stderr.strip().splitlines()[-3:]
            raise CannotBuild(f"mmdebstrap cannot make {self.suite} for {self.arch}: {' / '.join(last)}")
        part.rename(made)


def unpacked(tar: Path, into: Path, extra: Sequence[str] = ()) -> Path:
    """The root file system in a new directory, owners and modes as they are. Root only. Raises `CannotBuild`."""
    into.mkdir(parents=True)
    done = subprocess.run(["tar", "-C", str(into), "--numeric-owner", "-xpf", str(tar), *extra],
                          capture_output=True, text=True, check=False)  # fmt: skip
    if done.returncode != 0:
        raise CannotBuild(f"{tar} cannot be unpacked: {done.stderr.strip()[-300:]}")
    return into
