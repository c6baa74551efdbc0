"""A small image for tests: the lab's machine with Debian's kernel for clouds, and a package that stands for ours."""

from __future__ import annotations

import subprocess
import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import firmware

from evidence.release import ROOMS
from fleet.__main__ import main

VERSION = "1.2.3"


@dataclass(frozen=True, slots=True)
class Image:
    """What `image build` left."""

    directory: Path
    stem: str

    def file(self, ending: str) -> Path:
        return self.directory / f"{self.stem}{ending}"

    @property
    def card(self) -> Path:
        return self.file(".img")


def small_board(path: Path) -> Path:
    """A board's file of its own: the lab's, but with a kernel that is fetched and unpacked in seconds."""
    text = (resources.files("fleet") / "boards/lab-vm.toml").read_text("utf-8")
    assert tomllib.loads(text)["base"]["debian"]["packages"] == ["linux-image-amd64", "alsa-utils"]
    path.write_text(text.replace('"linux-image-amd64", "alsa-utils"', '"linux-image-cloud-amd64"'), "utf-8")
    return path


def stand_in(directory: Path) -> Path:
    """A package of our name with a setting in /etc/firsthand, as an agency's own may have one."""
    tree = directory / "firsthand"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "etc/firsthand").mkdir(parents=True)
    (tree / "etc/firsthand/site.toml").write_text("v = 1\n", "utf-8")
    site = tree / "usr/lib/firsthand/site"
    for name, version in (("example", "4.5"), ("firsthand", VERSION)):
        metadata = site / f"{name}-{version}.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text(
            f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\nLicense-Expression: MIT\n", "utf-8"
        )
    for room in ROOMS:
        (site / room).mkdir()
        (site / room / "code.py").write_text(f"room = {room!r}\n", "utf-8")
    (tree / "DEBIAN/control").write_text(
        f"Package: firsthand\nVersion: {VERSION}-1\nArchitecture: amd64\nMaintainer: Nobody <nobody@example.org>\n"
        "Depends: python3, systemd\nDescription: stands for ours\n",
        "utf-8",
    )
    deb = directory / "firsthand.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", str(tree), str(deb)], check=True, capture_output=True)
    return deb


def build(directory: Path, *options: str) -> Image:
    """Build it with the real command."""
    board = small_board(directory / "small-vm.toml")
    deb = stand_in(directory / "deb")
    out = directory / "out"
    status = main(["image", "build", "--profile", str(board), "--deb", str(deb), "--raw", "--out", str(out), *options])
    assert status == 0
    return Image(out, f"firsthand-small-vm-{VERSION}")


def taken_out(card: Path, number: int, into: Path) -> Path:
    """One partition of a card as a file."""
    at = firmware.partitions(card)[number]
    with card.open("rb") as file, into.open("wb") as out:
        file.seek(at.start)
        left = at.size
        while left:
            piece = file.read(min(left, 1 << 22))
            out.write(piece)
            left -= len(piece)
    return into
