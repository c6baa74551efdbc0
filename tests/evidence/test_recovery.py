"""After a crash: what was announced and is whole is kept and closed, nothing else is signed (invariant 6)."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from recordings import SECOND, Agency, Recipe, Ticks, agency_now, write_recording

from evidence.durable import AppendFile
from evidence.errors import NotEvidence
from evidence.export.items import AnyItem, StatementItem, walk
from evidence.recovery import Outcome, examine, recover
from evidence.sealed import seal
from evidence.statements import Close, Recovered, Sealed, moment_ns
from evidence.verify import verify_file

Record = Callable[..., Path]
Recover = Callable[[Path], Outcome]
NAME = "SIM-0001-000001.evidence"
LATER_BOOT = "6b0e4f1c-2222-4222-8333-5a1e5d9b2e66"


@pytest.fixture(scope="module")
def unclosed(agency: Agency, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A recording in progress: its last statement is not `close`."""
    return write_recording(agency, tmp_path_factory.mktemp("unclosed"), Recipe(close=False)).read_bytes()


@pytest.fixture(scope="module")
def items(unclosed: bytes, tmp_path_factory: pytest.TempPathFactory) -> list[AnyItem]:
    path = tmp_path_factory.mktemp("items") / NAME
    path.write_bytes(unclosed)
    with path.open("rb") as file:
        return list(walk(file))


@pytest.fixture
def run(agency: Agency) -> Recover:
    """Recovery as the camera does it after a reboot."""

    def one(path: Path) -> Outcome:
        clock = Ticks(60 * SECOND, moment_ns(agency_now(agency)), boot=LATER_BOOT, source="none")
        return recover(path, agency.trust, agency.signer(), [agency.recipient], clock)

    return one


def statements(path: Path) -> list[object]:
    with path.open("rb") as file:
        return [item.statement for item in walk(file) if isinstance(item, StatementItem)]


def check(agency: Agency, path: Path, torn: bytes, outcome: Outcome) -> None:
    """The recovered file is valid, begins with what was whole, and adds `recovered` and `close` only."""
    report = verify_file(path, agency.trust)
    assert report.valid, report.findings
    assert any(note.startswith("recovered after a crash") for note in report.notes)
    data, whole = path.read_bytes(), outcome.found.whole_bytes
    assert data[:whole] == torn[:whole]
    assert outcome.file is not None
    assert (outcome.file.bytes, outcome.file.sha256) == (len(data), report.sha256)
    assert outcome.file.close_hash == report.close_hash
    found = statements(path)
    recovered, close = found[-2:]
    assert isinstance(recovered, Recovered)
    assert isinstance(close, Close)
    assert close.statements == len(found) - 1
    announced = [one.sha256 for one in found if isinstance(one, Sealed)]
    assert [one.sha256 for one in recovered.lost] == announced[close.objects :], "lost is what was announced last"
    aside = b"".join(one.read_bytes() for one in outcome.aside)
    assert torn[:whole] + aside == torn, "not one byte is destroyed"
    assert recovered.cut_bytes + recovered.orphans == len(aside)


@pytest.mark.requirement("R38")
def test_a_recording_torn_anywhere_in_its_last_8_kib_is_closed_and_valid(
    agency: Agency, run: Recover, unclosed: bytes, items: list[AnyItem], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # the disk's patience is not what is tested
    monkeypatch.setattr(os, "fdatasync", lambda descriptor: None)
    edges = {item.offset + shift for item in items[1:] for shift in (-1, 0, 1)} | {len(unclosed)}
    start = len(unclosed) - 8192
    places = sorted(edges | {start + random.Random(7).randrange(11) + step for step in range(0, 8181, 11)})
    for place in places:
        path = tmp_path / str(place) / NAME
        path.parent.mkdir()
        path.write_bytes(unclosed[:place])
        if place < items[1].offset:
            assert run(path).file is None, "without a whole `open` there is nothing to close"
            continue
        check(agency, path, unclosed[:place], run(path))


def test_an_announced_object_that_is_not_whole_is_named_by_its_digest(
    agency: Agency, run: Recover, unclosed: bytes, items: list[AnyItem], tmp_path: Path
) -> None:
    path = tmp_path / NAME
    path.write_bytes(unclosed[: items[6].offset + 100])
    outcome = run(path)
    assert outcome.found.whole_bytes == items[6].offset
    recovered = statements(path)[-2]
    assert isinstance(recovered, Recovered)
    assert recovered.cut_bytes == 100
    (lost,) = recovered.lost
    assert (lost.object, lost.sha256, lost.bytes) == ("media", items[6].sha256, items[6].size)  # type: ignore[union-attr]
    assert verify_file(path, agency.trust).fragments == 1


def test_an_object_that_nothing_announced_is_set_aside_and_never_counted(
    agency: Agency, run: Recover, unclosed: bytes, tmp_path: Path
) -> None:
    orphan = bytes(seal([b"planted"], [agency.recipient]))
    for tail in (b"", b"\x30\x82"):
        path = tmp_path / f"{len(tail)}" / NAME
        path.parent.mkdir()
        path.write_bytes(unclosed + orphan + tail)
        outcome = run(path)
        check(agency, path, unclosed + orphan + tail, outcome)
        assert outcome.found.orphan_bytes == len(orphan)
        recovered = statements(path)[-2]
        assert isinstance(recovered, Recovered)
        assert (recovered.orphans, recovered.cut_bytes) == (len(orphan), len(tail))


def test_a_recovery_that_was_interrupted_can_be_repeated(
    agency: Agency, run: Recover, unclosed: bytes, tmp_path: Path
) -> None:
    path = tmp_path / NAME
    path.write_bytes(unclosed[:-10])
    run(path)
    done = path.read_bytes()
    with path.open("rb") as file:
        recovered, close = list(walk(file))[-2:]
    for cut in (close.offset, close.offset + 1, len(done) - 1, recovered.offset, recovered.offset + 5):
        path.write_bytes(done[:cut])
        run(path)
        report = verify_file(path, agency.trust)
        assert report.valid, (cut, report.findings)
        assert sum(isinstance(one, Recovered) for one in statements(path)) == 1


def test_a_closed_file_is_left_as_it_is(run: Recover, recording: Path, tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(recording.read_bytes())
    outcome = run(path)
    assert path.read_bytes() == recording.read_bytes()
    assert outcome.aside == ()


def test_garbage_behind_the_close_is_set_aside(agency: Agency, run: Recover, recording: Path, tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(recording.read_bytes() + b"garbage")
    outcome = run(path)
    assert path.read_bytes() == recording.read_bytes()
    assert [one.read_bytes() for one in outcome.aside] == [b"garbage"]
    assert verify_file(path, agency.trust).valid


def test_a_flipped_bit_in_the_middle_ends_the_whole_part_there(
    agency: Agency, run: Recover, unclosed: bytes, items: list[AnyItem], tmp_path: Path
) -> None:
    for number in (1, 4, 5, 7, 11):
        torn = bytearray(unclosed)
        torn[items[number].offset + items[number].size // 2] ^= 4
        path = tmp_path / str(number) / NAME
        path.parent.mkdir()
        path.write_bytes(torn)
        outcome = run(path)
        check(agency, path, bytes(torn), outcome)
        assert outcome.found.whole_bytes == items[number].offset


def test_looking_changes_nothing(agency: Agency, unclosed: bytes, tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(unclosed[:-10])
    found = examine(path, agency.trust)
    assert not found.closed
    assert path.read_bytes() == unclosed[:-10]
    assert [one.name for one in tmp_path.iterdir()] == [NAME]


def test_another_cameras_statements_are_not_taken_over(
    agency: Agency, run: Recover, unclosed: bytes, items: list[AnyItem], tmp_path: Path
) -> None:
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    other = write_recording(agency, foreign, Recipe(serial="SIM-0002"), "camera-2").read_bytes()
    path = tmp_path / NAME
    path.write_bytes(unclosed[: items[5].offset] + other)
    outcome = run(path)
    check(agency, path, unclosed[: items[5].offset] + other, outcome)
    assert outcome.found.whole_bytes == items[5].offset


def test_what_cannot_be_read_is_said_so(agency: Agency, tmp_path: Path) -> None:
    with pytest.raises(NotEvidence):
        examine(tmp_path / "absent.evidence", agency.trust)
    with pytest.raises(NotEvidence):
        examine(tmp_path, agency.trust)


def test_a_full_disk_leaves_a_file_that_can_be_recovered_again(
    agency: Agency, run: Recover, unclosed: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / NAME
    path.write_bytes(unclosed)

    def full(self: AppendFile, parts: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(AppendFile, "append", full)
        with pytest.raises(OSError, match="No space"):
            run(path)
    assert path.read_bytes() == unclosed
    check(agency, path, unclosed, run(path))
