"""``firsthand-dock proofs``: what the vault's holder should open, and what the holder signed (R40)."""

from __future__ import annotations

import argparse
import base64
import json
import sys
from pathlib import Path

from dock.cli.station_asker import ask_running
from dock.config import load_station
from dock.errors import BadArguments, DockError
from dock.verbs import Verb
from evidence.errors import EvidenceError
from evidence.limits import PROOF_BYTES
from evidence.vault_proof import ProofsWanted, decode_proofs_wanted


def _arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    wanted = actions.add_parser("wanted", help="list the stored files that the vault's holder should open")
    wanted.add_argument("--json", action="store_true", help="as `firsthand-evidence prove-open --list` reads it")
    wanted.set_defaults(act=_wanted)
    take = actions.add_parser("take", help="take proofs in, for their cameras")
    take.add_argument("files", nargs="+", type=Path, metavar="FILE.proof.p7s", help="what prove-open wrote")
    take.add_argument("--who", help="your name, as it is to stand in the custody ledger")
    take.set_defaults(act=_take)


def _run(options: argparse.Namespace) -> int:
    status: int = options.act(options)
    return status


def _wanted(options: argparse.Namespace) -> int:
    answer = ask_running(load_station(options.config), "proofs_wanted", {})
    found = decode_proofs_wanted(json.dumps(answer).encode())
    print(json.dumps(answer, indent=2) if options.json else "\n".join(_lines(found)))
    return 0


def _lines(found: ProofsWanted) -> list[str]:
    if not found.files:
        return ["Nothing waits for the vault's holder."]
    reasons = {"first": "first under its vault certificate and firmware", "critical": "critical recording"}
    lines = [f"{one.path}  ({reasons[one.why]})" for one in found.files]
    return [*lines, f"{len(found.files)} to open: firsthand-evidence prove-open --help says how."]


def _take(options: argparse.Namespace) -> int:
    """One proof that is refused stops none of the others."""
    config, refused = load_station(options.config), 0
    for path in options.files:
        try:
            with path.open("rb") as file:
                document = file.read(PROOF_BYTES + 1)
            if len(document) > PROOF_BYTES:
                raise BadArguments("larger than a proof can be")
            encoded = base64.b64encode(document).decode()
            done = ask_running(config, "proofs_take", {"proof": encoded}, options.who)
        except (DockError, EvidenceError, OSError) as error:
            print(f"firsthand-dock proofs: {path.name}: {error}", file=sys.stderr)
            refused += 1
            continue
        waits = "waits for its camera at the next contact" if done["new"] else "was here already"
        print(f"{done['name']}: {waits} ({done['serial']})")
    return 1 if refused else 0


VERB = Verb(
    "proofs",
    "what the vault's holder should open before cameras may delete",
    """A camera deletes nothing before the vault's holder has proven that it opens: the first recording of each camera,
    vault certificate and firmware, and each critical one. `wanted` is the work list, with where the files are;
    carry it to where the vault's key lives, run `firsthand-evidence prove-open --list` there, and bring what it wrote
    back with `take`. The station must run; it never has the vault's key.""",
    _run,
    _arguments,
)
