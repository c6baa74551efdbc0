"""The recorder's place among others, as its unit gives it: niceness, share of the processors, turn at the disk.

systemd is not needed: the same numbers, read from the unit, go to nice(1), ionice(1) and a control group.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

UNIT: Final = Path(__file__).resolve().parents[2] / "systemd" / "units" / "firsthand-device.service"
V1: Final = Path("/sys/fs/cgroup/cpu")
V2: Final = Path("/sys/fs/cgroup")
V1_SHARES_OF_WEIGHT_100: Final = 1024
"""systemd.resource-control(5): CPUWeight=100 is the usual weight, as cpu.shares 1024 is of version 1."""


def unit_value(name: str, unit: Path = UNIT) -> str:
    """The value of ``name=`` in the unit. Raises KeyError."""
    for line in unit.read_text("utf-8").splitlines():
        key, _, value = line.partition("=")
        if key == name:
            return value
    raise KeyError(f"{unit.name} has no {name}=")


@contextlib.contextmanager
def as_unit() -> Iterator[tuple[list[str], str]]:
    """A command that starts another one in the unit's place, and what that place is in words. Needs root."""
    nice, weight = unit_value("Nice"), int(unit_value("CPUWeight"))
    turn, heaps = unit_value("IOSchedulingPriority"), unit_value("Environment")
    command = ["env", heaps, "nice", "-n", nice, "ionice", "-c", "2", "-n", turn]
    words = f"Nice={nice}, IOSchedulingPriority={turn}, {heaps}"
    group = _group(weight)
    if group is None:
        yield command, f"{words}; CPUWeight={weight} could not be given here"
        return
    join = ["sh", "-c", f'echo $$ > "{group}/cgroup.procs" && exec "$@"', "sh"]
    try:
        yield [*join, *command], f"{words}, CPUWeight={weight}"
    finally:
        group.rmdir()


def _group(weight: int) -> Path | None:
    """A control group of that weight; None where the kernel gives none."""
    name = f"firsthand-endurance-{os.getpid()}"
    for base, file, value in (
        (V1, "cpu.shares", weight * V1_SHARES_OF_WEIGHT_100 // 100),
        (V2, "cpu.weight", weight),
    ):
        group = base / name
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            (group / file).write_text(str(value))
        except OSError:
            group.rmdir()
            continue
        return group
    return None


@contextlib.contextmanager
def burning(count: int, niceness: int) -> Iterator[None]:
    """So many processes that do nothing but compute."""
    command = ["nice", "-n", str(niceness), sys.executable, "-c", "while True: pass"]
    working = [subprocess.Popen(command) for _ in range(count)]
    try:
        yield
    finally:
        for process in working:
            process.kill()
            process.wait()
