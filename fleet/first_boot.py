"""A camera's first boot: from the identity that was flashed to settings, keys and certificates of its own (R6).

1. The evidence key is made here and never leaves: in the secure element if there is one, else in a file. A key whose
   level was vouched for as `non_exportable` is never made in a file: the camera stays without one, and says so.
2. Every step leaves what it made durable and is skipped the next time: the power may go at any moment.
3. `device.toml` and `agent.toml` are written once. A technician's change of them is not undone.
4. The token is removed from the card when the certificates are there, not before.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from evidence import durable
from evidence.errors import EvidenceError
from evidence.keys import load_certificates
from evidence.settings import BadSettings
from fleet.authority_store import fingerprint, toml_string
from fleet.camera_identity import AGENCY, CameraIdentity, Enrol, drop_token, load_identity
from fleet.enrol_camera import enrol
from fleet.enrolment_settings import load_enrolment
from fleet.errors import BadAuthority, FleetError, WrongServer
from fleet.est_client import Server
from fleet.partition_one import read_only, writable
from fleet.token_key import KeyInToken

AGENCY_BYTES: Final = 256 * 1024
"""Largest file of the agency."""
AGENCY_FILES: Final = 16
KEY_FILE: Final = "camera.key"
SOCKET: Final = "/run/firsthand/device.sock"
TIME_SOURCE: Final = "station.sources"
"""The station as chrony's source of time; systemd-tmpfiles puts it where chrony looks."""
INSTALLER: Final = "/usr/lib/firsthand/install-update"
OUTCOME: Final = "/var/lib/firsthand/update/state.json"


class NotReady(FleetError):
    """The first boot cannot be finished now; it is tried again, and nothing of it is lost."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where things are (docs/design/board.md)."""

    select: Path = Path("/boot/firsthand")
    """Partition 1."""
    etc: Path = Path("/etc/firsthand")
    var: Path = Path("/var/lib/firsthand")
    device_user: str = "firsthand-device"
    agent_user: str = "firsthand-agent"
    device_program: tuple[str, ...] = ("firsthand-device",)
    """`new-config` of it writes device.toml."""

    @property
    def keys(self) -> Path:
        return self.etc / "keys"


def first_boot(places: Places, told: Callable[[str], None]) -> None:
    """Do what is still to be done. Raises `FleetError`, `EvidenceError`, OSError; the next run goes on."""
    identity = load_identity(places.select)
    for directory in (places.etc, places.keys):
        durable.make_directory(directory, mode=0o755)
        directory.chmod(0o755)
    vaults = take_agency(places.select / AGENCY, places.etc, identity)
    if not (places.keys / "enrolment.toml").exists():
        token = identity.enrol.token
        if token is None:
            raise BadAuthority("there are no keys, and the token was used: make a new one and flash the identity again")
        where = where_key(identity.enrol, told)
        server = Server(identity.enrol.server)
        enrol(server, identity.enrol.ca_sha256, identity.serial, token, places.keys, evidence_key=where)
        told(f"{identity.serial} is enrolled; its evidence key is {'in the secure element' if where else 'in a file'}")
    give_keys(places)
    if not (places.etc / "device.toml").exists():
        write_device(places, identity, vaults)
        told("device.toml is written")
    if identity.station is not None and not (places.etc / "agent.toml").exists():
        durable.write_new(places.etc / "agent.toml", agent_text(places, identity).encode(), mode=0o644)
        told("agent.toml is written")
    if identity.station is not None and not (places.etc / TIME_SOURCE).exists():
        host = urlsplit(identity.station.url).hostname
        durable.write_new(places.etc / TIME_SOURCE, f"server {host} iburst minpoll 4 maxpoll 8\n".encode(), mode=0o644)
    if identity.enrol.token is not None:
        if read_only(places.select):  # as the sandboxed unit sees it; its next step has the right to change that
            told("the token is used; `firsthand-fleet first-boot --drop-token` removes it from the card")
            return
        drop_token(places.select)
        told("the token is removed from the card")


def drop_used_token(places: Places, told: Callable[[str], None]) -> None:
    """The last step alone, on a partition that is mounted read-only. Raises `BadAuthority` before the enrolment."""
    if not (places.keys / "enrolment.toml").exists():
        raise BadAuthority("this camera is not enrolled yet: its token is still needed")
    if load_identity(places.select).enrol.token is None:
        return
    with writable(places.select):
        drop_token(places.select)
    told("the token is removed from the card")


def take_agency(source: Path, etc: Path, identity: CameraIdentity) -> list[Path]:
    """Copy the agency's files that are not there yet; the vault's certificates. Raises `BadSettings`, `WrongServer`."""
    found = sorted(source.iterdir()) if source.is_dir() else []
    names = {path.name for path in found}
    vaults = [path.name for path in found if path.name.startswith("vault") and path.suffix == ".pem"]
    if not vaults or not {"root.pem", "profile.p7s"} <= names:
        raise BadSettings(f"{source}: needs root.pem, profile.p7s and one vault-….pem at least: flash the card again")
    if len(found) > AGENCY_FILES:
        raise BadSettings(f"{source}: more than {AGENCY_FILES} files")
    root = load_certificates(source / "root.pem")[0]
    if fingerprint(root) != identity.enrol.ca_sha256.replace(":", "").lower():
        raise WrongServer(f"{source / 'root.pem'} is not the root that identity.toml names: flash the card again")
    for path in found:
        if path.suffix not in (".pem", ".p7s") or not path.is_file() or path.is_symlink():
            raise BadSettings(f"{path}: only certificates (.pem) and signed documents (.p7s) belong here")
        if path.stat().st_size > AGENCY_BYTES:
            raise BadSettings(f"{path}: larger than such a file can be")
        if not (etc / path.name).exists():
            durable.write_new(etc / path.name, path.read_bytes(), mode=0o644)
    return [etc / name for name in vaults]


def where_key(settings: Enrol, told: Callable[[str], None]) -> str | None:
    """The secure element's URI with the key in it, or None for a file (rule 1). Raises `NotReady`."""
    if settings.secure_element is None:
        return None
    try:
        KeyInToken(settings.secure_element, "P-256")
    except EvidenceError as error:
        if settings.key_level != "file":
            raise NotReady(
                f"the token was made for a key that cannot be copied, and the secure element cannot be used: {error}"
            ) from error
        told(f"no secure element, the key is made in a file: {error}")
        return None
    return settings.secure_element


def give_keys(places: Places) -> None:
    """Each key to the one user that needs it. Raises `BadSettings`, OSError."""
    if os.geteuid() != 0:
        return
    for name, user in ((KEY_FILE, places.device_user), ("camera-tls.key", places.agent_user)):
        path = places.keys / name
        if not path.exists():
            continue
        try:
            entry = pwd.getpwnam(user)
        except KeyError:
            raise BadSettings(f"there is no user {user}: install the package firsthand again") from None
        path.chmod(0o600)
        with contextlib.suppress(PermissionError):  # the unit may not; systemd-tmpfiles does it after us
            os.chown(path, entry.pw_uid, entry.pw_gid, follow_symlinks=False)


def write_device(places: Places, identity: CameraIdentity, vaults: list[Path]) -> None:
    """Have the recorder's own program write device.toml. Raises `NotReady`."""
    program = shutil.which(places.device_program[0])
    if program is None:
        raise NotReady(f"{places.device_program[0]} is not installed: install the package firsthand again")
    where = key_of(places.keys)
    command = [program, *places.device_program[1:], "new-config", "--board", identity.board]
    command += ["--serial", identity.serial, "--keys", str(places.keys), "--var-dir", str(places.var)]
    command += [word for vault in vaults for word in ("--vault", str(vault))]
    command += ["--vehicle", identity.vehicle] if identity.vehicle is not None else []
    command += ["--evidence-key", where] if where != KEY_FILE else []
    command += ["--profile", str(places.etc / "profile.p7s")]
    out = places.etc / "device.toml"
    done = subprocess.run([*command, "--out", str(out)], capture_output=True, text=True, check=False, timeout=120)
    if done.returncode != 0 or not out.exists():
        raise NotReady(f"device.toml cannot be written: {done.stderr.strip()[-300:] or 'no reason was given'}")


def key_of(keys: Path) -> str:
    """Where the enrolled evidence key is, as `enrol` noted it."""
    return load_enrolment(keys / "enrolment.toml").evidence_key


def agent_text(places: Places, identity: CameraIdentity) -> str:
    """agent.toml for the board. Every key: docs/configuration.md."""
    assert identity.station is not None
    keys = places.keys
    return "\n".join(
        (
            "# Written at the first boot. Every key is explained in docs/configuration.md.",
            f"recorder_socket = {toml_string(SOCKET)}",
            f"state_directory = {toml_string(str(places.var / 'agent'))}",
            f"root = {toml_string(str(keys / 'root.pem'))}",
            "",
            "[station]",
            f"url = {toml_string(identity.station.url)}",
            f"system_id = {toml_string(identity.station.system_id)}",
            "",
            "[tls]",
            f"certificate = {toml_string(str(keys / 'camera-tls.pem'))}",
            f"key = {toml_string(str(keys / 'camera-tls.key'))}",
            f"ca = {toml_string(str(keys / 'tls-ca.pem'))}",
            "",
            "[offload]",
            'dock_interfaces = ["dock0"]',
            "",
            "[updates]",
            f"install = {toml_string(INSTALLER)}",
            f"outcome = {toml_string(OUTCOME)}",
            "",
        )
    )
