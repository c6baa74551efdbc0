"""Our driver on real picamera2, real libcamera and real x264: what it delivered is decoded and looked at here.

The camera is libcamera's virtual one; sensors, the image processor and the board's own encoder are not proven here
(docs/not-proven-here.md).
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.video.frame import PictureType
from picamera2_root import picamera2_root, run_in_root

from device.fragments import Fragmenter
from device.muxing import Muxer
from evidence.keys import FileSigner
from evidence.media_signing import MediaSigner, VendorInfo
from fleet.ca import create_agency
from hal.camera import EncodedFrame, VideoFormat
from hal.picture_encoder import plane_view

pytestmark = [pytest.mark.needs_root, pytest.mark.slow]

TOOLS = {"mmdebstrap": "mmdebstrap", "unshare": "util-linux", "chroot": "coreutils"}


@dataclass(frozen=True)
class Filmed:
    """One scene of picamera2_scenes.py."""

    frames: list[EncodedFrame]
    seen: dict[str, Any]

    def pictures(self) -> list[av.VideoFrame]:
        codec = av.CodecContext.create("h264", "r")
        found = [one for frame in self.frames for one in codec.decode(av.Packet(frame.data))]
        return found + codec.decode(None)


@pytest.fixture(scope="module")
def told() -> list[str]:
    """What the program in the root said; filled by `scenes`."""
    return []


@pytest.fixture(scope="module")
def scenes(told: list[str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Filmed]:
    missing = [f"{tool} (package {package})" for tool, package in TOOLS.items() if shutil.which(tool) is None]
    said = [*(["root"] if os.geteuid() != 0 else []), *missing]
    if said:
        reason = f"real picamera2 needs {', '.join(said)}: run `make lab-picamera2` as root once"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    out = tmp_path_factory.mktemp("scenes")
    told += run_in_root(picamera2_root(), "tests/lab/picamera2_scenes.py", out, ["/mnt"]).splitlines()
    assert "threads left: []" in told
    return {file.stem: filmed(file) for file in out.glob("*.json")}


def filmed(file: Path) -> Filmed:
    seen = json.loads(file.read_text())
    return Filmed([EncodedFrame(base64.b64decode(data), *rest) for data, *rest in seen.pop("frames")], seen)


def luma(picture: av.VideoFrame) -> np.ndarray[Any, Any]:
    return plane_view(picture.planes[0]).astype(int)


def nal_types(access_unit: bytes) -> list[int]:
    return [nal[0] & 31 for nal in access_unit.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")[1:]]


def pairs(frames: list[EncodedFrame]) -> Iterator[tuple[EncodedFrame, EncodedFrame]]:
    return itertools.pairwise(frames)


def test_frames_decode_and_begin_a_closed_gop_each_second(scenes: dict[str, Filmed]) -> None:
    scene = scenes["plain"]
    assert scene.frames[0].keyframe
    keys = [frame for frame in scene.frames if frame.keyframe]
    assert len(keys) >= 3
    for frame in scene.frames:
        types = nal_types(frame.data)
        assert (types.count(5), types.count(1)) == ((1, 0) if frame.keyframe else (0, 1))
        assert not frame.keyframe or types.index(7) < types.index(8) < types.index(5)
    assert all((late.captured_ns - early.captured_ns) < 1.1e9 for early, late in pairs(keys))
    pictures = scene.pictures()
    assert [(one.width, one.height) for one in pictures] == [(640, 360)] * 25
    assert {one.pict_type for one in pictures} == {PictureType.I, PictureType.P}
    # From any key frame on, a decoder sees the same as one that saw everything before.
    begins = scene.frames.index(keys[1])
    late = Filmed(scene.frames[begins:], {}).pictures()
    assert all(np.array_equal(luma(one), luma(other)) for one, other in zip(pictures[begins:], late, strict=True))
    # Eight bars: more than one colour in a line, the same down a column.
    first = luma(pictures[0])
    assert np.ptp(first.mean(axis=0)) > 50
    assert np.ptp(first.mean(axis=1)) < 10


def test_all_of_it_runs_under_the_unit_s_rule_about_memory(scenes: dict[str, Filmed], told: list[str]) -> None:
    """numpy, libcamera and x264 do without memory that is written and then run."""
    if "written code: allowed" in told:
        pytest.skip("this kernel cannot forbid it (Linux 6.3 and later can)")
    assert "written code: forbidden" in told


def test_times_are_the_boot_clock_s_and_nothing_is_missing_from_the_count(scenes: dict[str, Filmed]) -> None:
    scene = scenes["plain"]
    assert [frame.sequence for frame in scene.frames] == list(range(25))
    assert all(late.captured_ns > early.captured_ns for early, late in pairs(scene.frames))
    assert scene.seen["began_ns"] < scene.frames[0].captured_ns
    assert scene.frames[-1].captured_ns < scene.seen["ended_ns"]
    assert scene.seen["sensor"] == "Virtual Bars"
    assert "faults" not in scene.seen


def test_small_pictures_come_from_the_low_resolution_stream(scenes: dict[str, Filmed]) -> None:
    small = scenes["plain"].seen["small"]
    assert {(width, height, len(base64.b64decode(octets))) for width, height, octets, _ in small} == {
        (128, 72, 128 * 72)
    }
    assert len({taken_ns for *_, taken_ns in small}) >= 3
    assert len({octets for *_, octets, _ in small}) >= 3
    picture = np.frombuffer(base64.b64decode(small[0][2]), np.uint8).reshape(72, 128).astype(int)
    assert np.ptp(picture.mean(axis=0)) > 50


def test_a_pipeline_without_a_small_stream_has_its_picture_made_small(scenes: dict[str, Filmed]) -> None:
    ((width, height, octets, _),) = scenes["camera_1"].seen["small"]
    assert (width, height, len(base64.b64decode(octets))) == (96, 54, 96 * 54)


def test_the_text_stands_in_the_picture_and_not_in_the_small_one(scenes: dict[str, Filmed]) -> None:
    with_text, without = luma(scenes["text"].pictures()[0]), luma(scenes["plain"].pictures()[0])
    assert abs(with_text - without)[4:22, 4:100].mean() > 40
    assert abs(with_text - without)[60:].mean() < 10
    (_, _, octets, _), *_ = scenes["text"].seen["small"]
    small = np.frombuffer(base64.b64decode(octets), np.uint8).reshape(72, 128).astype(int)
    assert abs(small[1:4].mean(axis=0) - small[40:60].mean(axis=0)).mean() < 15


def test_fewer_bits_while_it_runs(scenes: dict[str, Filmed]) -> None:
    frames = scenes["fewer_bits"].frames
    many, few = (sum(len(one.data) for one in part) for part in (frames[10:20], frames[40:50]))
    assert few < many / 2
    assert len(scenes["fewer_bits"].pictures()) == 50


def test_stopped_and_made_anew_it_begins_with_a_key_frame(scenes: dict[str, Filmed]) -> None:
    again = scenes["again"].frames
    assert (again[0].keyframe, again[0].sequence) == (True, 0)


@pytest.mark.requirement("R29")
def test_a_dead_sensor_and_an_exception_are_said_and_the_camera_comes_back(scenes: dict[str, Filmed]) -> None:
    scene = scenes["dead_sensor"]
    said = "camera 0 (Virtual Bars) has delivered no picture for 1 s and is restarted: check its ribbon cable"
    assert (scene.seen["said"], scene.seen["said_of_exception"]) == (said, said)
    outages = [late for early, late in pairs(scene.frames) if late.sequence - early.sequence > 5]
    assert len(outages) == 2, "a busy machine may lose a frame now and then, which is told as what it is"
    assert all(frame.keyframe for frame in outages)
    for early, late in pairs(scene.frames):
        gone = round((late.captured_ns - early.captured_ns) / 1e8)
        assert late.sequence - early.sequence == 1 or abs(late.sequence - early.sequence - gone) <= 1
    assert len(scene.pictures()) == len(scene.frames) == 35


@pytest.mark.requirement("R29")
def test_a_recording_of_these_frames_plays_and_shows_the_outages(scenes: dict[str, Filmed], tmp_path: Path) -> None:
    """The camera's own fragmenter and muxer take what the driver delivered."""
    frames = scenes["dead_sensor"].frames
    pki = tmp_path / "pki"
    create_agency(pki, serial="LAB-0001", organization="Lab Police Department", simulated=True)
    signer = FileSigner.load(pki / "camera.key", pki / "camera.pem")
    pictures = MediaSigner(signer.sign_digest, (pki / "camera.pem").read_bytes(), VendorInfo("1", "LAB-0001", "F"))
    muxer = Muxer(
        lambda: VideoFormat(640, 360, 10.0), None, pictures, lambda at_ns: 1_700_000_000_000_000_000,
        recording="LAB-0001-000001", device_name="m",
    )  # fmt: skip
    cutter = Fragmenter()
    cut = [one for one in [*map(cutter.frame, frames), cutter.finish()] if one is not None]
    parts = list(muxer.init(frames[0]))
    for one in cut:
        made = muxer.mux(one)
        assert made is not None
        parts += made.parts
    file = tmp_path / "recording.mp4"
    file.write_bytes(b"".join(bytes(part) for part in parts))
    with av.open(file) as opened:
        played = [float(one.time) for one in opened.decode(video=0)]
    assert len(played) == len(frames)
    taken = [(one.captured_ns - frames[0].captured_ns) / 1e9 for one in frames]
    assert max(abs(one - other) for one, other in zip(played, taken, strict=True)) < 0.02


def test_two_cameras_film_at_once(scenes: dict[str, Filmed]) -> None:
    first, second = scenes["camera_0"], scenes["camera_1"]
    assert (first.seen["sensor"], second.seen["sensor"]) == ("Virtual Bars", "Virtual Lines")
    assert second.frames[0].captured_ns < first.frames[-1].captured_ns
    assert [len(one.pictures()) for one in (first, second)] == [12, 12]
    assert abs(luma(first.pictures()[0]) - luma(second.pictures()[0])).mean() > 20


@pytest.mark.requirement("R29")
def test_what_is_not_there_is_said_with_what_to_do(scenes: dict[str, Filmed]) -> None:
    assert scenes["missing"].seen["said"].startswith("libcamera finds no camera 7 (it finds: Virtual Bars")
    assert "check the ribbon cable" in scenes["missing"].seen["said"]
    assert 'set encoder = "libav" or "auto"' in scenes["no_encoder"].seen["said"]


def test_the_board_s_encoder_is_set_up_as_ours(scenes: dict[str, Filmed]) -> None:
    """That is all that can be seen of it without a board."""
    seen = scenes["board_encoder"].seen
    assert "V4L2Encoder" in seen["kinds"]
    assert (seen["gop"], seen["bits"], seen["repeats"], seen["needs"]) == (30, 8_000_000, True, "/dev/video11")
