"""lgpio for the lab's Python: Debian has no package of it, and its authors publish none for this Python on x86-64.

Built from its source archive in the same root as the kernel's modules. On a Raspberry Pi it comes with the system.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Final

from fleet.image.debian_root import CannotBuild

VERSION: Final = "0.2.2.0"
PACKAGES: Final = ("python3-dev", "python3-setuptools", "swig")


def build(root: Path, into: Path) -> None:
    """Build it in `root` and put its two files into the new directory `into`. Raises `CannotBuild`."""
    download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary=:all:",
                "--dest", str(root / "lgpio"), f"lgpio=={VERSION}"]  # fmt: skip
    _run(download)
    with tarfile.open(next((root / "lgpio").glob("lgpio-*.tar.gz"))) as archive:
        archive.extractall(root / "lgpio", filter="data")
    shell = f"cd /lgpio/lgpio-{VERSION} && PYPI=1 python3 setup.py -q build"
    _run(["chroot", str(root), "sh", "-c", shell])
    built = root / f"lgpio/lgpio-{VERSION}/build"
    into.mkdir()
    for pattern in ("lgpio.py", "_lgpio.*.so"):
        for file in built.glob(f"lib*/{pattern}"):
            shutil.copy(file, into / file.name)
    if len(list(into.iterdir())) != 2:
        raise CannotBuild(f"lgpio {VERSION} builds other files than it did: look at {built}")


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise CannotBuild(f"{' '.join(command[:4])}…: {(done.stderr + done.stdout).strip()[-600:]}")
