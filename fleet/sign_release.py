"""`firsthand-fleet sign-release`: the release key's word on which code a camera should run (check `firmware`, R8)."""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import msgspec

from evidence import durable
from evidence.release import ROOMS, Bundle, code_sha256, number_of
from evidence.settings import BadSettings
from evidence.usage import UsageParser
from fleet.installed_release import sign_code


def add_to(verbs: argparse._SubParsersAction[UsageParser]) -> None:
    """Declare the verb."""
    release = verbs.add_parser("sign-release", help="sign the manifest of a release, which cameras test themselves by")
    release.add_argument("code", type=Path, metavar="DIR", help=f"the released code: holds {', '.join(ROOMS)}")
    release.add_argument("--version", required=True, help="the released version, as the camera states it")
    release.add_argument("--bundle", type=Path, metavar="FILE", help="the file that brings a camera to this release")
    release.add_argument("--minimum", metavar="VERSION", help="oldest version that may be updated straight to this one")
    release.add_argument("--model", action="append", default=[], help="model that the bundle is for; repeatable")
    release.add_argument("--key", type=Path, required=True, help="key of a certificate of the release role")
    release.add_argument("--cert", type=Path, required=True, help="that certificate with its intermediate")
    release.add_argument("--out", type=Path, required=True, metavar="release.p7s")


def run(arguments: argparse.Namespace) -> int:
    """Sign and write. Raises `EvidenceError` or OSError."""
    missing = [room for room in ROOMS if not (arguments.code / room).is_dir()]
    if missing:
        raise BadSettings(f"{arguments.code}: holds no {missing[0]}/: give the directory of the released code")
    bundle = _bundle(arguments)
    document = sign_code(arguments.code, arguments.version, arguments.key, arguments.cert, bundle)
    durable.replace(arguments.out, document, mode=0o644)
    print(f"signed {arguments.out} for version {arguments.version}, SHA-256 {code_sha256(arguments.code)}")
    if bundle is not None:
        print(f"put it as release.p7s beside {bundle.name} into the directory of [desk] updates in station.toml")
    print("give it to `image build --release` or `deb --release`, or put it into a camera's state directory")
    return 0


def _bundle(arguments: argparse.Namespace) -> Bundle | None:
    """What the manifest says of the bundle. Raises `BadSettings`, OSError."""
    if arguments.bundle is None:
        if arguments.minimum is not None or arguments.model:
            raise BadSettings("--minimum and --model belong to a --bundle")
        return None
    for version in (arguments.version, arguments.minimum):
        if version is not None and number_of(version) is None:
            raise BadSettings(f"{version!r}: cameras are updated to plain versions only, as 1.4.2")
    with arguments.bundle.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    try:
        return msgspec.convert(
            {
                "name": arguments.bundle.name,
                "sha256": digest,
                "bytes": arguments.bundle.stat().st_size,
                "models": arguments.model,
                "minimum": arguments.minimum,
            },
            Bundle,
        )
    except msgspec.ValidationError as error:
        raise BadSettings(f"--bundle {arguments.bundle}: {error}") from error
