"""Technicians' tools: an agency's keys and certificates, enrolment of cameras, signed profiles and releases."""

from __future__ import annotations

import argparse
import datetime as dt
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from evidence import cms, durable
from evidence.commands import powers_of
from evidence.errors import EvidenceError
from evidence.keys import FileSigner, load_certificates
from evidence.roles import is_simulated, key_level_of, role_of, serial_of
from evidence.settings import SETTINGS_BYTES, BadSettings
from evidence.statements import encode_canonical
from evidence.usage import GroupedParser, UsageParser
from fleet import sign_command, sign_release
from fleet.cli import ca, check, deb, enrol, first_boot, flash, image, station, transfer, update, vault
from fleet.errors import FleetError

FAMILIES: Final = (ca, enrol, first_boot, transfer, vault, station, deb, update, image, flash, check)
"""Modules of ``fleet/cli/``: each declares its verbs and says what runs them."""


GROUPS: Final = {
    "An agency's keys and certificates": ("new-agency", "ca", "vault", "transfer", "show"),
    "What the agency signs": ("sign-profile", "sign-command", "sign-release", "sign-image"),
    "New cameras, at the authority": ("enrol-server", "enrol-token"),
    "Cards and cameras on the bench": ("image", "flash", "check", "assets"),
    "Releases": ("deb", "bundle", "rauc-config"),
    "Docking stations": ("station-backup", "station-restore"),
    "On a camera (systemd runs these)": (
        "first-boot", "enrol", "renew", "install-update", "serve-install", "try-update", "health", "boot-choice",
    ),
}  # fmt: skip
"""How the help lists the verbs."""


def _parser() -> UsageParser:
    parser = GroupedParser(
        prog="firsthand-fleet",
        description="Technicians' tools: an agency's keys, new cameras, cards, releases.",
        epilog="New here? docs/flash.md goes from a blank card to a tested camera; docs/keys/README.md explains keys.",
        groups=GROUPS,
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB", parser_class=UsageParser)
    agency = verbs.add_parser("new-agency", help="make a root, one camera, one station and a vault, for a trial")
    agency.add_argument("directory", type=Path, metavar="DIR", help="new directory for the PEM files")
    agency.add_argument("--serial", default="SIM-0001", help="the camera's serial (default %(default)s)")
    agency.add_argument("--organization", default="Simulated Police Department", metavar="NAME")
    agency.add_argument(
        "--simulated",
        action="store_true",
        help="mark everything as simulated: its recordings verify only under this root, and never as evidence",
    )
    profile = verbs.add_parser("sign-profile", help="sign a policy profile (TOML) for cameras")
    profile.add_argument("profile", type=Path, metavar="FILE.toml", help="the keys of docs/configuration.md")
    profile.add_argument("--key", type=Path, required=True, help="key of a certificate of the profile role")
    profile.add_argument("--cert", type=Path, required=True, help="that certificate with its intermediate")
    profile.add_argument("--out", type=Path, required=True, metavar="FILE.p7s")
    sign_command.add_to(verbs)
    sign_release.add_to(verbs)
    for family in FAMILIES:
        family.add_to(verbs)
    show = verbs.add_parser("show", help="say what a certificate of ours is for")
    show.add_argument("certificate", type=Path, metavar="FILE.pem")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; the exit code: 0 done, 1 refused, 64 wrong usage."""
    arguments = _parser().parse_args(argv)
    try:
        if (run := getattr(arguments, "run", None)) is not None:
            status: int = run(arguments)
            return status
        if arguments.verb == "new-agency":
            return _new_agency(arguments)
        if arguments.verb == "sign-profile":
            return _sign_profile(arguments)
        if arguments.verb == "sign-command":
            return sign_command.run(arguments)
        if arguments.verb == "sign-release":
            return sign_release.run(arguments)
        return _show(arguments)
    except (EvidenceError, FleetError) as error:
        print(f"firsthand-fleet: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        print(f"firsthand-fleet: {error.filename or 'file'}: {error.strerror}", file=sys.stderr)
    return 1


def _new_agency(arguments: argparse.Namespace) -> int:
    from fleet.ca import create_agency

    directory: Path = arguments.directory
    if directory.exists() and any(directory.iterdir()):
        print(f"firsthand-fleet: {directory} is not empty, and keys are never overwritten", file=sys.stderr)
        return 1
    create_agency(
        directory, serial=arguments.serial, organization=arguments.organization, simulated=arguments.simulated
    )
    print(f"made an agency for camera {arguments.serial} in {directory}:")
    for path in sorted(directory.glob("*.pem")):
        print(f"  {path.name}")
    print("All keys lie side by side here, which suits a trial. In service each belongs on another machine, and the")
    print("root's private key, which was not written, is gone: make a new agency rather than add to this one.")
    return 0


def _sign_profile(arguments: argparse.Namespace) -> int:
    path: Path = arguments.profile
    if path.stat().st_size > SETTINGS_BYTES:
        raise BadSettings(f"{path}: larger than a profile can be")
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSettings(f"{path}: not valid TOML: {error}") from error
    signer = FileSigner.load(arguments.key, arguments.cert)
    if role_of(signer.certificate) != "profile":
        raise BadSettings(f"{arguments.cert} is not a certificate of the profile role: a camera would refuse this")
    document = cms.sign(encode_canonical({"v": 1, **values}), signer, dt.datetime.now(dt.UTC))
    durable.replace(arguments.out, document, mode=0o644)
    print(f"signed {arguments.out}; try it with: firsthand-device check-config --config device.toml")
    return 0


def _show(arguments: argparse.Namespace) -> int:
    for certificate in load_certificates(arguments.certificate):
        print(f"subject    {certificate.subject.rfc4514_string()}")
        print(f"issuer     {certificate.issuer.rfc4514_string()}")
        print(f"role       {role_of(certificate) or 'none of ours'}")
        print(f"serial     {serial_of(certificate) or '-'}")
        print(f"key level  {key_level_of(certificate) or '-'}")
        print(f"may give   {', '.join(sorted(powers_of(certificate))) or '-'}")
        print(f"simulated  {'yes' if is_simulated(certificate) else 'no'}")
        print(f"valid      {certificate.not_valid_before_utc:%Y-%m-%d} to {certificate.not_valid_after_utc:%Y-%m-%d}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
