"""What our two Debian packages hold and where: `firsthand` for a camera, `firsthand-station` for a docking station.

Paths and users: docs/design/board.md. What the units may: docs/design/units.md.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

from fleet.deb import Arch, CannotPackage, Control, build
from fleet.deb_site import CAMERA, PYTHONS, STATION, Project, load_project, make_site, only_in, scratch
from fleet.installed_release import ReleaseGiven, install_manifest

SITE: Final = "usr/lib/firsthand/site"
STATION_UNITS: Final = ("firsthand-station.service",)
PLACES: Final = {
    "60-firsthand.preset": "usr/lib/systemd/system-preset/60-firsthand.preset",
    "firsthand.sysusers": "usr/lib/sysusers.d/firsthand.conf",
    "firsthand.tmpfiles": "usr/lib/tmpfiles.d/firsthand.conf",
    "journald.conf": "usr/lib/systemd/journald.conf.d/60-firsthand.conf",
    "coredump.conf": "usr/lib/systemd/coredump.conf.d/60-firsthand.conf",
    "watchdog.conf": "usr/lib/systemd/system.conf.d/60-firsthand.conf",
    "rauc.conf": "usr/lib/systemd/system/rauc.service.d/60-firsthand.conf",
    "chrony-service.conf": "usr/lib/systemd/system/chrony.service.d/60-firsthand.conf",
    "rauc-bus.conf": "usr/share/dbus-1/system.d/firsthand-rauc.conf",
    "sysctl.conf": "usr/lib/sysctl.d/60-firsthand.conf",
    "chrony.conf": "etc/chrony/conf.d/firsthand.conf",
}
"""Files of systemd/conf for a camera."""
STATION_PLACES: Final = {
    "60-firsthand-station.preset": "usr/lib/systemd/system-preset/60-firsthand-station.preset",
    "firsthand-station.sysusers": "usr/lib/sysusers.d/firsthand-station.conf",
    "firsthand-station.tmpfiles": "usr/lib/tmpfiles.d/firsthand-station.conf",
}
PAGES: Final = ("design/units.md", "design/board.md")
LAUNCHER: Final = """\
#!/usr/bin/python3 -IB
# -I: neither the user's own modules nor the environment get in; -B: the system is read-only.
import sys

sys.path.insert(0, "/usr/lib/firsthand/site")

from {module} import main

sys.exit(main())
"""


def checkout() -> Path:
    """Where this code lies with its systemd/. Raises `CannotPackage` if it was installed without."""
    base = Path(__file__).resolve().parent.parent
    if not (base / "systemd/units").is_dir():
        raise CannotPackage("packages are made from a checkout of Firsthand: run this there")
    return base


def epoch_of(base: Path) -> int:
    """The time that all files get: SOURCE_DATE_EPOCH, else the last commit's, else a fixed day. Seconds since 1970."""
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    if given.isdecimal():
        return int(given)
    done = subprocess.run(
        ["git", "-C", str(base), "log", "-1", "--format=%ct"], capture_output=True, text=True, check=False
    )
    return int(done.stdout) if done.stdout.strip().isdecimal() else 1_767_225_600


def build_packages(
    out: Path,
    *,
    suite: str,
    arch: Arch,
    station: bool = True,
    release: ReleaseGiven | None = None,
    say: Callable[[str], None] = lambda _line: None,
) -> list[Path]:
    """Make them. Needs the package index of Python for the libraries.

    Raises `CannotPackage`, `EvidenceError`, OSError.
    """
    if suite not in PYTHONS:
        raise CannotPackage(f"{suite} is not a suite that packages are made for: {', '.join(PYTHONS)}")
    base = checkout()
    project, epoch_s = load_project(base), epoch_of(base)
    with scratch() as directory:
        camera = Path(directory) / "camera"
        make_site(project, camera / SITE, lock=CAMERA, suite=suite, arch=arch)
        install_manifest(release, camera / SITE, say)
        _camera_files(project, camera)
        made = [build(_camera(project, suite, arch), camera, out, epoch_s)]
        if station:
            whole, more = Path(directory) / "whole", Path(directory) / "station"
            make_site(project, whole, lock=STATION, suite=suite, arch=arch)
            only_in(whole, camera / SITE, more / SITE)
            _install(base / "systemd/conf", STATION_PLACES, more)
            _units(base, more, station=True)
            made.append(build(_station(project, arch), more, out, epoch_s))
    return made


def _camera_files(project: Project, tree: Path) -> None:
    base = project.base
    for name, where in project.programs.items():
        program = tree / "usr/bin" / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(LAUNCHER.format(module=where.partition(":")[0]))
        program.chmod(0o755)
    _install(base / "systemd/conf", PLACES, tree)
    _units(base, tree, station=False)
    for path in sorted((base / "systemd/network").iterdir()):
        _copy(path, tree / "usr/lib/systemd/network" / path.name)
    for path in sorted((base / "systemd/udev").iterdir()):
        _copy(path, tree / "usr/lib/udev/rules.d" / path.name)
    for path in sorted((base / "systemd/programs").iterdir()):
        _copy(path, tree / "usr/lib/firsthand" / path.name)
    for page in PAGES:
        _copy(base / "docs" / page, tree / "usr/share/doc/firsthand" / Path(page).name)
    _copy(base / "LICENSE", tree / "usr/share/doc/firsthand/copyright")


def _units(base: Path, tree: Path, *, station: bool) -> None:
    for path in sorted((base / "systemd/units").iterdir()):
        if (path.name in STATION_UNITS) is station:
            _copy(path, tree / "usr/lib/systemd/system" / path.name)


def _install(source: Path, places: dict[str, str], tree: Path) -> None:
    for name, place in places.items():
        _copy(source / name, tree / place)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)


def _scripts(base: Path, package: str) -> dict[str, str]:
    """The maintainer scripts; @UNITS@ in them are the units that the preset enables."""
    preset = (base / f"systemd/conf/60-{package}.preset").read_text("utf-8")
    units = " ".join(line.removeprefix("enable ") for line in preset.splitlines() if line.startswith("enable "))
    found = sorted((base / "systemd/deb").glob(f"{package}.p*"))
    return {path.suffix[1:]: path.read_text("utf-8").replace("@UNITS@", units) for path in found}


def _camera(project: Project, suite: str, arch: Arch) -> Control:
    major, minor = PYTHONS[suite].split(".")
    return Control(
        "firsthand",
        project.version,
        arch,
        "firmware for body-worn and dash cameras",
        "Recorder, dock agent and tools. Its libraries are its own, for this system's Python; evidence, state and keys "
        "stay when it is removed or purged.",
        (f"python3 (>= {major}.{minor})", f"python3 (<< {major}.{int(minor) + 1})", "systemd (>= 254)", "udev"),
        ("chrony", "libasound2t64 | libasound2", "python3-lgpio"),
        ("python3-picamera2", "python3-libcamera", "systemd-resolved"),
        _scripts(project.base, "firsthand"),
    )


def _station(project: Project, arch: Arch) -> Control:
    return Control(
        "firsthand-station",
        project.version,
        arch,
        "docking station for Firsthand cameras",
        "The station's service and the libraries that only it needs.",
        (f"firsthand (= {project.version})",),
        scripts=_scripts(project.base, "firsthand-station"),
    )
