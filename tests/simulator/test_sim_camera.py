"""Simulated cameras keep the promises of `hal.camera`: closed GOPs of a second, SPS/PPS, no B-frames, honest count."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.video.frame import PictureType
from patient_time import Hand, PatientTime, patient_time

from hal.camera import Camera, EncodedFrame
from hal.errors import BadDriverOption
from hal.registry import load_driver
from simulator import strip
from simulator.drivers.camera import ClipCamera, SceneCamera
from simulator.drivers.pace import boottime_ns
from simulator.drivers.picture import Picture, plane_view
from simulator.drivers.scene import Scene


@contextmanager
def filming(camera: Camera) -> Iterator[Hand[EncodedFrame]]:
    frames, faults = Hand[EncodedFrame](), list[str]()
    camera.start(frames.give, faults.append)
    try:
        yield frames
    finally:
        frames.let_go()
        camera.stop()
        camera.stop()
    assert faults == []


@pytest.fixture(autouse=True)
def patience() -> Iterator[PatientTime]:
    with patient_time() as clock:
        yield clock


def nal_types(access_unit: bytes) -> list[int]:
    return [nal[0] & 31 for nal in access_unit.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")[1:]]


def decoded(frames: list[EncodedFrame]) -> list[av.VideoFrame]:
    codec = av.CodecContext.create("h264", "r")
    pictures = [picture for frame in frames for picture in codec.decode(av.Packet(frame.data))]  # type: ignore[attr-defined]
    return pictures + codec.decode(None)  # type: ignore[attr-defined,no-any-return]


def strips(frames: list[EncodedFrame]) -> list[strip.StripReading]:
    return [strip.read(plane_view(picture.planes[0])) for picture in decoded(frames)]


def assert_closed_one_second_gops(frames: list[EncodedFrame], rate: int) -> None:
    first = frames[0].sequence
    assert [frame.sequence for frame in frames] == list(range(first, first + len(frames)))
    assert [frame.keyframe for frame in frames] == [frame.sequence % rate == 0 for frame in frames]
    assert all(late.captured_ns > early.captured_ns for early, late in itertools.pairwise(frames))
    for frame in frames:
        types = nal_types(frame.data)
        if frame.keyframe:
            assert types.index(7) < types.index(8) < types.index(5)
        assert types.count(5) + types.count(1) == 1
        assert (5 in types) == frame.keyframe
    assert {picture.pict_type for picture in decoded(frames)} == {PictureType.I, PictureType.P}


@pytest.mark.parametrize("size", [(320, 180), (176, 144)])
def test_the_scene_delivers_closed_gops_of_one_second(size: tuple[int, int]) -> None:
    camera = SceneCamera(*size, bitrate=200_000)
    assert (camera.info.kind, camera.info.sensor) == ("simulated", f"scene-{size[0]}x{size[1]}")
    before_ns = boottime_ns()
    with filming(camera) as frames:
        got = frames.take(65)
    assert_closed_one_second_gops(got, 30)
    assert before_ns < got[0].captured_ns < got[-1].captured_ns <= boottime_ns()
    readings = strips(got)
    assert [(reading.frame, reading.ok) for reading in readings] == [(frame.sequence, True) for frame in got]
    gaps = {(late.ms - early.ms) % strip.MS_PER_DAY for early, late in itertools.pairwise(readings)}
    assert gaps <= {32, 33, 34, 35}


def test_gops_are_closed_a_decoder_may_begin_at_any_of_them() -> None:
    with filming(SceneCamera(176, 144, frame_rate=10)) as frames:
        got = frames.take(20)
    readings = strips(got[10:])
    assert [reading.frame for reading in readings if reading.ok] == [frame.sequence for frame in got[10:]]


def test_a_camera_that_is_late_makes_up_for_it_and_counts_what_it_lost_when_it_is_much_later(
    patience: PatientTime,
) -> None:
    with filming(SceneCamera(176, 144, frame_rate=10)) as frames:
        got = frames.take(5)
        patience.sleep(0.8)
        got += frames.take(20)
        assert [frame.sequence for frame in got] == list(range(25))
        patience.sleep(2.0)
        after = [got[-1], *frames.take(20)]
    holes = [late for early, late in itertools.pairwise(after) if late.sequence != early.sequence + 1]
    assert len(holes) == 1
    assert holes[0].keyframe, "what follows a hole can be decoded"


def test_the_same_seed_draws_the_same_town() -> None:
    pictures = [Picture(320, 180) for _ in range(3)]
    for picture, seed in zip(pictures, (4, 4, 5), strict=True):
        Scene(320, 180, seed).paint(picture, 3.0)
    assert np.array_equal(pictures[0].y, pictures[1].y)
    assert not np.array_equal(pictures[0].y, pictures[2].y)


def test_the_scene_moves_and_night_is_dark() -> None:
    early, late, night = (Picture(320, 180) for _ in range(3))
    dusk = Scene(320, 180)
    dusk.paint(early, 0.0)
    dusk.paint(late, 0.5)
    Scene(320, 180, night=True).paint(night, 0.0)
    assert not np.array_equal(early.y, late.y)
    assert night.y[:150].mean() < 0.5 * early.y[:150].mean()


@pytest.mark.parametrize(
    "options",
    [{"width": 641}, {"height": 10}, {"width": "640"}, {"frame_rate": 0}, {"bitrate": 5}, {"seed": -1}, {"night": 1}],
)
def test_options_out_of_range_say_what_is_allowed(options: dict[str, Any]) -> None:
    with pytest.raises(BadDriverOption, match=next(iter(options))):
        SceneCamera(**options)


def write_clip(path: Path, size: tuple[int, int] = (200, 150), rate: int = 12, count: int = 18) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.options = {"preset": "ultrafast"}
        for number in range(count):
            picture = Picture(*size)
            picture.y[...] = 40 + 10 * number
            picture.u[...] = picture.v[...] = 128
            picture.frame.pts, picture.frame.time_base = number, Fraction(1, rate)
            container.mux(stream.encode(picture.frame))
        container.mux(stream.encode(None))
    return path


def test_a_clip_is_looped_at_its_own_size_and_rate(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "walk.mp4")
    camera = ClipCamera(str(clip))
    assert (camera.info.kind, camera.info.sensor) == ("clip", "walk.mp4")
    assert (camera.format.width, camera.format.height, camera.format.frame_rate) == (200, 150, 12)
    with filming(camera) as frames:
        got = frames.take(26)
    assert_closed_one_second_gops(got, 12)
    pictures = decoded(got)
    levels = [plane_view(picture.planes[0])[70:110, 100:].mean() for picture in pictures]
    assert levels == pytest.approx([40 + 10 * (frame.sequence % 18) for frame in got], abs=14)
    assert all(reading.ok for reading in strips(got))


def test_a_large_clip_is_scaled_to_720_lines(tmp_path: Path) -> None:
    camera = ClipCamera(str(write_clip(tmp_path / "large.mp4", size=(1920, 1440), count=2)))
    assert (camera.format.width, camera.format.height) == (960, 720)
    camera.stop()


def test_a_real_street_clip_carries_readable_strips(shared_data: Callable[[str], Path]) -> None:
    with filming(ClipCamera(str(shared_data("bikes.mp4")))) as frames:
        got = frames.take(52)
    assert_closed_one_second_gops(got, 25)
    assert [(reading.frame, reading.ok) for reading in strips(got)] == [(frame.sequence, True) for frame in got]


def test_what_is_no_clip_is_refused_with_its_name(tmp_path: Path) -> None:
    garbage = tmp_path / "garbage.mp4"
    garbage.write_bytes(b"nothing to see" * 100)
    for clip in (str(garbage), str(tmp_path / "missing.mp4"), str(tmp_path), ""):
        with pytest.raises(BadDriverOption, match="clip = "):
            ClipCamera(clip)


def test_cameras_are_found_by_their_entry_points() -> None:
    camera = load_driver("camera", "simulated-scene", {"width": 320, "height": 180}, allow_simulated=True)
    assert isinstance(camera, SceneCamera)
