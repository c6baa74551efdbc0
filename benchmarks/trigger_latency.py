"""From a trigger to the first durable byte, to the whole ring of 30 s, and to the live fragment, on the real daemon.

    python benchmarks/trigger_latency.py [--rounds 40] [--card-mb-s 15] (as root: on a card of its own)

1080p30 at 8 Mbit/s, ring of 30 s, a line without debounce. The beginning is the instant before the line is driven; the
end is the daemon's own notice, which it gives when fdatasync has returned. Durable first byte: the signed `open`. Ring:
the last fragment that was filmed before the trigger. Live: the fragment in which the trigger lies, which ends with its
second, so that up to a second of it is waiting for the camera. Aim: p99 of the first durable byte within 100 ms.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import results
from bench_camera import BenchCamera
from bench_card import Card

from evidence import cms
from evidence.splitter import Splitter, StatementBytes
from evidence.statements import MediaFacts, Sealed, decode


def fragments(path: Path) -> list[MediaFacts]:
    """Facts of all media objects of a file; nothing is verified here."""
    found = []
    for item in Splitter().feed(path.read_bytes()):
        if isinstance(item, StatementBytes):
            said = decode(cms.parse_signed(item.data).payload)
            if isinstance(said, Sealed) and said.media is not None:
                found.append(said.media)
    return found


def one_round(camera: BenchCamera) -> tuple[float, float, float, float] | None:
    """Milliseconds to (first byte, ring, live fragment), and seconds in the ring; None if it was not full.

    A ring has a hole where the replayed camera lost frames, which it does when others take the processors.
    """
    camera.until_ring_is_full()
    at_ns, since, opened = camera.record()
    camera.wait("fragment", since, count=34, timeout_s=120)
    camera.end(timeout_s=120)
    path = camera.spool / f"{opened.recording}.evidence"
    facts = fragments(path)
    durable = {one.number: one.mono_ns for one in camera.notices[since:] if one.event == "fragment"}

    def when(fragment: MediaFacts) -> float:
        return (durable[fragment.first_frame + fragment.frames - 1] - at_ns) / 1e6

    before = [one for one in facts if one.start_ns + one.duration_ns <= at_ns]
    live = next(one for one in facts if one.start_ns + one.duration_ns > at_ns)
    path.unlink()
    if len(before) < 29:
        return None
    return (opened.mono_ns - at_ns) / 1e6, when(before[-1]), when(live), sum(one.duration_ns for one in before) / 1e9


def measure(run: results.Run, rounds: int, bytes_per_s: int | None, prefix: str) -> None:
    with contextlib.ExitStack() as stack:
        card = stack.enter_context(Card()) if os.geteuid() == 0 else None
        camera = stack.enter_context(BenchCamera(card.path if card else None)).start()
        if bytes_per_s is not None:
            if card is None:
                print("a slow card needs root: left out")
                return
            print(f"# card slowed to {bytes_per_s / 1e6:g} MB/s by {card.slow(camera.pid, bytes_per_s)}")
        tried = [one_round(camera) for _ in range(rounds)]
        rows = [one for one in tried if one is not None]
        if not rows:
            raise SystemExit("the ring was never full: try again on a quieter machine")
        peak = camera.memory_mib("VmHWM")
    first, ring, live, seconds = (list(column) for column in zip(*rows, strict=True))
    for what, values in (("first byte", first), ("ring", ring), ("live fragment", live)):
        for percent in (50, 90, 99):
            run.row(card=prefix, what=what, percent=percent, ms=results.percentile(values, percent))
    run.keep(
        {
            f"{prefix}rounds": len(rows),
            f"{prefix}rounds_with_holes": rounds - len(rows),
            f"{prefix}to_durable_p50_ms": results.percentile(first, 50),
            f"{prefix}to_durable_p99_ms": results.percentile(first, 99),
            f"{prefix}ring_durable_p50_ms": results.percentile(ring, 50),
            f"{prefix}ring_durable_p99_ms": results.percentile(ring, 99),
            f"{prefix}live_durable_p50_ms": results.percentile(live, 50),
            f"{prefix}live_durable_p99_ms": results.percentile(live, 99),
            f"{prefix}ring_s": min(seconds),
            f"{prefix}rss_peak_mib": peak,
        }
    )


def main() -> None:
    parser = results.options(__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--card-mb-s", type=float, default=15.0)
    arguments = parser.parse_args()
    run = results.Run("trigger_latency", arguments)
    measure(run, arguments.rounds, None, "trigger_")
    measure(run, max(3, arguments.rounds // 4), int(arguments.card_mb_s * 1e6), "trigger_slow_card_")
    run.keep({"slow_card_mb_s": arguments.card_mb_s})
    run.record()


if __name__ == "__main__":
    main()
