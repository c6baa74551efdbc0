"""Gapless roll-over (R22): frame numbers prove that nothing is lost and nothing is doubled between two files."""

from __future__ import annotations

import dataclasses
import errno
import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from camera_bench import SECOND, media, statements
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from recorder_rig import RATE, Rig, encoded

from device.fragments import Fragment
from device.recording_file import RecordingFile
from device.roll_over import FileLimits, bytes_on_card
from evidence.durable import AppendFile
from evidence.statements import Close, Gap, Open
from hal.camera import EncodedFrame
from hal.microphone import EncodedSound

SOUND_NS = 1024 * SECOND // 48_000


@pytest.fixture(scope="module")
def pictures() -> list[tuple[bytes, bool]]:
    return encoded(10)


@pytest.fixture
def rig(
    pki: Path, tmp_path: Path, pictures: list[tuple[bytes, bool]], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Rig]:
    monkeypatch.setattr("device.writer.RETRY_S", 0.01)
    made = Rig(pki, tmp_path, pictures, limits=FileLimits(3 * SECOND, 10**9))
    made.writer.start()
    yield made
    made.writer.stop()


@pytest.fixture
def openings(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The opening metadata of every file, before it is sealed."""
    seen: list[Any] = []
    prepare = RecordingFile.prepare_open

    def note(self: RecordingFile, fields: Any, metadata: Any) -> None:
        seen.append(metadata)
        prepare(self, fields, metadata)

    monkeypatch.setattr(RecordingFile, "prepare_open", note)
    return seen


def film(rig: Rig, first: int, end: int) -> None:
    """Frames as they come in life: the loop looks in between, every tenth of a second."""
    for n in range(first, end):
        rig.film(n, n + 1)
        rig.recorder.tick(rig.at_ns(n))


def held(path: Path) -> list[int]:
    """Numbers of the frames in a file."""
    facts = [one.media for one in media(path) if one.media is not None]
    return [n for one in facts for n in range(one.first_frame, one.first_frame + one.frames)]


def paths(rig: Rig) -> list[Path]:
    return [rig.spool / f"SIM-0001-{number:06d}.evidence" for number in range(1, rig.number + 1)]


def reason(path: Path) -> str:
    last = statements(path)[-1]
    assert isinstance(last, Close)
    return last.reason


@pytest.mark.requirement("R22")
def test_a_file_is_full_after_its_time_or_its_bytes() -> None:
    limits = FileLimits(longest_ns=4 * 3600 * SECOND, most_bytes=2**30)
    assert not limits.reached(4 * 3600 * SECOND - 1, 2**30 - 1)
    assert limits.reached(4 * 3600 * SECOND, 0)
    assert limits.reached(0, 2**30)


def test_statements_count_towards_the_size_of_a_file() -> None:
    frame = EncodedFrame(b"x" * 1000, True, 0, 0)
    assert bytes_on_card(Fragment((frame,), (), (), None)) > 1000


@pytest.mark.requirement("R22")
def test_a_long_recording_goes_on_in_new_files_and_no_frame_is_lost_or_doubled(rig: Rig, openings: list[Any]) -> None:
    film(rig, 0, 20)
    first = rig.start(20)
    film(rig, 20, 95)
    rig.stop(95)
    rig.settle()
    assert rig.number == 3
    numbers = [n for path in paths(rig) for n in held(path)]
    assert numbers == list(range(95))
    for path in paths(rig):
        rig.verify(path)
    assert [reason(path) for path in paths(rig)] == ["rolled_over", "rolled_over", "record_button"]
    for path, before in zip(paths(rig)[1:], (1, 2), strict=True):
        assert held(path)[0] % RATE == 0, "it begins with a key frame"
        opened = statements(path)[0]
        assert isinstance(opened, Open)
        assert opened.continues == before
    assert [one.get("continues") for one in openings] == [None, "SIM-0001-000001", "SIM-0001-000002"]
    assert {one["incident"] for one in openings} == {first.incident} == {"SIM-0001-000001"}
    assert rig.closed == ["rolled_over", "rolled_over", "record_button"]
    assert rig.troubles == []


def test_triggers_so_far_go_along_and_a_critical_one_makes_the_next_file_critical(
    rig: Rig, openings: list[Any]
) -> None:
    film(rig, 0, 20)
    rig.start(20)
    film(rig, 20, 30)
    rig.recorder.add_trigger(rig.trigger("pursuit", 30, critical=True))
    film(rig, 30, 60)
    rig.stop(60)
    rig.settle()
    assert [one["name"] for one in openings[1]["triggers"]] == ["record_button", "pursuit"]
    assert rig.criticals == [False, True]


def test_sound_that_comes_late_stays_with_its_pictures(rig: Rig) -> None:
    """Each piece of sound is in one file, the one that shows its time, although it comes 300 ms after its picture."""
    taken: dict[int, list[int]] = {}
    rig.on_fragment = lambda session, fragment: taken.setdefault(session.file.number, []).extend(
        sound.captured_ns for sound in fragment.sounds
    )
    late_ns, said = 300_000_000, 0
    rig.film(0, 1)

    def say(until_ns: int) -> None:
        nonlocal said
        while rig.begin_ns + said * SOUND_NS < until_ns - late_ns:
            rig.recorder.on_sound(EncodedSound(b"aac", rig.begin_ns + said * SOUND_NS, -20.0))
            said += 1

    for n in range(1, 90):
        rig.film(n, n + 1)
        if n == 20:
            rig.start(20)
        say(rig.at_ns(n))
        rig.recorder.tick(rig.at_ns(n))
    rig.stop(90)
    rig.settle()
    boundary_ns = rig.at_ns(held(paths(rig)[1])[0])
    assert max(taken[1]) < boundary_ns <= min(taken[2])
    everything = [at for number in sorted(taken) for at in taken[number]]
    assert everything == sorted(everything)
    assert all(b - a == SOUND_NS for a, b in itertools.pairwise(everything)), "no piece is missing"


def test_a_microphone_that_fell_silent_does_not_keep_a_file_open(rig: Rig) -> None:
    film(rig, 0, 20)
    rig.start(20)
    rig.recorder.on_sound(EncodedSound(b"aac", rig.at_ns(35), -20.0))
    film(rig, 20, 50)
    rig.settle()
    assert rig.closed == ["rolled_over"]


def test_a_stop_at_the_very_instant_closes_both_files(rig: Rig) -> None:
    film(rig, 0, 20)
    rig.start(20)
    film(rig, 20, 40)
    rig.recorder.on_sound(EncodedSound(b"aac", rig.at_ns(39), -20.0))  # its sound is still on the way
    film(rig, 40, 41)
    assert rig.number == 2
    rig.stop(41)
    rig.settle()
    assert [n for path in paths(rig) for n in held(path)] == list(range(41))
    assert rig.closed == ["rolled_over", "record_button"]
    for path in paths(rig):
        rig.verify(path)


def test_a_stop_before_the_next_key_frame_takes_no_number(rig: Rig) -> None:
    film(rig, 0, 20)
    rig.start(20)
    film(rig, 20, 35)  # full since 30, and the next key frame is 40
    rig.stop(35)
    rig.settle()
    assert rig.number == 1, "the numbers have no holes"
    assert reason(rig.path) == "record_button"


def test_frames_lost_at_the_boundary_are_a_gap_of_the_new_file(rig: Rig) -> None:
    film(rig, 0, 20)
    rig.start(20)
    film(rig, 20, 38)
    rig.film(40, 60)  # 38 and 39 never came
    rig.stop(60)
    rig.settle()
    assert rig.number == 2
    assert rig.gaps() == [("frames_lost", 37, 40, 2)]


@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC])
def test_a_card_that_stumbles_around_the_roll_over_loses_nothing(
    rig: Rig, error: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the old file is not closed before the new one is begun: else a crash would end the incident."""
    append, failed = AppendFile.append, [0]

    def act(self: AppendFile, parts: Any) -> int:
        if self.path.name == "SIM-0001-000002.evidence" and failed[0] < 3:
            failed[0] += 1
            assert not any(isinstance(one, Close) for one in statements(paths(rig)[0]))
            raise OSError(error, "as told")
        return append(self, parts)

    monkeypatch.setattr(AppendFile, "append", act)
    rig.makes_room = True
    film(rig, 0, 20)
    rig.start(20)
    film(rig, 20, 75)
    rig.settle()
    rig.recorder.close_again()
    rig.stop(75)
    rig.settle()
    assert failed[0] == 3
    assert [n for path in paths(rig) for n in held(path)] == list(range(75))
    for path in paths(rig):
        rig.verify(path)
    assert rig.closed == ["rolled_over", "record_button"]


def test_a_file_whose_successor_cannot_begin_waits_for_it(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    append, dead = AppendFile.append, [True]

    def act(self: AppendFile, parts: Any) -> int:
        if self.path.name == "SIM-0001-000002.evidence" and dead[0]:
            raise OSError(errno.EIO, "as told")
        return append(self, parts)

    monkeypatch.setattr(AppendFile, "append", act)
    film(rig, 0, 20)
    rig.start(20)
    film(rig, 20, 75)
    rig.settle()
    assert rig.closed == []
    dead[0] = False
    rig.stop(75)
    rig.recorder.close_again()
    rig.settle()
    rig.recorder.close_again()
    rig.settle()
    assert sorted(rig.closed) == ["record_button", "rolled_over"]
    rig.verify(paths(rig)[0])
    rig.verify(paths(rig)[1])
    assert held(paths(rig)[0]) == list(range(40))
    rig.account(40, 75)


def test_the_ring_of_the_next_recording_overlaps_the_last_file(rig: Rig, openings: list[Any]) -> None:
    film(rig, 0, 20)
    rig.start(20)
    film(rig, 20, 70)
    rig.stop(70)
    rig.start(70)
    rig.stop(71)
    rig.settle()
    assert openings[-1]["overlap"] == {"recording": "SIM-0001-000002", "frames": 20}
    assert openings[-1]["incident"] == "SIM-0001-000003"


def test_without_limits_a_recording_stays_in_one_file(pki: Path, tmp_path: Path, pictures: Any) -> None:
    made = Rig(pki, tmp_path, pictures)
    made.writer.start()
    film(made, 0, 20)
    made.start(20)
    film(made, 20, 100)
    made.stop(100)
    made.settle()
    made.writer.stop()
    assert made.number == 1


@pytest.fixture(scope="module")
def everlasting(pictures: list[tuple[bytes, bool]]) -> list[tuple[bytes, bool]]:
    return pictures * 3


STEPS = st.lists(st.sampled_from(["film", "film", "film", "ask", "lose", "sound", "tick"]), min_size=5, max_size=25)


@pytest.mark.requirement("R22")
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, few=st.integers(1, 9))
def test_whatever_comes_between_every_frame_is_in_one_file_or_in_a_gap(
    pki: Path, tmp_path: Path, everlasting: list[tuple[bytes, bool]], steps: list[str], few: int
) -> None:
    spool = Path(tempfile.mkdtemp(dir=tmp_path))
    made = Rig(pki, spool, everlasting, limits=FileLimits(4 * SECOND, 10**9))
    made.writer.start()
    film(made, 0, 20)
    made.start(20)
    at = 20
    for step in steps:
        if step == "film":
            film(made, at, at + few)
            at += few
        elif step == "ask":
            made.recorder.roll_over()
        elif step == "lose":
            at += 2
        elif step == "sound":
            made.recorder.on_sound(EncodedSound(b"aac", made.at_ns(at) - SECOND // 3, -20.0))
        else:
            made.recorder.tick(made.at_ns(at))
    film(made, at, at + 1)
    made.stop(at + 1)
    made.settle()
    made.writer.stop()
    numbers = [n for path in paths(made) for n in held(path)]
    assert numbers == sorted(set(numbers)), "no frame is doubled, and all are in order"
    lost = sum(one.frames for path in paths(made) for one in statements(path) if isinstance(one, Gap))
    assert len(numbers) + lost == at + 1
    for path in paths(made):
        made.verify(path)
        assert path.exists()
    assert made.closed == ["rolled_over"] * (made.number - 1) + ["record_button"]


def test_metadata_that_cannot_be_made_and_parts_that_fail_keep_no_recording_from_going_on(
    rig: Rig, openings: list[Any]
) -> None:
    def fails(*_: Any) -> Any:
        raise RuntimeError("a defect")

    rig.recorder._rolling._opening_again = fails
    rig.recorder._rolling._told = dataclasses.replace(rig.recorder._rolling._told, rolled=fails)
    film(rig, 0, 20)
    rig.start(20)
    film(rig, 20, 60)
    rig.stop(60)
    rig.settle()
    assert rig.closed == ["rolled_over", "record_button"]
    assert [n for path in paths(rig) for n in held(path)] == list(range(60))
    assert openings[1]["opening_failed"] == "RuntimeError: a defect"
