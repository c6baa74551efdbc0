"""From a board's name to the files that are flashed and updated from (docs/image.md)."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fleet.image import boot
from fleet.image.bmap import block_map
from fleet.image.card import write_card
from fleet.image.debian_root import CannotBuild
from fleet.image.fat import make_fat
from fleet.image.root import EPOCH as EPOCH
from fleet.image.root import Wishes, make_root, squash
from fleet.image.root import epoch as epoch_of_all
from fleet.image.sbom import bill_of_materials


@dataclass(frozen=True, slots=True)
class Built:
    """The files of one image."""

    image: Path
    """Compressed, unless a raw one was asked for."""
    bmap: Path
    boot: Path
    root: Path
    bill: Path
    sums: Path


def build(wishes: Wishes, out: Path, say: Callable[[str], None], *, raw: bool = False) -> Built:
    """Build it. The same wishes, root and time give the same bytes. Needs root.

    Raises `CannotBuild`, `EvidenceError`, OSError.
    """
    if shutil.which("zstd") is None:
        raise CannotBuild("zstd is missing; run: sudo apt-get install zstd")
    epoch = epoch_of_all()
    out.mkdir(parents=True, exist_ok=True)
    stem = out / f"firsthand-{wishes.name}-{wishes.version}"
    made = Built(_with(stem, ".img" if raw else ".img.zst"), _with(stem, ".bmap"), _with(stem, ".boot.vfat"),
                 _with(stem, ".rootfs.squashfs"), _with(stem, ".cdx.json"), _with(stem, ".SHA256SUMS"))  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="firsthand-image-", dir=os.environ.get("TMPDIR", "/var/tmp")) as place:  # noqa: S108
        work = Path(place)
        root = work / "root"
        say(f"root: {wishes.base.suite} for {wishes.board.arch}")
        make_root(wishes, root, say)
        made.bill.write_bytes(bill_of_materials(root, f"firsthand-{wishes.name}", wishes.version, epoch,
                                                wishes.base.suite))  # fmt: skip
        kernel = boot.take_kernel(root, wishes.base, work / "kernel")
        squash(root, made.root, epoch)
        say(f"root: {_mib(made.root)} MiB of {wishes.board.sizes_mib.root}")
        assemble(wishes, root, kernel, made, work, epoch)
        say(f"boot: kernel {kernel.release}")
        card = work / "card.img"
        ranges = write_card(card, wishes.board.sizes, {1: work / "1", 2: made.boot, 5: made.root})
        made.bmap.write_bytes(block_map(card, ranges))
        if raw:
            subprocess.run(["cp", "--sparse=always", str(card), str(made.image)], check=True)
        else:
            _run("zstd", "-q", "-f", "-T0", "-6", str(card), "-o", str(made.image))
    files = (made.image, made.bmap, made.boot, made.root, made.bill)
    made.sums.write_text("".join(f"{_sha256(path)}  {path.name}\n" for path in files), "ascii")
    return made


def assemble(wishes: Wishes, root: Path, kernel: boot.Kernel, made: Built, work: Path, epoch: int) -> None:
    """The two FAT file systems: partition 1 as `work/1`, the boot partition as `made.boot`. Raises `CannotBuild`."""
    sizes = wishes.board.sizes
    boot.fill_selector(work / "selector", root, wishes.base)
    boot.fill_boot(work / "files", root, kernel, wishes.name, wishes.board, wishes.base, made.root)
    seed = hashlib.sha256(f"{wishes.name} {wishes.version}".encode()).digest()
    make_fat(work / "1", sizes.selector, "FIRSTHAND", int.from_bytes(seed[:4], "big"), work / "selector", epoch)
    make_fat(made.boot, sizes.boot, "BOOT", int.from_bytes(seed[4:8], "big"), work / "files", epoch)


def _with(stem: Path, ending: str) -> Path:
    return stem.with_name(stem.name + ending)


def _mib(path: Path) -> int:
    return -(-path.stat().st_size // (1 << 20))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CannotBuild(f"{command[0]}: {done.stderr.strip()[-300:]}")
