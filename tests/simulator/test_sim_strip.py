"""The strip names any frame, through an encoder and through scaling, and never guesses."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hal.x264 import X264Encoder
from simulator import read_frames, strip
from simulator.drivers.picture import Picture, plane_view

SMALL_TO_LARGE = st.sampled_from([(128, 96), (176, 144), (640, 360)])
SIZES = [(176, 144, 60_000), (320, 180, 100_000), (640, 272, 250_000), (640, 360, 300_000)]


@given(
    st.integers(0, 2**40), st.integers(0, strip.MS_PER_DAY - 1), st.sampled_from([(128, 96), (176, 144), (640, 360)])
)
def test_what_is_drawn_is_read(sequence: int, ms: int, size: tuple[int, int]) -> None:
    luma = np.full((size[1], size[0]), 90, dtype=np.uint8)
    strip.draw(luma, sequence, ms)
    assert strip.read(luma) == strip.StripReading(sequence % 2**21, ms, ok=True)


@given(st.integers(0, 2**21 - 1), st.integers(0, strip.MS_PER_DAY - 1), st.integers(0, 63))
def test_one_wrong_cell_is_noticed(sequence: int, ms: int, cell: int) -> None:
    luma = np.zeros((360, 640), dtype=np.uint8)
    strip.draw(luma, sequence, ms)
    row, column = divmod(cell, 32)
    patch = luma[320 + 20 * row : 340 + 20 * row, 20 * column : 20 * column + 20]
    patch[...] = strip.BLACK + strip.WHITE - patch
    assert not strip.read(luma).ok


@pytest.mark.parametrize("level", [0, 16, 128, 235, 255])
def test_a_picture_without_strip_is_unreadable(level: int) -> None:
    assert not strip.read(np.full((360, 640), level, dtype=np.uint8)).ok


def test_a_tiny_picture_is_unreadable_and_cannot_carry_a_strip() -> None:
    assert not strip.read(np.zeros((16, 16), dtype=np.uint8)).ok
    with pytest.raises(ValueError, match="too small"):
        strip.draw(np.zeros((16, 16), dtype=np.uint8), 0, 0)


@pytest.mark.parametrize(("sequence", "ms"), [(0, -1), (0, strip.MS_PER_DAY), (-1, 0)])
def test_values_out_of_range_are_refused(sequence: int, ms: int) -> None:
    with pytest.raises(ValueError):
        strip.draw(np.zeros((360, 640), dtype=np.uint8), sequence, ms)


def noisy_stream(width: int, height: int, bitrate: int, count: int = 45) -> bytes:
    """Frames with a busy, changing picture above the strip: the encoder has little left for the strip."""
    chance = np.random.default_rng(3)
    texture = chance.integers(16, 235, (height, 2 * width), dtype=np.uint8)
    picture = Picture(width, height)
    encoder = X264Encoder(width, height, Fraction(30), bitrate)
    stream = b""
    for number in range(count):
        picture.y[...] = texture[:, 3 * number : 3 * number + width]
        picture.u[...] = 90
        picture.v[...] = 160
        picture.neutral_bottom(strip.strip_height_px(height))
        strip.draw(picture.y, 1_000_000 + number, 43_200_000 + 33 * number)
        stream += encoder.encode(picture.frame, number, keyframe=number % 30 == 0)[0]
    return stream


@pytest.mark.parametrize(("width", "height", "bitrate"), SIZES)
def test_the_strip_survives_x264_at_a_low_bitrate_and_scaling(
    tmp_path: Path, width: int, height: int, bitrate: int
) -> None:
    file = tmp_path / "noise.h264"
    file.write_bytes(noisy_stream(width, height, bitrate))
    assert [reading.frame for reading in read_frames.read_frames(file)] == [1_000_000 + n for n in range(45)]
    with av.open(str(file)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            for size in [(176, 144), (320, 180), (480, 270), (1280, 720)]:
                scaled = frame.reformat(width=size[0], height=size[1], format="yuv420p")
                seen = strip.read(plane_view(scaled.planes[0]))
                assert seen == strip.StripReading(1_000_000 + number, 43_200_000 + 33 * number, ok=True), size


def test_the_command_prints_a_table_and_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "noise.h264"
    file.write_bytes(noisy_stream(320, 180, 100_000, count=3))
    assert read_frames.main([str(file)]) == 0
    assert "12:00:00.066" in capsys.readouterr().out
    assert read_frames.main([str(file), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["index"], row["frame"], row["ok"]) for row in rows] == [(n, 1_000_000 + n, True) for n in range(3)]
    assert set(rows[0]) == {"index", "pts_s", "frame", "ms", "ok"}


def test_frames_without_a_strip_make_exit_code_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    encoder = X264Encoder(320, 180, Fraction(30), 100_000)
    picture = Picture(320, 180)
    for plane in (picture.y, picture.u, picture.v):
        plane[...] = 128
    file = tmp_path / "grey.h264"
    file.write_bytes(encoder.encode(picture.frame, 0, keyframe=True)[0])
    assert read_frames.main([str(file)]) == 1
    assert "unreadable" in capsys.readouterr().out


def test_what_is_no_video_makes_exit_code_2_and_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    garbage = tmp_path / "notes.txt"
    garbage.write_text("not a video at all\n" * 50)
    for file in (garbage, tmp_path / "missing.mp4", tmp_path):
        assert read_frames.main([str(file)]) == 2
        error = capsys.readouterr().err
        assert str(file) in error
        assert "Traceback" not in error


def test_wrong_usage_makes_exit_code_64() -> None:
    assert read_frames.main([]) == 64
    assert read_frames.main(["a", "--colour"]) == 64
    assert read_frames.main(["--help"]) == 0
