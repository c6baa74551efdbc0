"""`firsthand-fleet sign-release`: the release key's word on which code a camera should run (check `firmware`, R8)."""

from __future__ import annotations

import argparse
import datetime as dt
from pathlib import Path

from evidence import cms, durable
from evidence.keys import FileSigner
from evidence.release import ROOMS, Release, code_sha256
from evidence.roles import role_of
from evidence.settings import BadSettings
from evidence.statements import encode_canonical
from evidence.usage import UsageParser


def add_to(verbs: argparse._SubParsersAction[UsageParser]) -> None:
    """Declare the verb."""
    release = verbs.add_parser("sign-release", help="sign the manifest of a release, which cameras test themselves by")
    release.add_argument("code", type=Path, metavar="DIR", help=f"the released code: holds {', '.join(ROOMS)}")
    release.add_argument("--version", required=True, help="the released version, as the camera states it")
    release.add_argument("--key", type=Path, required=True, help="key of a certificate of the release role")
    release.add_argument("--cert", type=Path, required=True, help="that certificate with its intermediate")
    release.add_argument("--out", type=Path, required=True, metavar="release.p7s")


def run(arguments: argparse.Namespace) -> int:
    """Sign and write. Raises `EvidenceError` or OSError."""
    missing = [room for room in ROOMS if not (arguments.code / room).is_dir()]
    if missing:
        raise BadSettings(f"{arguments.code}: holds no {missing[0]}/: give the directory of the released code")
    signer = FileSigner.load(arguments.key, arguments.cert)
    if role_of(signer.certificate) != "release":
        raise BadSettings(f"{arguments.cert} is not a certificate of the release role: a camera would refuse this")
    release = Release(v=1, version=arguments.version, sha256=code_sha256(arguments.code))
    durable.replace(arguments.out, cms.sign(encode_canonical(release), signer, dt.datetime.now(dt.UTC)), mode=0o644)
    print(f"signed {arguments.out} for version {release.version}, SHA-256 {release.sha256}")
    print("install it as release.p7s beside the code, or in a camera's state directory")
    return 0
