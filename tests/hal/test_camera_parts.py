"""What real cameras are made of, each part alone: count, text, byte stream, clock, and what is not there."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest

from hal import program_time
from hal.annexb import IDR, PPS, SLICE, SPS, ParameterSets, head_units
from hal.camera_picamera2 import Picamera2Camera, boottime_of_sensor_ns
from hal.camera_recovery import Recovery
from hal.caption import Caption, utc_of_capture_ns
from hal.clock import boottime_ns
from hal.errors import BadDriverOption, DeviceLost
from hal.frame_count import FrameCount
from hal.glyphs import line
from hal.program_time import monotonic_ns, utc_ns
from hal.registry import find_driver
from hal.x264 import X264Encoder

WAIT_S = 120
TENTH_NS = 100_000_000


def units(octets: bytes) -> list[int]:
    return [kind for kind, _ in head_units(octets)]


@pytest.fixture(scope="module")
def stream() -> list[tuple[bytes, bool]]:
    """Five access units of 160x96, the first and the fourth an IDR."""
    encoder = X264Encoder(160, 96, Fraction(10), 100_000)
    made = []
    for number in range(5):
        grey = np.full((96, 160, 3), 20 * number, dtype=np.uint8)
        picture = av.VideoFrame.from_ndarray(grey, format="rgb24").reformat(format="yuv420p")
        made.append(encoder.encode(picture, number, keyframe=number % 3 == 0))
    return made


def test_parameter_sets_stand_before_every_idr_also_if_the_encoder_sends_them_once(
    stream: list[tuple[bytes, bool]],
) -> None:
    sets = ParameterSets()
    first = sets.whole(stream[0][0])
    assert first is not None
    assert first == (stream[0][0], True)
    bare = next(unit for kind, unit in head_units(stream[3][0]) if kind == IDR)
    assert units(bare) == [IDR]
    mended = sets.whole(bare)
    assert mended is not None
    assert mended[1]
    assert [kind for kind in units(mended[0]) if kind != 6] == [SPS, PPS, IDR]
    codec = av.CodecContext.create("h264", "r")
    pictures = list(codec.decode(av.Packet(mended[0]))) + codec.decode(None)
    assert [(one.width, one.height) for one in pictures] == [(160, 96)]


def test_parameter_sets_by_themselves_are_kept_and_are_no_picture(stream: list[tuple[bytes, bool]]) -> None:
    sets = ParameterSets()
    alone = b"".join(unit for kind, unit in head_units(stream[0][0]) if kind in (SPS, PPS))
    assert sets.whole(stream[1][0]) is None  # nothing can be decoded before they came
    assert sets.whole(alone) is None
    assert sets.whole(stream[1][0]) == (stream[1][0], False)
    assert units(stream[1][0])[-1] == SLICE


@pytest.mark.parametrize("octets", [b"", b"\0\0\1", b"\0\0\0\1", b"no start code", b"\0\0\1\x67", b"\0\0\1\x68\0\0\1"])
def test_what_is_no_picture_is_none(octets: bytes) -> None:
    assert ParameterSets().whole(octets) is None


def test_the_count_shows_what_the_source_lost_and_never_goes_back() -> None:
    count = FrameCount(10)
    assert count.place(7, 1 * TENTH_NS) == (0, 1 * TENTH_NS)
    assert count.place(8, 2 * TENTH_NS) == (1, 2 * TENTH_NS)
    assert count.place(11, 5 * TENTH_NS) == (4, 5 * TENTH_NS)
    assert count.place(12, 5 * TENTH_NS) is None  # not later than the one before
    count.opened_again()
    assert count.place(0, 25 * TENTH_NS) == (24, 25 * TENTH_NS)
    assert count.place(1, 26 * TENTH_NS) == (25, 26 * TENTH_NS)
    count.opened_again()
    assert count.place(0, 27 * TENTH_NS) == (27, 27 * TENTH_NS)  # opening again never goes unseen


def test_without_a_source_s_count_its_clock_tells_what_is_missing() -> None:
    count = FrameCount(10)
    places = [count.place(None, tenths * TENTH_NS) for tenths in (1, 2, 3, 6)]
    assert [place and place[0] for place in places] == [0, 1, 2, 5]


def test_sensor_stamps_are_in_the_boot_clock_whichever_of_two_clocks_they_came_in() -> None:
    """They differ by the time that the machine slept: here by nothing, or by what the kernel says."""
    stamp_ns = monotonic_ns() - 50_000_000
    # Two clocks cannot be read at once: the difference lies between these two, however long a busy machine takes.
    least_ns = boottime_ns() - monotonic_ns()
    found_ns = boottime_of_sensor_ns(stamp_ns)
    before_ns = monotonic_ns()
    most_ns = boottime_ns() - before_ns
    assert abs(found_ns - stamp_ns - least_ns) < 5_000_000 + most_ns - least_ns
    assert boottime_of_sensor_ns(boottime_ns() + 10**12) <= boottime_ns()  # none lies in the future
    assert abs(boottime_of_sensor_ns(0) - boottime_ns()) < 10**9  # no stamp at all: now


def test_a_stamp_is_not_moved_by_what_comes_between_two_clocks_on_a_busy_board() -> None:
    class Interrupted(program_time.MachineTime):
        """A fifth of a second passes between the first look and the second one; afterwards nothing comes between."""

        looks = 0

        def monotonic_ns(self) -> int:
            self.looks += 1
            return 10**12 + (200_000_000 if self.looks > 1 else 0)

        def boottime_ns(self) -> int:
            return self.monotonic_ns() + 7 * 10**9

    before = program_time.run_on(Interrupted())
    try:
        assert boottime_of_sensor_ns(10**12 - 50_000_000) == 10**12 - 50_000_000 + 7 * 10**9
    finally:
        program_time.run_on(before)


@pytest.mark.parametrize("size", [(128, 96), (320, 180), (640, 360), (1280, 720), (1920, 1080)])
def test_the_text_fits_into_pictures_of_every_size(size: tuple[int, int]) -> None:
    luma = np.full((size[1], size[0]), 180, dtype=np.uint8)
    caption = Caption(*size, "CAM-0042")
    caption.draw(luma, 1_767_225_600_123_000_000)
    changed = np.argwhere(luma != 180)
    assert luma.max() == 235
    assert changed[:, 0].max() < caption.height_px <= size[1] // 3
    assert changed[:, 1].max() < size[0]
    before = luma.copy()
    luma[:] = 180
    caption.draw(luma, 1_767_225_601_123_000_000)
    assert (luma != before).any()  # a second later another second stands there


def test_the_text_says_whose_camera_and_the_utc_of_the_picture() -> None:
    luma = np.zeros((720, 1280), dtype=np.uint8)
    Caption(1280, 720, "CAM-0042").draw(luma, 1_767_225_600_123_000_000)
    scale = 3
    for row, text in ((0, "CAM-0042"), (1, "2026-01-01 00:00:00.123 UTC")):
        drawn = line(text, scale)
        top, left = 2 * 2 * scale + row * 10 * scale, 2 * 2 * scale
        assert np.array_equal(luma[top : top + drawn.shape[0], left : left + drawn.shape[1]], drawn)
    assert abs(utc_of_capture_ns(boottime_ns() - 10**9) - (utc_ns() - 10**9)) < 10**9


def test_what_goes_wrong_again_and_again_is_said_once_until_frames_come() -> None:
    said: queue.Queue[str] = queue.Queue()
    turns = queue.Queue[Callable[[], None] | None]()
    done = threading.Event()

    def session(stopping: threading.Event, frames_come: Callable[[], None]) -> None:
        one = turns.get(timeout=WAIT_S)
        if one is None:
            frames_come()
            done.set()
            stopping.wait(WAIT_S)
        raise DeviceLost("the camera has gone")

    for turn in (lambda: None, lambda: None, None):
        turns.put(turn)
    recovery = Recovery("camera-test", session)
    recovery.start(said.put)
    assert said.get(timeout=WAIT_S) == "the camera has gone"
    assert done.wait(WAIT_S)
    assert said.empty()  # the second failure was no news
    recovery.stop()
    recovery.stop()


def test_without_picamera2_there_is_a_sentence_and_no_exception(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", None)  # as if it were not installed
    said: queue.Queue[str] = queue.Queue()
    camera = Picamera2Camera()
    camera.start(lambda frame: None, said.put)
    assert "sudo apt install python3-picamera2" in said.get(timeout=WAIT_S)
    assert camera.small_picture() is None
    camera.stop()
    camera.stop()


def test_a_camera_that_cannot_be_opened_is_a_sentence_whatever_libcamera_raised() -> None:
    def refuses(number: int) -> Any:
        raise RuntimeError("Failed to acquire camera: Device or resource busy\nand more")

    said: queue.Queue[str] = queue.Queue()
    camera = Picamera2Camera(open_camera=refuses)
    camera.start(lambda frame: None, said.put)
    sentence = said.get(timeout=WAIT_S)
    assert "Device or resource busy): end other programs that use it" in sentence
    assert "\n" not in sentence
    camera.stop()


@pytest.mark.parametrize(
    "options",
    [
        {"camera": -1},
        {"width": 1281},
        {"height": "720"},
        {"frame_rate": 61},
        {"bitrate_kbit": 10},
        {"encoder": "vaapi"},
        {"overlay": 1},
        {"label": "two\nlines"},
        {"upside_down": "no"},
        {"silence_s": float("nan")},
    ],
)
def test_options_out_of_range_say_what_is_allowed(options: dict[str, Any]) -> None:
    with pytest.raises(BadDriverOption, match=next(iter(options))):
        Picamera2Camera(**options)
    assert find_driver("camera", "picamera2", allow_simulated=False).load() is Picamera2Camera
