"""The finished image of the virtual machine, as `make image` builds it; kept until what goes into it changes."""

from __future__ import annotations

import fcntl
import hashlib
from dataclasses import dataclass
from pathlib import Path

from kernel_modules import cache_directory
from package import camera_package

from fleet.__main__ import main

KEPT = 2


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """What `image build` left in a directory."""

    card: Path
    """The whole card, uncompressed; to be copied, never written to."""

    @property
    def version(self) -> str:
        return self.card.stem.removeprefix("firsthand-lab-vm-")


def lab_image() -> BuiltImage:
    """Built by the real command out of this checkout's package (root, a minute or two; else out of the cache)."""
    package = camera_package()
    kept = cache_directory() / "images"
    kept.mkdir(parents=True, exist_ok=True)
    place = kept / hashlib.sha256(package.read_bytes()).hexdigest()[:16]
    with (kept / "images.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not list(place.glob("*.SHA256SUMS")):
            for old in sorted(kept.glob("*/"), key=lambda path: path.stat().st_mtime)[:-KEPT]:
                for file in old.iterdir():
                    file.unlink()
                old.rmdir()
            words = ["image", "build", "--board", "lab-vm", "--raw", "--deb", str(package), "--out", str(place)]
            assert main(words) == 0, "the image cannot be built: see what was printed"
        (card,) = place.glob("firsthand-lab-vm-*.img")
        return BuiltImage(card)
