"""Faults of what a simulated camera sees: the encoded picture and the small one suffer alike, frame numbers go on."""

from __future__ import annotations

import itertools
import json
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from patient_time import Hand, patient_time

from hal.camera import AdjustsBitrate, EncodedFrame, ShowsPictures, SmallPicture
from hal.microphone import EncodedSound
from hal.small_pictures import small_picture
from simulator import strip
from simulator.drivers.camera import SceneCamera
from simulator.drivers.microphone import ToneMicrophone
from simulator.drivers.picture import plane_view

RATE = 10


def small_of(camera: SceneCamera) -> SmallPicture:
    small = camera.small_picture()
    assert small is not None
    return small


def luma(small: SmallPicture) -> np.ndarray[Any, Any]:
    return np.frombuffer(small.luma, np.uint8).reshape(small.height, small.width)


def decoded(frames: list[EncodedFrame]) -> list[np.ndarray[Any, Any]]:
    codec = av.CodecContext.create("h264", "r")
    pictures = [one for frame in frames for one in codec.decode(av.Packet(frame.data))]  # type: ignore[attr-defined]
    pictures += codec.decode(None)  # type: ignore[attr-defined]
    return [plane_view(one.planes[0]) for one in pictures]


class Filmed:
    """A scene camera that films, and the world's end of its hardware socket."""

    def __init__(self, path: str, **options: Any) -> None:
        self.path = path
        self.frames = Hand[EncodedFrame]()
        self.camera = SceneCamera(320, 180, frame_rate=RATE, hardware_socket=path, **options)
        assert self.camera.small_picture() is None
        self.camera.start(self.frames.give, lambda text: pytest.fail(text))

    def world(self, operation: dict[str, Any]) -> dict[str, Any]:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.connect(self.path)
            connection.sendall(json.dumps(operation).encode() + b"\n")
            answer: dict[str, Any] = json.loads(connection.makefile("rb").readline())
            return answer

    def take(self, count: int) -> list[EncodedFrame]:
        return self.frames.take(count)

    def whole_second(self) -> list[EncodedFrame]:
        """A group of pictures that began after now."""
        self.frames.forget()
        return [*itertools.dropwhile(lambda frame: not frame.keyframe, self.take(2 * RATE))][:RATE]


@contextmanager
def filming(**options: Any) -> Iterator[Filmed]:
    with tempfile.TemporaryDirectory(prefix="looks-") as directory:
        filmed = Filmed(str(Path(directory) / "hw.sock"), **options)
        try:
            yield filmed
        finally:
            filmed.frames.let_go()
            filmed.camera.stop()


@pytest.fixture(autouse=True)
def patience() -> Iterator[None]:
    with patient_time():
        yield


def sensor_part(picture: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Without the caption above and the strip below."""
    return picture[40 : -strip.strip_height_px(180)]


def test_the_small_picture_is_the_encoded_one_made_small() -> None:
    with filming() as filmed:
        assert isinstance(filmed.camera, ShowsPictures)
        whole = filmed.whole_second()
        small = small_of(filmed.camera)
        shown = next(frame for frame in range(len(whole)) if whole[frame].captured_ns >= small.captured_ns - 10**9)
        picture = decoded(whole)[shown]
    assert 64 <= small.width <= 128
    assert len(small.luma) == small.width * small.height
    # The lower half has no caption; the sky and road hardly move within a second.
    of_encoded = small_picture(picture[: -strip.strip_height_px(180)], 0)
    lower = slice(small.height // 2, None)
    assert abs(luma(small)[lower].astype(float).mean() - luma(of_encoded)[lower].mean()) < 4


def test_small_pictures_are_renewed_about_twice_a_second() -> None:
    with filming() as filmed:
        seen = {small_of(filmed.camera).captured_ns for _ in range(2 * RATE) if filmed.take(1)}
    gaps = [later - earlier for earlier, later in itertools.pairwise(sorted(seen))]
    assert gaps
    assert all(450_000_000 <= gap <= 650_000_000 for gap in gaps[:2])


@pytest.mark.parametrize("night", [False, True])
def test_each_look_is_in_the_encoded_picture_and_the_strip_goes_on(night: bool) -> None:
    with filming(night=night) as filmed:
        normal = sensor_part(decoded(filmed.whole_second())[-1]).astype(float)
        seen: dict[str, np.ndarray[Any, Any]] = {}
        for look in ("black", "covered", "defocused", "upside_down"):
            assert filmed.world({"op": "camera", "look": look})["ok"]
            pictures = decoded(filmed.whole_second())
            assert all(strip.read(one).ok for one in pictures), "frame numbers are readable on a black picture too"
            seen[look] = sensor_part(pictures[-1]).astype(float)

    def detail(picture: np.ndarray[Any, Any]) -> float:
        """How steep the steepest edges are, without the noise of single pixels."""
        steps = np.abs(np.diff(luma(small_picture(picture.astype(np.uint8), 0)).astype(float), axis=1))
        return float(np.percentile(steps, 99))

    assert seen["black"].max() <= 20
    assert detail(seen["covered"]) < detail(normal) / 2
    assert seen["covered"].max() < 70
    assert detail(seen["defocused"]) < detail(normal) / 2
    turned = np.corrcoef(seen["upside_down"][::-1, ::-1].mean(axis=1), normal.mean(axis=1))[0, 1]
    assert turned > np.corrcoef(seen["upside_down"].mean(axis=1), normal.mean(axis=1))[0, 1]


def test_a_frozen_picture_keeps_still_while_frames_are_counted_on() -> None:
    with filming() as filmed:
        filmed.take(RATE)
        assert filmed.world({"op": "camera", "look": "frozen"})["ok"]
        first = filmed.whole_second()
        one = small_of(filmed.camera)
        second = filmed.whole_second()
        other = small_of(filmed.camera)
        assert filmed.world({"op": "camera", "look": "normal"})["ok"]
        filmed.whole_second()
        after = small_of(filmed.camera)
    assert one.captured_ns < other.captured_ns < after.captured_ns
    assert one.luma == other.luma != after.luma
    assert [frame.sequence for frame in first] == list(range(first[0].sequence, first[0].sequence + RATE))
    assert second[0].sequence > first[-1].sequence


def test_a_stalled_encoder_delivers_nothing_and_the_sensor_goes_on() -> None:
    with filming() as filmed:
        before = filmed.take(RATE)[-1]
        assert filmed.world({"op": "camera", "encoder_stall_s": 1.5})["ok"]
        small = small_of(filmed.camera)
        frames = filmed.take(RATE)
        stalled = next(
            later for earlier, later in itertools.pairwise([before, *frames]) if later.sequence > earlier.sequence + 1
        )
        assert small_of(filmed.camera).captured_ns > small.captured_ns
    assert stalled.keyframe, "what follows a hole can be decoded"


def test_the_bit_rate_follows_within_seconds_without_a_new_group_structure() -> None:
    with filming(bitrate=400_000, night=False) as filmed:
        assert isinstance(filmed.camera, AdjustsBitrate)
        full = [frame for _ in range(2) for frame in filmed.whole_second()]
        filmed.camera.set_bitrate_percent(25)
        for _ in range(2):
            filmed.whole_second()
        low = [frame for _ in range(2) for frame in filmed.whole_second()]
    assert sum(len(frame.data) for frame in low) < 0.5 * sum(len(frame.data) for frame in full)
    assert [frame.keyframe for frame in low] == [frame.sequence % RATE == 0 for frame in low]
    for percent in (9, 101):
        with pytest.raises(ValueError, match=str(percent)):
            filmed.camera.set_bitrate_percent(percent)


def test_a_look_that_nobody_knows_is_refused() -> None:
    with filming() as filmed:
        answer = filmed.world({"op": "camera", "look": "pretty"})
    assert not answer["ok"]
    assert "pretty" in answer["error"]


def test_a_clipped_microphone_is_at_full_scale() -> None:
    with tempfile.TemporaryDirectory(prefix="looks-") as directory:
        path = str(Path(directory) / "hw.sock")
        sounds = Hand[EncodedSound]()
        microphone = ToneMicrophone(hardware_socket=path)
        microphone.start(sounds.give, lambda text: pytest.fail(text))
        try:
            quiet = [sound.level_dbfs for sound in sounds.take(20)][5:]
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.connect(path)
                connection.sendall(b'{"op":"microphone","clipped_s":60}\n')
                assert json.loads(connection.makefile("rb").readline())["ok"]
            sounds.forget()
            loud = [sound.level_dbfs for sound in sounds.take(20)][5:]
        finally:
            sounds.let_go()
            microphone.stop()
    assert max(quiet) < -5
    assert min(loud) > -0.1
