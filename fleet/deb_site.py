"""The directory of our code and its libraries for another machine's Python: /usr/lib/firsthand/site of our packages.

1. Libraries come as wheels for that machine's Python and processor, nothing is compiled here; each has the version and
   one of the hashes that stand in requirements/*.txt, or nothing is made (`fleet.locked`).
2. What only the operating system can give (libcamera and what binds it, lgpio) is not in it: its package names it, and
   no lock has it.
3. The simulator is never in it, nor the names of its drivers.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fleet.deb import Arch, CannotPackage
from fleet.locked import BadLock, Pin, for_machine, load_lock, lock_path

ROOMS: Final = ("device", "dock", "evidence", "fleet", "hal")
PYTHONS: Final = {"trixie": "3.13"}
"""The Python of a Debian suite."""
MACHINES: Final[dict[Arch, str]] = {"amd64": "x86_64", "arm64": "aarch64"}
GLIBC: Final = tuple(f"2_{minor}" for minor in range(41, 16, -1))
"""Of trixie, and whatever older one a wheel asks for."""
CAMERA: Final = "camera"
"""The lock of a camera's libraries."""
STATION: Final = "station"
DROPPED: Final = ("bin", "share", "setuptools", "setuptools-*.dist-info", "_distutils_hack", "distutils-precedence.pth")
"""What installers of libraries leave behind, and colorzero asks for without using it."""
_SIMULATED: Final = "simulator."


@dataclass(frozen=True, slots=True)
class Project:
    """What pyproject.toml says that a package needs."""

    base: Path
    """The checkout."""
    version: str
    drivers: dict[str, str]
    """Entry points of the group `firsthand.hal`, without the simulator's (rule 3)."""
    programs: dict[str, str]

    def libraries(self, lock: str, python: str, arch: Arch) -> tuple[Pin, ...]:
        """What pip is asked for, on a machine of that kind (rule 1). Raises `CannotPackage`."""
        try:
            return for_machine(load_lock(lock_path(self.base, lock)), python, MACHINES[arch])
        except BadLock as error:
            raise CannotPackage(str(error)) from error


def load_project(base: Path) -> Project:
    """Read the checkout's pyproject.toml. Raises `CannotPackage`."""
    try:
        project: dict[str, Any] = tomllib.loads((base / "pyproject.toml").read_text("utf-8"))["project"]
    except (OSError, tomllib.TOMLDecodeError, KeyError) as error:
        raise CannotPackage(f"{base} is no checkout of Firsthand: packages are made from one") from error
    drivers = project["entry-points"]["firsthand.hal"]
    return Project(
        base,
        project["version"],
        {name: where for name, where in drivers.items() if not where.startswith(_SIMULATED)},
        {name: where for name, where in project["scripts"].items() if not where.startswith(_SIMULATED)},
    )


def make_site(project: Project, into: Path, *, lock: str, suite: str, arch: Arch) -> None:
    """Rooms, libraries and metadata in a new directory. Needs the package index. Raises `CannotPackage`, OSError."""
    into.mkdir(parents=True)
    _libraries(project.libraries(lock, PYTHONS[suite], arch), into, PYTHONS[suite], MACHINES[arch])
    for room in ROOMS:
        shutil.copytree(project.base / room, into / room, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    metadata = into / f"firsthand-{project.version}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: firsthand\nVersion: {project.version}\n")
    (metadata / "INSTALLER").write_text("dpkg\n")
    groups = (("console_scripts", project.programs), ("firsthand.hal", project.drivers))
    text = (f"[{group}]\n" + "".join(f"{name} = {where}\n" for name, where in sorted(points.items()))
            for group, points in groups)  # fmt: skip
    (metadata / "entry_points.txt").write_text("\n".join(text))


def _libraries(pins: Iterable[Pin], into: Path, python: str, machine: str) -> None:
    platforms = [word for version in GLIBC for word in ("--platform", f"manylinux_{version}_{machine}")]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    command += ["--only-binary=:all:", "--implementation", "cp", "--python-version", python, *platforms]
    command += ["--platform", f"manylinux2014_{machine}", "--target", str(into)]
    with tempfile.NamedTemporaryFile("w", prefix="firsthand-lock-", suffix=".txt") as locked:
        locked.write("".join(f"{pin.line()}\n" for pin in pins))
        locked.flush()
        # Which Python each is for, the lock says; pip would ask the Python that runs it.
        command += ["--require-hashes", "--no-deps", "--ignore-requires-python", "--requirement", locked.name]
        done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        last = [line for line in done.stderr.splitlines() if line.startswith("ERROR")][-2:]
        raise CannotPackage(f"pip finds not all locked libraries for Python {python} on {machine}: {' '.join(last)}")
    for pattern in DROPPED:
        for path in into.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def only_in(larger: Path, smaller: Path, into: Path) -> None:
    """The files of one site that another lacks. Raises `CannotPackage` if they have different libraries in common."""
    versions = {path.name for path in larger.glob("*.dist-info")}
    if missing := sorted(path.name for path in smaller.glob("*.dist-info") if path.name not in versions):
        raise CannotPackage(f"camera and station would need different versions of {', '.join(missing)}")
    for path in sorted(larger.rglob("*")):
        place = path.relative_to(larger)
        if path.is_file() and not (smaller / place).exists():
            (into / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, into / place)


def scratch() -> tempfile.TemporaryDirectory[str]:
    """Where packages are put together."""
    return tempfile.TemporaryDirectory(prefix="firsthand-site-")
