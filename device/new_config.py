"""`firsthand-device new-config`: device.toml for one camera, out of its board and the paths of docs/design/board.md.

What is written is meant to be read and changed by a person: the board's comments stay.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from device.board import Board
from device.config import DeviceSettings
from device.errors import NoNewConfig
from device.socket_users import unknown
from evidence import durable
from evidence.settings import mistakes

ETC: Final = Path("/etc/firsthand")
VAR: Final = Path("/var/lib/firsthand")
SOCKET: Final = Path("/run/firsthand/device.sock")
PEERS: Final = ("firsthand-agent",)
"""Who may use the socket besides root (docs/design/board.md)."""
SSH_USERS: Final = ("technician",)
"""And who, where this machine knows them: on an image that technicians can come to over SSH."""
_BARE: Final = re.compile(r"[A-Za-z0-9_./:=@-]+")


@dataclass(frozen=True, slots=True)
class Camera:
    """What is one camera's own."""

    serial: str
    keys: Path = ETC / "keys"
    """Where `root.pem`, `camera.pem` and (unless it is in a token) `camera.key` lie."""
    vault: tuple[Path, ...] = (ETC / "vault-1.pem",)
    evidence_key: str | None = None
    """A key in a token, ``pkcs11:…``, instead of the file."""
    profile: Path = ETC / "profile.p7s"
    vehicle: str | None = None
    var: Path = VAR
    socket: Path = SOCKET


def config_text(board: Board, camera: Camera) -> str:
    """A whole device.toml. Raises `NoNewConfig` if what the person gave makes no valid one."""
    top: dict[str, Any] = {
        "serial": camera.serial,
        **({"vehicle": camera.vehicle} if camera.vehicle is not None else {}),
        "spool": str(camera.var / "spool"),
        "state": str(camera.var / "device"),
        "socket": str(camera.socket),
        "profile": str(camera.profile),
        "peer_users": [*PEERS, *(one for one in SSH_USERS if not unknown((one,)))],
    }
    keys: dict[str, Any] = {
        "root": str(camera.keys / "root.pem"),
        "evidence_key": camera.evidence_key or str(camera.keys / "camera.key"),
        "evidence_chain": str(camera.keys / "camera.pem"),
        "vault": [str(one) for one in camera.vault],
    }
    text = "\n".join(
        [
            f"# device.toml of {_comment(camera.serial)}, a {board.name}: written by `firsthand-device new-config`.",
            "# Change what is wired differently, then: firsthand-device check-config --config device.toml",
            "",
            *(f"{key} = {_value(value)}" for key, value in top.items()),
            "",
            board.text.replace("{serial}", camera.serial),
            "[keys]",
            *(f"{key} = {_value(value)}" for key, value in keys.items()),
            "",
        ]
    )
    _check(text)
    return text


def _comment(text: str) -> str:
    """Nothing that a person gave may end a comment."""
    return text if _BARE.fullmatch(text) else "this camera"


def _value(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_value(one) for one in value)}]"
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
    if not escaped.isprintable():
        raise NoNewConfig(f"{str(value)!r} cannot stand in device.toml: it has characters that do not print")
    return f'"{escaped}"'


def _check(text: str) -> None:
    """What is written must be what the daemon reads."""
    try:
        values = tomllib.loads(text)
        wrong = list(mistakes(values, DeviceSettings))
        if not wrong:
            msgspec.convert(values, DeviceSettings)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        wrong = [str(error)]
    if wrong:
        raise NoNewConfig(f"no device.toml can be made of this: {'; '.join(wrong)}")


def write_config(text: str, out: Path, *, force: bool) -> None:
    """Write it, whole or not at all. Raises `NoNewConfig` if the file is there already and `force` is not set."""
    if out.exists() and not force:
        raise NoNewConfig(f"{out} is there already: give another --out, or --force to replace it")
    try:
        durable.replace(out, text.encode(), mode=0o644)  # the recorder is not root, and nothing in it is secret
    except OSError as error:
        raise NoNewConfig(f"{out}: cannot be written: {error.strerror}") from error
