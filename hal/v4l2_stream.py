"""One camera's stream of raw pictures out of V4L2: a few buffers that the driver fills and we hand back."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import mmap
import os
import select
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from hal import program_time, v4l2
from hal.errors import DeviceLost

BUFFERS: Final = 4
MAX_PICTURE_BYTES: Final = 64 * 2**20


@dataclass(frozen=True, slots=True)
class RawFrame:
    """One picture as the camera delivered it."""

    data: bytes
    captured_ns: int
    """CLOCK_BOOTTIME."""
    sequence: int
    """The driver's own count. A hole means that it had no buffer to put a picture into."""


@dataclass(frozen=True, slots=True)
class StreamFormat:
    """What the driver agreed to; not always what it was asked for."""

    pixels: str
    """FourCC, ``MJPG`` say."""
    width: int
    height: int
    line_bytes: int
    """From one line to the next; 0 where there are no lines (MJPG)."""
    frame_rate: float
    """0.0 if the driver does not say."""


class V4l2Stream:
    """An open, running camera. `pixels` are FourCCs in order of preference. Raises `DeviceLost`."""

    def __init__(self, path: str, pixels: Sequence[str], width: int, height: int, frame_rate: int) -> None:
        self._path = path
        self._maps: list[mmap.mmap] = []
        self._device, self.found = v4l2.open_camera(path)
        try:
            self.format = self._agree(pixels, width, height, frame_rate)
            self._map_buffers()
            self._switch(on=True)
        except OSError as error:
            self.close()
            if isinstance(error, DeviceLost):
                raise
            raise self._lost(error) from error
        self._poll = select.poll()
        self._poll.register(self._device, select.POLLIN)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def read(self, wait_s: float) -> RawFrame | None:
        """The next picture; None if none came within `wait_s`, or a damaged one. Raises `DeviceLost`."""
        try:
            ready = self._poll.poll(int(wait_s * 1000))
            if not ready:
                return None
            return self._take(broken=bool(ready[0][1] & (select.POLLERR | select.POLLHUP)))
        except OSError as error:
            raise self._lost(error) from error

    def _take(self, *, broken: bool) -> RawFrame | None:
        one = v4l2.Buffer(type=v4l2.CAPTURE, memory=v4l2.MMAP)
        try:
            v4l2.ask(self._device, v4l2.DQBUF, one)
        except OSError as error:
            # EIO: a picture was lost on the wire and the stream goes on, unless poll says that it does not.
            if error.errno == errno.EAGAIN or (error.errno == errno.EIO and not broken):
                return None
            raise
        try:
            if one.flags & v4l2.FLAG_ERROR or one.bytesused == 0:
                return None
            data = self._maps[one.index][: one.bytesused]
            return RawFrame(data, _captured_ns(one), one.sequence)
        finally:
            v4l2.ask(self._device, v4l2.QBUF, one)

    def close(self) -> None:
        """Stop the stream and give the device back. May be called twice."""
        if self._device < 0:
            return
        with contextlib.suppress(OSError):  # it may have gone; then nothing is left to be stopped
            self._switch(on=False)
        for one in self._maps:
            one.close()
        self._maps.clear()
        os.close(self._device)
        self._device = -1

    def _agree(self, pixels: Sequence[str], width: int, height: int, frame_rate: int) -> StreamFormat:
        has = v4l2.formats(self._device)
        usable = [word for word in pixels if v4l2.fourcc(word) in has]
        if not usable:
            offers = ", ".join(_word(one) for one in has) or "nothing"
            raise DeviceLost(f"the camera at {self._path} offers {offers}, none of {', '.join(pixels)}")
        said = v4l2.Format(
            type=v4l2.CAPTURE,
            width=width,
            height=height,
            pixelformat=v4l2.fourcc(usable[0]),
            field=v4l2.FIELD_NONE,
        )
        v4l2.ask(self._device, v4l2.S_FMT, said)
        if said.sizeimage > MAX_PICTURE_BYTES or not 16 <= said.width <= 8192 or not 16 <= said.height <= 8192:
            raise DeviceLost(f"the camera at {self._path} answers with a picture of {said.width}x{said.height}")
        if _word(said.pixelformat) not in pixels:
            raise DeviceLost(f"the camera at {self._path} offers {usable[0]} and delivers {_word(said.pixelformat)}")
        return StreamFormat(_word(said.pixelformat), said.width, said.height, said.bytesperline, self._pace(frame_rate))

    def _pace(self, frame_rate: int) -> float:
        """Ask for a rate; what the driver makes of it. Many cameras have only one."""
        said = v4l2.Parameters(type=v4l2.CAPTURE, capability=v4l2.TIMEPERFRAME, numerator=1, denominator=frame_rate)
        try:
            v4l2.ask(self._device, v4l2.S_PARM, said)
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.ENOTTY):  # it has no rate to be set
                return 0.0
            raise
        return said.denominator / said.numerator if said.numerator and said.denominator else 0.0

    def _map_buffers(self) -> None:
        wanted = v4l2.RequestBuffers(count=BUFFERS, type=v4l2.CAPTURE, memory=v4l2.MMAP)
        v4l2.ask(self._device, v4l2.REQBUFS, wanted)
        if not 2 <= wanted.count <= 32:
            raise DeviceLost(f"the camera at {self._path} gives {wanted.count} buffers; restart it")
        for index in range(wanted.count):
            one = v4l2.Buffer(index=index, type=v4l2.CAPTURE, memory=v4l2.MMAP)
            v4l2.ask(self._device, v4l2.QUERYBUF, one)
            # The driver's offset stands in the lower half of the union.
            start = one.offset & 0xFFFF_FFFF
            self._maps.append(mmap.mmap(self._device, one.length, prot=mmap.PROT_READ, offset=start))
            v4l2.ask(self._device, v4l2.QBUF, one)

    def _switch(self, *, on: bool) -> None:
        kind = ctypes.c_int(v4l2.CAPTURE)
        fcntl.ioctl(self._device, v4l2.STREAMON if on else v4l2.STREAMOFF, bytes(kind))

    def _lost(self, error: OSError) -> DeviceLost:
        if error.errno in (errno.ENODEV, errno.ENOENT, errno.ENXIO):
            return DeviceLost(f"the camera at {self._path} has gone: plug it in again, or check its cable")
        if error.errno == errno.EBUSY:
            return DeviceLost(f"the camera at {self._path} is used by another program: end that")
        if error.errno in (errno.ENOSPC, errno.EPROTO):
            return DeviceLost(f"the USB line has no room for the camera at {self._path}: use another port")
        return DeviceLost(f"the camera at {self._path} failed ({error.strerror}): check its cable, then restart it")


def _word(number: int) -> str:
    letters = number.to_bytes(4, "little").decode("latin-1")
    return letters if letters.isprintable() else f"{number:#010x}"


def _captured_ns(one: v4l2.Buffer) -> int:
    """CLOCK_BOOTTIME of a buffer. Drivers stamp with CLOCK_MONOTONIC, which stands still while the board sleeps."""
    boottime_ns, monotonic_ns = program_time.boottime_ns(), program_time.monotonic_ns()
    stamped_ns: int = one.seconds * 1_000_000_000 + one.microseconds * 1_000
    age_ns = monotonic_ns - stamped_ns
    if one.flags & v4l2.TIMESTAMP_MASK == v4l2.TIMESTAMP_MONOTONIC and 0 <= age_ns < 10_000_000_000:
        return boottime_ns - age_ns
    return boottime_ns
