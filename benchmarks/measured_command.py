"""A command and what it cost: wall time, user and system time, and the most memory that it held."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Cost:
    """Of one process; CPU includes children that it waited for."""

    seconds: float
    cpu_s: float
    peak_mib: float
    output: str


def measured(command: Sequence[str | Path], *, accept: Sequence[int] = (0,)) -> Cost:
    """Run it to its end. Raises SystemExit, with what it said, for another exit code than those accepted."""
    path = os.pathsep.join([str(HERE.parent), str(HERE)])
    began = time.monotonic()
    with subprocess.Popen(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    ) as process:
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - began
    if process.returncode not in accept:
        raise SystemExit(f"{' '.join(map(str, command))} ended with {process.returncode}: {output[-2000:]}")
    return Cost(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, output)


def least(costs: Sequence[Cost]) -> Cost:
    """The least time and the least CPU of several runs, for others may be busy here; of memory the most."""
    return Cost(
        min(one.seconds for one in costs),
        min(one.cpu_s for one in costs),
        max(one.peak_mib for one in costs),
        costs[-1].output,
    )
