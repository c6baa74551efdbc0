"""What is filmed in the lab's root with real picamera2; `test_picamera2_real` looks at the result on the host.

    python3 picamera2_scenes.py OUT

writes OUT/NAME.json for each scene: the frames (octets in base64), the faults, and what else was seen.
"""

from __future__ import annotations

import base64
import json
import queue
import sys
import threading
import time
from pathlib import Path
from typing import Any

from virtual_picamera import FRAME_RATE, VirtualSensor

from hal.camera import EncodedFrame, SmallPicture
from hal.camera_picamera2 import Picamera2Camera
from hal.picamera2_encoding import DirectOutput, HardwareEncoder

WAIT_S = 90.0
OPTIONS: dict[str, Any] = {"width": 640, "height": 360, "frame_rate": FRAME_RATE, "bitrate_kbit": 1000}


class Scene:
    """A camera that films, and everything that it delivers."""

    def __init__(self, name: str, out: Path, **options: Any) -> None:
        given = OPTIONS | {"open_camera": VirtualSensor} | options
        self.camera = Picamera2Camera(**given)
        self._file = out / f"{name}.json"
        self._arrived: queue.Queue[EncodedFrame] = queue.Queue()
        self.faults: queue.Queue[str] = queue.Queue()
        self.frames: list[EncodedFrame] = []
        self.seen: dict[str, Any] = {"began_ns": time.clock_gettime_ns(time.CLOCK_BOOTTIME)}
        self.camera.start(self._arrived.put, self.faults.put)

    def take(self, count: int) -> None:
        for _ in range(count):
            self.frames.append(self._arrived.get(timeout=WAIT_S))

    def look(self) -> SmallPicture | None:
        small = self.camera.small_picture()
        if small is not None:
            luma = base64.b64encode(small.luma).decode()
            self.seen.setdefault("small", []).append([small.width, small.height, luma, small.captured_ns])
        return small

    def fault(self) -> str:
        return self.faults.get(timeout=WAIT_S)

    def end(self) -> None:
        self.camera.stop()
        self.camera.stop()
        self.seen["ended_ns"] = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        self.seen["sensor"] = self.camera.info.sensor
        while not self.faults.empty():
            self.seen.setdefault("faults", []).append(self.faults.get())
        told = [
            [base64.b64encode(one.data).decode(), one.keyframe, one.captured_ns, one.sequence] for one in self.frames
        ]
        self._file.write_text(json.dumps({"frames": told, **self.seen}))


def plain(out: Path) -> None:
    scene = Scene("plain", out, overlay=False)
    for _ in range(5):
        scene.take(5)
        scene.look()
    scene.end()
    again = Scene("again", out, overlay=False)
    again.take(3)
    again.end()


def text(out: Path) -> None:
    scene = Scene("text", out, label="CAM-0042")
    scene.take(3)
    scene.look()
    scene.end()


def fewer_bits(out: Path) -> None:
    scene = Scene("fewer_bits", out, overlay=False)
    scene.take(20)
    scene.camera.set_bitrate_percent(20)
    scene.take(30)
    scene.end()


def dead_sensor(out: Path) -> None:
    scene = Scene("dead_sensor", out, silence_s=1.0)
    scene.take(5)
    VirtualSensor.dead.set()
    scene.seen["said"] = scene.fault()
    VirtualSensor.dead.clear()
    scene.seen["before"] = len(scene.frames) + scene._arrived.qsize()
    scene.take(15)
    VirtualSensor.broken.set()
    scene.seen["said_of_exception"] = scene.fault()
    scene.take(15)
    scene.seen["opened"] = VirtualSensor.opened
    scene.end()


def two_cameras(out: Path) -> None:
    scenes = [Scene(f"camera_{number}", out, camera=number, label=f"CAM-{number}") for number in (0, 1)]
    for scene in scenes:
        scene.take(12)
        scene.look()
    for scene in scenes:
        scene.end()


def missing(out: Path) -> None:
    scene = Scene("missing", out, camera=7, open_camera=None)
    scene.seen["said"] = scene.fault()
    scene.end()
    scene = Scene("no_encoder", out, encoder="hardware")
    scene.seen["said"] = scene.fault()
    scene.end()


def board_encoder(out: Path) -> None:
    """The board's encoder cannot run here; how it is set up can be seen, and what happens without its device."""
    encoder = HardwareEncoder(30, 8_000_000, lambda request: 0)
    encoder.set_bitrate(4_000_000)  # before it runs: nothing to be asked
    kinds = [kind.__name__ for kind in type(encoder).__mro__]
    seen = {"kinds": kinds, "gop": encoder.iperiod, "bits": encoder.bitrate, "repeats": encoder.repeat}
    encoder.size, encoder.format, encoder.output = (640, 360), "YUV420", DirectOutput(lambda data, stamp_us: None)
    try:
        encoder.start()
    except FileNotFoundError as error:
        seen["needs"] = error.filename
    (out / "board_encoder.json").write_text(json.dumps({"frames": [], **seen}))


def main() -> int:
    out = Path(sys.argv[1])
    for scene in (plain, text, fewer_bits, dead_sensor, two_cameras, missing, board_encoder):
        began = time.monotonic()
        scene(out)
        print(f"{scene.__name__}: {time.monotonic() - began:.1f} s", flush=True)
    left = [one.name for one in threading.enumerate() if one.name.startswith("camera-")]
    print(f"threads left: {left}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
