"""Restarts the camera into an update that waits, once it stands idle in the dock (`firsthand-try-update.timer`).

The restart carries the firmware's `tryboot` flag: the new slot gets one boot. The power that goes, a kernel that hangs,
a recorder that does not come up: the next boot is the old slot.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from evidence import durable
from fleet.partition_one import writable
from fleet.update import recorder
from fleet.update.errors import BadUpdate
from fleet.update.kept import Places, alone, load, running_slot, save

MOST_TRIES: Final = 2
"""A restart that ended in the old slot may have been a cut of power: it is ordered once more."""
LAB_FLAG: Final = "tryboot.lab"
"""What the lab's firmware reads in place of the flag, which its machine has no register for."""
_LAB: Final = "compatible=firsthand-lab-vm"


@dataclass(frozen=True, slots=True)
class Restart:
    """How the camera is restarted."""

    trying: Sequence[str] = ("systemctl", "reboot", "--reboot-argument=0 tryboot")
    plain: Sequence[str] = ("systemctl", "reboot")

    def order(self, command: Sequence[str]) -> None:
        """Raises `BadUpdate`."""
        done = subprocess.run(list(command), capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            raise BadUpdate(f"the camera cannot be restarted: {done.stderr.strip()[-200:]}")


def try_update(places: Places, restart: Restart) -> str:
    """Restart into an update if one waits and nothing speaks against it; what was done, in a sentence.

    Raises `BadUpdate`, OSError.
    """
    with alone(places):
        state = load(places)
        pending = state.pending
        if pending is None or pending.phase != "installed":
            return "no update waits for a restart"
        if running_slot(places) == pending.slot:
            raise BadUpdate(f"slot {pending.slot} runs already: firsthand-health.service decides about it")
        status = recorder.status_of(places.recorder)
        if (fault := recorder.not_now(status, state="docked")) is not None:
            return f"release {pending.version} waits for a restart: {fault}"
        before = recorder.self_test_of(places.recorder)
        if before is None:
            return f"release {pending.version} waits for a restart: there is no self-test to compare with yet"
        trying = replace(pending, phase="trying", tries=pending.tries + 1, before=before)
        save(places, replace(state, pending=trying))
        _tell_the_lab(places)
        restart.order(restart.trying)
        return f"restarting into release {pending.version} in slot {pending.slot}, for one boot"


def _tell_the_lab(places: Places) -> None:
    if _LAB in _text(places.system_conf):
        with writable(places.select):
            durable.replace(places.select / LAB_FLAG, b"1\n", mode=0o644)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
