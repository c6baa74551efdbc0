"""How the agent asks for an installation: one JSON line up a socket, one down; closing it ends the installation.

systemd listens at `SOCKET` and starts the trusted side for each connection (`firsthand-install@.service`). The program
that the agent runs (`[updates] install` of agent.toml) is the other end: SIGTERM ends it, and with it the connection.
"""

from __future__ import annotations

import json
import logging
import socket
import struct
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from evidence.errors import EvidenceError
from evidence.statements import Frozen
from fleet.errors import FleetError
from fleet.update.errors import BadUpdate
from fleet.update.install import Installation

log = logging.getLogger(__name__)
SOCKET: Final = Path("/run/firsthand-install.sock")
_LINE_BYTES: Final = 4096
_ASK_S: Final = 10.0
FileName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z")]


class InstallRequest(Frozen, frozen=True, kw_only=True):
    """Names in the agent's directory of updates, never paths."""

    bundle: FileName
    manifest: FileName


class Installed(Frozen, frozen=True, kw_only=True):
    """How it ended."""

    version: str | None = None
    error: str | None = None


_requests: Final = msgspec.json.Decoder(InstallRequest)
_answers: Final = msgspec.json.Decoder(Installed)


def ask(path: Path, bundle: Path, manifest: Path) -> str:
    """Have a bundle installed; its version. Takes as long as it takes. Raises `BadUpdate`."""
    request = {"bundle": bundle.name, "manifest": manifest.name}
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.connect(str(path))
            connection.sendall(json.dumps(request).encode() + b"\n")
            line = _line(connection)
            answer = _answers.decode(line)
    except OSError as error:
        raise BadUpdate(f"{path}: {error.strerror or error}: is firsthand-install.socket running?") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadUpdate("the installation was ended before it said how it went") from error
    if answer.version is None:
        raise BadUpdate(answer.error or "the installation failed and did not say why")
    return answer.version


def serve(connection: socket.socket, installation: Installation) -> bool:
    """Answer the one request of a connection; True if a bundle was installed."""
    try:
        connection.settimeout(_ASK_S)
        user = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[1]
        request = _requests.decode(_line(connection))
        connection.settimeout(None)
        answer = Installed(version=installation((request.bundle, request.manifest), user, connection.fileno()))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        answer = Installed(error=f"not a request: {error}"[:300])
    except (EvidenceError, FleetError) as error:
        answer = Installed(error=str(error)[:600])
    except OSError as error:
        answer = Installed(error=f"{error.filename or 'the update'}: {error.strerror or error}"[:300])
    if answer.error is not None:
        log.error("%s", answer.error)
    try:
        connection.sendall(msgspec.json.encode(answer) + b"\n")
    except OSError as error:
        log.info("whoever asked has gone: %s", error)
    return answer.version is not None


def _line(connection: socket.socket) -> bytes:
    """One line, at most `_LINE_BYTES`. Raises OSError."""
    data = b""
    while not data.endswith(b"\n") and len(data) < _LINE_BYTES:
        piece = connection.recv(_LINE_BYTES - len(data))
        if not piece:
            break
        data += piece
    return data
