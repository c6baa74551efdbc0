"""What a virtual day is judged by: flat, whole, receipted; and its figures."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from day import Day, play_day
from day_plan import LEFT_OUT
from day_use import Sample, rows
from figures import record
from flatness import Growth, growth

from evidence.trust import Trust
from evidence.verify import verify_file
from simulator.faults import catalogue

WARM_UP_H: Final = 4.0
"""Every kind of thing has been loaded and done by then; in a short day a quarter of it."""
ALLOWED: Final = {
    "rss_mib": 8.0,
    "descriptors": 2.0,
    "threads": 8.0,
    "tasks": 12.0,
    "objects": 3000.0,
    "card_files": 4.0,
    "card_mib": 2.0,
    "log_segments": 2.0,
    "camera_disk_kib": 64.0,
    "agent_disk_kib": 64.0,
    "outbox_kib": 64.0,
}
"""What line and last quarter may rise by: samples lie anywhere in incidents and visits (eleven tasks each)."""
WAL_MOST_KIB: Final = 4200.0
"""A write-ahead log grows to SQLite's 1000 pages, and is written over from its beginning then."""
DEAD_CAMERA: Final = {"rss_mib": 0.8, "descriptors": 1.0, "objects": 3100.0}
"""In one process a camera whose power is cut leaves its dead self behind: its log's descriptor, and its objects, up to
2,000 rows of its timeline among them. A real one's go with its process. Threads: virtual time's pool, 32 at most."""
STORE_KIB_PER_FILE: Final = 24.0
"""The station is the store: its databases grow with what it holds, and with nothing else."""
MEMORY_KIB: Final = {"device": 128.0, "hal": 64.0, "evidence": 64.0, "dock/agent": 64.0, "dock/station": 128.0}
"""Of memory by where it was allocated, if that was traced."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What the stations hold at the end."""

    recordings: int
    log_segments: int
    not_valid: list[str]
    without_receipt: list[str]
    missing: list[str]
    """Recordings that the camera said it began, and no station has."""
    left: list[str]
    """Recordings that are still on the card."""


def stored(day: Day) -> Stored:
    """Look into the stations' stores and the spool. Raises OSError."""
    layout = day.run.layout
    trust = Trust.load(layout.pki / "root.pem")
    files = {path.name: path for store in layout.stores for path in store.glob("*.evidence")}
    valid = {name: verify_file(path, trust).valid for name, path in sorted(files.items())}
    names = {name.removesuffix(".evidence") for name in files}
    return Stored(
        recordings=sum("-log-" not in name for name in files),
        log_segments=sum("-log-" in name for name in files),
        not_valid=[name for name, good in valid.items() if not good],
        without_receipt=[name for name, path in files.items() if not _receipt_of(path).exists()],
        missing=sorted(day.opened - names),
        left=[path.name for path in layout.spool.glob("*.evidence") if "-log-" not in path.name],
    )


def _receipt_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.receipt.p7s")


def grown(samples: Sequence[Sample], cuts: int) -> dict[str, Growth]:
    """All that must be flat, after warm-up, beside what so many cuts of the camera's power leave."""
    hours = [one.hour for one in samples]
    warm_up_h = min(WARM_UP_H, hours[-1] / 4)
    return {
        name: growth(
            hours,
            [float(getattr(one, name)) for one in samples],
            allowed=allowed + cuts * DEAD_CAMERA.get(name, 0.0),
            warm_up_h=warm_up_h,
        )
        for name, allowed in ALLOWED.items()
    }


def grown_memory(memory: Sequence[tuple[float, dict[str, float]]]) -> dict[str, Growth]:
    """The same for memory by part, if it was traced."""
    hours = [hour for hour, _ in memory]
    return {
        part: growth(hours, [kib[part] for _, kib in memory], allowed=allowed, warm_up_h=min(WARM_UP_H, hours[-1] / 4))
        for part, allowed in MEMORY_KIB.items()
    }


def per_stored_file_kib(samples: Sequence[Sample]) -> float:
    """How much the station's databases grow with each file that they get, after the first quarter."""
    first, last = samples[len(samples) // 4], samples[-1]
    return (last.station_db_kib - first.station_db_kib) / max(1, last.stored_files - first.stored_files)


def day(count: int, out: Path, *, seed: int, traced: bool, publish: bool, most_s: float) -> bool:
    """Play it, judge it, record the figures; whether everything held. Raises `RunError`."""
    played = play_day(count, out, seed=seed, traced=traced, say=lambda text: print(text, flush=True), most_s=most_s)
    held = stored(played)
    flat = grown(played.use.samples, played.starts - 1) | (
        {f"memory_{k}": v for k, v in _memory(played).items()} if traced else {}
    )
    kib = per_stored_file_kib(played.use.samples)
    kinds = {name.partition(".")[0] for name in played.faults}
    refused = sorted(set(played.refused) - set(played.faults))
    faults: list[str] = [*played.troubles]
    faults += [f"{name}: not valid" for name in held.not_valid]
    faults += [f"{name}: no receipt" for name in held.without_receipt]
    faults += [f"{name}: begun, and in no station" for name in held.missing]
    faults += [f"{name}: still on the card" for name in held.left]
    faults += [
        f"{name} grows: {one.first:g} to {one.last:g}, {one.per_hour:+g} an hour, {one.allowed:g} are allowed"
        for name, one in flat.items()
        if not one.flat
    ]
    wal_kib = max(one.wal_kib for one in played.use.samples)
    if wal_kib > WAL_MOST_KIB:
        faults.append(f"a write-ahead log has {wal_kib:.0f} KiB")
    if kib > STORE_KIB_PER_FILE:
        faults.append(f"the station's databases grow by {kib:.1f} KiB for each file")
    figures: dict[str, float | int | str | bool] = {
        "camera_hours": played.hours,
        "recordings": len(played.opened),
        "recordings_valid_in_station": held.recordings - sum("-log-" not in name for name in held.not_valid),
        "log_segments": held.log_segments,
        "faults": sum(played.faults.values()),
        "fault_names": len(played.faults),
        "fault_names_known": len(catalogue()),
        "fault_kinds": len(kinds),
        "fault_names_left_out": len(LEFT_OUT) + len(refused),
        "starts_of_the_camera": played.starts,
        "samples": len(played.use.samples),
        "late_offloads": played.late_offloads,
        "troubles": len(played.troubles),
        "station_db_kib_per_file": kib,
        "wal_kib_highest": wal_kib,
        "receipts_kept_on_camera": played.use.samples[-1].receipts,
    }
    for name, one in flat.items():
        figures |= {f"{name}_first": one.first, f"{name}_last": one.last, f"{name}_flat": one.flat}
    record(
        "endurance_day",
        figures,
        ok=not faults,
        rows=rows(played.use.samples),
        seconds=played.seconds,
        publish=publish,
        command=f"make endurance PART=day HOURS={played.hours}",
    )
    for key, value in figures.items():
        print(f"{key:<30} {value:.6g}" if isinstance(value, float) else f"{key:<30} {value}")
    for name in refused:
        print(f"left out: {name}: {played.refused[name]}")
    for text in [*faults, *(played.use.most_grown() if faults else [])]:
        print(text, file=sys.stderr)
    return not faults


def _memory(played: Day) -> dict[str, Growth]:
    with contextlib.suppress(ValueError):  # a day of less than four hours
        return grown_memory(played.use.memory)
    return {}
