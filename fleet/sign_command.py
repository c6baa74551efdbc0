"""`firsthand-fleet sign-command`: what a supervisor or the check-out desk tells one camera, signed.

Each command has a sub-verb of its own with the fields of `evidence.commands` as options, so that a forgotten one is a
usage error and not a refusal by a camera in the field.
"""

from __future__ import annotations

import argparse
import datetime as dt
from pathlib import Path
from typing import Any, Final

import msgspec

from evidence import cms, durable
from evidence.commands import KINDS, NEEDS, AnyCommand, kind_of, powers_of, sequence_at
from evidence.keys import FileSigner
from evidence.roles import role_of, serial_of
from evidence.settings import BadSettings
from evidence.statements import encode_canonical, moment
from evidence.usage import UsageParser

LONGEST_H: Final = 8760
COMMON: Final = frozenset({"v", "serial", "sequence", "issued", "valid_until"})
HELP: Final = {
    "assign": "sign an officer in",
    "end_session": "sign the officer out",
    "correct_officer": "append that a recording was another officer's",
    "override": "put a camera into service whose self-test failed for one component",
    "critical_incident": "seize a camera, or give it back",
    "hold": "keep a recording from every clean-up",
    "release": "lift that",
    "inspection": "run the extended test",
    "lock": "the camera is lost: it must not be used and deletes nothing",
    "unlock": "it was found and may be used again",
    "accept": "let a file leave the camera although it does not verify",
}

HINTS: Final = {
    "officer": "the agency's own identifier of the officer",
    "badge": "the badge's number",
    "identified_by": "how the officer was identified",
    "shift": "the shift's identifier",
    "training_valid_until": "last day on which the officer's training counts, as 2027-06-30",
    "recording": "a recording's name, as CAM-0042-000007",
    "reason": "why, in a sentence; it is sealed",
    "component": "the self-test's check, as `microphone`",
    "custodian": "who has the camera from now on; it is sealed",
    "supervisor": "the supervisor's name",
    "file": "the file's name on the camera, as CAM-0042-000007.evidence",
    "sha256": "SHA-256 of the whole file, as the store's receipt says",
    "serial": "the camera's serial, as CAM-0042",
}


def add_to(verbs: argparse._SubParsersAction[UsageParser]) -> None:
    """The verb with one sub-verb for each command."""
    sign = verbs.add_parser(
        "sign-command",
        help="sign a command for one camera",
        epilog="Example: firsthand-fleet sign-command hold --recording CAM-0042-000007 --reason 'court order 12' "
        "--serial CAM-0042 --key supervisor.key --cert supervisor.pem --out hold.p7s; then on the camera: "
        "firsthand-device command hold.p7s --socket …",
    )
    kinds = sign.add_subparsers(dest="kind", required=True, metavar="COMMAND", parser_class=UsageParser)
    for name, kind in KINDS.items():
        one = kinds.add_parser(name.replace("_", "-"), help=HELP[name])
        one.set_defaults(kind=name)
        for field in msgspec.structs.fields(kind):
            if field.name not in COMMON:
                _add_option(one, field)
        one.add_argument("--serial", required=True, help="the camera that is to obey")
        one.add_argument("--valid-for-h", type=float, metavar="HOURS", help="not taken later; default: no end")
        one.add_argument("--key", type=Path, required=True, help="key of a certificate of the command role")
        one.add_argument("--cert", type=Path, required=True, help="that certificate with its intermediate")
        one.add_argument("--out", type=Path, required=True, metavar="FILE.p7s")


def _add_option(parser: UsageParser, field: msgspec.structs.FieldInfo) -> None:
    info = msgspec.inspect.type_info(field.type)
    choices = [str(one) for one in info.values] if isinstance(info, msgspec.inspect.LiteralType) else None
    option = f"--{field.name.replace('_', '-')}"
    text = HINTS.get(field.name)
    metavar = None if choices else "TEXT"
    parser.add_argument(
        option, dest=f"field_{field.name}", required=field.required, choices=choices, metavar=metavar, help=text
    )


def run(arguments: argparse.Namespace) -> int:
    """Sign it and write it. Raises `EvidenceError` with one sentence, or OSError."""
    signer = FileSigner.load(arguments.key, arguments.cert)
    if role_of(signer.certificate) != "command":
        raise BadSettings(f"{arguments.cert} is not a certificate of the command role: a camera would refuse this")
    if NEEDS[arguments.kind] not in powers_of(signer.certificate):
        raise BadSettings(
            f"{arguments.cert} ({serial_of(signer.certificate)}) may not give {arguments.kind}: "
            f"it needs a certificate with `{NEEDS[arguments.kind]}`"
        )
    now = dt.datetime.now(dt.UTC)
    command = command_of(arguments, now)
    document = cms.sign(encode_canonical(command), signer, now)
    durable.replace(arguments.out, document, mode=0o644)
    print(f"signed {arguments.out}: {kind_of(command)} for {command.serial}, by {serial_of(signer.certificate)}")
    print(f"give it to the camera: firsthand-device command {arguments.out} --socket …")
    return 0


def command_of(arguments: argparse.Namespace, now: dt.datetime) -> AnyCommand:
    """The command that the options describe, checked as the camera will. Raises `BadSettings`."""
    now_ns = int(now.timestamp() * 1_000_000) * 1000
    values: dict[str, Any] = {
        "command": arguments.kind,
        "v": 1,
        "serial": arguments.serial,
        "sequence": sequence_at(now),
        "issued": moment(now_ns),
    }
    if arguments.valid_for_h is not None:
        if not 0 < arguments.valid_for_h <= LONGEST_H:
            raise BadSettings(f"--valid-for-h must be above 0 and at most {LONGEST_H} hours")
        values["valid_until"] = moment(now_ns + int(arguments.valid_for_h * 3600 * 10**9))
    given = {name.removeprefix("field_"): one for name, one in vars(arguments).items() if name.startswith("field_")}
    values |= {name: one for name, one in given.items() if one is not None}
    try:
        return msgspec.convert(values, KINDS[arguments.kind])
    except msgspec.ValidationError as error:
        message, _, where = str(error).partition(" - at `$")
        option = where.rstrip("`").lstrip(".").replace("_", "-")
        hint = HINTS.get(option.replace("-", "_"))
        why = f"{message[:1].lower()}{message[1:]}"
        raise BadSettings(f"--{option} must be {hint}" if "regex" in why and hint else f"--{option}: {why}") from error
