"""GPS samples keep the receiver's exact claim, and exiftool reads the same positions without us."""

from __future__ import annotations

import io
import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import pytest
from encoded_media import pictures, video_samples, video_track
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence.errors import MediaError
from evidence.fmp4 import GpsSample, init_segment, media_fragment
from evidence.gpmf import MAX_POINTS, MAX_SENTENCES, GpsPoint, gps_sample, parse_gps_sample

POINT = GpsPoint(
    latitude_nd=48_137_154_321,
    longitude_nd=-11_576_124_987,
    altitude_mm=519_250,
    speed_mm_s=13_889,
    course_mdeg=271_300,
    utc_ns=1_790_000_000_250_000_000,
    received_ns=12_345_678_901,
    hdop_centi=92,
    dimensions=3,
    satellites=11,
)
SENTENCES = ("$GNRMC,101320.25,A,4808.22926,N,01134.56750,W,27.0,271.3,210926,,,A*4F", "$GNGGA,x*00")


def test_a_sample_gives_back_every_digit_and_every_sentence() -> None:
    bare = GpsPoint(-1, 179_999_999_999)
    assert parse_gps_sample(gps_sample([POINT, bare], SENTENCES, "Firsthand")) == ((POINT, bare), SENTENCES)


@pytest.mark.requirement("R5")
def test_no_fix_is_a_value_and_never_a_position() -> None:
    sample = gps_sample([], ["$GPRMC,,V,,,,,,,,,,N*53"], "Firsthand")
    assert b"GPS9" not in sample
    assert b"FHGP" not in sample
    assert parse_gps_sample(sample) == ((), ("$GPRMC,,V,,,,,,,,,,N*53",))
    assert parse_gps_sample(gps_sample([], [], "Firsthand")) == ((), ())


def test_a_point_without_utc_is_not_given_a_false_one() -> None:
    sample = gps_sample([replace(POINT, utc_ns=None)], SENTENCES, "Firsthand")
    assert b"GPS9" not in sample
    assert b"GPSU" not in sample
    assert parse_gps_sample(sample)[0] == (replace(POINT, utc_ns=None),)


def test_a_foreign_sample_without_our_stream_is_read_from_gps9() -> None:
    foreign = gps_sample([POINT], [], "Firsthand").replace(b"FHGP", b"XXXX")
    (read,), _ = parse_gps_sample(foreign)
    assert abs(read.latitude_nd - POINT.latitude_nd) <= 50
    assert abs(read.longitude_nd - POINT.longitude_nd) <= 50
    assert (read.altitude_mm, read.speed_mm_s, read.utc_ns) == (519_250, 13_889, POINT.utc_ns)
    assert (read.hdop_centi, read.dimensions, read.received_ns) == (92, 3, None)


@pytest.mark.parametrize(
    "point",
    [
        replace(POINT, latitude_nd=90_000_000_001),
        replace(POINT, longitude_nd=-180_000_000_001),
        replace(POINT, dimensions=4),
        replace(POINT, altitude_mm=1 << 40),
        replace(POINT, utc_ns=1 << 70),
        replace(POINT, hdop_centi=-1),
    ],
)
def test_impossible_points_are_refused(point: GpsPoint) -> None:
    with pytest.raises(MediaError):
        gps_sample([point], [], "Firsthand")


@pytest.mark.parametrize("sentence", ["", "$GP\nRMC", "$GPRMC\x00", "Ä", "x" * 121])
def test_impossible_sentences_are_refused(sentence: str) -> None:
    with pytest.raises(MediaError):
        gps_sample([], [sentence], "Firsthand")


def test_the_largest_sample_still_fits_and_one_more_does_not() -> None:
    points, sentences = [POINT] * MAX_POINTS, ["$" * 120] * MAX_SENTENCES
    assert parse_gps_sample(gps_sample(points, sentences, "Firsthand")) == (tuple(points), tuple(sentences))
    with pytest.raises(MediaError):
        gps_sample([*points, POINT], [], "Firsthand")
    with pytest.raises(MediaError):
        gps_sample([], [*sentences, "$"], "Firsthand")


_numbers = st.none() | st.integers(0, 1 << 31)


@given(
    st.lists(
        st.builds(
            GpsPoint,
            st.integers(-90 * 10**9, 90 * 10**9),
            st.integers(-180 * 10**9, 180 * 10**9),
            st.none() | st.integers(-(10**6), 10**7),
            st.none() | st.integers(0, 10**6),
            _numbers,
            st.none() | st.integers(0, 4 * 10**18),
            _numbers,
            _numbers,
            st.sampled_from([0, 2, 3]),
            _numbers,
        ),
        max_size=4,
    )
)
def test_every_possible_claim_survives_exactly(points: list[GpsPoint]) -> None:
    assert parse_gps_sample(gps_sample(points, [], "Firsthand")) == (tuple(points), ())


@settings(max_examples=400)
@given(st.data())
def test_mutated_samples_raise_nothing_but_media_error(data: st.DataObject) -> None:
    sample = gps_sample([POINT], SENTENCES, "Firsthand")
    if data.draw(st.booleans()):
        sample = sample.replace(b"FHGP", b"XXXX")
    mutated = bytearray(sample)
    for _ in range(data.draw(st.integers(1, 4))):
        mutated[data.draw(st.integers(0, len(mutated) - 1))] = data.draw(st.integers(0, 255))
    try:
        parse_gps_sample(bytes(mutated[: data.draw(st.sampled_from([len(mutated), 8, 50, 200]))]))
    except MediaError:
        return


def progressive_mp4(payloads: list[bytes]) -> bytes:
    """Our fragments, one GPS sample a second, remuxed the way an export does it."""
    units = pictures()
    ours = init_segment(video_track(), None, gps=True)
    for second, payload in enumerate(payloads):
        video = video_samples(units[25 * second :][:25], 25 * second)
        ours += b"".join(media_fragment(second + 1, video, [], [GpsSample(payload, second * 90_000, 90_000)]))
    sink = io.BytesIO()
    with av.open(io.BytesIO(ours)) as source, av.open(sink, "w", format="mp4") as muxer:
        video_in, gps_in = source.streams.video[0], source.streams.data[0]
        video_out = muxer.add_stream_from_template(video_in)
        gps_out = muxer.add_data_stream("bin_data")
        gps_out.time_base = Fraction(1, 90_000)
        for packet in source.demux(video_in, gps_in):
            if packet.dts is not None:
                packet.stream = video_out if packet.stream.type == "video" else gps_out
                muxer.mux(packet)
    return sink.getvalue()


def test_exiftool_shows_the_same_position_time_and_speed(tool: Callable[[str], str], tmp_path: Path) -> None:
    second = replace(
        POINT, latitude_nd=-33_856_784_050, longitude_nd=151_215_296_950, utc_ns=(POINT.utc_ns or 0) + 10**9
    )
    path = tmp_path / "x.mp4"
    path.write_bytes(progressive_mp4([gps_sample([p], SENTENCES, "Firsthand") for p in (POINT, second)]))
    shown = subprocess.run(
        [tool("exiftool"), "-ee", "-G3", "-n", "-j", path], capture_output=True, text=True, check=True
    )
    found = json.loads(shown.stdout, parse_float=str)[0]
    assert found["Doc1:GPSLatitude"] == "48.1371543"
    assert found["Doc1:GPSLongitude"] == "-11.576125"
    assert found["Doc2:GPSLatitude"] == "-33.8567841"
    assert found["Doc2:GPSLongitude"] == "151.215297"
    assert found["Doc1:GPSAltitude"] == "519.25"
    assert found["Doc1:GPSSpeed"] == "13.889"
    assert found["Doc1:GPSDateTime"] == "2026:09:21 14:13:20.250"
    assert found["Doc2:GPSDateTime"] == "2026:09:21 14:13:21.250"


def test_exiftool_shows_no_position_when_there_was_no_fix(tool: Callable[[str], str], tmp_path: Path) -> None:
    path = tmp_path / "x.mp4"
    path.write_bytes(progressive_mp4([gps_sample([], ["$GPRMC,,V,,,,,,,,,,N*53"], "Firsthand")] * 2))
    shown = subprocess.run([tool("exiftool"), "-ee", "-n", "-j", path], capture_output=True, text=True, check=True)
    assert "GPSLatitude" not in shown.stdout
    assert "Warning" not in shown.stdout
