"""What Linux calls cameras: the requests and structures of V4L2 (linux/videodev2.h, 64-bit), and who is there.

PyAV could open such a device, too, but it hides the driver's frame count (so that lost frames would go unseen) and
waits without end for a camera that fell silent.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hal.errors import DeviceLost

SYSFS: Final = Path("/sys/class/video4linux")

CAPTURE: Final = 1
"""V4L2_BUF_TYPE_VIDEO_CAPTURE, and the capability of the same value."""
STREAMING: Final = 0x0400_0000
DEVICE_CAPS: Final = 0x8000_0000
MMAP: Final = 1
FIELD_NONE: Final = 1
TIMEPERFRAME: Final = 0x1000
FLAG_ERROR: Final = 0x40
TIMESTAMP_MASK: Final = 0xE000
TIMESTAMP_MONOTONIC: Final = 0x2000


class Capability(ctypes.Structure):
    """struct v4l2_capability"""

    _fields_ = (
        ("driver", ctypes.c_char * 16),
        ("card", ctypes.c_char * 32),
        ("bus_info", ctypes.c_char * 32),
        ("version", ctypes.c_uint32),
        ("capabilities", ctypes.c_uint32),
        ("device_caps", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32 * 3),
    )


class FormatDescription(ctypes.Structure):
    """struct v4l2_fmtdesc"""

    _fields_ = (
        ("index", ctypes.c_uint32),
        ("type", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("description", ctypes.c_char * 32),
        ("pixelformat", ctypes.c_uint32),
        ("mbus_code", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32 * 3),
    )


class Format(ctypes.Structure):
    """struct v4l2_format with struct v4l2_pix_format in its union (208 bytes)"""

    _fields_ = (
        ("type", ctypes.c_uint32),
        ("pad", ctypes.c_uint32),
        ("width", ctypes.c_uint32),
        ("height", ctypes.c_uint32),
        ("pixelformat", ctypes.c_uint32),
        ("field", ctypes.c_uint32),
        ("bytesperline", ctypes.c_uint32),
        ("sizeimage", ctypes.c_uint32),
        ("rest", ctypes.c_uint32 * 44),
    )


class Parameters(ctypes.Structure):
    """struct v4l2_streamparm with struct v4l2_captureparm in its union (204 bytes)"""

    _fields_ = (
        ("type", ctypes.c_uint32),
        ("capability", ctypes.c_uint32),
        ("capturemode", ctypes.c_uint32),
        ("numerator", ctypes.c_uint32),
        ("denominator", ctypes.c_uint32),
        ("rest", ctypes.c_uint32 * 46),
    )


class RequestBuffers(ctypes.Structure):
    """struct v4l2_requestbuffers"""

    _fields_ = (
        ("count", ctypes.c_uint32),
        ("type", ctypes.c_uint32),
        ("memory", ctypes.c_uint32),
        ("capabilities", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32),
    )


class Buffer(ctypes.Structure):
    """struct v4l2_buffer (88 bytes; ctypes inserts the same padding as C)"""

    _fields_ = (
        ("index", ctypes.c_uint32),
        ("type", ctypes.c_uint32),
        ("bytesused", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("field", ctypes.c_uint32),
        ("seconds", ctypes.c_int64),
        ("microseconds", ctypes.c_int64),
        ("timecode", ctypes.c_uint32 * 4),
        ("sequence", ctypes.c_uint32),
        ("memory", ctypes.c_uint32),
        ("offset", ctypes.c_uint64),
        ("length", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32),
        ("request_fd", ctypes.c_int32),
    )


def _request(direction: int, number: int, size: int) -> int:
    """_IOC of <asm-generic/ioctl.h> for type 'V'; 1 = the kernel reads, 2 = it writes, 3 = both."""
    return direction << 30 | size << 16 | ord("V") << 8 | number


QUERYCAP: Final = _request(2, 0, ctypes.sizeof(Capability))
ENUM_FMT: Final = _request(3, 2, ctypes.sizeof(FormatDescription))
S_FMT: Final = _request(3, 5, ctypes.sizeof(Format))
REQBUFS: Final = _request(3, 8, ctypes.sizeof(RequestBuffers))
QUERYBUF: Final = _request(3, 9, ctypes.sizeof(Buffer))
QBUF: Final = _request(3, 15, ctypes.sizeof(Buffer))
DQBUF: Final = _request(3, 17, ctypes.sizeof(Buffer))
STREAMON: Final = _request(1, 18, 4)
STREAMOFF: Final = _request(1, 19, 4)
S_PARM: Final = _request(3, 22, ctypes.sizeof(Parameters))


def fourcc(word: str) -> int:
    """The number of a pixel format such as ``YUYV``."""
    return int.from_bytes(word.encode("ascii"), "little")


def ask(device: int, request: int, about: ctypes.Structure) -> None:
    """One ioctl, repeated if a signal came in between. Raises OSError."""
    while True:
        try:
            fcntl.ioctl(device, request, about, True)
            return
        except InterruptedError:
            continue


@dataclass(frozen=True, slots=True)
class Found:
    """A camera that Linux knows."""

    path: str
    """Its device, ``/dev/video0`` say."""
    name: str
    """What it calls itself, at most 32 characters."""
    bus: str
    """Where it is plugged in."""


def identity(device: int, path: str) -> Found | None:
    """Who an open device is; None if it is none that delivers pictures. Raises OSError."""
    said = Capability()
    ask(device, QUERYCAP, said)
    can = said.device_caps if said.capabilities & DEVICE_CAPS else said.capabilities
    if not (can & CAPTURE and can & STREAMING):
        return None
    return Found(path, _text(said.card), _text(said.bus_info))


def _text(octets: bytes) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in octets.decode("utf-8", "replace")).strip()


def formats(device: int) -> list[int]:
    """The pixel formats that an open device delivers, its favourite first; at most 64. Raises OSError."""
    found: list[int] = []
    for index in range(64):
        one = FormatDescription(index=index, type=CAPTURE)
        try:
            ask(device, ENUM_FMT, one)
        except OSError as error:
            if error.errno == errno.EINVAL:  # no more
                break
            raise
        found.append(int(one.pixelformat))
    return found


def open_camera(path: str) -> tuple[int, Found]:
    """An open descriptor and who it is. Raises `DeviceLost` with what to do about it."""
    try:
        device = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise DeviceLost(f"the camera at {path} cannot be opened ({error.strerror}): {_advice(error.errno)}") from error
    try:
        found = identity(device, path)
    except OSError as error:
        os.close(device)
        raise DeviceLost(f"{path} is no V4L2 device ({error.strerror}): name a camera, /dev/video0 say") from error
    if found is None:
        os.close(device)
        raise DeviceLost(f"{path} delivers no pictures: a camera often has two devices, name the other one")
    return device, found


def _advice(number: int | None) -> str:
    if number in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        return "plug it in, or check its cable"
    if number in (errno.EACCES, errno.EPERM):
        return "the user that runs this must be in the group video"
    if number == errno.EBUSY:
        return "another program uses it: end that"
    return "check its cable and the kernel's log (dmesg)"


def card_of(path: str) -> str | None:
    """What any V4L2 device calls itself, an encoder for instance; None if it cannot be asked."""
    said = Capability()
    try:
        device = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        ask(device, QUERYCAP, said)
    except OSError:
        return None
    finally:
        os.close(device)
    return _text(said.card)


def cameras(sysfs: Path = SYSFS) -> list[Found]:
    """Every camera that can be opened now, in the order of their numbers."""
    found = []
    for node in sorted(sysfs.glob("video[0-9]*"), key=lambda one: int(one.name.removeprefix("video"))):
        try:
            device, one = open_camera(f"/dev/{node.name}")
        except DeviceLost:
            continue
        os.close(device)
        found.append(one)
    return found


def camera_named(name: str, sysfs: Path = SYSFS) -> str:
    """The path of the first camera whose name contains `name`. Raises `DeviceLost`."""
    there = cameras(sysfs)
    for one in there:
        if name.lower() in one.name.lower():
            return one.path
    names = ", ".join(repr(one.name) for one in there) or "none"
    raise DeviceLost(f"no camera is called {name!r} (there are: {names}): plug it in, or check its cable")
