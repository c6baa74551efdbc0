"""A small image of a camera, its agency, and cards to write it to."""

from __future__ import annotations

import random
import shutil
import subprocess
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evidence.trust import Trust
from fleet.__main__ import main
from fleet.ca import create_agency
from fleet.flash.image import VerifiedImage, verify_image

MIB = 2**20
IMAGE_BYTES, CARD_BYTES = 24 * MIB, 32 * MIB
BOARD = "bodycam-zero2w"
FIRST = 1 * MIB
TOKEN = "abcdefghijklmnopqrstuvwxyz01234"


def partition_table(*parts: tuple[int, int, int]) -> bytes:
    """An MBR with (type, first byte, bytes) for each partition."""
    table = bytearray(512)
    for place, (kind, begin, count) in enumerate(parts):
        entry = bytes([0, 0, 0, 0, kind, 0, 0, 0])
        entry += (begin // 512).to_bytes(4, "little") + (count // 512).to_bytes(4, "little")
        table[446 + 16 * place : 462 + 16 * place] = entry
    table[510:] = b"\x55\xaa"
    return bytes(table)


def run(*words: str | Path, given: bytes | None = None) -> bytes:
    return subprocess.run([str(one) for one in words], input=given, capture_output=True, check=True, timeout=60).stdout


def make_image(path: Path, tool: Callable[[str], str]) -> None:
    """A card's image as docs/design/board.md has it, in small: a FAT partition, and one with something in it."""
    with path.open("wb") as file:
        file.truncate(IMAGE_BYTES)
        file.write(partition_table((0x0C, FIRST, 8 * MIB), (0x83, 10 * MIB, 14 * MIB)))
        file.seek(13 * MIB + 12_345)
        file.write(random.Random(7).randbytes(3 * MIB))
    blocks = str(8 * MIB // 1024)
    run(tool("mkfs.vfat"), "-n", "FIRSTHAND", "--offset", str(FIRST // 512), path, blocks)
    run(tool("mcopy"), "-i", f"{path}@@{FIRST}", "-", "::autoboot.txt", given=b"[all]\nboot_partition=2\n")
    with path.open("r+b") as file:  # zeros that belong to the file system are no holes: they must be in the block map
        file.seek(FIRST)
        partition = file.read(8 * MIB)
        file.seek(FIRST)
        file.write(partition)


@dataclass(frozen=True)
class CardBench:
    """Everything that a technician has on the table."""

    directory: Path
    pki: Path
    mtype: str

    @property
    def image(self) -> Path:
        return self.directory / "camera.img.zst"

    @property
    def raw(self) -> Path:
        return self.directory / "camera.img"

    @property
    def log(self) -> Path:
        return self.directory / "assets.jsonl"

    @property
    def agency(self) -> Path:
        return self.directory / "agency"

    def copy(self, to: Path) -> CardBench:
        shutil.copytree(self.directory, to)
        return CardBench(to, self.pki, self.mtype)

    def sign(self, image: Path, *more: str) -> int:
        keys = ["--key", str(self.pki / "release.key"), "--cert", str(self.pki / "release.pem")]
        return main(["sign-image", str(image), "--board", BOARD, "--version", "1.4.2", *keys, *more])

    def verified(self) -> VerifiedImage:
        return verify_image(self.image, board=BOARD, trust=Trust.load(self.pki / "root.pem"))

    def card(self, name: str, size: int = CARD_BYTES) -> Path:
        """A card that was used before: nothing on it is zero."""
        path = self.directory / name
        path.write_bytes(b"\xa5" * size)
        return path

    def token(self, serial: str, text: str | None = None) -> Path:
        path = self.directory / f"{serial}.token"
        path.touch(mode=0o600)
        path.write_text((text or f"{TOKEN}{serial.lower()}") + "\n")
        return path

    def words(self, devices: Sequence[Path], serials: Sequence[str], *, image: Path | None = None) -> list[str]:
        """The command line of `flash`."""
        words = ["flash", str(image or self.image), *map(str, devices), "--board", BOARD, "--yes"]
        words += ["--agency", str(self.agency), "--enrol-server", "https://enrol.hartford.example:8444"]
        words += ["--station", "https://dock.hartford.example:8443", "--system-id", "hartford-dock-1"]
        words += ["--assets", str(self.log), "--technician", "T. Example"]
        for serial in serials:
            words += ["--serial", serial]
        return words

    def flash(self, devices: Sequence[Path], serials: Sequence[str], *more: str, image: Path | None = None) -> int:
        """Flash files, or devices, with a token for each."""
        words = self.words(devices, serials, image=image)
        for serial in serials:
            words += ["--token-file", str(self.token(serial))]
        return main([*words, "--allow-file", *more])

    def file_on(self, card: Path, name: str) -> bytes:
        """A file of the first partition, as mtools read it."""
        return run(self.mtype, "-i", f"{card}@@{FIRST}", f"::{name}")

    def identity_on(self, card: Path) -> dict[str, Any]:
        return tomllib.loads(self.file_on(card, "identity.toml").decode())


def make_bench(directory: Path, tool: Callable[[str], str]) -> CardBench:
    bench = CardBench(directory / "table", directory / "pki", tool("mtype"))
    create_agency(bench.pki, organization="Hartford PD")
    bench.agency.mkdir(parents=True)
    shutil.copy(bench.pki / "root.pem", bench.agency)
    shutil.copy(bench.pki / "vault.pem", bench.agency / "vault-1.pem")
    policy = directory / "policy.toml"
    policy.write_text('name = "Trial"\nversion = 1\n')
    profile = ["--key", str(bench.pki / "profile.key"), "--cert", str(bench.pki / "profile.pem")]
    assert main(["sign-profile", str(policy), *profile, "--out", str(bench.agency / "profile.p7s")]) == 0
    make_image(bench.raw, tool)
    run(tool("bmaptool"), "create", "-o", bench.directory / "camera.img.bmap", bench.raw)
    run(tool("zstd"), "-q", bench.raw)
    assert bench.sign(bench.image) == 0
    return bench
