"""What a virtual day is sampled for: the process, and the files of camera, agent and station.

Recorder, agent and station live in one process there, with the world around them. Whose memory grows is told apart by
where it was allocated (`tracemalloc`): by folder of this project, libraries by themselves. What the world itself keeps
of its past (the timeline) is thrown away at each sample, since no camera has it.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sqlite3
import threading
import tracemalloc
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from process_use import disk_bytes, use

from simulator.layout import RunLayout
from simulator.virtual_run import VirtualRunning

BASE: Final = Path(__file__).resolve().parents[2]
PARTS: Final = ("device", "hal", "evidence", "dock/agent", "dock/station", "dock", "simulator")
KIB: Final = 1024


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at everything."""

    hour: float
    rss_mib: float
    anon_mib: float
    descriptors: int
    threads: int
    """Without virtual time's own pool: how many of those there are is chance, and no program has them."""
    tasks: int
    """Of the loop."""
    objects: int
    """That Python's collector knows, after it has collected."""
    recordings: int
    """Begun so far."""
    card_files: int
    card_mib: float
    log_segments: int
    """Of the device log, on the card."""
    receipts: int
    """Kept on the camera, those of deleted files included."""
    camera_disk_kib: float
    """The camera's files outside its spool, without receipts."""
    agent_disk_kib: float
    """Without write-ahead logs."""
    outbox_kib: float
    """The agent's databases, by their own count of pages."""
    station_db_kib: float
    wal_kib: float
    """The largest write-ahead log of any database: SQLite's own limit is 1000 pages."""
    stored_files: int


@dataclass
class DayUse:
    """Samples of one run."""

    run: VirtualRunning
    traced: bool = True
    samples: list[Sample] = field(default_factory=list)
    memory: list[tuple[float, dict[str, float]]] = field(default_factory=list)
    """Hour -> KiB by part."""
    recordings: int = 0
    _lines: dict[str, tuple[float, dict[str, int]]] = field(default_factory=dict)

    def sample(self, hour: float, *, whose: bool) -> Sample:
        """Look now; with `whose`, also whose memory it is."""
        self.run.timeline.lines.clear()
        self.run.camera.changes()
        gc.collect()
        layout, process = self.run.layout, use()
        files = [path.name for path in layout.spool.glob("*.evidence")]
        agent = agent_directory(layout)
        spool, receipts = disk_bytes(layout.spool), layout.camera / "state" / "receipts"
        found = Sample(
            hour=hour,
            rss_mib=process.rss_mib,
            anon_mib=process.anon_mib,
            descriptors=process.descriptors,
            threads=process.threads - sum(one.name.startswith("virtual_") for one in threading.enumerate()),
            tasks=len(asyncio.all_tasks(self.run.virtual.loop)),
            objects=len(gc.get_objects()),
            recordings=self.recordings,
            card_files=len(files),
            card_mib=spool / KIB**2,
            log_segments=sum("-log-" in name for name in files),
            receipts=sum(1 for _ in receipts.glob("*")),
            camera_disk_kib=(disk_bytes(layout.camera) - spool - disk_bytes(receipts)) / KIB,
            agent_disk_kib=(disk_bytes(agent) - _wal_bytes(agent)) / KIB,
            outbox_kib=_databases_bytes(agent) / KIB,
            station_db_kib=_databases_bytes(layout.station) / KIB,
            wal_kib=max((one.lstat().st_size for one in layout.out.rglob("*.sqlite-wal")), default=0) / KIB,
            stored_files=sum(1 for _ in layout.store.glob("*.evidence")),
        )
        self.samples.append(found)
        if whose and self.traced:
            self._whose(hour)
        return found

    def _whose(self, hour: float) -> None:
        snapshot = tracemalloc.take_snapshot()
        kib = dict.fromkeys((*PARTS, "libraries"), 0.0)
        lines: dict[str, int] = {}
        for one in snapshot.statistics("lineno"):
            frame = one.traceback[0]
            kib[part_of(frame.filename)] += one.size / KIB
            if one.size > KIB:
                lines[f"{frame.filename.removeprefix(f'{BASE}/')}:{frame.lineno}"] = one.size
        self.memory.append((hour, kib))
        self._lines["last"] = hour, lines
        self._lines.setdefault("first", (hour, lines))

    def begin_again(self) -> None:
        """Growth by lines is told from now on: what came before was warm-up."""
        self._lines.clear()

    def most_grown(self, count: int = 15) -> list[str]:
        """The lines whose memory has grown most, in words."""
        if len(self._lines) < 2:
            return []
        first, last = self._lines["first"][1], self._lines["last"][1]
        grown = sorted(((size - first.get(line, 0)) / KIB, line) for line, size in last.items())
        return [f"{kib:+.0f} KiB {line}" for kib, line in reversed(grown[-count:]) if kib > 1]


def rows(samples: list[Sample]) -> list[dict[str, float | int]]:
    """The samples as a table for plots."""
    return [asdict(one) for one in samples]


def part_of(filename: str) -> str:
    """Whose file this is: one of `PARTS`, or ``libraries``."""
    inside = filename.removeprefix(f"{BASE}/")
    return next((part for part in PARTS if inside.startswith(f"{part}/") and inside != filename), "libraries")


def agent_directory(layout: RunLayout) -> Path:
    """Where the agent keeps what it must remember."""
    return layout.out / "agent"


def _databases_bytes(place: Path) -> int:
    """What the databases hold, the part that only stands in the write-ahead log included."""
    total = 0
    for path in place.rglob("*.sqlite"):
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            ((pages,),), ((size,),) = database.execute("PRAGMA page_count"), database.execute("PRAGMA page_size")
            total += pages * size
    return total


def _wal_bytes(place: Path) -> int:
    return sum(path.lstat().st_blocks * 512 for path in place.rglob("*.sqlite-*"))
