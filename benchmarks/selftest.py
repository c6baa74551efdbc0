"""How long the self-test takes on a camera that is ready, and how long a whole clip of it takes.

    python benchmarks/selftest.py [--rounds 5] [--publish]

Asked over the daemon's socket as `firsthand-device selftest` does, on the camera of startup.py: the real daemon with a
replayed 1080p30 stream, simulated lines, and its card in this machine's file system. The five seconds of the test clip
are filmed in real time, so that this cannot be shorter.
"""

from __future__ import annotations

import statistics
import time

import results
from bench_camera import BenchCamera

from device.client import ask
from evidence.handover import SelfTestDone
from evidence.requests import SelfTestRequest


def asked_s(camera: BenchCamera, *, clip: bool) -> float:
    """Seconds until the answer is there."""
    began = time.monotonic()
    answer = ask(camera.directory / "dev.sock", SelfTestRequest(clip=clip))
    assert isinstance(answer, SelfTestDone), answer
    return time.monotonic() - began


def main() -> None:
    parser = results.options(__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    run = results.Run("selftest", arguments)
    with BenchCamera(policy={"test_clip_s": 5}) as camera:
        camera.start().until_ring_is_full(5)
        before_s = camera.cpu_s()
        plain = [asked_s(camera, clip=False) for _ in range(arguments.rounds)]
        used_s = camera.cpu_s() - before_s
        clip_s = asked_s(camera, clip=True)
    run.keep(
        {
            "selftest_s": min(plain),
            "selftest_median_s": statistics.median(plain),
            "selftest_camera_cpu_s": used_s / arguments.rounds,
            "selftest_with_clip_s": clip_s,
        }
    )
    run.record()


if __name__ == "__main__":
    main()
