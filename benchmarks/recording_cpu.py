"""CPU seconds for an hour of 1080p30 at 8 Mbit/s that is already encoded: sealed and signed, beside plain copying.

    python benchmarks/recording_cpu.py [--rounds 5] [--seconds 60]

Ours, three times: `pipeline` is ring, fragments, muxing, media signing, sealing, statements and one fdatasync a second,
in this process and as fast as it goes (`benchmarks/pipeline.py` says why that is honest); `daemon_recording` is all of
the real daemon while it films in real time, its loop, control socket and parts included; `daemon_buffering` is the same
without a recording; `source` is what the replayed camera alone costs of both. Reading from the kernel's memory is
counted on all sides.

The peers copy ten minutes of the same stream without any security, and without a flush: `ffmpeg -c copy -f segment`
from the raw stream that an encoder gives (as ours, it must find the pictures); the same in real time (`-re`), for the
daemon's sake; from an MP4 that is cut into pictures already; and from that through GStreamer's splitmuxsink, if it is
installed. User and system time of the processes, the least of all rounds. Aim: not over 1.5 times ffmpeg from the raw
stream. `hashing` is what the four passes of SHA-256 that the format asks for cost by themselves (picture signature,
commitment, object, file): no implementation of it can be below.
"""

from __future__ import annotations

import hashlib
import os
import resource
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import replay
import results
from bench_camera import BenchCamera
from pipeline import Pipeline

COPIES = 10
HOUR_S = 3600
SOURCE_S = replay.SECONDS * COPIES


def child_cpu_s(command: list[str]) -> float:
    """User and system seconds of a command. splitmuxsink 1.22 sometimes never ends: then it is not counted."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=15)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def peers(rounds: int, seconds: int) -> dict[str, float]:
    """CPU seconds an hour of each peer, for ten minutes of the stream."""
    source = replay.encode(replay.BUILD / "1080p30.h264")
    raw, mp4 = replay.BUILD / "ten.h264", replay.BUILD / "ten.mp4"
    with raw.open("wb") as out:
        for _ in range(COPIES):
            with source.open("rb") as file:
                shutil.copyfileobj(file, out, 2**20)
    copy = ["ffmpeg", "-v", "error", "-y"]
    subprocess.run([*copy, "-framerate", str(replay.RATE), "-i", str(raw), "-c", "copy", str(mp4)], check=True)
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory(dir=replay.BUILD) as out:
        segment = ["-c", "copy", "-f", "segment", "-segment_time", "60", f"{out}/%03d.mp4"]
        commands = {
            "ffmpeg_segment_raw": [*copy, "-framerate", str(replay.RATE), "-i", str(raw), *segment],
            "ffmpeg_segment_mp4": [*copy, "-i", str(mp4), *segment],
        }
        if shutil.which("gst-launch-1.0"):
            source = f"filesrc location={mp4} ! qtdemux name=d d.video_0 ! queue ! h264parse"
            sink = f"splitmuxsink max-size-time=60000000000 location={out}/g%03d.mp4"
            commands["splitmuxsink_mp4"] = f"gst-launch-1.0 -q {source} ! {sink}".split()
        for name, command in commands.items():
            print("$", " ".join(command))
            times = []
            for _ in range(rounds):
                try:
                    times.append(child_cpu_s(command))
                except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
                    print(f"# {name}: {type(error).__name__}")
            if times:
                found[name] = min(times) / (SOURCE_S / HOUR_S)
        live = [*copy, "-re", "-framerate", str(replay.RATE), "-i", str(raw), *segment]
        print("$", " ".join(live))
        found["ffmpeg_segment_live"] = min(real_time_cpu_s(live, seconds) for _ in range(max(1, rounds // 2)))
    raw.unlink()
    mp4.unlink()
    return found


def real_time_cpu_s(command: list[str], seconds: int) -> float:
    """CPU seconds an hour of a command that works in real time, its start left out."""
    pause = threading.Event()
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
        pause.wait(3)
        clock = (~process.pid << 3) | 2
        began = time.clock_gettime(clock)
        pause.wait(seconds)
        used = time.clock_gettime(clock) - began
        process.terminate()
    return used / seconds * HOUR_S


def hashing_cpu_s() -> float:
    """CPU seconds for four passes of SHA-256 over an hour of the stream."""
    data, times = os.urandom(replay.BITRATE // 8), []
    for _ in range(50):
        began = time.process_time()
        hashlib.sha256(data).digest()
        times.append(time.process_time() - began)
    return 4 * HOUR_S * min(times)


def source_cpu_s(seconds: int) -> float:
    """CPU seconds an hour of the replayed camera alone, in this process."""
    camera = replay.ReplayCamera(str(replay.BUILD / "1080p30.h264"))
    camera.start(lambda _: None, lambda _: None)
    began = time.process_time()
    threading.Event().wait(seconds)
    used = time.process_time() - began
    camera.stop()
    return used / seconds * HOUR_S


def pipeline_cpu_s(rounds: int, seconds: int) -> float:
    with tempfile.TemporaryDirectory(dir=replay.BUILD) as out:
        pipeline = Pipeline(Path(out))
        with pipeline.recorder() as recorder:
            return min(pipeline.record(recorder, seconds) for _ in range(rounds)) / seconds * HOUR_S


def daemon_cpu_s(rounds: int, seconds: int) -> tuple[float, float]:
    """CPU seconds an hour of the daemon: (recording, buffering), the least of `rounds` windows of real time."""
    pause = threading.Event()

    def window(camera: BenchCamera) -> float:
        began = camera.cpu_s()
        pause.wait(seconds)
        return (camera.cpu_s() - began) / seconds * HOUR_S

    with BenchCamera() as camera:
        camera.start().until_ring_is_full()
        buffering = min(window(camera) for _ in range(rounds))
        _, since, _ = camera.record()
        camera.wait("fragment", since, count=33)  # the ring is on the card
        recording = min(window(camera) for _ in range(rounds))
        camera.end()
    return recording, buffering


def main() -> None:
    parser = results.options(__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=60, help="length of a recording, and of a window of real time")
    arguments = parser.parse_args()
    run = results.Run("recording_cpu", arguments)
    others = peers(arguments.rounds, arguments.seconds)
    pipeline = pipeline_cpu_s(arguments.rounds, arguments.seconds)
    recording, buffering = daemon_cpu_s(max(1, arguments.rounds // 2), arguments.seconds)
    figures = {
        "cpu_s_per_h_pipeline": pipeline,
        "cpu_s_per_h_daemon_recording": recording,
        "cpu_s_per_h_daemon_buffering": buffering,
        "cpu_s_per_h_source": min(source_cpu_s(10) for _ in range(arguments.rounds)),
        "cpu_s_per_h_hashing": hashing_cpu_s(),
        **{f"cpu_s_per_h_{name}": value for name, value in others.items()},
    }
    for name, value in others.items():
        figures[f"cpu_pipeline_to_{name}"] = pipeline / value
    live = others["ffmpeg_segment_live"]
    figures |= {
        "recorder_cpu_vs_ffmpeg_segment": recording / live,
        "recorder_cpu_vs_ffmpeg_segment_at_full_speed": pipeline / others["ffmpeg_segment_raw"],
    }
    run.keep(figures)
    run.record()


if __name__ == "__main__":
    main()
