"""fleet/boards/NAME.toml: what the image of a board needs (docs/image.md). How it is wired stands in `device/`."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from evidence.settings import BadSettings, load_toml
from fleet.image.debian_root import Arch
from fleet.image.layout import MIB, Sizes

BOARDS: Final = resources.files("fleet") / "boards"
Module = Annotated[str, Meta(pattern=r"^[a-z0-9_-]{1,64}\Z")]
Package = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9+.-]{1,127}\Z")]
Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,127}\Z")]
Mebibytes = Annotated[int, Meta(ge=64, le=16384, multiple_of=4)]


class Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all tables."""


class SizesMib(Table, frozen=True, kw_only=True):
    """Of the partitions that updates write; they cannot be changed on a camera that is in service."""

    boot: Mebibytes
    root: Mebibytes


class Base(Table, frozen=True, kw_only=True):
    """A Debian, or a derivative of it, that the root is made from."""

    suite: Annotated[str, Meta(pattern=r"^[a-z]{2,32}\Z")] = "trixie"
    sources: tuple[Annotated[str, Meta(pattern=r"^deb [ -~]{10,200}\Z")], ...]
    """Lines of sources.list."""
    packages: tuple[Package, ...] = ()
    """The kernel, and what else only this board needs."""
    kernel: Annotated[str, Meta(pattern=r"^[a-z0-9+*-]{1,64}\Z")]
    """Ending of the kernel's release, to choose among several that a package brings (`+deb13-arm64`, `*`)."""
    config_txt: Annotated[str, Meta(max_length=4000)] = ""
    """Lines of `config.txt` for this base only."""
    firmware: tuple[Annotated[str, Meta(pattern=r"^/[A-Za-z0-9/._*-]{1,200}\Z")], ...] = ()
    """Files of the root, with `*`, that the boot partition holds beside the kernel."""
    overlays: tuple[Annotated[str, Meta(pattern=r"^/[A-Za-z0-9/._*-]{1,200}\Z")], ...] = ()
    """The same for its folder `overlays/`."""
    selector: tuple[Annotated[str, Meta(pattern=r"^/[A-Za-z0-9/._*-]{1,200}\Z")], ...] = ()
    """The same for partition 1: `bootcode.bin` of boards whose first stage lies on the card."""


class Board(Table, frozen=True, kw_only=True):
    """All of it."""

    v: Literal[1]
    title: Annotated[str, Meta(min_length=1, max_length=200)]
    arch: Arch
    data: Literal["plain", "encrypted"] = "plain"
    data_key: Literal["otp", "card"] = "otp"
    """Where the key of an encrypted data partition is: in the processor, or (a trial) on partition 1."""
    sizes_mib: SizesMib
    modules: Annotated[tuple[Module, ...], Meta(min_length=1)]
    """Drivers that the initial RAM disk loads to reach the card."""
    cmdline: Annotated[str, Meta(pattern=r"^[ -~]{0,400}\Z")] = ""
    """For the kernel, beside what every image has."""
    config_txt: Annotated[str, Meta(max_length=4000)] = ""
    """Lines of `config.txt` beside kernel, initial RAM disk and command line."""
    base: dict[Annotated[str, Meta(pattern=r"^[a-z][a-z-]{1,31}\Z")], Base]
    """By name: `debian`, `raspberry-pi-os`."""

    @property
    def sizes(self) -> Sizes:
        return Sizes(boot=self.sizes_mib.boot * MIB, root=self.sizes_mib.root * MIB)

    def base_named(self, name: str) -> Base:
        """One of its bases. Raises `BadSettings`."""
        if name not in self.base:
            raise BadSettings(f"no base {name!r} for this board; there are: {', '.join(sorted(self.base))}")
        return self.base[name]


def names() -> list[str]:
    """Of all boards."""
    return sorted(entry.name.removesuffix(".toml") for entry in BOARDS.iterdir() if entry.name.endswith(".toml"))


def load(name: str) -> Board:
    """One of ours by its name, or a file of your own by its path. Raises `BadSettings` or OSError."""
    if name.endswith(".toml"):
        return load_toml(Path(name), Board)
    if name not in names():
        raise BadSettings(f"no board {name!r}; there are: {', '.join(names())}; or give a file NAME.toml of your own")
    with resources.as_file(BOARDS / f"{name}.toml") as path:
        return load_toml(path, Board)
