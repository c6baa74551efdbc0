"""``firsthand-fleet transfer``: a camera goes to another agency."""

from __future__ import annotations

import argparse
from pathlib import Path

from evidence import durable
from evidence.errors import BadKey
from evidence.keys import in_token, load_signer
from evidence.limits import SIGNED_DOCUMENT_BYTES
from evidence.usage import UsageParser
from fleet import transfer
from fleet.cli.ca import add_passphrase, unlocked
from fleet.enrolment_settings import load_enrolment


def add_to(verbs: argparse._SubParsersAction[UsageParser]) -> None:
    """Declare the verbs."""
    family = verbs.add_parser("transfer", help="a camera goes to another agency: depart (there), release (here)")
    inner = family.add_subparsers(dest="what", required=True, metavar="VERB", parser_class=UsageParser)

    depart = inner.add_parser(
        "depart",
        help="on the camera: sign that no evidence waits any more",
        description="Asks the recorder which files have no receipt yet, and signs the answer with the evidence key. "
        "With files waiting it refuses, unless you say why they are left behind.",
    )
    depart.add_argument("--config", type=Path, required=True, metavar="enrolment.toml")
    where = depart.add_mutually_exclusive_group(required=True)
    where.add_argument("--socket", type=Path, metavar="PATH", help="of the running recorder")
    where.add_argument("--spool", type=Path, metavar="DIR", help="of a camera that is off: then every file counts")
    depart.add_argument("--evidence-left", default="", metavar="WHY", help="files wait, and this is why they stay")
    depart.add_argument("--out", type=Path, required=True, metavar="departure.p7s")
    depart.set_defaults(run=_depart)

    release = inner.add_parser(
        "release",
        help="at the old agency's authority: let it go",
        description="Checks the camera's signed departure, not older than a day, and takes all its certificates back.",
    )
    release.add_argument("departure", type=Path, metavar="departure.p7s")
    release.add_argument("--ca", type=Path, required=True, metavar="DIR")
    release.add_argument("--to", required=True, metavar="AGENCY", help="who gets it; stands in the register")
    add_passphrase(release)
    release.set_defaults(run=_release)


def _depart(arguments: argparse.Namespace) -> int:
    settings, directory = load_enrolment(arguments.config), arguments.config.resolve().parent
    if arguments.socket is not None:
        waiting = transfer.waiting_by_recorder(arguments.socket)
    else:
        waiting = transfer.waiting_in_spool(arguments.spool)
    key = settings.evidence_key if in_token(settings.evidence_key) else str(directory / settings.evidence_key)
    signed = transfer.depart(
        load_signer(key, directory / "camera.pem"), settings.serial, waiting, arguments.evidence_left
    )
    durable.replace(arguments.out, signed, mode=0o644)
    print(f"signed {arguments.out}: {settings.serial} leaves with {len(waiting)} files without a receipt")
    print("Record nothing with it any more. Within a day, at the authority: firsthand-fleet transfer release")
    return 0


def _release(arguments: argparse.Namespace) -> int:
    with arguments.departure.open("rb") as file:
        signed = file.read(SIGNED_DOCUMENT_BYTES + 1)
    if len(signed) > SIGNED_DOCUMENT_BYTES:
        raise BadKey(f"{arguments.departure} is larger than a departure can be")
    done = transfer.release(unlocked(arguments), signed, arguments.to)
    serial = done.departure.serial
    print(f"{serial} is released to {arguments.to}; {len(done.revoked)} certificates were taken back")
    print("Copy lists/revoked.crl to the stations. The new agency wipes the card and enrols the camera into a new")
    print("directory: firsthand-fleet enrol-token there, firsthand-fleet enrol on the camera.")
    return 0
