"""From process start to ready, the time to import, and memory, of the real daemon with a 1080p30 8 Mbit/s camera.

    python benchmarks/startup.py [--rounds 10]

Ready is the daemon's own READY=1 to its service manager: keys and profile loaded, the sensor started, lines listened
to, the socket open, the log begun. Memory is the resident set at ready and with a full ring of 30 s. The least of all
rounds stands, and the median beside it. Aim: ready within 1.0 s, 80 MiB plus the ring.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time

import replay
import results
from bench_camera import HERE, BenchCamera


def python_s(code: str) -> float:
    """Wall time of a new interpreter that runs `code`."""
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": str(HERE.parent)})
    return time.monotonic() - began


def main() -> None:
    parser = results.options(__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    arguments = parser.parse_args()
    run = results.Run("startup", arguments)
    replay.encode(replay.BUILD / "1080p30.h264")
    bare = min(python_s("pass") for _ in range(arguments.rounds))
    imported = min(python_s("import device.__main__, device.daemon") for _ in range(arguments.rounds))
    ready: list[float] = []
    cpu: list[float] = []
    for _ in range(arguments.rounds):
        with BenchCamera() as camera:
            camera.start()
            cpu.append(camera.cpu_s())
            ready.append(camera.ready_s)
            at_ready = camera.memory_mib()
    with BenchCamera() as camera:
        camera.start().until_ring_is_full()
        full, ring = camera.memory_mib(), 30 * replay.BITRATE / 8 / 2**20
    run.keep(
        {
            "import_s": imported - bare,
            "ready_s": min(ready),
            "ready_median_s": statistics.median(ready),
            "ready_cpu_s": min(cpu),
            "rss_ready_mib": at_ready,
            "rss_ring_full_mib": full,
            "camera_rss_mib_without_ring": full - ring,
        }
    )
    run.record()


if __name__ == "__main__":
    main()
