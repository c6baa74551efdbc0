"""Fuzz targets of `fleet`: enrolment, cards, images, backups, and the choice of the slot that boots."""

from __future__ import annotations

import contextlib
import json
import socket
from pathlib import Path
from typing import Final

import msgspec
import repaired
from target import LINES, NOW, Target, agency, as_file, from_file, scratch

from evidence import cms
from evidence.errors import EvidenceError
from evidence.settings import BadSettings
from evidence.statements import encode_canonical
from fleet import est
from fleet.assets import read_assets
from fleet.authority_backup import _contents
from fleet.authority_settings import load_authority_settings
from fleet.camera_check import Row
from fleet.camera_identity import FILE, identity_text, load_identity
from fleet.csr import load_request
from fleet.encrypted_key import open_encrypted
from fleet.enrolment_settings import load_enrolment
from fleet.errors import FleetError
from fleet.escrow import _load_expected
from fleet.flash.bmap import read_bmap
from fleet.flash.image import partition_one
from fleet.flash.manifest import read_manifest as read_manifest_of_image
from fleet.image import board as boards
from fleet.sealed_archive import _next_object
from fleet.transfer import decode_departure
from fleet.update import kept
from fleet.update.autoboot import BadChoice, chosen_in, text_of
from fleet.update.install_line import serve


def read_image_manifest(data: bytes) -> None:
    theirs, signers = agency()
    read_manifest_of_image(cms.sign(data, signers["release"], NOW), theirs)


def read_asset_log(data: bytes) -> None:
    for entry in read_assets(data, "log"):
        assert read_assets(encode_canonical(entry) + b"\n", "log") == [entry]


def read_block_map(data: bytes) -> None:
    found = read_bmap(data)
    assert 0 < found.mapped_bytes <= found.image_bytes


def read_departure(data: bytes) -> None:
    assert encode_canonical(decode_departure(data)) == data


def read_enrolment(data: bytes) -> None:
    """A request as an enrolment server reads it: its authorization in the first line, then its body."""
    head, _, body = data.partition(b"\n")
    with contextlib.suppress(FleetError):
        serial, token = est.parse_basic(head.decode("latin-1"))
        assert serial
        assert token
    load_request(est.decode_body(body))


def read_boot_choice(data: bytes) -> None:
    assert text_of(chosen_in(data)).rstrip(b"\n") == data.rstrip(b"\n")


def read_cmdline(path: Path) -> None:
    assert kept.running_slot(kept.Places(cmdline=path)) in ("A", "B")


def read_identity(path: Path) -> None:
    """identity.toml on partition 1, which whoever holds the card may have written."""
    found = load_identity(path.parent)
    path.write_text(identity_text(found), "utf-8")
    assert load_identity(path.parent) == found


def read_install_request(data: bytes) -> None:
    """The trusted side of an installation, with anything at all as the agent's line."""
    asked: list[object] = []

    def install(names: tuple[str, str], _user: int, _descriptor: int) -> str:
        asked.extend(names)
        return "1.2.3"

    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            ours.send(data[:8192])
        ours.shutdown(socket.SHUT_WR)
        serve(theirs, install)
        ours.setblocking(True)
        answer = json.loads(ours.recv(65536))
    assert set(answer) <= {"version", "error"}
    assert all(isinstance(one, str) and "/" not in one and not one.startswith(".") for one in asked)


def read_rows(data: bytes) -> None:
    """The self-test of a camera, as its own program printed it."""
    msgspec.convert(msgspec.json.decode(data), tuple[Row, ...])


def read_backup(data: bytes) -> None:
    """The archive inside an authority's backup."""
    _contents(Path("copy.backup"), data)


def read_archive(path: Path) -> None:
    """The outer form of a station's backup: sealed objects, one after the other."""
    with path.open("rb") as file:
        while file.tell() < path.stat().st_size:
            before = file.tell()
            _next_object(file)
            assert file.tell() > before


def read_challenge(data: bytes) -> None:
    as_file("challenge.expected", data)
    _load_expected(scratch() / "challenge")


def read_encrypted_key(path: Path) -> None:
    open_encrypted(path, b"five words drawn by lot")


_JSON: Final = (repaired.canonical_json,)
TARGETS: Final = (
    Target("departure", read_departure, mends=_JSON),
    Target("certificate-request", load_request, (FleetError,), mends=(repaired.der_lengths,)),
    Target("enrolment", read_enrolment, (FleetError,)),
    Target("enrolment-answer", est.decode_answer, (FleetError,)),
    Target("block-map", read_block_map, (FleetError,)),
    Target("image-manifest", read_image_manifest, (FleetError,), mends=_JSON),
    Target("partition-table", partition_one, (FleetError,), mends=(repaired.partition_mark,)),
    Target("asset-log", read_asset_log, (FleetError,)),
    Target("boot-choice", read_boot_choice, (BadChoice,)),
    Target("kernel-words", from_file("cmdline", read_cmdline), (FleetError,)),
    Target("identity", from_file(f"partition/{FILE}", read_identity), (BadSettings,)),
    Target("install-request", read_install_request, ()),
    Target("self-test-rows", read_rows, LINES),
    Target("authority-backup", read_backup, (FleetError,), mends=(repaired.tar_checksums,)),
    Target("station-backup", from_file("station.backup", read_archive), (FleetError, EvidenceError)),
    Target("escrow-answer", read_challenge, (FleetError,)),
    Target("encrypted-key", from_file("encrypted.key", read_encrypted_key), (FleetError, EvidenceError)),
    Target("board-file", from_file("board.toml", lambda path: boards.load(str(path))), (BadSettings,)),
    Target("authority-settings", from_file("ca.toml", load_authority_settings), (BadSettings, FleetError)),
    Target("enrolment-settings", from_file("enrolment.toml", load_enrolment), (BadSettings, FleetError)),
)
