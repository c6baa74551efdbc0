"""`media` judges the pictures of any video file: exports and remuxes pass, every edit is named (R40)."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from encoded_media import FRAME_TICKS, pictures, video_track
from recordings import Agency, agency_now

from evidence import nal
from evidence.__main__ import main
from evidence.export.mp4 import ProgressiveMp4
from evidence.fmp4 import VideoSample, init_segment, media_fragment
from evidence.media_sei import is_message
from evidence.media_signing import MediaSigner, VendorInfo
from evidence.statements import moment_ns

Tool = Callable[[str], str]
Units = list[list[nal.Buffer]]
GROUP = 25
CLAIM = b'{"lat_nd":47123456789,"recording":"SIM-0001-000001"}'


def signed_units(agency: Agency, count: int = 100) -> Units:
    """Access units as the device signs them: each group's message behind the last slice of its last access unit."""
    signer = agency.signer()
    media = MediaSigner(
        signer.sign_digest, (agency.directory / "camera.pem").read_bytes(), VendorInfo("0.1.0", "SIM-0001", "Firsthand")
    )
    start_ns = moment_ns(agency_now(agency))
    units: Units = []
    for number, picture in enumerate(pictures(count, GROUP)):
        nals = nal.split_annexb(picture.data)
        units.append(list(media.process(nals, picture.keyframe, start_ns + number * 40_000_000, CLAIM)))
        if number % GROUP == GROUP - 1:
            units[-1].append(media.finish() if number == count - 1 else media.end_group())
    return units


def write_mp4(path: Path, units: Sequence[Sequence[nal.Buffer]]) -> Path:
    """The way an export goes: a fragment for each group, then one progressive file."""
    mp4 = ProgressiveMp4(path, init_segment(video_track(), None, gps=False), "test")
    for first in range(0, len(units), GROUP):
        samples = [
            VideoSample(nal.to_avcc_parts(unit), (first + n) * FRAME_TICKS, FRAME_TICKS, n == 0)
            for n, unit in enumerate(units[first : first + GROUP])
        ]
        mp4.add(b"".join(bytes(part) for part in media_fragment(first + 1, samples, [], [])))
    mp4.close()
    return path


def write_raw(path: Path, units: Sequence[Sequence[nal.Buffer]]) -> Path:
    path.write_bytes(b"".join(nal.to_annexb(unit) for unit in units))
    return path


@dataclass(frozen=True)
class Judged:
    code: int
    statuses: list[str]
    pictures: bool
    certificate: bool
    text: str


@pytest.fixture
def judge(agency: Agency, capsys: pytest.CaptureFixture[str]) -> Callable[..., Judged]:
    def run(path: Path, *more: str, root: str = agency.file("root.pem")) -> Judged:
        code = main(["media", str(path), "--root", root, "--json", *more])
        text = capsys.readouterr().out
        found = json.loads(text)
        statuses = [one["status"] for one in found["groups"]]
        return Judged(code, statuses, found["pictures"]["all_signed"], found["certificate"]["trusted"], text)

    return run


@pytest.fixture(scope="module")
def units(agency: Agency) -> Units:
    return signed_units(agency)


@pytest.fixture(scope="module")
def exported(units: Units, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_mp4(tmp_path_factory.mktemp("signed") / "signed.mp4", units)


def test_an_exported_video_is_signed_group_by_group(judge: Callable[..., Judged], exported: Path) -> None:
    judged = judge(exported, "--serial", "SIM-0001")
    assert judged.code == 0
    assert judged.statuses == ["signed"] * 4
    assert "47123456789" in judged.text, "the signed position is told"


@pytest.mark.parametrize("name", ["copy.mp4", "copy.mkv", "copy.mov", "copy.ts", "copy.h264"])
def test_a_plain_copy_by_ffmpeg_keeps_every_signature(
    judge: Callable[..., Judged], exported: Path, tmp_path: Path, tool: Tool, name: str
) -> None:
    copy = tmp_path / name
    captions = ["-c:s", "srt"] if name.endswith(".mkv") else []  # ffmpeg does not copy MP4 captions into Matroska
    subprocess.run([tool("ffmpeg"), "-v", "error", "-i", exported, "-c", "copy", *captions, copy], check=True)
    judged = judge(copy)
    assert (judged.code, judged.statuses) == (0, ["signed"] * 4)


def test_messages_in_the_next_key_frame_are_accepted_too(
    judge: Callable[..., Judged], units: Units, tmp_path: Path
) -> None:
    """The older place of a group's message, which a camera without knowledge of the next frame still uses."""
    moved = [list(unit) for unit in units]
    for last in range(GROUP - 1, len(moved) - 1, GROUP):
        message = moved[last].pop()
        first_slice = next(n for n, one in enumerate(moved[last + 1]) if nal.is_slice(one))
        moved[last + 1].insert(first_slice, message)
    judged = judge(write_mp4(tmp_path / "moved.mp4", moved))
    assert (judged.code, judged.statuses) == (0, ["signed"] * 4)


def flip_a_bit(units: Units) -> Units:
    last = bytearray(units[30][-1])
    last[-5] ^= 4
    units[30][-1] = bytes(last)
    return units


def drop_a_frame(units: Units) -> Units:
    del units[30]
    return units


def drop_a_group(units: Units) -> Units:
    del units[GROUP : 2 * GROUP]
    return units


def edit_the_position(units: Units) -> Units:
    message = bytes(units[2 * GROUP - 1][-1])
    units[2 * GROUP - 1][-1] = message.replace(b"47123456789", b"47123456780")
    return units


def strip_the_messages(units: Units) -> Units:
    return [[one for one in unit if not (nal.nal_type(one) == nal.SEI and is_message(one))] for unit in units]


def swap_two_frames(units: Units) -> Units:
    units[30], units[31] = units[31], units[30]
    return units


@pytest.mark.requirement("R40")
@pytest.mark.parametrize(
    ("edit", "statuses"),
    [
        (flip_a_bit, ["signed", "altered", "signed", "signed"]),
        (drop_a_frame, ["signed", "missing", "signed", "signed"]),
        (swap_two_frames, ["signed", "altered", "signed", "signed"]),
        (drop_a_group, ["signed", "missing", "signed", "signed"]),
        (edit_the_position, ["signed", "altered", "signed", "signed"]),
        (strip_the_messages, ["unsigned"] * 4),
    ],
)
@pytest.mark.parametrize("write", [write_mp4, write_raw])
def test_every_edit_is_named(
    judge: Callable[..., Judged],
    units: Units,
    tmp_path: Path,
    edit: Callable[[Units], Units],
    statuses: list[str],
    write: Callable[[Path, Units], Path],
) -> None:
    path = write(tmp_path / ("edited.mp4" if write is write_mp4 else "edited.h264"), edit([list(u) for u in units]))
    judged = judge(path)
    assert (judged.code, judged.statuses, judged.pictures) == (1, statuses, False)


def test_a_part_tells_that_earlier_groups_are_missing_and_proves_the_rest(
    judge: Callable[..., Judged], units: Units, tmp_path: Path
) -> None:
    judged = judge(write_mp4(tmp_path / "part.mp4", units[2 * GROUP :]))
    assert (judged.code, judged.statuses) == (1, ["missing", "signed", "signed"])


def test_another_agencys_root_condemns_the_certificate_and_not_the_pictures(
    judge: Callable[..., Judged], exported: Path, real_agency: Agency
) -> None:
    judged = judge(exported, root=real_agency.file("root.pem"))
    assert (judged.code, judged.pictures, judged.certificate) == (1, True, False)


def test_another_cameras_serial_condemns_the_certificate(judge: Callable[..., Judged], exported: Path) -> None:
    judged = judge(exported, "--serial", "SIM-0002")
    assert (judged.code, judged.pictures, judged.certificate) == (1, True, False)


def test_the_certificate_is_judged_at_the_signed_time_unless_told_otherwise(
    judge: Callable[..., Judged], exported: Path
) -> None:
    judged = judge(exported, "--at", "2090-01-01")
    assert (judged.code, judged.pictures, judged.certificate) == (1, True, False)


def test_what_is_no_video_is_unreadable(agency: Agency, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, data in (("text.mp4", b"no video at all"), ("empty.mp4", b"")):
        (tmp_path / name).write_bytes(data)
        assert main(["media", str(tmp_path / name), "--root", agency.file("root.pem")]) == 2
    assert main(["media", str(tmp_path / "none.mp4"), "--root", agency.file("root.pem")]) == 2
    assert "cannot be read as a video" in capsys.readouterr().err


def test_a_person_reads_two_verdicts(agency: Agency, exported: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["media", str(exported), "--root", agency.file("root.pem")]) == 0
    shown = capsys.readouterr().out
    assert "pictures SIGNED, certificate TRUSTED" in shown
    assert "SIMULATED" in shown
