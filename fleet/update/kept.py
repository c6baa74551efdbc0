"""The places of an update on a camera, and its state there (docs/design/updates.md). All of it belongs to root."""

from __future__ import annotations

import fcntl
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from evidence import durable
from evidence.errors import MalformedStatement
from evidence.release import number_of
from evidence.statements import encode_canonical
from evidence.update_state import MOST_FAILED, Failed, Outcome, Pending, UpdateState, read_state
from fleet.update.autoboot import Slot, slot_of
from fleet.update.errors import BadUpdate

log = logging.getLogger(__name__)
STATE: Final = "state.json"
_CMDLINE_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Places:
    """Where things lie; a test has others."""

    kept: Path = Path("/var/lib/firsthand/update")
    select: Path = Path("/boot/firsthand")
    """Partition 1."""
    cmdline: Path = Path("/proc/cmdline")
    root: Path = Path("/etc/firsthand/keys/root.pem")
    """The agency's root."""
    handed: Path = Path("/var/lib/firsthand/agent/updates")
    """Where the agent puts what it fetched."""
    keyring: Path = Path("/run/firsthand-update/release-authority.pem")
    """What RAUC trusts: written anew from each manifest that was checked, and gone after a restart."""
    recorder: Path = Path("/run/firsthand/device.sock")
    system_conf: Path = Path("/etc/rauc/system.conf")

    @property
    def state(self) -> Path:
        return self.kept / STATE


def running_slot(places: Places) -> Slot:
    """The slot that the camera runs from, as its kernel was told. Raises `BadUpdate`."""
    try:
        with places.cmdline.open("rb") as file:
            words = file.read(_CMDLINE_BYTES).decode("utf-8", "replace").split()
    except OSError as error:
        raise BadUpdate(f"{places.cmdline}: {error.strerror}") from error
    found = [word.removeprefix("rauc.slot=") for word in words if word.startswith("rauc.slot=")]
    if len(found) != 1:
        raise BadUpdate("the kernel was not told which slot it runs from (rauc.slot=): this system cannot be updated")
    return slot_of(found[0])


def load(places: Places) -> UpdateState:
    """What is kept; begun anew if it cannot be read, since no update is worth a camera that cannot be updated."""
    try:
        return read_state(places.state)
    except (MalformedStatement, OSError) as error:
        log.error("%s cannot be read and is begun anew: %s", places.state, error)
        return UpdateState()


def save(places: Places, state: UpdateState) -> None:
    """Keep it, durably. Raises OSError."""
    durable.make_directory(places.kept, mode=0o755)
    durable.replace(places.state, encode_canonical(state), mode=0o644)


@contextmanager
def alone(places: Places) -> Iterator[None]:
    """Only one at a time decides anything about updates. Raises `BadUpdate` if somebody does, OSError."""
    durable.make_directory(places.kept, mode=0o755)
    with (places.kept / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BadUpdate("an update is being installed or decided already: try again in a minute") from error
        yield


def confirmed(state: UpdateState, pending: Pending) -> UpdateState:
    """After the new system proved itself. Pure."""
    newest = max((state.newest, pending.version), key=lambda one: number_of(one or "0") or ())
    last = Outcome(version=pending.version, phase="confirmed")
    return replace(state, pending=None, last=last, newest=newest)


def rolled_back(state: UpdateState, pending: Pending, why: str) -> UpdateState:
    """After the camera went back, or before it does: that bundle is not tried again. Pure."""
    others = [one for one in state.failed if one.sha256 != pending.sha256]
    failed = Failed(version=pending.version, sha256=pending.sha256, why=why[:300])
    last = Outcome(version=pending.version, phase="rolled_back", why=why[:300])
    return replace(state, pending=None, last=last, failed=(*others, failed)[-MOST_FAILED:])
