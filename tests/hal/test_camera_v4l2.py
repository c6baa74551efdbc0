"""The V4L2 camera driver keeps the promises of `hal.camera`, and comes back by itself.

Pictures are real MJPEG and raw ones, decoded and encoded for real. Only the device is played; the kernel's side is
run in the lab, where the kernel has a camera of its own (vivid).
"""

from __future__ import annotations

import contextlib
import itertools
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.video.frame import PictureType

from hal import v4l2
from hal.camera import AdjustsBitrate, EncodedFrame, ShowsPictures
from hal.camera_v4l2 import V4l2Camera
from hal.clock import boottime_ns
from hal.errors import BadDriverOption, DeviceLost
from hal.picture_encoder import plane_view
from hal.registry import find_driver
from hal.v4l2_stream import RawFrame, StreamFormat

WAIT_S = 120
SIZE = (320, 240)


def picture(number: int, size: tuple[int, int] = SIZE) -> av.VideoFrame:
    """Stripes that move, so that no two pictures are the same."""
    across = (np.arange(size[0]) // 16 * 40 + number * 7) % 200 + 20
    grey = np.repeat(across[None, :].astype(np.uint8), size[1], axis=0)
    return av.VideoFrame.from_ndarray(np.stack([grey, grey // 2, 255 - grey], axis=2), format="rgb24")


def raw_octets(number: int, pixels: str, size: tuple[int, int] = SIZE) -> bytes:
    """The picture as a camera with that pixel format would deliver it."""
    if pixels == "MJPG":
        encoder = av.CodecContext.create("mjpeg", "w")
        encoder.width, encoder.height, encoder.pix_fmt = *size, "yuvj420p"
        encoder.time_base = Fraction(1, 30)
        return bytes(encoder.encode(picture(number, size).reformat(format="yuvj420p"))[0])
    words = {"YUYV": "yuyv422", "NV12": "nv12", "YU12": "yuv420p", "RGB3": "rgb24", "UYVY": "uyvy422"}
    encoder = av.CodecContext.create("rawvideo", "w")
    encoder.width, encoder.height, encoder.pix_fmt = *size, words[pixels]
    encoder.time_base = Fraction(1, 30)
    return bytes(encoder.encode(picture(number, size).reformat(format=words[pixels]))[0])


class PlayedDevice:
    """Plugged in and out by a test. Its pictures are stamped 100 ms apart, and come as fast as they are read."""

    def __init__(self, pixels: str = "MJPG", size: tuple[int, int] = SIZE) -> None:
        self.octets = [raw_octets(number, pixels, size) for number in range(8)]
        self.format = StreamFormat(pixels, *size, 0 if pixels == "MJPG" else len(self.octets[0]) // size[1], 10.0)
        self.found = v4l2.Found("/dev/video7", "Played Camera", "usb-1.2")
        self.plugged = threading.Event()
        self.plugged.set()
        self.silent = threading.Event()
        self.opened = self.closed = 0
        self.skip: set[int] = set()
        self.damaged: set[int] = set()
        self._began_ns = boottime_ns()
        self._number = self._at = 0

    def open(self, path: str, pixels: tuple[str, ...], width: int, height: int, frame_rate: int) -> PlayedDevice:
        if not self.plugged.is_set():
            raise DeviceLost(f"the camera at {path} cannot be opened (No such file or directory): plug it in")
        self.opened += 1
        self._at = 0
        return self

    def read(self, wait_s: float) -> RawFrame | None:
        if not self.plugged.is_set():
            raise DeviceLost("the camera at /dev/video7 has gone: plug it in again, or check its cable")
        if self.silent.is_set():
            threading.Event().wait(0.02)
            return None
        self._number += 1
        self._at += 1
        while self._at in self.skip:
            self._number += 1
            self._at += 1
        data = b"\xff\xd8no picture" if self._at in self.damaged else self.octets[self._number % 8]
        return RawFrame(data, self._began_ns + self._number * 100_000_000, self._at)

    def close(self) -> None:
        self.closed += 1


class Film:
    """What a camera delivered and said."""

    def __init__(self) -> None:
        self.frames: queue.Queue[EncodedFrame] = queue.Queue(maxsize=40)
        self.faults: queue.Queue[str] = queue.Queue()
        self.ended = threading.Event()
        self.meanwhile: list[EncodedFrame] = []
        """Frames that came while a fault was waited for: a driver whose frames nobody takes looks at nothing else."""

    def on_frame(self, frame: EncodedFrame) -> None:
        while not self.ended.is_set():  # the played device is as fast as who reads it
            try:
                self.frames.put(frame, timeout=0.05)
                return
            except queue.Full:
                continue

    def take(self, count: int) -> list[EncodedFrame]:
        return [self.frames.get(timeout=WAIT_S) for _ in range(count)]

    def fault(self) -> str:
        """The next one; whatever is delivered before it is kept."""
        deadline_s = time.monotonic() + WAIT_S
        while self.faults.empty():
            assert time.monotonic() < deadline_s, "no fault is told"
            with contextlib.suppress(queue.Empty):
                self.meanwhile.append(self.frames.get(timeout=0.01))
        return self.faults.get()


@contextmanager
def filming(device: PlayedDevice, **options: Any) -> Iterator[tuple[V4l2Camera, Film]]:
    given = {"width": 320, "height": 240, "frame_rate": 10, "bitrate_kbit": 300} | options
    camera, film = V4l2Camera(**given, open_stream=device.open), Film()
    camera.start(film.on_frame, film.faults.put)
    try:
        yield camera, film
    finally:
        film.ended.set()
        camera.stop()
        camera.stop()
    assert device.closed == device.opened


def decoded(frames: list[EncodedFrame]) -> list[av.VideoFrame]:
    codec = av.CodecContext.create("h264", "r")
    pictures = [one for frame in frames for one in codec.decode(av.Packet(frame.data))]
    return pictures + codec.decode(None)


def luma(frame: av.VideoFrame) -> np.ndarray[Any, Any]:
    return plane_view(frame.planes[0]).astype(int)


def nal_types(access_unit: bytes) -> list[int]:
    return [nal[0] & 31 for nal in access_unit.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")[1:]]


@pytest.mark.parametrize("pixels", ["MJPG", "YUYV", "NV12", "YU12", "UYVY", "RGB3"])
def test_pictures_of_every_format_become_closed_gops_of_a_second(pixels: str) -> None:
    with filming(PlayedDevice(pixels), overlay=False) as (camera, film):
        got = film.take(31)
        assert isinstance(camera, ShowsPictures)
        small = camera.small_picture()
    assert [frame.sequence for frame in got] == list(range(31))
    assert [frame.keyframe for frame in got] == [number % 10 == 0 for number in range(31)]
    assert all(late.captured_ns > early.captured_ns for early, late in itertools.pairwise(got))
    for frame in got:
        types = nal_types(frame.data)
        assert (types.count(5), types.count(1)) == ((1, 0) if frame.keyframe else (0, 1))
        assert not frame.keyframe or types.index(7) < types.index(8) < types.index(5)
    pictures = decoded(got)
    assert {one.pict_type for one in pictures} == {PictureType.I, PictureType.P}
    wanted = luma(picture(1).reformat(format="yuv420p"))
    assert abs(luma(pictures[0]) - wanted).mean() < 6
    assert small is not None
    assert (small.width, small.height, len(small.luma)) == (96, 72, 96 * 72)
    assert film.faults.empty()


def test_a_decoder_may_begin_at_any_key_frame() -> None:
    with filming(PlayedDevice()) as (_, film):
        got = film.take(20)
    whole, second = decoded(got)[10:], decoded(got[10:])
    assert all(np.array_equal(luma(one), luma(other)) for one, other in zip(whole, second, strict=True))


def test_the_text_is_burned_in_and_the_small_picture_is_without_it() -> None:
    device = PlayedDevice()
    with filming(device, overlay=False) as (_, film):
        plain = decoded(film.take(1))[0]
    device = PlayedDevice()
    with filming(device, label="CAM-0042") as (camera, film):
        written = decoded(film.take(1))[0]
        small = camera.small_picture()
    apart = abs(luma(written) - luma(plain))
    assert apart[4:24, 4:100].mean() > 20  # where the text is
    assert apart[60:].mean() < 4
    assert small is not None
    band = np.frombuffer(small.luma, np.uint8).reshape(72, 96)[1:7].astype(int)
    assert abs(band - np.frombuffer(small.luma, np.uint8).reshape(72, 96)[40:46]).mean() < 4


@pytest.mark.requirement("R29")
def test_pictures_that_were_lost_are_missing_from_the_count() -> None:
    device = PlayedDevice()
    device.skip, device.damaged = {4, 5}, {8}
    with filming(device) as (_, film):
        got = film.take(6)
    assert [frame.sequence for frame in got] == [0, 1, 2, 5, 6, 8]
    assert len(decoded(got)) == 6


@pytest.mark.requirement("R29")
def test_an_unplugged_camera_is_said_once_and_comes_back_by_itself() -> None:
    device = PlayedDevice()
    with filming(device) as (_, film):
        before = film.take(5)[-1]
        device.plugged.clear()
        assert "has gone: plug it in again" in film.fault()
        assert "cannot be opened" in film.fault()
        device.plugged.set()
        later = [film.frames.get(timeout=WAIT_S)]
        while later[-1].sequence <= before.sequence or not later[-1].keyframe:
            later.append(film.frames.get(timeout=WAIT_S))
        while device.opened < 2:
            film.take(1)
        film.take(45)  # what was queued before, and something of the second session
        assert film.faults.empty()


@pytest.mark.requirement("R29")
def test_a_camera_that_falls_silent_is_closed_and_opened_again() -> None:
    device = PlayedDevice()
    with filming(device, silence_s=0.5) as (_, film):
        film.take(3)
        device.silent.set()
        assert "no picture for 0.5 s" in film.fault()
        device.silent.clear()
        got = film.meanwhile + film.take(45)
    assert device.opened >= 2
    assert all(late.sequence > early.sequence for early, late in itertools.pairwise(got))
    holes = [late for early, late in itertools.pairwise(got) if late.sequence - early.sequence > 1]
    assert len(holes) == 1
    assert holes[0].keyframe


def test_a_camera_that_is_not_there_at_the_start_is_a_fault_and_waited_for() -> None:
    device = PlayedDevice()
    device.plugged.clear()
    with filming(device) as (_, film):
        assert "plug it in" in film.faults.get(timeout=WAIT_S)
        device.plugged.set()
        assert film.take(1)[0].keyframe


def test_another_size_is_scaled_and_said() -> None:
    with filming(PlayedDevice(size=(160, 120))) as (_, film):
        first = decoded(film.take(1))[0]
        assert (first.width, first.height) == SIZE
        assert "delivers 160x120, which is scaled to 320x240" in film.faults.get(timeout=WAIT_S)


def test_fewer_bits_while_it_runs() -> None:
    device = PlayedDevice()
    noise = np.random.default_rng(1)
    device.octets = []
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = *SIZE, "yuvj420p"
    encoder.time_base = Fraction(1, 30)
    for _ in range(8):
        grey = noise.integers(0, 255, (240, 320, 3), dtype=np.uint8)
        frame = av.VideoFrame.from_ndarray(grey, format="rgb24").reformat(format="yuvj420p")
        device.octets.append(bytes(encoder.encode(frame)[0]))
    with filming(device, bitrate_kbit=1000) as (camera, film):
        assert isinstance(camera, AdjustsBitrate)
        many = sum(len(frame.data) for frame in film.take(30)[10:])
        camera.set_bitrate_percent(20)
        film.take(60)
        few = sum(len(frame.data) for frame in film.take(20))
        with pytest.raises(ValueError, match="5 %"):
            camera.set_bitrate_percent(5)
    assert few < many / 2


def test_stopped_and_started_again_it_begins_with_a_key_frame() -> None:
    device = PlayedDevice()
    camera = V4l2Camera(width=320, height=240, frame_rate=10, open_stream=device.open)
    for _ in range(2):
        film = Film()
        camera.start(film.on_frame, film.faults.put)
        with pytest.raises(RuntimeError):
            camera.start(film.on_frame, film.faults.put)
        first = film.take(1)[0]
        assert (first.keyframe, first.sequence) == (True, 0)
        film.ended.set()
        camera.stop()
    assert device.opened == device.closed == 2


@pytest.mark.parametrize(
    "options",
    [
        {"width": 641},
        {"height": 10},
        {"frame_rate": 0},
        {"bitrate_kbit": True},
        {"pixel_format": "h265"},
        {"silence_s": 0},
        {"overlay": "yes"},
        {"label": "x" * 33},
        {"device": "/dev/video0", "name": "webcam"},
        {"device": 7},
    ],
)
def test_options_out_of_range_say_what_is_allowed(options: dict[str, Any]) -> None:
    with pytest.raises(BadDriverOption, match=next(iter(options))):
        V4l2Camera(**options)


def test_what_cannot_be_opened_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DeviceLost, match="plug it in, or check its cable"):
        v4l2.open_camera(str(tmp_path / "video9"))
    with pytest.raises(DeviceLost, match="is no V4L2 device"):
        v4l2.open_camera("/dev/null")
    with pytest.raises(DeviceLost, match="no camera is called 'webcam'"):
        v4l2.camera_named("webcam", tmp_path)


def test_requests_have_the_numbers_of_the_kernel() -> None:
    """As linux/videodev2.h has them on 64-bit machines; each holds the size of its structure."""
    assert (v4l2.QUERYCAP, v4l2.ENUM_FMT, v4l2.S_FMT) == (0x80685600, 0xC0405602, 0xC0D05605)
    assert (v4l2.REQBUFS, v4l2.QUERYBUF, v4l2.QBUF, v4l2.DQBUF) == (0xC0145608, 0xC0585609, 0xC058560F, 0xC0585611)
    assert (v4l2.STREAMON, v4l2.STREAMOFF, v4l2.S_PARM) == (0x40045612, 0x40045613, 0xC0CC5616)
    assert (v4l2.Buffer.seconds.offset, v4l2.Buffer.sequence.offset, v4l2.Buffer.offset.offset) == (24, 56, 64)


def test_it_is_found_by_its_name() -> None:
    assert find_driver("camera", "v4l2", allow_simulated=False).load() is V4l2Camera
