"""The lab's kernel: Debian's own, with the drivers of the lab's board.

Two of them, gpio-sim and test_power, Debian does not build: they are built here from Debian's own source package
against Debian's own headers, and nothing of them is in this repository. Kept in the cache.
"""

from __future__ import annotations

import fcntl
import hashlib
import inspect
import json
import lzma
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import lgpio_module

from fleet.image.debian_root import CACHE, CannotBuild, DebianRoot, unpacked

SERIES: Final = "6.12"
BUILDER: Final = DebianRoot(
    packages=("linux-image-amd64", "linux-headers-amd64", f"linux-source-{SERIES}", "gcc", "make", "libc6-dev",
              "kmod", "xz-utils", *lgpio_module.PACKAGES),
)  # fmt: skip
"""A root file system that is only there to build in."""
DRIVERS: Final = {
    "disk": ("virtio_blk", "ext4", "squashfs", "vfat", "nls_cp437", "nls_ascii", "loop"),
    "network": ("virtio_net",),
    "board": ("gpio-sim", "test_power", "vivid", "snd-aloop", "softdog"),
    "update": ("dm-verity",),
}
"""What the lab needs. Serial lines, virtio's console and the GPIO character device are built in."""
SOURCES: Final = ("drivers/gpio", "kernel/irq/irq_sim.c", "drivers/power/supply/test_power.c")
MAKEFILE: Final = """\
obj-m := gpio-sim.o test_power.o
gpio-sim-y := gpio-sim-main.o irq_sim.o
"""


@dataclass(frozen=True, slots=True)
class LabKernel:
    """A kernel and its drivers, as plain files that `insmod` takes."""

    version: str
    image: Path
    directory: Path
    """``NAME.ko`` for each driver."""
    order: dict[str, tuple[str, ...]]
    """What is to be inserted for a driver, in that order, the driver itself last."""
    python: Path
    """A directory of Python modules of the board's processor: lgpio."""

    def chain(self, *groups: str) -> list[Path]:
        """The files of whole groups of `DRIVERS`, each once, in the order in which they go in."""
        names = dict.fromkeys(name for group in groups for driver in DRIVERS[group] for name in self.order[driver])
        return [self.directory / f"{name}.ko" for name in names]


def cache_directory() -> Path:
    """Where the lab keeps what takes long to make, outside the repository."""
    return Path(os.environ.get("FIRSTHAND_CACHE", CACHE))


def lab_kernel() -> LabKernel:
    """The kernel, built on the first call (about a minute, half of it downloads). Raises `CannotBuild`. Root only."""
    recipe = inspect.getsource(_build) + inspect.getsource(_insert) + inspect.getsource(lgpio_module)
    words = json.dumps([BUILDER.name(), DRIVERS, SOURCES, MAKEFILE, recipe])
    directory = cache_directory() / f"kernel-{hashlib.sha256(words.encode()).hexdigest()[:16]}"
    directory.parent.mkdir(parents=True, exist_ok=True)
    with Path(f"{directory}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not directory.exists():
            _make(directory)
    facts = json.loads((directory / "kernel.json").read_text("utf-8"))
    order = {name: tuple(chain) for name, chain in facts["order"].items()}
    return LabKernel(facts["version"], directory / "vmlinuz", directory / "modules", order, directory / "python")


def _make(directory: Path) -> None:
    builder = BUILDER.tar()
    with tempfile.TemporaryDirectory(dir=directory.parent) as scratch:
        root = unpacked(builder, Path(scratch) / "root")
        version = next((root / "usr/lib/modules").iterdir()).name
        _build(root, version)
        made = Path(scratch) / "made"
        (made / "modules").mkdir(parents=True)
        shutil.copy(root / "boot" / f"vmlinuz-{version}", made / "vmlinuz")
        order = {name: _insert(root, version, name, made) for group in DRIVERS.values() for name in group}
        lgpio_module.build(root, made / "python")
        (made / "kernel.json").write_text(json.dumps({"version": version, "order": order}, indent=1))
        made.rename(directory)
    builder.unlink()  # 780 MB that nobody needs again before the kernel changes


def _build(root: Path, version: str) -> None:
    """gpio-sim with the interrupts that it makes, and test_power, as modules of this kernel."""
    place = root / "build"
    place.mkdir()
    wanted = [f"linux-source-{SERIES}/{one}" for one in SOURCES]
    source = root / f"usr/src/linux-source-{SERIES}.tar.xz"
    _run("tar", "-xJf", str(source), "-C", str(place), "--strip-components=1", *wanted)
    for header in (place / "drivers/gpio").glob("*.h"):
        header.rename(place / header.name)
    (place / "drivers/gpio/gpio-sim.c").rename(place / "gpio-sim-main.c")
    (place / "drivers/power/supply/test_power.c").rename(place / "test_power.c")
    interrupts = (place / "kernel/irq/irq_sim.c").read_text("utf-8")
    # A built-in file may look an interrupt up by its number; a module asks for its data first.
    mended = interrupts.replace("irq_to_desc(irqnum)", "irq_data_to_desc(irq_get_irq_data(irqnum))")
    (place / "irq_sim.c").write_text(mended, "utf-8")
    (place / "Makefile").write_text(MAKEFILE, "utf-8")
    _run("chroot", str(root), "make", "-s", "-C", f"/lib/modules/{version}/build", "M=/build", "modules")
    updates = root / "usr/lib/modules" / version / "updates"
    updates.mkdir()
    for name in ("gpio-sim.ko", "test_power.ko"):
        shutil.copy(place / name, updates / name)
    _run("chroot", str(root), "depmod", version)


def _insert(root: Path, version: str, name: str, made: Path) -> list[str]:
    """Copy a driver and what it stands on, unpacked: neither busybox nor an initial RAM disk unpacks xz."""
    told = _run("chroot", str(root), "modprobe", "--set-version", version, "--show-depends", name)
    chain = []
    for line in told.splitlines():
        verb, _, rest = line.partition(" ")
        if verb != "insmod":  # "builtin NAME"
            continue
        file = root / rest.split()[0].lstrip("/")
        stem = file.name.split(".ko")[0]
        data = file.read_bytes()
        (made / "modules" / f"{stem}.ko").write_bytes(lzma.decompress(data) if file.suffix == ".xz" else data)
        chain.append(stem)
    return chain


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise CannotBuild(f"{' '.join(command[:4])}…: {(done.stderr + done.stdout).strip()[-600:]}")
    return done.stdout
