"""ffmpeg, which we did not write, plays what we write; ffprobe counts it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from encoded_media import FRAME_TICKS, SAMPLE_RATE, audio_samples, pictures, sounds, video_samples, video_track

from evidence import nal
from evidence.errors import MediaError
from evidence.fmp4 import (
    AudioSample,
    GpsSample,
    VideoSample,
    VideoTrack,
    init_segment,
    media_fragment,
    salt_box,
)

Tool = Callable[[str], str]
SALT = bytes(range(32))
GPS_PAYLOAD = b"DEVC" + bytes(4)


def media_object(
    number: int, video: Sequence[VideoSample], audio: Sequence[AudioSample] = (), gps: Sequence[GpsSample] = ()
) -> bytes:
    return b"".join(media_fragment(number, video, audio, gps)) + salt_box(SALT)


def one_second_objects(fragments_with_audio: set[int], audio_start_ticks: int = 0) -> tuple[bytes, int]:
    """Two one-second fragments with GPS; sound only in the named ones. Returns the file and its sound samples."""
    units, (track, sound) = pictures(), sounds()
    made = init_segment(video_track(), track, gps=True) + salt_box(SALT)
    count = 0
    for second in (0, 1):
        audio = audio_samples(sound[47 * second : 47 * second + 47], audio_start_ticks + 47 * 1024 * second)
        audio = audio if second in fragments_with_audio else []
        count += len(audio)
        gps = [GpsSample(GPS_PAYLOAD, second * 90_000, 90_000)]
        made += media_object(second + 1, video_samples(units[25 * second :][:25], 25 * second), audio, gps)
    return made, count


def decode_errors(ffmpeg: str, path: Path) -> str:
    run = subprocess.run(
        [ffmpeg, "-v", "error", "-xerror", "-i", path, "-map", "0:v", "-map", "0:a?", "-f", "null", "-"],
        capture_output=True,
        text=True,
        check=False,
    )
    return run.stderr + ("" if run.returncode == 0 else f"rc {run.returncode}")


def probe(ffprobe: str, path: Path) -> dict[str, dict[str, object]]:
    shown = subprocess.run(
        [ffprobe, "-v", "error", "-count_packets", "-count_frames", "-show_streams", "-of", "json", path],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stderr == ""
    return {stream["codec_tag_string"]: stream for stream in json.loads(shown.stdout)["streams"]}


def packets(ffprobe: str, path: Path, stream: str) -> list[dict[str, str]]:
    shown = subprocess.run(
        [ffprobe, "-v", "error", "-select_streams", stream, "-show_packets", "-of", "json", path],
        capture_output=True,
        text=True,
        check=True,
    )
    found: list[dict[str, str]] = json.loads(shown.stdout)["packets"]
    return found


@pytest.mark.parametrize("with_audio", [{0, 1}, {0}, {1}, set()])
def test_ffmpeg_decodes_every_frame_whether_or_not_a_fragment_has_sound(
    tool: Tool, tmp_path: Path, with_audio: set[int]
) -> None:
    made, sound_count = one_second_objects(with_audio)
    path = tmp_path / "x.mp4"
    path.write_bytes(made)
    assert decode_errors(tool("ffmpeg"), path) == ""
    streams = probe(tool("ffprobe"), path)
    assert streams["avc1"]["nb_read_frames"] == "50"
    assert (streams["avc1"]["width"], streams["avc1"]["height"]) == (320, 180)
    assert streams["avc1"]["avg_frame_rate"] == "25/1"
    assert streams["mp4a"].get("nb_read_packets", "0") == str(sound_count)
    assert streams["gpmd"]["nb_read_packets"] == "2"


def test_the_whole_lasts_as_long_as_its_samples(tool: Tool, tmp_path: Path) -> None:
    path = tmp_path / "x.mp4"
    path.write_bytes(one_second_objects({0, 1})[0])
    video = packets(tool("ffprobe"), path, "v")
    assert [int(one["dts"]) for one in video] == [n * FRAME_TICKS for n in range(50)]
    assert all(int(one["duration"]) == FRAME_TICKS for one in video)
    assert [n for n, one in enumerate(video) if one["flags"].startswith("K")] == [0, 25]


def test_sound_that_starts_later_stays_later(tool: Tool, tmp_path: Path) -> None:
    path = tmp_path / "x.mp4"
    path.write_bytes(one_second_objects({0, 1}, audio_start_ticks=SAMPLE_RATE // 2)[0])
    assert decode_errors(tool("ffmpeg"), path) == ""
    assert float(packets(tool("ffprobe"), path, "a")[0]["pts_time"]) == 0.5


def test_a_fragment_need_not_begin_with_a_key_frame(tool: Tool, tmp_path: Path) -> None:
    units = pictures()
    made = init_segment(video_track(), None, gps=False) + salt_box(SALT)
    for number, first in enumerate(range(0, 50, 10)):
        made += media_object(number + 1, video_samples(units[first : first + 10], first))
    path = tmp_path / "x.mp4"
    path.write_bytes(made)
    assert decode_errors(tool("ffmpeg"), path) == ""
    assert probe(tool("ffprobe"), path)["avc1"]["nb_read_frames"] == "50"


@pytest.mark.requirement("R16")
def test_a_recording_of_hours_keeps_its_times(tool: Tool, tmp_path: Path) -> None:
    ten_hours = 10 * 3600 * 90_000
    units = pictures()[:25]
    samples = [VideoSample(s.parts, s.dts + ten_hours, s.duration, s.keyframe) for s in video_samples(units)]
    path = tmp_path / "x.mp4"
    path.write_bytes(init_segment(video_track(), None, gps=False) + media_object(1, samples))
    assert int(packets(tool("ffprobe"), path, "v")[0]["dts"]) == ten_hours


def test_high_profile_video_is_described_and_decoded(tool: Tool, tmp_path: Path) -> None:
    units = pictures(10, 10, options="8x8dct=1:cabac=1:slices=4")
    sets = nal.parameter_sets(nal.split_annexb(units[0].data))
    assert sets is not None
    path = tmp_path / "x.mp4"
    track = VideoTrack(320, 180, sets.sps, sets.pps)
    path.write_bytes(init_segment(track, None, gps=False) + media_object(1, video_samples(units)))
    assert decode_errors(tool("ffmpeg"), path) == ""
    assert probe(tool("ffprobe"), path)["avc1"]["profile"] == "High"


def test_a_hole_in_the_sound_is_told_by_decode_times_not_by_durations(tool: Tool, tmp_path: Path) -> None:
    track, sound = sounds()
    audio = audio_samples(sound[:3]) + audio_samples(sound[3:6], first_dts=10 * 1024)
    made = init_segment(video_track(), track, gps=False)
    made += media_object(1, video_samples(pictures()[:25]), audio)
    path = tmp_path / "x.mp4"
    path.write_bytes(made)
    times = [int(one["dts"]) for one in packets(tool("ffprobe"), path, "a")]
    assert times == [0, 1024, 2048, 10240, 11264, 12288]


def test_sample_bytes_are_handed_on_without_a_copy() -> None:
    samples = video_samples(pictures()[:1])
    parts = media_fragment(1, samples)
    assert all(any(given is part for part in parts) for given in samples[0].parts)


def test_impossible_fragments_are_refused() -> None:
    sample = video_samples(pictures()[:1])[0]
    for number, video in [
        (0, [sample]),
        (1, []),
        (1, [sample, sample]),
        (1, [VideoSample(sample.parts, -1, 1, True)]),
        (1, [VideoSample(sample.parts, 0, 0, True)]),
        (1, [VideoSample(sample.parts, 0, 1 << 32, True)]),
        (1 << 32, [sample]),
    ]:
        with pytest.raises(MediaError):
            media_fragment(number, video)
    with pytest.raises(MediaError):
        salt_box(bytes(31))
