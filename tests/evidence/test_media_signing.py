"""The pictures carry signatures of their own; every change to them is seen and named."""

from __future__ import annotations

import datetime as dt
import hashlib
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from encoded_media import FRAME_TICKS, Picture, pictures, video_track
from hypothesis import given, settings
from hypothesis import strategies as st
from signing_chain import signing_chain

from evidence import nal
from evidence.errors import MediaError
from evidence.fmp4 import VideoSample, init_segment, media_fragment
from evidence.media_sei import ONVIF_UUID, is_message, read_message, write_message
from evidence.media_signing import MAX_ARBITRARY_BYTES, MediaSigner, VendorInfo
from evidence.media_verify import certificate_verdict, verify_stream
from evidence.trust import Trust

AccessUnits = list[list[nal.Buffer]]
VENDOR = VendorInfo("1.0.0", "FH-0001", "Firsthand")
START_NS = 1_790_000_000_000_000_000
STEP_NS = 40_000_000
FOREIGN_SEI = b"\x06\x05\x11" + bytes(range(1, 17)) + b"\x2a\x80"


def new_signer() -> MediaSigner:
    chain = signing_chain()
    return MediaSigner(chain.sign, chain.pem, VENDOR)


def signed(units: Sequence[Picture], finish: bool = True) -> AccessUnits:
    signer = new_signer()
    out = []
    for number, unit in enumerate(units):
        nals = nal.split_annexb(unit.data)
        fix = b'{"frame":%d}' % number
        out.append(list(signer.process(nals, unit.keyframe, START_NS + number * STEP_NS, fix)))
    if finish:
        out[-1].append(signer.finish())
    return out


def signed_once(units: Sequence[Picture], every: int = 8) -> AccessUnits:
    """A slow key: only each `every`-th group's message is signed, and the last one's."""
    signer = new_signer()
    out: AccessUnits = []
    group = 0
    for number, unit in enumerate(units):
        nals = nal.split_annexb(unit.data)
        fix = b'{"frame":%d}' % number
        out.append(list(signer.process(nals, unit.keyframe, START_NS + number * STEP_NS, fix, sign=False)))
        last = number + 1 == len(units)
        if last or units[number + 1].keyframe:
            group += 1
            if last or group % every == 0:
                out[-1].append(signer.finish() if last else signer.end_group())
    return out


def hundred() -> AccessUnits:
    return signed(pictures(100, 25))


def types(access_unit: Sequence[nal.Buffer]) -> list[int]:
    return [nal.nal_type(one) for one in access_unit]


def statuses(access_units: AccessUnits) -> list[str]:
    return [gop.status for gop in verify_stream(access_units).gops]


def without_messages(access_unit: Sequence[nal.Buffer]) -> list[nal.Buffer]:
    return [one for one in access_unit if not is_message(one)]


def test_a_finished_group_is_described_in_the_next_idr_before_its_slices() -> None:
    units = hundred()
    assert types(units[0]) == [7, 8, 6, 5] or types(units[0]) == [7, 8, 5]
    assert not any(is_message(one) for one in units[0])
    for number in (25, 50, 75):
        message, first_slice = units[number][-2:]
        assert is_message(message)
        assert nal.nal_type(first_slice) == nal.IDR_SLICE
    assert is_message(units[99][-1])
    assert sum(is_message(one) for unit in units for one in unit) == 4


def test_a_message_holds_counter_times_and_the_signed_fix_of_its_group() -> None:
    units = hundred()
    claims = [read_message(one).claim for unit in units for one in unit if is_message(one)]
    assert [claim.counter for claim in claims if claim] == [1, 2, 3, 4]
    second = claims[1]
    assert second is not None
    assert (second.start_utc_ns, second.end_utc_ns) == (START_NS + 25 * STEP_NS, START_NS + 50 * STEP_NS)
    assert (second.hashed_nals, len(second.hashes), second.partial) == (25, 25, False)
    assert second.arbitrary == b'{"frame":49}'


def test_hashes_follow_the_standard_word_for_word() -> None:
    units = hundred()
    claim = read_message(units[50][-2]).claim
    assert claim is not None
    stored = [bytes(one) for unit in units[25:50] for one in unit if nal.is_slice(one)]
    anchor = hashlib.sha256(stored[0]).digest()
    expected = [anchor, *(hashlib.sha256(anchor + hashlib.sha256(one).digest()).digest() for one in stored[1:])]
    assert list(claim.hashes) == expected
    assert claim.gop_hash == hashlib.sha256(b"".join(expected)).digest()
    first = next(one for one in units[0] if nal.is_slice(one))
    assert claim.linked_hash == hashlib.sha256(first).digest()


def test_openssl_alone_accepts_the_signature_of_a_message(tool: Callable[[str], str], tmp_path: Path) -> None:
    raw = bytes(hundred()[25][-2]).replace(b"\x00\x00\x03", b"\x00\x00")
    field = raw.rindex(b"\x03\x00\x4b\x01\x00")  # tag 3, 75 bytes, version 1
    length = raw[field + 5]
    (tmp_path / "signed").write_bytes(raw[:field])
    (tmp_path / "signature").write_bytes(raw[field + 6 : field + 6 + length])
    key = signing_chain().key.public_key()
    pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "key.pem").write_bytes(pem)
    command = [tool("openssl"), "dgst", "-sha256", "-verify", "key.pem", "-signature", "signature", "signed"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "Verified OK"
    assert ONVIF_UUID.bytes in raw


@pytest.mark.parametrize("options", ["", "slices=4"])
def test_an_untouched_stream_is_signed_from_end_to_end(options: str) -> None:
    verdict = verify_stream(signed(pictures(75, 25, options=options)))
    assert [(gop.status, gop.pictures, gop.first_picture) for gop in verdict.gops] == [
        ("signed", 25, 0),
        ("signed", 25, 25),
        ("signed", 25, 50),
    ]
    assert verdict.all_signed
    assert verdict.vendor == VENDOR


def test_a_long_group_is_signed_in_parts_so_that_nothing_grows_without_bound() -> None:
    verdict = verify_stream(signed(pictures(100, 50, options="slices=8")))
    assert [(gop.status, gop.pictures, gop.claim and gop.claim.partial) for gop in verdict.gops] == [
        ("signed", 37, True),
        ("signed", 13, False),
        ("signed", 37, True),
        ("signed", 13, False),
    ]


@pytest.mark.parametrize(("options", "every"), [("", 8), ("", 2), ("slices=4", 3)])
def test_one_signature_covers_several_groups(options: str, every: int) -> None:
    units = signed_once(pictures(100, 10, options=options), every)
    messages = [read_message(one) for unit in units for one in unit if is_message(one)]
    assert [message.claim and message.claim.counter for message in messages] == list(range(1, 11))
    assert sum(bool(message.signature) for message in messages) == -(-10 // every)
    verdict = verify_stream(units)
    assert verdict.all_signed
    assert [(gop.first_picture, gop.pictures) for gop in verdict.gops] == [(at, 10) for at in range(0, 100, 10)]


def test_a_message_without_a_signature_stands_behind_the_next_key_frame_and_is_hashed_there() -> None:
    units = signed_once(pictures(100, 25), 2)
    assert types(units[25])[-2:] == [nal.IDR_SLICE, nal.SEI]
    raw = bytes(units[25][-1])
    said = read_message(units[49][-1]).claim
    assert said is not None
    assert (said.hashed_nals, len(said.hashes)) == (26, 26)
    assert said.hashes[1] == hashlib.sha256(raw[:1] + nal.unescape(raw)[1:]).digest()


def without_signed_messages(units: AccessUnits) -> AccessUnits:
    return [[one for one in unit if not is_message(one) or not read_message(one).signature] for unit in units]


ONCE_DAMAGE: dict[str, tuple[Callable[[AccessUnits], AccessUnits], list[str]]] = {
    "nothing": (lambda u: u, ["signed"] * 4),
    "one bit of a picture of the first group": (
        lambda u: [*u[:3], [bytes((*bytes(u[3][-1])[:-3], bytes(u[3][-1])[-3] ^ 1, *bytes(u[3][-1])[-2:]))], *u[4:]],
        ["altered", "signed", "signed", "signed"],
    ),
    "the position in a message without a signature": (
        lambda u: [[bytes(one).replace(b'"frame":24', b'"frame":23') for one in unit] for unit in u],
        ["unsigned", "altered", "signed", "signed"],
    ),
    "a message without a signature gone": (
        lambda u: [*u[:25], without_messages(u[25]), *u[26:]],
        ["unsigned", "missing", "signed", "signed"],
    ),
    "the signed message that covers it gone": (
        lambda u: [*u[:74], without_messages(u[74]), *u[75:]],
        ["unsigned", "unsigned", "unsigned", "signed"],
    ),
    "all signatures gone": (without_signed_messages, ["unsigned"] * 4),
    "cut in the third group": (lambda u: u[:70], ["unsigned"] * 3),
    "the first group gone": (lambda u: u[25:], ["missing", "signed", "signed", "signed"]),
}


@pytest.mark.parametrize("name", ONCE_DAMAGE)
def test_damage_where_one_signature_covers_several_groups(name: str) -> None:
    damage, expected = ONCE_DAMAGE[name]
    assert statuses(damage(signed_once(pictures(100, 25), 3))) == expected


def test_a_key_that_fails_at_the_end_of_a_group_signs_it_with_the_next() -> None:
    broken: list[bool] = []

    def sign(digest: bytes) -> bytes:
        if broken:
            raise OSError("the key does not answer")
        return signing_chain().sign(digest)

    signer = MediaSigner(sign, signing_chain().pem, VENDOR)
    out: AccessUnits = []
    for number, unit in enumerate(pictures(75, 25)):
        nals = nal.split_annexb(unit.data)
        out.append(list(signer.process(nals, unit.keyframe, START_NS + number * STEP_NS, sign=number != 25)))
        if number == 24:
            broken.append(True)
            with pytest.raises(OSError, match="does not answer"):
                signer.end_group()
            broken.clear()
        elif number in (49, 74):
            out[-1].append(signer.end_group())
    assert statuses(out) == ["signed"] * 3


def test_foreign_sei_messages_and_missing_parameter_sets_change_nothing() -> None:
    units = [[FOREIGN_SEI, *(one for one in unit if nal.nal_type(one) not in (7, 8))] for unit in hundred()]
    assert statuses(units) == ["signed"] * 4
    signer = new_signer()
    nals = [FOREIGN_SEI, *nal.split_annexb(pictures()[0].data)]
    assert signer.process(nals, True, START_NS) == nals


def test_a_recording_that_was_cut_short_has_only_its_last_group_unsigned() -> None:
    assert statuses(signed(pictures(100, 25), finish=False)) == ["signed", "signed", "signed", "unsigned"]


def altered_slice(units: AccessUnits) -> AccessUnits:
    units[30][-1] = bytes(units[30][-1])[:-3] + bytes((bytes(units[30][-1])[-3] ^ 1,)) + bytes(units[30][-1])[-2:]
    return units


def edited_fix(units: AccessUnits) -> AccessUnits:
    units[50][-2] = bytes(units[50][-2]).replace(b'"frame":49', b'"frame":48')
    return units


def test_a_last_message_of_the_reference_framework_with_a_stale_group_hash_is_accepted() -> None:
    units, chain = hundred(), signing_chain()
    claim = read_message(units[99].pop()).claim
    assert claim is not None
    stale = replace(claim, gop_hash=bytes(32))
    units[99].append(write_message(stale, chain.pem, VENDOR, chain.sign))
    assert statuses(units) == ["signed"] * 4


DAMAGE: dict[str, tuple[Callable[[AccessUnits], AccessUnits], list[str]]] = {
    "one bit of one picture": (altered_slice, ["signed", "altered", "signed", "signed"]),
    "two pictures swapped": (lambda u: [*u[:30], u[31], u[30], *u[32:]], ["signed", "altered", "signed", "signed"]),
    "a picture doubled": (lambda u: [*u[:31], u[30], *u[31:]], ["signed", "altered", "signed", "signed"]),
    "the signed position edited": (edited_fix, ["signed", "altered", "signed", "signed"]),
    "a picture gone": (lambda u: u[:30] + u[31:], ["signed", "missing", "signed", "signed"]),
    "a key frame gone": (lambda u: u[:50] + u[51:], ["signed", "unsigned", "missing", "signed"]),
    "a group gone": (lambda u: u[:25] + u[50:], ["unsigned", "missing", "signed", "signed"]),
    "the beginning gone": (lambda u: u[30:], ["missing", "missing", "signed", "signed"]),
    "all messages stripped": (lambda u: [without_messages(one) for one in u], ["unsigned"] * 4),
    "one message stripped": (
        lambda u: [*u[:50], without_messages(u[50]), *u[51:]],
        ["signed", "unsigned", "signed", "signed"],
    ),
    "a group repeated": (lambda u: u[:50] + u[25:], ["signed", "altered", "signed", "signed", "signed"]),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_named_for_the_group_it_struck(name: str) -> None:
    damage, expected = DAMAGE[name]
    assert statuses(damage(hundred())) == expected


def test_a_cut_tail_with_its_message_moved_looks_complete_here_and_only_close_catches_it() -> None:
    units = hundred()
    message = units[75][-2]
    assert statuses([*units[:74], [*units[74], message]]) == ["signed", "signed", "signed"]


def test_the_key_is_a_verdict_of_its_own() -> None:
    chain, verdict = signing_chain(), verify_stream(hundred())
    ours, other = Trust(chain.root), Trust(signing_chain("FH-0002").root)
    assert certificate_verdict(verdict, ours).trusted
    assert certificate_verdict(verdict, ours, "FH-0001", dt.datetime(2026, 9, 21, tzinfo=dt.UTC)).trusted
    assert "does not lead to the root" in certificate_verdict(verdict, other).reason
    assert "not by FH-0002" in certificate_verdict(verdict, ours, "FH-0002").reason
    assert "is valid from" in certificate_verdict(verdict, ours, at=dt.datetime(2040, 1, 1, tzinfo=dt.UTC)).reason
    assert "no certificate" in certificate_verdict(verify_stream([]), ours).reason
    assert verdict.all_signed


def test_ffmpeg_decodes_a_signed_stream_without_complaint(tool: Callable[[str], str], tmp_path: Path) -> None:
    samples = [
        VideoSample(nal.to_avcc_parts(unit), number * FRAME_TICKS, FRAME_TICKS, number % 25 == 0)
        for number, unit in enumerate(hundred())
    ]
    path = tmp_path / "x.mp4"
    path.write_bytes(init_segment(video_track(), None, gps=False) + b"".join(media_fragment(1, samples)))
    command = [tool("ffmpeg"), "-v", "error", "-i", path, "-f", "null", "-"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stderr == ""


def test_a_stream_that_cannot_be_signed_is_refused_and_a_failed_key_loses_nothing() -> None:
    key, delta = (nal.split_annexb(unit.data) for unit in pictures()[:2])
    for nals, keyframe in [(delta, False), (key, False), (delta, True), (key[:2], True)]:
        with pytest.raises(MediaError):
            new_signer().process(nals, keyframe, START_NS)
    with pytest.raises(MediaError):
        new_signer().finish()
    with pytest.raises(MediaError):
        new_signer().process(key, True, START_NS, bytes(MAX_ARBITRARY_BYTES + 1))
    broken = [True]

    def sign(digest: bytes) -> bytes:
        if broken:
            broken.pop()
            raise OSError("the key does not answer")
        return signing_chain().sign(digest)

    signer = MediaSigner(sign, signing_chain().pem, VENDOR)
    out = [signer.process(key, True, START_NS), signer.process(delta, False, START_NS)]
    with pytest.raises(OSError, match="does not answer"):
        signer.process(key, True, START_NS + STEP_NS)
    out.append(signer.process(key, True, START_NS + STEP_NS))
    out[-1].append(signer.finish())
    assert statuses([list(unit) for unit in out]) == ["signed", "signed"]


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@settings(max_examples=300, deadline=1000)
@given(st.data())
def test_mutated_messages_are_refused_or_do_not_verify(data: st.DataObject) -> None:
    message = bytearray(hundred_cached()[25][-2])
    position = data.draw(st.integers(1, len(message) - 1))
    message[position] ^= 1 << data.draw(st.integers(0, 7))
    try:
        if is_message(bytes(message)):
            read_message(bytes(message))
    except MediaError:
        pass
    units = [list(unit) for unit in hundred_cached()[:26]]
    units[25][-2] = bytes(message)
    assert statuses(units)[0] != "signed"


def hundred_cached(made: list[AccessUnits] = []) -> AccessUnits:  # noqa: B006 - signing 300 times over is slow
    if not made:
        made.append(hundred())
    return made[0]
