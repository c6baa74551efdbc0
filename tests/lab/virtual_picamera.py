"""Real picamera2 on libcamera's virtual camera, made to behave as a sensor does. Runs in the root of `picamera2_root`.

What is ours here stands in for hardware: memory for the buffers (there is no /dev/dma_heap), a sensor's pace and noise,
and its faults.
"""

from __future__ import annotations

import mmap
import os
import threading
import time
from typing import Any

import libcamera
import numpy as np
from picamera2 import Picamera2
from picamera2.allocators.allocator import Allocator, Sync

FRAME_RATE = 10


class MemoryAllocator(Allocator):
    """Buffers in plain shared memory; two planes each, as NV12 has them."""

    needs_sync = True

    def __init__(self) -> None:
        super().__init__()
        self.sync = PlainSync
        self.mapped_buffers: dict[Any, mmap.mmap] = {}
        self._of_stream: dict[Any, list[Any]] = {}
        self._files: list[int] = []

    def allocate(self, libcamera_config: Any, use_case: str) -> None:
        self.close()
        for one in libcamera_config:
            luma_bytes = one.stride * one.size.height
            made = []
            for number in range(one.buffer_count):
                file = os.memfd_create(f"buffer-{number}")
                self._files.append(file)
                os.ftruncate(file, one.frame_size)
                planes = [libcamera.FrameBuffer.Plane(), libcamera.FrameBuffer.Plane()]
                for plane, start, length in zip(
                    planes, (0, luma_bytes), (luma_bytes, one.frame_size - luma_bytes), strict=True
                ):
                    plane.fd, plane.offset, plane.length = file, start, length
                made.append(libcamera.FrameBuffer(planes))
                self.mapped_buffers[made[-1]] = mmap.mmap(file, one.frame_size)
            self._of_stream[one.stream] = made

    def buffers(self, stream: Any) -> list[Any]:
        return self._of_stream[stream]

    def close(self) -> None:
        for file in self._files:
            os.close(file)
        self._files.clear()
        self.mapped_buffers.clear()
        self._of_stream.clear()


class PlainSync(Sync):
    """Plain memory needs no cache to be flushed."""

    def __init__(self, allocator: MemoryAllocator, buffer: Any, write: bool) -> None:
        self._memory = allocator.mapped_buffers[buffer]

    def __enter__(self) -> mmap.mmap:
        return self._memory

    def __exit__(self, *error: object) -> None:
        """Nothing to be flushed."""


class VirtualSensor(Picamera2):
    """Paced at ten pictures a second, with noise. `dead` and `broken` are faults of all cameras of the process."""

    dead = threading.Event()
    """No more pictures come, and nothing says so: a ribbon cable that came loose."""
    broken = threading.Event()
    """What handles pictures fails with an exception, once."""
    opened = 0

    def __init__(self, number: int) -> None:
        super().__init__(number, allocator=MemoryAllocator())
        VirtualSensor.opened += 1
        self._noise = np.random.default_rng(number)
        self._due_s = time.monotonic()
        self._waiting: list[Any] = []

    def _get_raw_modes(self) -> list[dict[str, Any]]:
        """It has no raw stream."""
        return [{"format": "NV12", "size": (640, 360)}]

    def process_requests(self, display: Any) -> None:
        """One picture at a time, when it is due; the others wait."""
        if VirtualSensor.dead.is_set():
            time.sleep(0.05)  # whatever came lies there for ever
            return
        if VirtualSensor.broken.is_set():
            VirtualSensor.broken.clear()
            raise RuntimeError("the picture's memory is not valid")
        self._collect()
        if self._waiting:
            self._due_s = max(self._due_s + 1 / FRAME_RATE, time.monotonic())
            time.sleep(max(0.0, self._due_s - time.monotonic()))
            self._collect()
            self._grain(self._waiting[0])
            with self._requestslock:
                self._requests = [self._waiting.pop(0), *self._requests]
        super().process_requests(display)
        if self._waiting:
            self._run_process_requests()

    def _collect(self) -> None:
        with self._requestslock:
            self._waiting += self._requests
            self._requests = []

    def _grain(self, request: Any) -> None:
        for buffer in request.request.buffers.values():
            memory = self.allocator.mapped_buffers[buffer]
            pixels = np.frombuffer(memory, dtype=np.uint8, count=buffer.planes[0].length)
            pixels[:] = pixels // 2 + self._noise.integers(40, 80, len(pixels), dtype=np.uint8)
