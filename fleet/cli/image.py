"""``firsthand-fleet image``: the system of a board as a file that is flashed."""

from __future__ import annotations

import argparse
import re
import subprocess
from pathlib import Path
from typing import Final

from evidence.settings import BadSettings
from evidence.usage import UsageParser
from fleet import installed_release
from fleet.image.debian_root import CannotBuild

_VERSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+~]{0,63}", re.ASCII)


def add_to(verbs: argparse._SubParsersAction[UsageParser]) -> None:
    """Declare the verbs."""
    family = verbs.add_parser("image", help="images for cards: build one, list the boards")
    inner = family.add_subparsers(dest="what", required=True, metavar="VERB", parser_class=UsageParser)

    build = inner.add_parser(
        "build",
        help="build the image of a board (root; some minutes the first time)",
        description="Makes firsthand-BOARD-VERSION.img.zst with its .bmap, the two file systems that an update is made "
        "of (.boot.vfat, .rootfs.squashfs), the list of all that is in it (.cdx.json, CycloneDX) and .SHA256SUMS. "
        "Sign it with `sign-image`, write it to cards with `flash`.",
    )
    build.add_argument(
        "--board", "--profile", required=True, metavar="NAME", help="`image boards` lists them; or your own NAME.toml"
    )
    build.add_argument(
        "--base", default="debian", metavar="NAME", help="debian (default) or raspberry-pi-os: docs/image.md"
    )
    build.add_argument(
        "--deb",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="our package (`firsthand-fleet deb` makes it); repeatable",
    )
    build.add_argument("--version", metavar="V", help="of the image; default: the version of the first --deb")
    build.add_argument(
        "--technician-ca",
        type=Path,
        metavar="FILE.pub",
        help="open SSH, only for certificates that this authority signed",
    )
    build.add_argument(
        "--overlay",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="put these files over the root; repeatable",
    )
    installed_release.add_options(build)
    build.add_argument("--raw", action="store_true", help="leave the image uncompressed, for a virtual machine")
    build.add_argument("--out", type=Path, required=True, metavar="DIR")
    build.set_defaults(run=_build)

    boards = inner.add_parser("boards", help="list the boards that images can be built for")
    boards.set_defaults(run=_boards)


def _build(arguments: argparse.Namespace) -> int:
    from fleet.image import board as boards
    from fleet.image.build import build
    from fleet.image.layout import partuuid
    from fleet.image.root import Wishes
    from fleet.update.system_conf import system_conf

    board = boards.load(arguments.board)
    base = board.base_named(arguments.base)
    name = Path(arguments.board).stem if arguments.board.endswith(".toml") else arguments.board
    if not arguments.deb:
        raise BadSettings(
            "an image without our package records nothing: give --deb FILE; `firsthand-fleet deb` makes it"
        )
    version = arguments.version or _version_of(arguments.deb[0])
    if not _VERSION.fullmatch(version):
        raise BadSettings(f"{version!r} is no version: letters, digits and . + ~ as in 1.4.2")
    wishes = Wishes(
        name=name,
        board=board,
        base=base,
        version=version,
        debs=tuple(arguments.deb),
        overlays=tuple(arguments.overlay),
        technician_ca=arguments.technician_ca,
        rauc_config=system_conf(name, f"/dev/disk/by-partuuid/{partuuid(1)[:-1]}"),
        release=installed_release.given(arguments),
    )
    made = build(wishes, arguments.out, print, raw=arguments.raw)
    for path in (made.image, made.bmap, made.boot, made.root, made.bill, made.sums):
        print(f"{path.stat().st_size / 1e6:9.1f} MB  {path}")
    return 0


def _version_of(deb: Path) -> str:
    done = subprocess.run(["dpkg-deb", "--field", str(deb), "Version"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CannotBuild(f"{deb} is no Debian package: {done.stderr.strip()[-200:]}")
    return done.stdout.strip().partition("-")[0]


def _boards(_arguments: argparse.Namespace) -> int:
    from fleet.image import board as boards

    for name in boards.names():
        board = boards.load(name)
        print(f"{name:16} {board.arch:6} {board.data:10} {board.title}; base: {', '.join(sorted(board.base))}")
    return 0
