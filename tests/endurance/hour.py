"""A real-time hour at 1080p30 with every processor loaded by others: no frame is lost, and nothing grows.

The real `firsthand-device run` films a replayed 8 Mbit/s stream onto an ext4 card on a loop device, in its unit's place
among other processes, with a recording that goes on in a new file every quarter of an hour. As many processes as there
are processors do nothing but compute meanwhile. The camera notes each frame that it hands over; afterwards each of
them is looked for in the evidence, byte for byte.
"""

from __future__ import annotations

import itertools
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import replay
from bench_camera import BenchCamera
from bench_card import Card
from figures import record
from flatness import growth
from picture_check import Found, check, slices_of_stream
from process_use import Use, disk_bytes, opened, use
from unit_place import as_unit, burning

from evidence.export.decrypt import Vault
from evidence.trust import Trust

EVERY_S: Final = 10
ROW_EVERY_S: Final = 60
ROLL_OVER_S: Final = 900
BURNERS_NICE: Final = 5
WARM_UP_H: Final = 0.1
ALLOWED: Final = {"rss_mib": 4.0, "anon_mib": 4.0, "descriptors": 0.0, "threads": 0.0, "other_disk_mib": 2.0}
"""What may be added after warm-up; the recorder's log of itself belongs to the disk."""
CARD_SPARE_MIB: Final = 1024
QUIET: Final = {"fragment", "status", "state", "recording_opened", "recording_closed", "rolled_over"}
"""Notices of a recorder that nothing happens to."""


@dataclass(frozen=True, slots=True)
class Look:
    """One sample."""

    at_s: float
    use: Use
    durable_behind_s: float
    """Since the last fragment became durable: about a second as long as the card keeps up."""
    card_mib: float
    other_disk_mib: float
    """On the disk, but not on the card."""


@dataclass(frozen=True, slots=True)
class Filmed:
    """What the run itself gives."""

    looks: list[Look]
    handed: list[int]
    """Numbers of the frames that the camera handed over, the ring's own included."""
    begin_kinds: dict[str, int]
    end_kinds: dict[str, int]
    pauses_s: list[float]
    """Between one fragment's becoming durable and the next one's."""
    faults: list[str]
    """What the recorder told its user meanwhile."""


def film(camera: BenchCamera, seconds: float, ledger: int, say: Callable[[str], None]) -> Filmed:
    """Record for so long, looking every ten seconds."""
    pause, looks = threading.Event(), list[Look]()
    _, since, _ = camera.record()
    camera.wait("fragment", since, count=33, timeout_s=120)
    began_s, kinds, settled = time.monotonic(), opened(camera.pid), len(camera.notices) - 1
    while (at_s := time.monotonic() - began_s) < seconds:
        last_ns = next(one.mono_ns for one in reversed(camera.notices) if one.event == "fragment")
        behind_s = (time.clock_gettime_ns(time.CLOCK_BOOTTIME) - last_ns) / 1e9
        card, other = disk_bytes(camera.spool) / 2**20, disk_bytes(camera.directory) / 2**20
        looks.append(Look(at_s, use(camera.pid), behind_s, card, other))
        if len(looks) % (300 // EVERY_S) == 1:
            now = looks[-1]
            say(f"{at_s:6.0f} s: {now.use}, card {card:.0f} MiB, durable {behind_s:.2f} s ago")
        pause.wait(min(EVERY_S, max(0.0, began_s + seconds - time.monotonic())))
    kinds_at_end, told = opened(camera.pid), camera.notices[settled:]
    camera.end(timeout_s=120)
    marks = os.pread(ledger, os.fstat(ledger).st_size, 0)
    handed = [number for number, mark in enumerate(marks) if mark]
    durable_ns = [one.mono_ns for one in told if one.event == "fragment"]
    pauses_s = [(after - one) / 1e9 for one, after in itertools.pairwise(durable_ns)]
    faults = sorted({f"{one.event} {one.word or ''}".strip() for one in told if one.event not in QUIET})
    return Filmed(looks, handed, kinds, kinds_at_end, pauses_s, faults)


def look_for(camera: BenchCamera, say: Callable[[str], None]) -> Found:
    """All frames of the evidence against the stream."""
    pki, stream = camera.directory / "pki", replay.Stream(replay.encode(replay.BUILD / "1080p30.h264"))
    slices = slices_of_stream(lambda number: stream.frame(number, 0).data, len(stream))
    files = sorted(path for path in camera.spool.glob("*.evidence") if "-log-" not in path.name)
    say(f"verifying, opening and comparing {len(files)} files")
    vault = Vault.load(pki / "vault.pem", pki / "vault.key")
    return check(files, Trust.load(pki / "root.pem"), vault, slices)


def hour(seconds: float, *, publish: bool, name: str = "endurance_hour") -> bool:
    """Run it, judge it, record the figures; whether everything held. Needs root."""

    def say(text: str) -> None:
        print(text, flush=True)

    began_s = time.monotonic()
    burners = os.cpu_count() or 1
    ledger = os.memfd_create("frames")
    mib = int(seconds * replay.BITRATE / 8 / 2**20 * 1.1) + CARD_SPARE_MIB
    options = {"handed": f"/proc/{os.getpid()}/fd/{ledger}"}
    with (
        as_unit() as (under, place),
        Card(mib) as card,
        BenchCamera(card.path, {"roll_over_s": ROLL_OVER_S}, options, under) as camera,
    ):
        say(f"the recorder: {place}; {burners} processes at niceness {BURNERS_NICE} compute; card of {mib} MiB")
        camera.start().until_ring_is_full()
        with burning(burners, BURNERS_NICE):
            filmed = film(camera, seconds, ledger, say)
        camera.stop()
        found = look_for(camera, say)
    os.close(ledger)
    return judge(filmed, found, place, burners, time.monotonic() - began_s, publish=publish, name=name)


def judge(filmed: Filmed, found: Found, place: str, burners: int, seconds: float, *, publish: bool, name: str) -> bool:
    """Lay all of it side by side, record the figures and say them; whether everything held."""
    looks, handed = filmed.looks, set(filmed.handed)
    hours = [one.at_s / 3600 for one in looks]
    values = {
        "rss_mib": [one.use.rss_mib for one in looks],
        "anon_mib": [one.use.anon_mib for one in looks],
        "descriptors": [float(one.use.descriptors) for one in looks],
        "threads": [float(one.use.threads) for one in looks],
        "other_disk_mib": [one.other_disk_mib for one in looks],
    }
    warm_up_h = min(WARM_UP_H, hours[-1] / 4)
    grown = {key: growth(hours, row, allowed=ALLOWED[key], warm_up_h=warm_up_h) for key, row in values.items()}
    first = found.first or 0
    filmed_s = (found.last + 1 - first) / replay.RATE
    wanted = [number for number in filmed.handed if first <= number <= found.last]
    missing = [number for number in found.missing if number in handed]
    not_handed = found.last + 1 - first - len(wanted)
    ok = not (missing or not_handed or found.twice or found.altered or found.gaps or found.faults)
    ok = ok and all(one.flat for one in grown.values()) and found.frames == len(wanted)
    figures: dict[str, float | int | str | bool] = {
        "recorded_s": round(filmed_s),
        "frames_handed_over": len(wanted),
        "frames_in_evidence": found.frames,
        "frames_lost": len(missing),
        "frames_the_camera_skipped": not_handed,
        "frames_twice": found.twice,
        "frames_altered": found.altered,
        "gap_statements": len(found.gaps),
        "files": found.files,
        "evidence_mib": found.bytes / 2**20,
        "evidence_valid": not found.faults,
        "longest_s_between_durable_fragments": max(filmed.pauses_s),
        "told_meanwhile": ", ".join(filmed.faults) or "nothing",
        "recorder_cpu_percent": 100 * (looks[-1].use.cpu_s - looks[0].use.cpu_s) / max(1.0, looks[-1].at_s),
        "burners": burners,
        "recorder_place": place,
    }
    for key, one in grown.items():
        figures |= {f"{key}_highest": one.highest, f"{key}_rise": one.rise, f"{key}_flat": one.flat}
    rows = [_row(one) for one in looks[:: ROW_EVERY_S // EVERY_S]]
    command = f"make endurance PART=hour REAL_S={round(looks[-1].at_s / ROW_EVERY_S) * ROW_EVERY_S}"
    record(name, figures, ok=ok, rows=rows, seconds=seconds, publish=publish, command=command)
    for key, value in figures.items():
        print(f"{key:<28} {value:.6g}" if isinstance(value, float) else f"{key:<28} {value}")
    for fault in [*found.faults, *(f"gap: {cause}" for cause in found.gaps)]:
        print(fault, file=sys.stderr)
    if not grown["descriptors"].flat:
        print(f"descriptors: {filmed.begin_kinds} became {filmed.end_kinds}", file=sys.stderr)
    return ok


def _row(one: Look) -> dict[str, float | int]:
    return {
        "minute": round(one.at_s / 60, 2),
        "rss_mib": one.use.rss_mib,
        "anon_mib": one.use.anon_mib,
        "descriptors": one.use.descriptors,
        "threads": one.use.threads,
        "cpu_s": one.use.cpu_s,
        "card_mib": one.card_mib,
        "other_disk_mib": one.other_disk_mib,
        "durable_behind_s": one.durable_behind_s,
    }
