"""``firsthand-fleet bundle | rauc-config | install-update | serve-install | boot-choice | try-update | health``."""

from __future__ import annotations

import argparse
import logging
import math
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from evidence.errors import EvidenceError
from evidence.usage import UsageParser
from fleet.errors import FleetError
from fleet.update import boot_choice, install_line
from fleet.update.bundle import SlotImages, make_bundle
from fleet.update.health import SETTLE_S, WITHIN_S, Waiting, check_health
from fleet.update.install import install
from fleet.update.kept import Places
from fleet.update.system_conf import system_conf
from fleet.update.trying import Restart, try_update

KEPT = Places()


def add_to(verbs: argparse._SubParsersAction[UsageParser]) -> None:
    """Declare the verbs."""
    bundle = verbs.add_parser(
        "bundle",
        help="make a signed bundle (RAUC) that brings cameras of a board to a release",
        description="Packs the two images of one slot, as `image build` wrote them, and signs them by the release key.",
        epilog="Then `sign-release --bundle X.raucb` names it, and both go into the station's directory of updates.",
    )
    bundle.add_argument("--board", required=True, metavar="NAME", help="the board, as bodycam-zero2w")
    bundle.add_argument("--slot-boot", type=Path, required=True, metavar="FILE", help="the boot partition (FAT)")
    bundle.add_argument("--slot-root", type=Path, required=True, metavar="FILE", help="the system (squashfs)")
    bundle.add_argument("--version", required=True, help="the version that the slot runs, as 1.4.2")
    bundle.add_argument("--key", type=Path, required=True, help="key of a certificate of the release role")
    bundle.add_argument("--cert", type=Path, required=True, help="that certificate with its intermediate")
    bundle.add_argument("--out", type=Path, required=True, metavar="X.raucb", help="a new file")
    bundle.set_defaults(run=_bundle)

    config = verbs.add_parser("rauc-config", help="print /etc/rauc/system.conf for a board's image")
    config.add_argument("--board", required=True, metavar="NAME")
    config.add_argument("--card", required=True, metavar="PREFIX", help="its partitions' devices: /dev/mmcblk0p")
    config.set_defaults(run=_config)

    ask = verbs.add_parser(
        "install-update",
        help="on a camera: install a bundle that the agent fetched (the agent runs this)",
        description="Names two files in the agent's directory of updates. Ending this program ends the installation.",
    )
    ask.add_argument("bundle", type=Path, metavar="BUNDLE")
    ask.add_argument("manifest", type=Path, metavar="MANIFEST")
    ask.add_argument("--socket", type=Path, default=install_line.SOCKET, help="default %(default)s")
    ask.set_defaults(run=_ask)

    serve = verbs.add_parser("serve-install", help="on a camera: the trusted side of install-update (run by systemd)")
    serve.set_defaults(run=_serve)
    trying = verbs.add_parser("try-update", help="on a camera: restart into an update that waits, if it stands idle")
    trying.set_defaults(run=_try)
    health = verbs.add_parser(
        "health",
        help="on a camera: let a new system prove itself, or go back",
        description="Run by systemd at each boot. A system that is not being tried is left alone.",
    )
    health.add_argument("--within-s", type=_seconds, default=WITHIN_S, help="at most so long (default %(default)g)")
    health.add_argument("--settle-s", type=_seconds, default=SETTLE_S, help="good for so long (default %(default)g)")
    health.set_defaults(run=_health)

    choice = verbs.add_parser("boot-choice", help="on a camera: RAUC's boot handler")
    choice.add_argument("order", metavar="ORDER", help="get-primary, get-current, get-state, set-primary, set-state")
    choice.add_argument("words", nargs="*", metavar="WORD")
    choice.set_defaults(run=_choice)


def main(argv: Sequence[str]) -> int:
    """Run one of these verbs without loading the others, as the programs of systemd/programs do; the exit code."""
    parser = UsageParser(prog="firsthand", description=__doc__)
    add_to(parser.add_subparsers(dest="verb", required=True, metavar="VERB", parser_class=UsageParser))
    arguments = parser.parse_args(argv)
    try:
        status: int = arguments.run(arguments)
    except (EvidenceError, FleetError) as error:
        print(f"{arguments.verb}: {error}", file=sys.stderr)
    except OSError as error:
        print(f"{arguments.verb}: {error.filename or 'file'}: {error.strerror}", file=sys.stderr)
    else:
        return status
    return 1


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 1 <= seconds <= 3600:
        raise argparse.ArgumentTypeError(f"{text[:20]!r} is no number of seconds between 1 and 3600")
    return seconds


def _bundle(arguments: argparse.Namespace) -> int:
    images = SlotImages(arguments.slot_boot, arguments.slot_root)
    make_bundle(
        images,
        board=arguments.board,
        version=arguments.version,
        key=arguments.key,
        cert=arguments.cert,
        out=arguments.out,
    )
    print(f"made {arguments.out} for {arguments.board}, version {arguments.version}")
    print(f"name it in a release: firsthand-fleet sign-release CODE --version {arguments.version} "
          f"--bundle {arguments.out} --key … --cert … --out release.p7s")  # fmt: skip
    return 0


def _config(arguments: argparse.Namespace) -> int:
    print(system_conf(arguments.board, arguments.card), end="")
    return 0


def _ask(arguments: argparse.Namespace) -> int:
    version = install_line.ask(arguments.socket, arguments.bundle, arguments.manifest)
    print(f"release {version} is installed; it is tried at the next restart in the dock")
    return 0


def _serve(_: argparse.Namespace) -> int:
    _log()
    with socket.socket(fileno=sys.stdin.fileno()) as connection:
        done = install_line.serve(connection, lambda names, user, gone: install(KEPT, names, owner=user, gone=gone))
    return 0 if done else 1


def _try(_: argparse.Namespace) -> int:
    print(try_update(KEPT, Restart()))
    return 0


def _health(arguments: argparse.Namespace) -> int:
    _log()
    waiting = Waiting(within_s=arguments.within_s, settle_s=arguments.settle_s)
    print(check_health(KEPT, waiting, Restart()))
    return 0


def _choice(arguments: argparse.Namespace) -> int:
    if said := boot_choice.answer(KEPT, arguments.order, arguments.words):
        print(said)
    return 0


def _log() -> None:
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
