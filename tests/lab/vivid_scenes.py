"""What is filmed with the V4L2 driver on vivid, the kernel's own test camera. Runs in the lab's virtual machine.

    python3 vivid_scenes.py

prints one line of JSON. Only our package's code and libraries are used; `test_camera_vivid` looks at the result.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import queue
import struct
import time
from typing import Any

from hal.camera import EncodedFrame
from hal.camera_v4l2 import V4l2Camera
from hal.v4l2 import cameras

WAIT_S = 30.0
QUERYCTRL, S_CTRL, NEXT_CTRL = 0xC0445624, 0xC008561C, 0x8000_0000
SIZE = {"width": 320, "height": 180, "frame_rate": 10, "bitrate_kbit": 300}


def controls(device: int) -> dict[str, int]:
    """What can be turned on the test camera, by name."""
    found, at = {}, 0
    while True:
        said = bytearray(struct.pack("<I", at | NEXT_CTRL) + bytes(64))
        try:
            fcntl.ioctl(device, QUERYCTRL, said, True)
        except OSError:
            return found
        at = struct.unpack_from("<I", said)[0]
        found[bytes(said[8:40]).split(b"\0")[0].decode()] = at


def turn(path: str, name: str, value: int = 1) -> None:
    device = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    try:
        fcntl.ioctl(device, S_CTRL, struct.pack("<Ii", controls(device)[name], value))
    finally:
        os.close(device)


class Film:
    """One camera that films."""

    def __init__(self, **options: Any) -> None:
        self.camera = V4l2Camera(**(SIZE | options))
        self._arrived: queue.Queue[EncodedFrame] = queue.Queue()
        self._faults: queue.Queue[str] = queue.Queue()
        self.frames: list[EncodedFrame] = []
        self.camera.start(self._arrived.put, self._faults.put)

    def take(self, count: int) -> list[EncodedFrame]:
        taken = [self._arrived.get(timeout=WAIT_S) for _ in range(count)]
        self.frames += taken
        return taken

    def skip_to_now(self) -> None:
        while not self._arrived.empty():
            self.frames.append(self._arrived.get())

    def fault(self) -> str:
        return self._faults.get(timeout=WAIT_S)

    def facts(self) -> list[list[int]]:
        return [[one.sequence, one.captured_ns, int(one.keyframe), len(one.data)] for one in self.frames]


def main() -> None:
    seen: dict[str, Any] = {"cameras": [[one.path, one.name] for one in cameras()]}
    path = seen["cameras"][0][0]
    for pixels in ("yuyv", "nv12"):
        film = Film(device=path, pixel_format=pixels, label="LAB-0001")
        began_s = time.monotonic()
        frames = film.take(12)
        small = film.camera.small_picture()
        seen[pixels] = {
            "octets": [base64.b64encode(one.data).decode() for one in frames],
            "facts": film.facts(),
            "seconds": time.monotonic() - began_s,
            "age_ns": time.clock_gettime_ns(time.CLOCK_BOOTTIME) - frames[-1].captured_ns,
            "small": None if small is None else [small.width, small.height, len(set(small.luma))],
            "sensor": film.camera.info.sensor,
        }
        film.camera.stop()

    film = Film(name="vivid", silence_s=2.0)
    film.take(10)
    turn(path, "Percentage of Dropped Buffers", 40)
    film.skip_to_now()
    seen["lossy"] = [one.sequence for one in film.take(12)]
    turn(path, "Percentage of Dropped Buffers", 100)
    seen["silent"] = film.fault()
    turn(path, "Percentage of Dropped Buffers", 0)
    film.take(3)
    turn(path, "Inject Fatal Streaming Error")
    began_s = time.monotonic()
    seen["fatal"] = film.fault()
    seen["fatal_after_s"] = time.monotonic() - began_s
    film.skip_to_now()
    film.take(3)
    turn(path, "Inject VIDIOC_STREAMON Error")
    turn(path, "Inject Fatal Streaming Error")
    seen["start_refused"] = [film.fault(), film.fault()]
    film.skip_to_now()
    film.take(3)
    second = Film(device=path)
    seen["second_user"] = second.fault()
    second.camera.stop()
    turn(path, "Disconnect")
    seen["unplugged"] = film.fault()
    film.skip_to_now()
    film.take(10)
    film.camera.stop()
    seen["whole"] = film.facts()
    other = Film(device=path, height=240)
    seen["other_size"] = other.fault()
    other.take(1)
    other.camera.stop()
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
