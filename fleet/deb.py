"""A Debian package out of a tree of files, by dpkg-deb: the same tree gives the same bytes.

What goes into our packages stands in `fleet.deb_contents`; this module knows only how such a file is made.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from fleet.errors import FleetError

Arch = Literal["amd64", "arm64"]
SCRIPTS: Final = ("preinst", "postinst", "prerm", "postrm")


class CannotPackage(FleetError):
    """The package cannot be made here; the sentence says what is missing."""


@dataclass(frozen=True, slots=True)
class Control:
    """What dpkg is told of a package (deb-control(5))."""

    name: str
    version: str
    arch: Arch
    summary: str
    description: str
    depends: tuple[str, ...]
    recommends: tuple[str, ...] = ()
    suggests: tuple[str, ...] = ()
    scripts: dict[str, str] = field(default_factory=dict)
    """`postinst` and so on, by their names."""

    @property
    def file(self) -> str:
        return f"{self.name}_{self.version}_{self.arch}.deb"

    def text(self, installed_bytes: int) -> str:
        """The control file."""
        lines = [
            f"Package: {self.name}",
            f"Version: {self.version}",
            f"Architecture: {self.arch}",
            "Maintainer: The Firsthand developers <firsthand@example.org>",
            f"Installed-Size: {-(-installed_bytes // 1024)}",
            f"Depends: {', '.join(self.depends)}",
        ]
        lines += [f"Recommends: {', '.join(self.recommends)}"] if self.recommends else []
        lines += [f"Suggests: {', '.join(self.suggests)}"] if self.suggests else []
        lines += ["Section: video", "Priority: optional", f"Description: {self.summary}", f" {self.description}"]
        return "\n".join(lines) + "\n"


def build(control: Control, tree: Path, out: Path, epoch_s: int) -> Path:
    """Make the package of everything in `tree`, which becomes its root. Raises `CannotPackage`, OSError.

    Owners are root, times are `epoch_s`, modes are plain: directories and programs 0755, files 0644. Everything under
    `etc` is the administrator's, who is asked before it is overwritten (conffiles).
    """
    if shutil.which("dpkg-deb") is None:
        raise CannotPackage("dpkg-deb is missing; run: sudo apt-get install dpkg")
    with tempfile.TemporaryDirectory(prefix="firsthand-deb-") as scratch:
        root = Path(scratch) / "root"
        shutil.copytree(tree, root, symlinks=True)
        files = sorted(path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
        control_dir = root / "DEBIAN"
        control_dir.mkdir()
        sums = (f"{hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()}  {path.relative_to(root)}\n"
                for path in files)  # fmt: skip
        (control_dir / "md5sums").write_text("".join(sums))
        (control_dir / "control").write_text(control.text(sum(path.stat().st_size for path in files)))
        conffiles = [f"/{path.relative_to(root)}\n" for path in files if path.relative_to(root).parts[0] == "etc"]
        if conffiles:
            (control_dir / "conffiles").write_text("".join(conffiles))
        for name, text in control.scripts.items():
            assert name in SCRIPTS
            (control_dir / name).write_text(text)
        _plain(root, epoch_s)
        for name in control.scripts:
            (control_dir / name).chmod(0o755)
        out.mkdir(parents=True, exist_ok=True)
        made = out / control.file
        # zstd takes a tenth of xz's time, for a tenth more bytes. One thread: the bytes are the same everywhere.
        command = [
            "dpkg-deb",
            "--root-owner-group",
            "-Zzstd",
            "-z10",
            "--threads-max=1",
            "--build",
            str(root),
            str(made),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False,
                              env={**os.environ, "SOURCE_DATE_EPOCH": str(epoch_s), "LC_ALL": "C"})  # fmt: skip
        if done.returncode != 0:
            raise CannotPackage(f"dpkg-deb refuses {control.name}: {done.stderr.strip()[-300:]}")
        return made


def _plain(root: Path, epoch_s: int) -> None:
    """Modes and times that do not depend on who builds when."""
    for path in [root, *root.rglob("*")]:
        if not path.is_symlink():
            runs = path.is_dir() or bool(path.stat().st_mode & 0o100)
            path.chmod(0o755 if runs else 0o644)
        os.utime(path, (epoch_s, epoch_s), follow_symlinks=False)
