"""The pre-event ring: its memory, and how long a trigger takes to make all of it durable.

    python benchmarks/ring_flush.py [--seconds 30] [--mbit 8] [--card-mb-s 15] [--json FILE]

The recorder, its writer thread, sealing and signing are the camera's own; frames are small pictures padded to the bit
rate. `--card-mb-s` slows each write down as such a card would. Memory is what the process holds
beyond what it held before the ring was filled. Aim: durable within 3 s (docs/design/ring.md).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "device"))

from recorder_rig import Rig

from device.triggers import Start
from evidence.durable import AppendFile
from fleet.ca import create_agency
from hal.camera import EncodedFrame
from hal.clock import boottime_ns
from hal.x264 import X264Encoder
from simulator.drivers.picture import Picture

RATE = 30
SECOND = 10**9


def memory_kib(field: str) -> int:
    """A line of /proc/self/status, KiB."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith(field)).split()[1])


def padded(data: bytes, size: int) -> bytes:
    """A picture whose last slice has that many bytes more (nobody decodes it here)."""
    return data + b"\xff" * max(0, size - len(data))


def measure(seconds: int, mbit: float, card_mb_s: float | None, directory: Path) -> dict[str, float]:
    create_agency(directory / "pki")
    encoder, picture = X264Encoder(160, 96, Fraction(RATE), 100_000), Picture(160, 96)
    pictures = [encoder.encode(picture.frame, n, keyframe=n % RATE == 0) for n in range(RATE)]
    rig = Rig(directory / "pki", directory, [])
    rig.writer._max_bytes = 2**30
    ring = rig.recorder.ring
    ring.seconds_ns, ring.max_bytes = seconds * SECOND, 2**30
    if card_mb_s is not None:
        append = AppendFile.append

        def slow(self: AppendFile, parts: list[bytes]) -> int:
            time.sleep(sum(len(part) for part in parts) / (card_mb_s * 1e6))
            return append(self, parts)

        AppendFile.append = slow  # type: ignore[assignment, method-assign]
    before_kib = memory_kib("VmRSS")
    size = round(mbit * 1e6 / 8 / RATE)
    count = (seconds + 1) * RATE
    rig.begin_ns = boottime_ns() - (seconds + 1) * SECOND
    for n in range(count):
        data, key = pictures[n % RATE]
        rig.recorder.on_frame(EncodedFrame(padded(data, size), key, rig.begin_ns + n * SECOND // RATE, n))
    full_kib, ring_bytes = memory_kib("VmRSS"), ring.bytes
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    rig.writer.start()
    began = time.monotonic()
    now_ns = rig.begin_ns + count * SECOND // RATE
    rig.recorder.start(Start("record_button", False, now_ns, manual=True), {})
    rig.recorder.on_frame(EncodedFrame(padded(pictures[0][0], size), True, now_ns, count))  # ends the last fragment
    rig.writer.drain(120)
    durable_s = time.monotonic() - began
    peak_kib = memory_kib("VmHWM")
    rig.recorder.stop("record_button", now_ns)
    rig.settle()
    rig.writer.stop()
    assert rig.path.stat().st_size > ring_bytes * seconds // (seconds + 1), rig.troubles
    return {
        "ring_mib": round(ring_bytes / 2**20, 1),
        "ring_memory_mib": round((full_kib - before_kib) / 1024, 1),
        "flush_peak_mib": round((peak_kib - before_kib) / 1024, 1),
        "durable_s": round(durable_s, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--mbit", type=float, default=8)
    parser.add_argument("--card-mb-s", type=float)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        found = measure(options.seconds, options.mbit, options.card_mb_s, Path(directory))
    print(
        f"{options.seconds} s at {options.mbit:g} Mbit/s: ring {found['ring_mib']} MiB takes "
        f"{found['ring_memory_mib']} MiB of memory, {found['flush_peak_mib']} MiB at the flush; "
        f"all of it durable after {found['durable_s']} s"
    )
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
