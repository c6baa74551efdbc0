"""H.264 access units are split strictly, within bounds, and without a copy."""

from __future__ import annotations

import time

import pytest
from encoded_media import pictures
from hypothesis import given
from hypothesis import strategies as st

from evidence import nal
from evidence.errors import MediaError
from evidence.sps import parse_sps

IDR = b"\x65\x88\x84\x01"


def test_both_start_codes_are_understood_and_trailing_zeros_do_not_belong_to_a_nal() -> None:
    data = b"\x00\x00\x00\x01\x67\x42" + b"\x00\x00\x01\x68\xce" + b"\x00\x00\x00\x01" + IDR + b"\x00" * 9
    assert [bytes(found) for found in nal.split_annexb(data)] == [b"\x67\x42", b"\x68\xce", IDR]


def test_splitting_copies_no_picture_data() -> None:
    data = nal.START_CODE + IDR
    (found,) = nal.split_annexb(data)
    assert found.obj is data


@pytest.mark.parametrize(
    "data",
    [b"", b"\x65\x88", b"\x65\x00\x00\x01\x65", b"\x00\x00\x01", b"\x00\x00\x01\x00\x00\x01\x65", b"\x00\x00\x01\xe5"],
    ids=["empty", "no start code", "bytes before it", "no nal", "empty nal", "forbidden bit"],
)
def test_a_damaged_stream_is_refused(data: bytes) -> None:
    with pytest.raises(MediaError):
        nal.split_annexb(data)


def test_too_many_nals_and_too_large_access_units_are_refused() -> None:
    one = nal.START_CODE + IDR
    assert len(nal.split_annexb(one * nal.MAX_NALS)) == nal.MAX_NALS
    with pytest.raises(MediaError, match="more than 512"):
        nal.split_annexb(one * (nal.MAX_NALS + 1))
    with pytest.raises(MediaError, match="at most"):
        nal.split_annexb(one + bytes(nal.MAX_ACCESS_UNIT_BYTES))


def test_eight_megabytes_of_zeros_are_refused_at_once() -> None:
    began = time.thread_time()
    with pytest.raises(MediaError):
        nal.split_annexb(bytes(nal.MAX_ACCESS_UNIT_BYTES))
    nal.split_annexb(nal.START_CODE + IDR + bytes(nal.MAX_ACCESS_UNIT_BYTES - 8))
    assert time.thread_time() - began < 1, "of this thread's own time"


@given(st.binary(max_size=200))
def test_any_bytes_either_split_or_raise_a_media_error(data: bytes) -> None:
    try:
        found = nal.split_annexb(b"\x00\x00\x01" + data)
    except MediaError:
        return
    assert all(len(one) and not bytes(one).endswith(b"\x00") for one in found)


@given(st.binary(max_size=200))
def test_any_bytes_as_mp4_sample_either_split_or_raise_a_media_error(data: bytes) -> None:
    try:
        found = nal.split_avcc(data)
    except MediaError:
        return
    assert sum(4 + len(one) for one in found) == len(data)


def test_length_prefixed_form_holds_every_nal_but_the_delimiter() -> None:
    nals = nal.split_annexb(nal.to_annexb([b"\x09\xf0", b"\x06\x05\x80", IDR]))
    joined = b"".join(nal.to_avcc_parts(nals))
    assert [bytes(found) for found in nal.split_avcc(joined)] == [b"\x06\x05\x80", IDR]


@given(st.lists(st.sampled_from([0, 0, 0, 1, 2, 3, 4, 255]), max_size=60).map(bytes))
def test_escaping_is_undone_exactly_and_hides_every_start_code(rbsp: bytes) -> None:
    payload = rbsp + b"\x80"
    escaped = nal.escape(payload)
    assert nal.unescape(escaped) == payload
    assert not any(code in escaped for code in (b"\x00\x00\x00", b"\x00\x00\x01", b"\x00\x00\x02"))


@pytest.mark.parametrize(("width", "height"), [(320, 180), (642, 362), (1280, 720)])
def test_the_sps_of_x264_tells_the_picture_size_after_cropping(width: int, height: int) -> None:
    sets = nal.parameter_sets(nal.split_annexb(pictures(1, 1, width, height)[0].data))
    assert sets is not None
    info = parse_sps(sets.sps)
    assert (info.width, info.height) == (width, height)


def test_high_profile_sps_tells_chroma_format_and_depth() -> None:
    unit = pictures(1, 1, 320, 180, options="8x8dct=1:cabac=1:cqm=jvt")[0]
    sets = nal.parameter_sets(nal.split_annexb(unit.data))
    assert sets is not None
    info = parse_sps(sets.sps)
    assert (info.profile_idc, info.chroma_format_idc, info.bit_depth_luma) == (100, 1, 8)
    assert (info.width, info.height) == (320, 180)


@given(st.binary(max_size=80))
def test_any_bytes_as_sps_either_parse_or_raise_a_media_error(data: bytes) -> None:
    try:
        parse_sps(b"\x67" + data)
    except MediaError:
        return


def test_repeated_parameter_sets_are_fine_and_different_ones_are_refused() -> None:
    assert nal.parameter_sets([b"\x67\x01", b"\x68\x01", b"\x67\x01", IDR]) == nal.ParameterSets(
        b"\x67\x01", b"\x68\x01"
    )
    assert nal.parameter_sets([b"\x67\x01", IDR]) is None
    with pytest.raises(MediaError, match="different"):
        nal.parameter_sets([b"\x67\x01", b"\x67\x02", b"\x68\x01"])
