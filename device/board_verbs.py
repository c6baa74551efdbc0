"""The verbs about boards: `boards`, `probe`, `new-config`. They need no daemon."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Final

from device import new_config
from device.board import board_names, load_board
from evidence.usage import UsageParser

BOARD_VERBS: Final = ("boards", "probe", "new-config")


def add_board_verbs(verbs: argparse._SubParsersAction[UsageParser]) -> None:
    """Add them to the command line."""
    boards = verbs.add_parser("boards", help="list the boards that device.toml can be written for")
    boards.add_argument("--json", action="store_true", help="machine-readable output")
    look = verbs.add_parser(
        "probe",
        help="say which parts of a board are there, which are missing, and what to do; exit code 1 if one is missing",
        description="Looks at this computer and compares it with a board: every part is `found`, `MISSING` or to be "
        "looked at (`check`), with what to do on the line below; `–` is a part that the board does not have. It "
        "changes nothing, needs no device.toml and no recorder; run it after wiring, and whenever a self-test names a "
        "part. Exit code: 0 nothing is missing, 1 something is, 64 wrong usage.",
        epilog="Example: firsthand-device probe --board bodycam-zero2w",
    )
    which = look.add_mutually_exclusive_group()
    which.add_argument("--board", metavar="NAME", help="see `firsthand-device boards` (default: the nearest by model)")
    which.add_argument("--config", type=Path, metavar="FILE", help="device.toml, for a board that is wired differently")
    look.add_argument(
        "--root",
        type=Path,
        default=Path("/"),
        metavar="DIR",
        help="look at a copy of another machine's /dev, /proc and /sys (default: this machine)",
    )
    look.add_argument(
        "--copy", type=Path, metavar="DIR", help="also write what was read into a new directory, for --root"
    )
    look.add_argument("--json", action="store_true", help="machine-readable output")
    new = verbs.add_parser(
        "new-config",
        help="write device.toml for a new camera of a known board",
        description="Writes the settings of a camera as its board is wired. On a flashed card the first boot does this "
        "by itself; by hand it is for a board without our image, after `firsthand-fleet enrol` has made its keys. Look "
        "at the result with `firsthand-device check-config --config FILE`, then start the recorder.",
        epilog="Example: firsthand-device new-config --board bodycam-zero2w --serial CAM-0042 --out device.toml",
    )
    usual = new_config.Camera("")
    new.add_argument("--board", required=True, metavar="NAME", help="see `firsthand-device boards`")
    new.add_argument("--serial", required=True, help="the camera's serial, CAM-0042 say, as in its certificate")
    new.add_argument("--vehicle", metavar="ID", help="the vehicle's identification, for a dash camera")
    new.add_argument(
        "--keys",
        type=Path,
        default=usual.keys,
        metavar="DIR",
        help=f"where root.pem, camera.pem and camera.key lie (default: {usual.keys})",
    )
    new.add_argument("--evidence-key", metavar="URI", help="the key in a secure element, pkcs11:…, instead of a file")
    new.add_argument(
        "--vault",
        type=Path,
        action="append",
        metavar="FILE.pem",
        help=f"a vault's certificate; may be given several times (default: {usual.vault[0]})",
    )
    for name, default, what in (
        ("--profile", usual.profile, "the signed policy profile"),
        ("--var-dir", usual.var, "where spool and state lie"),
        ("--socket", usual.socket, "the daemon's Unix socket"),
    ):
        new.add_argument(name, type=Path, default=default, metavar="PATH", help=f"{what} (default: {default})")
    new.add_argument("--out", type=Path, required=True, metavar="FILE", help="device.toml, a new file")
    new.add_argument("--force", action="store_true", help="replace the file if it is there")


def act(arguments: argparse.Namespace) -> int:
    """Do what one of `BOARD_VERBS` says. The exit code; raises `DeviceError`."""
    if arguments.verb == "boards":
        return _boards(as_json=arguments.json)
    if arguments.verb == "probe":
        from device.probe import probe

        return probe(
            name=arguments.board,
            config=arguments.config,
            root=arguments.root,
            copy=arguments.copy,
            as_json=arguments.json,
        )
    return _new_config(arguments)


def _boards(*, as_json: bool) -> int:
    known = [load_board(name) for name in board_names()]
    if as_json:
        print(json.dumps({one.name: one.facts.says for one in known}, ensure_ascii=False, indent=2))
        return 0
    width = max(len(one.name) for one in known)
    print("\n".join(f"{one.name:<{width}}  {one.facts.says}" for one in known))
    return 0


def _new_config(arguments: argparse.Namespace) -> int:
    board = load_board(arguments.board)
    camera = new_config.Camera(
        arguments.serial,
        # In device.toml a path would be taken from its own directory, and a person means the one where they stand.
        keys=arguments.keys.absolute(),
        vault=tuple(one.absolute() for one in arguments.vault or new_config.Camera("").vault),
        evidence_key=arguments.evidence_key,
        profile=arguments.profile.absolute(),
        vehicle=arguments.vehicle,
        var=arguments.var_dir.absolute(),
        socket=arguments.socket.absolute(),
    )
    new_config.write_config(new_config.config_text(board, camera), arguments.out, force=arguments.force)
    print(f"{arguments.out} written; look at it with: firsthand-device check-config --config {arguments.out}")
    return 0
