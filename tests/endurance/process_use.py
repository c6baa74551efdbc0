"""What a process holds: memory, descriptors, threads, as the kernel tells it (proc(5))."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Use:
    """One look at a process."""

    rss_mib: float
    """Resident, shared files included."""
    anon_mib: float
    """Resident and nobody else's: where leaks are."""
    descriptors: int
    threads: int
    cpu_s: float


def use(pid: int | None = None) -> Use:
    """Of that process; None: of this one. Raises OSError when it is gone."""
    process = Path(f"/proc/{pid or os.getpid()}")
    lines = (line.partition(":") for line in (process / "status").read_text("utf-8").splitlines())
    status = {name: value.split() for name, _, value in lines}
    return Use(
        rss_mib=int(status["VmRSS"][0]) / 1024,
        anon_mib=int(status["RssAnon"][0]) / 1024,
        descriptors=sum(1 for _ in (process / "fd").iterdir()),
        threads=int(status["Threads"][0]),
        cpu_s=_cpu_s(process),
    )


def opened(pid: int | None = None) -> dict[str, int]:
    """What kinds of things the descriptors stand for, and how many of each: the answer to "which of them leak?"."""
    kinds: dict[str, int] = {}
    for one in Path(f"/proc/{pid or os.getpid()}/fd").iterdir():
        try:
            target = str(one.readlink())
        except OSError:  # closed meanwhile
            continue
        kind = target.partition(":")[0] if ":" in target else target
        kinds[kind] = kinds.get(kind, 0) + 1
    return kinds


def disk_bytes(*places: Path) -> int:
    """What the files below `places` take, as blocks; what is deleted meanwhile counts nothing."""
    total = 0
    for place in places:
        for directory, _, names in os.walk(place):
            for name in names:
                try:
                    total += Path(directory, name).lstat().st_blocks * 512
                except FileNotFoundError:
                    continue
    return total


def _cpu_s(process: Path) -> float:
    fields = (process / "stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
