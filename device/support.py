"""`firsthand-device doctor`: a support bundle that anyone may be sent (R39).

Numbered rules:

1. No evidence: no file of the spool is packed, only names and sizes, and of the device log what stands in the open.
2. No position, no officer, no text that a person wrote: accounts are cut down to the keys that are known to be free.
3. No key: paths of keys are named, files are never opened; options that may hold a secret are left out.
4. What cannot be had is named with its reason; a camera whose daemon is dead gives a bundle too.
"""

from __future__ import annotations

import io
import json
import platform
import re
import subprocess
import sys
import tarfile
import time
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import msgspec

from device.client import CannotReach, ask
from device.config import DeviceSettings
from device.errors import DeviceError
from device.support_log import public_lines
from evidence import durable
from evidence.cms import parse_signed
from evidence.errors import EvidenceError
from evidence.handover import Facts, Refused
from evidence.limits import SIGNED_DOCUMENT_BYTES
from evidence.requests import FactsRequest, Request, StatusRequest

PACKAGES: Final = ("firsthand", "cryptography", "gpiozero", "lgpio", "msgspec", "picamera2", "pynmeagps", "pyserial")
BOARD_FILES: Final = ("/proc/version", "/proc/device-tree/model", "/proc/meminfo", "/proc/loadavg", "/etc/os-release")
FACT_BYTES: Final = 8 * 1024
SECRET: Final = re.compile(r"secret|password|token|pin.?value|private", re.IGNORECASE)
QUEUE_KEYS: Final = frozenset(
    {
        "id",
        "cause",
        "component",
        "noticed",
        "start",
        "end",
        "start_ns",
        "end_ns",
        "recording",
        "told",
        "frames",
        "dropped",
    }
)
"""A supervisor's queue also holds what people wrote."""
SENTENCE: Final = re.compile(r"\$?G[ABLNPQ][A-Z]{3},\S*")
COORDINATE: Final = re.compile(r"[-+]?\b\d{1,3}[.,]\d{4,}\b")
ABOUT: Final = """This is a support bundle of a Firsthand camera.
It holds versions, settings (paths of keys, no keys), the policy, the state, the last self-test, counts, facts about
kernel and board, the names and sizes of the files on the card, what stands in the open in the device log, and journal
lines of our services. It holds no evidence, no position, no key and no officer.
"""


def pack(settings: DeviceSettings, config: Path, out: Path) -> str:
    """Write the bundle; a sentence for the person. Raises `DeviceError`."""
    socket = Path(settings.socket)
    members: dict[str, bytes] = {"README.txt": ABOUT.encode()}

    def add(name: str, values: Any) -> None:
        members[name] = json.dumps(values, indent=1, sort_keys=True, default=str).encode()

    add("versions.json", versions())
    add("settings.json", {"file": str(config), "settings": without_secrets(msgspec.to_builtins(settings))})
    add("profile.json", _profile(Path(settings.state) / "profile.p7s"))
    add("status.json", _asked(socket, StatusRequest()))
    for about in ("support", "usage", "queue", "power", "storage"):
        add(f"{about}.json", _asked(socket, FactsRequest(about=about)))
    add("board.json", board())
    add("spool.json", _spool(Path(settings.spool)))
    members["log.jsonl"] = "\n".join(public_lines(Path(settings.spool))).encode()
    members["journal.txt"] = journal().encode()
    try:
        durable.write_new(out, _tar(members), mode=0o600)
    except FileExistsError:
        raise DeviceError(f"{out} exists already: name a new file") from None
    except OSError as error:
        raise DeviceError(f"{out}: cannot be written: {error.strerror}") from error
    return f"{out}: {len(members)} files, no evidence, no position, no key, no officer; look into it before you send it"


def versions() -> dict[str, str]:
    """Python, and the packages that a camera uses."""
    found = {"python": sys.version.split()[0]}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def without_secrets(values: Any) -> Any:
    """Settings without what may be a secret (rule 3). Pure."""
    if isinstance(values, Mapping):
        return {key: "left out" if SECRET.search(str(key)) else without_secrets(one) for key, one in values.items()}
    if isinstance(values, list | tuple):
        return [without_secrets(one) for one in values]
    return values


def without_places(text: str) -> str:
    """Journal lines without NMEA sentences and numbers that could be coordinates (rule 2). Pure."""
    return COORDINATE.sub("[number left out]", SENTENCE.sub("[sentence left out]", text))


def _asked(socket: Path, request: Request) -> Any:
    """The daemon's answer as plain values (rule 4)."""
    try:
        answer = ask(socket, request)
    except CannotReach as error:
        return {"unavailable": str(error)}
    if isinstance(answer, Refused):
        return {"unavailable": answer.error}
    if isinstance(answer, Facts) and answer.about == "queue":
        return _only(answer.facts)
    return msgspec.to_builtins(answer)


def _only(facts: Any) -> Any:
    """A supervisor's queue without what people wrote (rule 2). Pure."""
    if isinstance(facts, Mapping):
        return {
            key: _only(one) for key, one in facts.items() if key in QUEUE_KEYS or isinstance(one, list | tuple | int)
        }
    if isinstance(facts, list | tuple):
        return [_only(one) for one in facts if isinstance(one, Mapping)]
    return facts


def _profile(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            message = parse_signed(file.read(SIGNED_DOCUMENT_BYTES + 1))
        return json.loads(message.payload)
    except (OSError, EvidenceError, ValueError) as error:
        return {"unavailable": f"{path}: {error}"}


def board() -> dict[str, str]:
    """Kernel and board, as they say it themselves."""
    found = {"machine": platform.machine(), "kernel": platform.release()}
    for name in BOARD_FILES:
        try:
            with Path(name).open("rb") as file:
                found[name] = file.read(FACT_BYTES).decode("utf-8", "replace").rstrip("\0\n")
        except OSError as error:
            found[name] = f"unavailable: {error.strerror}"
    return found


def _spool(path: Path) -> dict[str, Any]:
    """Names and sizes only (rule 1)."""
    try:
        files = {one.name: one.stat().st_size for one in sorted(path.iterdir()) if one.is_file()}
    except OSError as error:
        return {"unavailable": error.strerror}
    return {"directory": str(path), "files": files}


def journal() -> str:
    """The last lines of our services, where systemd keeps them."""
    command = ["journalctl", "--no-pager", "--output=short-iso", "--no-hostname", "--lines=2000"]
    command += ["--unit=firsthand-device", "--unit=firsthand-dock-agent"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"no journal: {error}\n"
    return without_places(done.stdout.decode("utf-8", "replace"))


def _tar(members: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(f"firsthand-support/{name}")
            info.size, info.mode, info.mtime = len(data), 0o600, int(time.time())
            tar.addfile(info, io.BytesIO(data))
    return packed.getvalue()
