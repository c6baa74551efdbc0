"""The release manifest that an image or a package brings beside its code: what a camera's self-test holds it to (R8).

1. It comes from the release key itself, or ready from `sign-release`: that key need not be where images are built, and
   only a ready one gives the same bytes at each build (a signature and its time never are the same twice).
2. It is refused unless it names exactly the code and the version beside which it will lie.
3. Which agency signed it is judged by the camera, against its own root.
"""

from __future__ import annotations

import argparse
import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from evidence import cms
from evidence.errors import EvidenceError
from evidence.keys import FileSigner
from evidence.limits import SIGNED_DOCUMENT_BYTES
from evidence.release import ROOMS, Bundle, Release, code_sha256
from evidence.roles import role_of
from evidence.settings import BadSettings
from evidence.statements import decode_canonical, encode_canonical

NAME: Final = "release.p7s"
NONE: Final = (
    "release manifest: none, so cameras cannot say that they run a released version: give --release-key and "
    "--release-cert, or --release FILE"
)
_DECODER: Final = msgspec.json.Decoder(Release)


@dataclass(frozen=True, slots=True)
class ReleaseGiven:
    """Where the manifest comes from: `document`, or `key` with `certificate`."""

    document: Path | None = None
    key: Path | None = None
    certificate: Path | None = None


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options of a verb that installs our code."""
    parser.add_argument(
        "--release-key",
        type=Path,
        metavar="FILE",
        help="sign what is in it as a release, so that the camera's self-test can say so",
    )
    parser.add_argument(
        "--release-cert", type=Path, metavar="FILE.pem", help="that key's certificate, of the release role"
    )
    parser.add_argument(
        "--release",
        type=Path,
        metavar="release.p7s",
        help="instead: what `sign-release` signed where the release key is",
    )


def given(arguments: argparse.Namespace) -> ReleaseGiven | None:
    """What the options say. Raises `BadSettings`."""
    if (arguments.release_key is None) != (arguments.release_cert is None):
        raise BadSettings("--release-key and --release-cert belong together")
    if arguments.release is not None:
        if arguments.release_key is not None:
            raise BadSettings("give --release, or --release-key with --release-cert, not both")
        return ReleaseGiven(document=arguments.release)
    if arguments.release_key is None:
        return None
    return ReleaseGiven(key=arguments.release_key, certificate=arguments.release_cert)


def sign_code(code: Path, version: str, key: Path, certificate: Path, bundle: Bundle | None = None) -> bytes:
    """The signed manifest of the code in a directory. Raises `EvidenceError`, OSError."""
    signer = FileSigner.load(key, certificate)
    if role_of(signer.certificate) != "release":
        raise BadSettings(f"{certificate} is not a certificate of the release role: a camera would refuse this")
    release = Release(v=1, version=version, sha256=code_sha256(code), bundle=bundle)
    return cms.sign(encode_canonical(release), signer, dt.datetime.now(dt.UTC))


def install_manifest(release: ReleaseGiven | None, site: Path, say: Callable[[str], None]) -> None:
    """Put it beside the code in `site`, and say what the camera will find. Raises `EvidenceError`, OSError."""
    place = site / NAME
    if release is None:
        say(f"release manifest: as the package brings it, {NAME}" if place.exists() else NONE)
        return
    missing = [room for room in ROOMS if not (site / room).is_dir()]
    versions = [
        path.name.removeprefix("firsthand-").removesuffix(".dist-info") for path in site.glob("firsthand-*.dist-info")
    ]
    if missing or len(versions) != 1:
        raise BadSettings("a release manifest needs our code beside it, and the given packages bring none")
    if release.document is not None:
        document = _ready(release.document, code_sha256(site), versions[0])
    else:
        assert release.key is not None
        assert release.certificate is not None
        document = sign_code(site, versions[0], release.key, release.certificate)
    place.write_bytes(document)
    place.chmod(0o644)
    say(f"release manifest: version {versions[0]}, signed by the release role")


def _ready(path: Path, sha256: str, version: str) -> bytes:
    """Rule 2 for a manifest that was signed elsewhere."""
    with path.open("rb") as file:
        document = file.read(SIGNED_DOCUMENT_BYTES + 1)
    if len(document) > SIGNED_DOCUMENT_BYTES:
        raise BadSettings(f"{path} is larger than a release manifest can be")
    try:
        message = cms.parse_signed(document)
        cms.check_signature(message)
        release = decode_canonical(message.payload, _DECODER)
    except EvidenceError as error:
        raise BadSettings(f"{path} is no release manifest: {error}") from error
    if role_of(message.certificate) != "release":
        raise BadSettings(f"{path} was not signed by the release role: a camera would refuse it")
    if (release.version, release.sha256) != (version, sha256):
        raise BadSettings(
            f"{path} is of version {release.version} with code {release.sha256[:16]}…, and this is {version} with code "
            f"{sha256[:16]}…: sign this code with sign-release"
        )
    return document
