"""The manifest of an image, `IMAGE.p7s`: the release key's word on what may be written to a card. CMS, canonical JSON.

It names the file as it is handed on (packed, say), what is in it, and the block map, so that everything a card gets
is known before its first byte is written.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from evidence import cms
from evidence.errors import EvidenceError
from evidence.keys import FileSigner
from evidence.limits import SIGNED_DOCUMENT_BYTES
from evidence.release import number_of
from evidence.roles import role_of
from evidence.settings import BadSettings
from evidence.statements import Frozen, Hash, Name, decode_canonical, encode_canonical
from evidence.trust import Trust
from fleet.camera_identity import Board
from fleet.errors import BadImage
from fleet.flash.bmap import BMAP_BYTES, read_bmap
from fleet.flash.image_stream import IMAGE_BYTES, PIECE, file_sha256, unpacked

_Bytes = Annotated[int, Meta(ge=512, le=IMAGE_BYTES)]


class ImageManifest(Frozen, frozen=True, kw_only=True, tag_field="kind", tag="image"):
    """One image for the cards of one board."""

    v: Literal[1]
    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z")]
    bytes: Annotated[int, Meta(ge=1, le=IMAGE_BYTES)]
    """Of the file, packed or not."""
    sha256: Hash
    raw_bytes: _Bytes
    """Of the image as it lies on a card."""
    raw_sha256: Hash
    board: Board
    version: Name
    bmap_sha256: Hash | None = None
    """Of the block map; None: every block is written."""


_DECODER: Final = msgspec.json.Decoder(ImageManifest)


def manifest_path(image: Path) -> Path:
    """Where an image's manifest lies: beside it."""
    return image.with_name(f"{image.name}.p7s")


def bmap_path(image: Path) -> Path | None:
    """The block map beside an image, under one of its usual names."""
    plain = image.name.removesuffix(".zst")
    names = (f"{image.name}.bmap", f"{plain}.bmap", f"{plain.removesuffix('.img')}.bmap")
    return next((path for name in names if (path := image.with_name(name)).is_file()), None)


def read_small(path: Path, limit: int, what: str) -> bytes:
    """A whole small file. Raises `BadImage`."""
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise BadImage(f"{path}: the {what} cannot be read: {error.strerror}") from error
    if len(data) > limit:
        raise BadImage(f"{path}: larger than a {what} can be")
    return data


def read_manifest(document: bytes, trust: Trust) -> ImageManifest:
    """What the agency's release role signed. Raises `BadImage`."""
    try:
        message = cms.parse_signed(document)
        trust.check(message, role="release")
        return decode_canonical(message.payload, _DECODER)
    except EvidenceError as error:
        raise BadImage(f"the image's signature does not hold: {error}") from error


def make_manifest(image: Path, *, board: str, version: str, bmap: Path | None) -> ImageManifest:
    """Read an image and its block map whole, and say what they are. Raises `BadImage`, `BadSettings`."""
    if number_of(version) is None:
        raise BadSettings(f"{version!r}: images have plain versions, as 1.4.2")
    digest, count = hashlib.sha256(), 0
    with unpacked(image, None) as stream:
        while piece := stream.read(PIECE):
            digest.update(piece)
            count += len(piece)
    bmap_sha256 = None
    if bmap is not None:
        data = read_small(bmap, BMAP_BYTES, "block map")
        if read_bmap(data).image_bytes != count:
            raise BadImage(f"{bmap} is the map of another image: make it again with bmaptool create")
        bmap_sha256 = hashlib.sha256(data).hexdigest()
    try:
        return msgspec.convert(
            {
                "kind": "image",
                "v": 1,
                "name": image.name,
                "bytes": image.stat().st_size,
                "sha256": file_sha256(image),
                "raw_bytes": count,
                "raw_sha256": digest.hexdigest(),
                "board": board,
                "version": version,
                "bmap_sha256": bmap_sha256,
            },
            ImageManifest,
        )
    except msgspec.ValidationError as error:
        raise BadSettings(f"{image}: {error}") from error


def sign_manifest(manifest: ImageManifest, key: Path, certificate: Path) -> bytes:
    """The signed document. Raises `EvidenceError`."""
    signer = FileSigner.load(key, certificate)
    if role_of(signer.certificate) != "release":
        raise BadSettings(f"{certificate} is not a certificate of the release role: no card would be written")
    if len(document := cms.sign(encode_canonical(manifest), signer, dt.datetime.now(dt.UTC))) > SIGNED_DOCUMENT_BYTES:
        raise BadSettings("the manifest became too large")
    return document
