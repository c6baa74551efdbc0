"""What people do to a camera on the bench: signed commands, and looking into what it sealed with the vault's key."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import msgspec
from camera_bench import CameraBench

from evidence import cms
from evidence.commands import KINDS, sequence_at
from evidence.export.decrypt import Vault, read_metadata
from evidence.export.items import ObjectItem, walk
from evidence.keys import FileSigner
from evidence.requests import CommandRequest
from evidence.statements import encode_canonical, moment


def signed_command(pki: Path, kind: str, *, by: str = "supervisor", **fields: Any) -> bytes:
    """A command of `kind` for SIM-0001, signed with the certificate `by`."""
    now = dt.datetime.now(dt.UTC)
    common = {
        "command": kind,
        "v": 1,
        "serial": "SIM-0001",
        "sequence": sequence_at(now),
        "issued": moment(int(now.timestamp()) * 10**9),
    }
    command = msgspec.convert({**common, **fields}, KINDS[kind])
    return cms.sign(encode_canonical(command), FileSigner.load(pki / f"{by}.key", pki / f"{by}.pem"), now)


def command(camera: CameraBench, kind: str, *, by: str = "supervisor", **fields: Any) -> Any:
    """Sign a command and hand it over; the daemon's answer."""
    return camera.ask(CommandRequest(command=signed_command(camera.pki, kind, by=by, **fields)))


def metadata_of(camera: CameraBench, path: Path) -> list[dict[str, Any]]:
    """All sealed metadata of an evidence file, opened with the vault's key."""
    vault = Vault.load(camera.pki / "vault.pem", camera.pki / "vault.key")
    with path.open("rb") as file:
        return [
            read_metadata(vault.plaintext(file, item))
            for item in walk(file)
            if isinstance(item, ObjectItem) and item.announced is not None and item.announced.object == "metadata"
        ]


def logged_details(camera: CameraBench, event: str) -> list[dict[str, Any]]:
    """The sealed details of all log entries of that name."""
    paths = sorted(camera.spool.glob("*-log-*.evidence"))
    return [one for path in paths for one in metadata_of(camera, path) if one.get("event") == event]
