"""Makes a RAUC bundle out of a slot's two images: the file that brings a camera to a release.

Both slots of a card take the same bytes (docs/design/board.md), so a bundle holds one boot partition and one root. The
signature is the release key's; its authority is put in, so that a camera needs to trust no more than that authority.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from cryptography.hazmat.primitives import serialization

from evidence.keys import FileSigner
from evidence.release import number_of
from evidence.roles import role_of
from fleet.update.errors import BadUpdate

Format = Literal["verity", "plain"]
BOARD: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}", re.ASCII)
BOOT_IMAGE: Final = "boot.img"
ROOT_IMAGE: Final = "rootfs.img"
_SQUASHFS: Final = b"hsqs"
_FAT: Final = b"\x55\xaa"
_SECTOR: Final = 512


@dataclass(frozen=True, slots=True)
class SlotImages:
    """What one slot of a card holds."""

    boot: Path
    """The boot partition: a FAT image."""
    root: Path
    """The system: squashfs."""

    def check(self) -> None:
        """Raises `BadUpdate` if they are not what a slot takes, OSError."""
        for path in (self.boot, self.root):
            if not path.is_file() or path.stat().st_size == 0 or path.stat().st_size % _SECTOR:
                raise BadUpdate(f"{path} is no image of a partition: whole sectors of {_SECTOR} bytes are needed")
        with self.boot.open("rb") as file:
            if file.read(_SECTOR)[-2:] != _FAT:
                raise BadUpdate(f"{self.boot} holds no FAT: give the boot partition that `image build` wrote")
        with self.root.open("rb") as file:
            if file.read(len(_SQUASHFS)) != _SQUASHFS:
                raise BadUpdate(f"{self.root} holds no squashfs: give the root that `image build` wrote")


def compatible(board: str) -> str:
    """What RAUC compares before it installs. Raises `BadUpdate`."""
    if BOARD.fullmatch(board) is None:
        raise BadUpdate(f"{board[:64]!r} is no board's name: small letters, digits and dashes, as bodycam-zero2w")
    return f"firsthand-{board}"


def manifest_text(board: str, version: str, form: Format) -> str:
    """RAUC's manifest; RAUC adds sizes and digests to it. Raises `BadUpdate`."""
    if number_of(version) is None:
        raise BadUpdate(f"{version!r}: cameras are updated to plain versions only, as 1.4.2")
    return (
        f"[update]\ncompatible={compatible(board)}\nversion={version}\n\n[bundle]\nformat={form}\n\n"
        f"[image.boot]\nfilename={BOOT_IMAGE}\n\n[image.rootfs]\nfilename={ROOT_IMAGE}\n"
    )


def make_bundle(
    images: SlotImages, *, board: str, version: str, key: Path, cert: Path, out: Path, form: Format = "verity"
) -> None:
    """Write a signed bundle to `out`, which must not be there. Raises `BadUpdate`, `EvidenceError`, OSError.

    `form` is `verity` for every camera: what is read from the bundle while it is installed is checked block by block.
    """
    text = manifest_text(board, version, form)
    if shutil.which("rauc") is None:
        raise BadUpdate("rauc is missing; run: sudo apt-get install rauc squashfs-tools")
    if out.exists():
        raise BadUpdate(f"{out} is there already: a release is never written over, choose another name")
    images.check()
    signer = FileSigner.load(key, cert)
    if role_of(signer.certificate) != "release" or len(signer.chain) < 2:
        raise BadUpdate(f"{cert} is no certificate of the release role with its intermediate: a camera would refuse it")
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".bundle-") as name:
        work = Path(name)
        content = work / "content"
        content.mkdir()
        (content / "manifest.raucm").write_text(text, "ascii")
        for source, target in ((images.boot, BOOT_IMAGE), (images.root, ROOT_IMAGE)):
            shutil.copyfile(source, content / target)
        pem = [one.public_bytes(serialization.Encoding.PEM) for one in signer.chain]
        (work / "leaf.pem").write_bytes(pem[0])
        above: list[str] = []
        for number, data in enumerate(pem[1:]):
            (work / f"above-{number}.pem").write_bytes(data)
            above += ["--intermediate", str(work / f"above-{number}.pem")]
        command = ["rauc", "bundle", "--cert", str(work / "leaf.pem"), "--key", str(key), *above]
        done = subprocess.run(
            [*command, str(content), str(work / "out.raucb")], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise BadUpdate(f"rauc makes no bundle: {said(done.stderr)}")
        (work / "out.raucb").rename(out)


def said(text: str) -> str:
    """The last sentence of a program's words, for a person."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return (lines[-1] if lines else "it does not say why")[:300]
