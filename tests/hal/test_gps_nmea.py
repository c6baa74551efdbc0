"""NMEA in, epochs out: a position is the receiver's exact claim, and no fix is a value (design, invariant 10)."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hal.gps import GpsEpoch
from hal.nmea import (
    MAX_LINE_CHARS,
    MAX_SENTENCES,
    EpochAssembler,
    Sentence,
    coordinate_nd,
    decimal_scaled,
    parse_sentence,
    time_of_day_ns,
)

SECOND_NS = 1_000_000_000
FIX = [
    "GNRMC,120000.00,A,5130.12345,N,00007.54321,W,10.0,359.9,050326,,,A",
    "GNVTG,359.9,T,,M,10.0,N,18.52,K,A",
    "GNGGA,120000.00,5130.12345,N,00007.54321,W,1,09,0.91,35.2,M,47.0,M,,",
    "GNGSA,A,3,01,11,31,14,,,,,,,,,1.56,0.91,1.27",
    "GPGSV,1,1,02,01,53,280,36,03,29,301,24",
    "GNGLL,5130.12345,N,00007.54321,W,120000.00,A,A",
]


def nmea(body: str) -> bytes:
    """A whole line with its checksum."""
    checksum = 0
    for byte in body.encode():
        checksum ^= byte
    return f"${body}*{checksum:02X}\r\n".encode()


def one_epoch(*bodies: str, now_ns: int = SECOND_NS) -> GpsEpoch:
    assembler = EpochAssembler()
    for body in bodies:
        assert assembler.add(nmea(body), now_ns) is None
    epoch = assembler.finish()
    assert epoch is not None
    return epoch


def test_a_full_epoch_carries_position_motion_time_and_quality() -> None:
    epoch = one_epoch(*FIX)
    assert epoch.fix
    assert epoch.latitude_nd == round(Fraction(5130_12345 - 5100_00000, 6_000_000) * 10**9) + 51 * 10**9
    assert epoch.longitude_nd == -round(Fraction(754321, 6_000_000) * 10**9)
    assert epoch.altitude_mm == 35_200
    assert epoch.speed_mm_s == 5144  # 10 knots = 5.1444… m/s
    assert epoch.course_mdeg == 359_900
    assert epoch.utc_ns == int(datetime(2026, 3, 5, 12, tzinfo=UTC).timestamp()) * SECOND_NS
    assert (epoch.dimensions, epoch.hdop_centi, epoch.satellites) == (3, 91, 9)
    assert epoch.sentences == tuple(nmea(body).decode().strip() for body in FIX)
    assert epoch.received_ns == SECOND_NS


@pytest.mark.requirement("R5")
def test_a_void_fix_has_no_position_and_is_never_zero() -> None:
    epoch = one_epoch(
        "GPRMC,120000.00,V,,,,,,,050326,,,N", "GPGGA,120000.00,,,,,0,00,99.99,,,,,,", "GPGSA,A,1" + 12 * "," + ",,,"
    )
    assert not epoch.fix
    assert (epoch.latitude_nd, epoch.longitude_nd, epoch.altitude_mm, epoch.speed_mm_s) == (None,) * 4
    assert (epoch.dimensions, epoch.satellites) == (0, 0)
    assert epoch.utc_ns is not None, "the receiver's clock may run without a fix; it is a claim all the same"


@pytest.mark.parametrize(
    ("bodies", "fix"),
    [
        ([FIX[0]], True),
        ([FIX[2]], True),
        ([FIX[5]], True),
        (["GNGNS,120000.00,5130.12345,N,00007.54321,W,AN,09,0.91,35.2,47.0,,"], True),
        (["GNGNS,120000.00,5130.12345,N,00007.54321,W,NN,00,99.9,,,,"], False),
        ([FIX[0], FIX[2].replace(",W,1,", ",W,0,")], False),
        ([FIX[0].replace(",A,5130", ",V,5130"), FIX[2]], False),
        ([FIX[0].replace(",,,A", ",,,N")], False),
        ([FIX[0], FIX[5].replace(",A,A", ",V,N")], False),
        ([FIX[3], FIX[4]], False),
        (["GNGGA,120000.00,,,,,1,09,0.91,35.2,M,47.0,M,,"], False),
    ],
)
def test_a_fix_needs_every_sentence_that_has_a_say_to_agree(bodies: list[str], fix: bool) -> None:
    epoch = one_epoch(*bodies)
    assert epoch.fix is fix
    assert (epoch.latitude_nd is not None) is fix
    assert (epoch.dimensions > 0) is fix


def test_a_damaged_sentence_neither_gives_a_position_nor_spoils_one() -> None:
    assembler = EpochAssembler()
    assembler.add(nmea(FIX[0]), 0)
    assembler.add(nmea(FIX[2]).replace(b"5130", b"5230"), 0)
    epoch = assembler.finish()
    assert epoch is not None
    assert epoch.fix
    assert len(epoch.sentences) == 1
    assert assembler.rejections == {"bad_checksum": 1}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"$GPTXT," + b"A" * 120 + b"*00\r\n", "too_long"),
        ("$GPTXT,caf\u00e9*00\r\n".encode(), "not_ascii"),
        (b"$GPTXT,\x00*00\r\n", "not_ascii"),
        (b"# a comment\r\n", "not_nmea"),
        (b"$*00", "not_nmea"),
        (b"!AIVDM,1,1,,A,,0*26", "not_nmea"),
        (b"$GPRMC,$GPRMC*00", "not_nmea"),
        (b"$GPRMC,120000,V", "no_checksum"),
        (nmea(FIX[0])[:-2] + b"0", "not_nmea"),
        (nmea(FIX[0]).replace(b"*", b"1*"), "bad_checksum"),
        (nmea("GPGGA,120000,,,,,one,,,,,,,,"), "malformed"),
    ],
)
def test_what_is_not_a_whole_sentence_is_dropped_with_a_counted_reason(line: bytes, reason: str) -> None:
    assembler = EpochAssembler()
    assert assembler.add(line, 0) is None
    assert assembler.rejections == {reason: 1}
    assert assembler.finish() is None


def test_an_epoch_ends_when_the_next_time_appears() -> None:
    assembler = EpochAssembler()
    for body in FIX:
        assert assembler.add(nmea(body), 0) is None
    epoch = assembler.add(nmea(FIX[0].replace("120000.00", "120000.20")), 200_000_000)
    assert epoch is not None
    assert len(epoch.sentences) == len(FIX)


def test_the_same_time_with_more_decimals_is_the_same_epoch() -> None:
    epoch = one_epoch(FIX[0], FIX[2].replace("120000.00", "120000.000"))
    assert len(epoch.sentences) == 2


def test_silence_ends_an_epoch_so_that_a_position_is_not_a_second_late() -> None:
    assembler = EpochAssembler()
    assembler.add(nmea(FIX[0]), 5 * SECOND_NS)
    assert assembler.flush(5 * SECOND_NS + 299_000_000) is None
    epoch = assembler.flush(5 * SECOND_NS + 300_000_000)
    assert epoch is not None
    assert epoch.received_ns == 5 * SECOND_NS
    assert assembler.flush(9 * SECOND_NS) is None


def test_bursts_without_a_time_are_split_by_their_arrival() -> None:
    assembler = EpochAssembler()
    assert assembler.add(nmea("GPRMC,,V,,,,,,,,,,N"), 0) is None
    assert assembler.add(nmea("GPGGA,,,,,,0,00,,,,,,,"), 50_000_000) is None
    epoch = assembler.add(nmea("GPRMC,,V,,,,,,,,,,N"), SECOND_NS)
    assert epoch is not None
    assert not epoch.fix
    assert epoch.utc_ns is None
    assert len(epoch.sentences) == 2


def test_an_endless_stream_without_times_is_bounded_in_sentences_and_in_time() -> None:
    assembler = EpochAssembler()
    epochs = [assembler.add(nmea(FIX[4]), i * 10_000_000) for i in range(1000)]
    found = [epoch for epoch in epochs if epoch is not None]
    assert len(found) == 4
    assert all(len(epoch.sentences) == MAX_SENTENCES for epoch in found)
    assert assembler.dropped > 0


@pytest.mark.parametrize(
    ("bodies", "expected"),
    [
        (["GPRMC,000000,V,,,,,,,010180,,,N"], datetime(1980, 1, 1, tzinfo=UTC)),
        (["GPRMC,000000,V,,,,,,,311279,,,N"], datetime(2079, 12, 31, tzinfo=UTC)),
        (["GPZDA,235959,31,12,2025,00,00"], datetime(2025, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (["GPRMC,235960,V,,,,,,,311216,,,N"], datetime(2017, 1, 1, tzinfo=UTC)),
        (["GPRMC,000000,V,,,,,,,220806,,,N"], datetime(2006, 8, 22, tzinfo=UTC)),
        (["GPRMC,000000,V,,,,,,,320126,,,N"], None),
        (["GPRMC,000000,V,,,,,,,,,,N"], None),
        (["GPRMC,,V,,,,,,,010126,,,N"], None),
        (["GPRMC,000000,V,,,,,,,010126,,,N", "GPZDA,000000,02,01,2026,00,00"], None),
        (["GPGGA,000000,,,,,0,00,,,,,,,"], None),
    ],
)
def test_utc_needs_a_date_and_a_time_and_is_not_mended(bodies: list[str], expected: datetime | None) -> None:
    utc_ns = one_epoch(*bodies).utc_ns
    assert utc_ns == (None if expected is None else int(expected.timestamp()) * SECOND_NS)


@given(degrees=st.integers(0, 89), minutes=st.integers(0, 59), digits=st.text("0123456789", max_size=12))
def test_a_coordinate_is_exact_to_the_nanodegree(degrees: int, minutes: int, digits: str) -> None:
    text = f"{degrees:02d}{minutes:02d}" + (f".{digits}" if digits else "")
    exact = degrees + Fraction(int(f"{minutes}{digits}"), 60 * 10 ** len(digits))
    expected = round(exact * 10**9)  # Fraction rounds half to even
    assert coordinate_nd(text, "N", longitude=False) == expected
    assert coordinate_nd("0" + text, "W", longitude=True) == -expected


@pytest.mark.parametrize(
    ("text", "hemisphere", "longitude"),
    [
        ("9000.00001", "N", False),
        ("5160.0", "N", False),
        ("05130.0", "N", False),
        ("5130.0", "E", True),
        ("18000.1", "W", True),
        ("5130.0", "E", False),
        ("5130.0", "", False),
        ("-5130.0", "N", False),
        ("5130.", "N", False),
        ("٥١٣٠.0", "N", False),
        ("", "N", False),
    ],
)
def test_what_is_no_coordinate_is_none(text: str, hemisphere: str, longitude: bool) -> None:
    assert coordinate_nd(text, hemisphere, longitude=longitude) is None


def test_decimals_and_times_are_strict() -> None:
    assert decimal_scaled("-21.35", 10) == -214
    assert decimal_scaled("0.25", 10) == 2
    assert [decimal_scaled(text, 1) for text in ("", "1e5", "nan", "inf", "1_0", "+1", " 1", "1.2.3")] == [None] * 8
    assert time_of_day_ns("235959.5") == 86_399_500_000_000
    assert [time_of_day_ns(text) for text in ("", "240000", "126000", "12000", "120000.")] == [None] * 5


def test_a_forged_repeat_count_does_not_occupy_the_processor() -> None:
    """pynmeagps would go round a loop numSv times for this proprietary sentence (PUBX,03)."""
    sentence = parse_sentence(nmea("PUBX,03,999999999999999999"))
    assert isinstance(sentence, Sentence)
    assert sentence.kind == "PUBX"


_KINDS = ["GPRMC", "GNGGA", "GPGLL", "GNGNS", "GNGSA", "GPVTG", "GPZDA", "GPGSV", "PUBX", "GPXXX"]
_FIELD = st.one_of(
    st.sampled_from(
        ["", "A", "V", "N", "S", "E", "W", "1", "120000.00", "5130.1", "00007.5", "010126", "-1", "nan", "9" * 30]
    ),
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=12),
)
_LINE = st.one_of(
    st.binary(max_size=200),
    st.builds(
        lambda kind, fields: nmea(",".join([kind, *fields])), st.sampled_from(_KINDS), st.lists(_FIELD, max_size=20)
    ),
)


@given(st.lists(st.tuples(_LINE, st.integers(0, SECOND_NS)), max_size=40))
@example([(nmea(body), 0) for body in FIX])
def test_no_input_makes_the_assembler_raise_or_grow(lines: list[tuple[bytes, int]]) -> None:
    assembler = EpochAssembler()
    now_ns = 0
    epochs = []
    for line, later_ns in lines:
        now_ns += later_ns
        epochs.append(assembler.add(line, now_ns))
    epochs.append(assembler.finish())
    for epoch in epochs:
        if epoch is None:
            continue
        assert len(epoch.sentences) <= MAX_SENTENCES
        assert all(len(text) <= MAX_LINE_CHARS for text in epoch.sentences)
        assert (epoch.latitude_nd is None) == (not epoch.fix) == (epoch.longitude_nd is None)
        if epoch.latitude_nd is not None and epoch.longitude_nd is not None:
            assert abs(epoch.latitude_nd) <= 90 * 10**9
            assert abs(epoch.longitude_nd) <= 180 * 10**9
        assert epoch.course_mdeg is None or 0 <= epoch.course_mdeg < 360_000
