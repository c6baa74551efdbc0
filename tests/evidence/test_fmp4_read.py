"""The MP4 reader finds every sample, and answers damaged bytes with MediaError and nothing else."""

from __future__ import annotations

import contextlib
import io
from fractions import Fraction

import av
import pytest
from encoded_media import FRAME_TICKS, audio_samples, pictures, sounds, video_samples, video_track
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence.boxes import boxes_in
from evidence.errors import MediaError
from evidence.fmp4 import GpsSample, init_segment, media_fragment, salt_box
from evidence.fmp4_read import parse_fragment, parse_init, read_salt

SALT = bytes(range(32))


def ours() -> tuple[bytes, bytes]:
    track, sound = sounds()
    init = init_segment(video_track(), track, gps=True) + salt_box(SALT)
    gps = [GpsSample(b"DEVC\0\0\0\0", 0, 90_000)]
    parts = media_fragment(7, video_samples(pictures()[:5]), audio_samples(sound[:4], 512), gps)
    return init, b"".join(parts) + salt_box(SALT)


def test_the_init_segment_gives_back_what_was_written() -> None:
    track, _ = sounds()
    init = parse_init(ours()[0])
    assert init.video == video_track()
    assert init.audio == track
    assert [(one.track_id, one.handler, one.entry) for one in init.tracks] == [
        (1, "vide", "avc1"),
        (2, "soun", "mp4a"),
        (3, "meta", "gpmd"),
    ]
    assert init.gps is not None
    assert init.gps.timescale == 90_000


def test_the_fragment_gives_back_every_sample_at_its_place() -> None:
    data = ours()[1]
    fragment = parse_fragment(data)
    assert fragment.sequence_number == 7
    video, audio, gps = fragment.tracks
    assert [sample.dts for sample in video.samples] == [n * FRAME_TICKS for n in range(5)]
    assert [sample.sync for sample in video.samples] == [True, False, False, False, False]
    for sample, given_sample in zip(video.samples, video_samples(pictures()[:5]), strict=True):
        assert data[sample.offset : sample.offset + sample.size] == b"".join(given_sample.parts)
    assert audio.base_decode_time == 512
    for sample, sound in zip(audio.samples, sounds()[1], strict=False):
        assert data[sample.offset : sample.offset + sample.size] == sound
    assert data[gps.samples[0].offset :][:4] == b"DEVC"


def test_the_salt_is_the_last_box_and_nothing_else_is_taken_for_it() -> None:
    init, fragment = ours()
    assert read_salt(init) == read_salt(fragment) == SALT
    for wrong in (init[:-56], init + b"\0\0\0\x08free", init[:-1], b""):
        with pytest.raises(MediaError):
            read_salt(wrong)


def test_fragments_of_another_muxer_are_read_too() -> None:
    sink = io.BytesIO()
    flags = "frag_keyframe+empty_moov+default_base_moof+skip_trailer"
    source = av.open(io.BytesIO(b"".join(unit.data for unit in pictures())), format="h264")
    with av.open(sink, "w", format="mp4", options={"movflags": flags}) as muxer:
        stream = muxer.add_stream_from_template(source.streams.video[0])
        for number, unit in enumerate(pictures()):
            packet = av.Packet(unit.data)
            packet.stream, packet.pts, packet.dts, packet.duration = stream, number, number, 1
            packet.time_base, packet.is_keyframe = Fraction(1, 25), unit.keyframe
            muxer.mux(packet)
    data = sink.getvalue()
    found = list(boxes_in(data, 0, len(data)))
    first_moof = next(index for index, one in enumerate(found) if one.kind == b"moof")
    init = parse_init(data[: found[first_moof].start])
    fragment = parse_fragment(data[found[first_moof].start : found[first_moof + 1].end], init)
    assert init.video is not None
    assert init.video.width == 320
    assert [sample.sync for sample in fragment.tracks[0].samples] == [True] + [False] * 24


@settings(max_examples=400, deadline=1000)
@given(st.data())
def test_mutated_bytes_raise_nothing_but_media_error(data: st.DataObject) -> None:
    original = data.draw(st.sampled_from(ours()))
    mutated = bytearray(original)
    for _ in range(data.draw(st.integers(1, 4))):
        # mostly the boxes, which stand first; the pictures after them cannot hurt a parser
        position = data.draw(st.integers(0, min(len(mutated), 1200) - 1))
        mutated[position] = data.draw(st.sampled_from([0, 1, 2, 7, 8, 0x7F, 0x80, 0xFF]))
    end = data.draw(st.sampled_from([len(mutated), len(mutated), len(mutated) // 2, 100]))
    for reader in (parse_init, parse_fragment, read_salt):
        with contextlib.suppress(MediaError):
            reader(bytes(mutated[:end]))


def test_a_run_that_claims_four_billion_samples_of_no_bytes_is_refused() -> None:
    fragment = bytearray(ours()[1])
    trun = fragment.index(b"trun")
    fragment[trun + 4 : trun + 12] = b"\x00\x00\x00\x01\xff\xff\xff\xff"
    with pytest.raises(MediaError, match="4096"):
        parse_fragment(bytes(fragment))


def test_a_sample_outside_the_media_data_is_refused() -> None:
    fragment = bytearray(ours()[1])
    trun = fragment.index(b"trun")
    for offset in (0, -8, 1 << 30):
        fragment[trun + 12 : trun + 16] = offset.to_bytes(4, "big", signed=True)
        with pytest.raises(MediaError, match="outside"):
            parse_fragment(bytes(fragment))
