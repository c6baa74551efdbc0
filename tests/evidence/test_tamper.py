"""Whatever is done to a recording, `verify` says so and names the item (issue 2, "How it is judged")."""

from __future__ import annotations

import datetime as dt
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from recordings import Agency, Recipe, judge, write_recording

from evidence import cms
from evidence.cli.verify import exit_code
from evidence.export.items import AnyItem, ObjectItem, StatementItem, walk
from evidence.keys import P256_ORDER, FileSigner
from evidence.sealed import seal
from evidence.statements import AnyStatement, Sealed, encode
from evidence.verify import Report

Record = Callable[..., Path]
OPEN, SEALED_1, MEDIA_1, SEALED_2, MEDIA_2, EVENT, CLOSE = 0, 3, 4, 5, 6, 7, 12


@pytest.fixture(scope="module")
def items(recording: Path) -> list[AnyItem]:
    with recording.open("rb") as file:
        return list(walk(file))


@pytest.fixture
def cut(recording: Path, items: list[AnyItem]) -> list[bytes]:
    """The recording's messages, one by one."""
    data = recording.read_bytes()
    return [data[item.offset : item.offset + item.size] for item in items]


@pytest.fixture
def refused(agency: Agency) -> Callable[[list[bytes] | bytes, int], Report]:
    """Demands exit code 1 and a finding that names the item with this number."""

    def check(data: list[bytes] | bytes, number: int) -> Report:
        report = judge(agency.trust, data if isinstance(data, bytes) else b"".join(data))
        assert exit_code(report) == 1
        assert re.match(rf"(item|not closed: after item) {number:06d}\b", report.findings[0]), report.findings
        return report

    return check


Refused = Callable[..., Report]


def test_the_untouched_recording_is_valid(agency: Agency, cut: list[bytes]) -> None:
    report = judge(agency.trust, b"".join(cut))
    assert report.valid
    assert report.findings == ()
    assert report.notes == ("SIMULATED: made under a simulated root, not evidence",)
    assert (report.fragments, report.frames, report.sound_frames, report.gps_fixes) == (2, 50, 94, 2)
    assert report.duration_ns == 2 * 10**9


def flips(items: list[AnyItem]) -> Iterator[tuple[int, int]]:
    """Every header byte, a sample of each item's body, every byte of the last statement: (offset, bit)."""
    chosen = random.Random(15)
    for item in items:
        inside = range(item.offset, item.offset + item.size)
        places = [*inside[:40], *inside[-20:], *chosen.sample(inside, 60)]
        yield from ((place, chosen.randrange(8)) for place in places)
    last = items[-1]
    yield from ((place, chosen.randrange(8)) for place in range(last.offset, last.offset + last.size))


@pytest.mark.requirement("R40", "R41")
@pytest.mark.filterwarnings("ignore:Parsed a serial number")
def test_one_flipped_bit_anywhere_is_found(agency: Agency, recording: Path, items: list[AnyItem]) -> None:
    data = bytearray(recording.read_bytes())
    starts = [item.offset for item in items]
    for place, bit in flips(items):
        data[place] ^= 1 << bit
        report = judge(agency.trust, bytes(data))
        data[place] ^= 1 << bit
        assert exit_code(report) == 1, (place, bit)
        named = int(re.findall(r"item (\d{6})", report.findings[0])[0])
        assert named <= max(n for n, start in enumerate(starts) if start <= place), (place, report.findings)


@pytest.mark.parametrize("bit", range(8))
def test_a_flipped_bit_in_the_first_bytes_is_invalid_not_unreadable(agency: Agency, recording: Path, bit: int) -> None:
    for place in range(20):
        data = bytearray(recording.read_bytes())
        data[place] ^= 1 << bit
        assert exit_code(judge(agency.trust, bytes(data))) == 1


@pytest.mark.requirement("R40")
@pytest.mark.parametrize("number", range(13))
def test_a_dropped_message_is_missed(refused: Refused, cut: list[bytes], number: int) -> None:
    if number == CLOSE:
        assert "not closed" in refused(cut[:-1], 11).findings[0]
    else:
        refused(cut[:number] + cut[number + 1 :], number)


@pytest.mark.parametrize("number", range(13))
def test_a_doubled_message_is_found(refused: Refused, cut: list[bytes], number: int) -> None:
    refused(cut[: number + 1] + cut[number:], number + 1)


@pytest.mark.parametrize("number", range(12))
def test_swapped_neighbours_are_found(refused: Refused, cut: list[bytes], number: int) -> None:
    refused([*cut[:number], cut[number + 1], cut[number], *cut[number + 2 :]], number)


def test_swapped_fragments_are_found(refused: Refused, cut: list[bytes]) -> None:
    refused([*cut[:SEALED_1], *cut[SEALED_2:EVENT], *cut[SEALED_1:SEALED_2], *cut[EVENT:]], SEALED_1)
    swapped = list(cut)
    swapped[MEDIA_1], swapped[MEDIA_2] = cut[MEDIA_2], cut[MEDIA_1]
    assert "differs from what seq 2 announced" in refused(swapped, MEDIA_1).findings[0]


@pytest.mark.parametrize("number", range(1, 13))
def test_a_tail_cut_between_messages_is_not_closed(refused: Refused, cut: list[bytes], number: int) -> None:
    assert "not closed" in refused(cut[:number], number - 1).findings[0]


def test_a_tail_cut_inside_a_message_is_named(refused: Refused, recording: Path, items: list[AnyItem]) -> None:
    data = recording.read_bytes()
    for item in items:
        for length in (1, 2, item.size // 2, item.size - 1):
            if item.offset + length > 20:  # less is no trace of evidence
                refused(data[: item.offset + length], item.number)


def test_bytes_behind_the_close_are_found(refused: Refused, agency: Agency, cut: list[bytes]) -> None:
    whole = b"".join(cut)
    for tail in (b"\0", b"0", bytes(64), b"garbage" * 100, bytes(seal([b"evil"], [agency.recipient])), cut[EVENT]):
        refused(whole + tail, 13)


def test_an_object_by_someone_with_only_the_vault_certificate_is_an_orphan(
    refused: Refused, agency: Agency, cut: list[bytes]
) -> None:
    evil = bytes(seal([b"planted"], [agency.recipient]))
    assert "orphan" in refused([*cut[:EVENT], evil, *cut[EVENT:]], EVENT).findings[0]
    assert "differs" in refused([*cut[:MEDIA_1], evil, *cut[SEALED_2:]], MEDIA_1).findings[0]


def statement_at(recording: Path, number: int) -> AnyStatement:
    with recording.open("rb") as file:
        item = next(item for item in walk(file) if item.number == number)
    assert isinstance(item, StatementItem)
    assert item.statement is not None
    return item.statement


def signed_again(statement: AnyStatement, signer: FileSigner) -> bytes:
    when = dt.datetime.strptime(statement.utc.earliest, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=dt.UTC)
    return cms.sign(encode(statement), signer, when)


@pytest.mark.requirement("R40")
@pytest.mark.parametrize(
    ("stem", "why"),
    [
        ("camera-2", "signed by SIM-0002, not by SIM-0001"),
        ("camera-tls", "has the tls role, not camera"),
        ("station-receipt", "has the receipt role, not camera"),
        ("profile", "has the profile role, not camera"),
        ("vault", "has the vault role, not camera"),
    ],
)
@pytest.mark.parametrize("number", [OPEN, EVENT, CLOSE])
def test_a_statement_signed_by_anyone_but_this_camera_is_refused(
    refused: Refused, agency: Agency, cut: list[bytes], recording: Path, stem: str, why: str, number: int
) -> None:
    cut[number] = signed_again(statement_at(recording, number), agency.signer(stem))
    assert why in refused(cut, number).findings[0]


def test_another_cameras_open_does_not_carry_this_cameras_statements(
    refused: Refused, agency: Agency, cut: list[bytes], recording: Path
) -> None:
    opened = msgspec.structs.replace(statement_at(recording, OPEN), serial="SIM-0002")
    cut[OPEN] = signed_again(opened, agency.signer("camera-2"))
    refused(cut, 1)


def test_a_camera_of_another_agency_is_refused(refused: Refused, real_agency: Agency, tmp_path: Path) -> None:
    path = write_recording(real_agency, tmp_path, Recipe(kind="real"))
    assert "does not lead to the root" in refused(path.read_bytes(), OPEN).findings[0]


class HighS(FileSigner):
    def sign_digest(self, digest: bytes) -> bytes:
        from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

        r, s = decode_dss_signature(super().sign_digest(digest))
        return encode_dss_signature(r, P256_ORDER - s)


def test_the_second_form_of_a_signature_is_refused(
    refused: Refused, agency: Agency, cut: list[bytes], recording: Path
) -> None:
    signer = HighS.load(agency.directory / "camera.key", agency.directory / "camera.pem")
    cut[CLOSE] = signed_again(statement_at(recording, CLOSE), signer)
    assert "high s" in refused(cut, CLOSE).findings[0]


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(b'":', b'": ', 1),
        lambda text: text + b"\n",
        lambda text: b'{"a":1,' + text[1:],
        lambda text: text.replace(b'"v":1', b'"v":1,"v":1'),
        lambda text: text.replace(b'"seq":7', b'"seq":7.0'),
        lambda text: text.replace(b'"reason":"button"', b'"reason":"\\u0062utton"'),
        lambda text: b"{" + b",".join(reversed(text[1:-1].split(b","))) + b"}",
        lambda text: b"[" * 30_000,
        lambda text: b"",
        lambda text: b"\xff",
    ],
)
def test_json_in_any_other_form_is_refused_though_the_camera_signed_it(
    refused: Refused, agency: Agency, cut: list[bytes], recording: Path, change: Callable[[bytes], bytes]
) -> None:
    close = statement_at(recording, CLOSE)
    when = dt.datetime.strptime(close.utc.earliest, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=dt.UTC)
    altered = change(encode(close))
    assert altered != encode(close)
    cut[CLOSE] = cms.sign(altered, agency.signer(), when)
    refused(cut, CLOSE)


def test_two_recordings_of_one_camera_cannot_be_spliced(
    refused: Refused, agency: Agency, cut: list[bytes], tmp_path: Path
) -> None:
    other = write_recording(agency, tmp_path, Recipe(number=2))
    data = other.read_bytes()
    with other.open("rb") as file:
        theirs = [data[item.offset : item.offset + item.size] for item in walk(file)]
    refused(cut[:SEALED_2] + theirs[SEALED_2:], SEALED_2)
    refused(cut + theirs, 13)
    refused(cut[:-1] + theirs, CLOSE)


def test_a_close_whose_counts_are_wrong_is_refused(
    refused: Refused, agency: Agency, cut: list[bytes], recording: Path
) -> None:
    for name in ("statements", "objects", "frames", "sound_frames", "gps_fixes"):
        close = statement_at(recording, CLOSE)
        wrong = msgspec.structs.replace(close, **{name: getattr(close, name) + 1})
        assert name in refused([*cut[:-1], signed_again(wrong, agency.signer())], CLOSE).findings[0]


@pytest.mark.parametrize(
    "head",
    [
        bytes.fromhex("3084ffffffff") + cms.SIGNED_DATA,
        bytes.fromhex("30850100000000") + cms.SIGNED_DATA,
        bytes.fromhex("3080") + cms.SIGNED_DATA,
        bytes.fromhex("308400020000") + cms.SIGNED_DATA,
        bytes.fromhex("30847fffffff060b2a864886f70d0109100117"),
    ],
)
def test_huge_and_endless_lengths_are_refused_at_once(refused: Refused, cut: list[bytes], head: bytes) -> None:
    refused([*cut[:EVENT], head, bytes(1000)], EVENT)


def test_items_know_their_announcement(items: list[AnyItem]) -> None:
    objects = [item for item in items if isinstance(item, ObjectItem)]
    assert [item.announced.object for item in objects if item.announced] == [
        "init",
        "media",
        "media",
        "metadata",
        "metadata",
    ]
    assert all(isinstance(items[item.number - 1].statement, Sealed) for item in objects)  # type: ignore[union-attr]
