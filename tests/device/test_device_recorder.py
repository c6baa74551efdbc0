"""Recorder, file and writer together on a card that fails: every loss is named with its extent (invariant 9)."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from camera_bench import SECOND, media, statements
from recorder_rig import Rig, encoded

from device.recording_file import RecordingFile
from evidence.durable import AppendFile
from evidence.errors import SigningFailed
from evidence.keys import FileSigner
from evidence.statements import Close
from hal.clock import boottime_ns


@pytest.fixture(scope="module")
def pictures() -> list[tuple[bytes, bool]]:
    return encoded(10)


@pytest.fixture
def rig(
    pki: Path, tmp_path: Path, pictures: list[tuple[bytes, bool]], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Rig]:
    monkeypatch.setattr("device.writer.RETRY_S", 0.01)
    made = Rig(pki, tmp_path, pictures)
    yield made
    made.writer.stop()


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[int], int | None]], list[int]]:
    """`failing(rule)`: the n-th write of the card raises the errno that the rule gives, if any."""

    def set_rule(rule: Callable[[int], int | None]) -> list[int]:
        append, writes = AppendFile.append, [0]

        def act(self: AppendFile, parts: Any) -> int:
            number, writes[0] = writes[0], writes[0] + 1
            error = rule(number)
            if error is not None:
                raise OSError(error, "as told")
            return append(self, parts)

        monkeypatch.setattr(AppendFile, "append", act)
        return writes

    return set_rule


def test_a_card_that_stumbles_loses_nothing(rig: Rig, failing: Any) -> None:
    failing(lambda n: errno.EIO if n in (0, 1, 4, 7) else None)
    rig.writer.start()
    rig.film(0, 20)
    rig.start(20)
    for second in range(2, 8):
        rig.film(10 * second, 10 * second + 10)
        rig.settle()
    rig.stop(80)
    rig.settle()
    rig.verify()
    assert rig.gaps() == []
    rig.account(0, 80)
    assert rig.closed == ["record_button"]


@pytest.mark.requirement("R29", "R38")
def test_what_a_dead_card_did_not_take_is_named_once_it_works_again(rig: Rig, failing: Any) -> None:
    dead = [False]
    failing(lambda n: errno.EIO if dead[0] else None)
    rig.writer.start()
    rig.film(0, 20)
    rig.start(20)
    rig.film(20, 31)
    rig.settle()
    dead[0] = True
    rig.film(31, 51)  # fragments 30..39 and 40..49 are complete, and lost
    rig.settle()
    dead[0] = False
    rig.film(51, 70)
    rig.stop(70)
    rig.settle()
    rig.verify()
    assert rig.gaps() == [("storage_error", 30, 50, 20)]
    rig.account(0, 70)
    assert set(rig.troubles) == {"storage_error"}


def test_the_loss_of_the_last_fragment_is_named_before_close(rig: Rig, failing: Any) -> None:
    dead = [False]
    failing(lambda n: errno.ENOSPC if dead[0] else None)
    rig.writer.start()
    rig.film(0, 20)
    rig.start(20)
    rig.film(20, 35)
    rig.settle()
    dead[0] = True
    rig.stop(35)
    rig.settle()
    assert rig.closed == [], "the card takes no `close` either"
    dead[0] = False
    rig.recorder.close_again()
    rig.settle()
    assert rig.closed == ["record_button"], "and it is closed without a restart"
    rig.verify()
    assert [gap[0] for gap in rig.gaps()] == ["storage_full"]
    rig.account(0, 35)


def test_a_hole_of_the_source_before_a_lost_fragment_is_not_forgotten(rig: Rig, failing: Any) -> None:
    dead = [False]
    failing(lambda n: errno.EIO if dead[0] else None)
    rig.writer.start()
    rig.film(0, 20)
    rig.start(20)
    rig.film(20, 31)
    rig.settle()
    dead[0] = True
    rig.film(31, 52, skip=range(44, 48))
    rig.settle()
    dead[0] = False
    rig.film(52, 70)
    rig.stop(70)
    rig.settle()
    rig.verify()
    assert sorted(gap[0] for gap in rig.gaps()) == ["frames_lost", "storage_error"]
    rig.account(0, 70)


def test_a_file_that_could_not_be_opened_begins_when_the_card_works(rig: Rig, failing: Any) -> None:
    dead = [True]
    failing(lambda n: errno.EIO if dead[0] else None)
    rig.writer.start()
    rig.film(0, 20)
    rig.start(20)
    rig.settle()
    assert "storage_error" in rig.troubles
    dead[0] = False
    rig.film(20, 60)
    rig.stop(60)
    rig.settle()
    rig.verify()
    assert rig.gaps()[0][0] == "storage_error"
    rig.account(0, 60)


@pytest.mark.requirement("R29")
def test_a_full_queue_is_a_gap_with_its_count_and_the_numbers_after_it_are_right(rig: Rig) -> None:
    hold = threading.Event()
    rig.writer.start()
    rig.film(0, 20)
    rig.start(20)
    rig.settle()
    rig.writer.put(_blocking(hold))
    rig.writer._max_bytes = sum(len(data) for data, _ in rig.pictures[20:40]) + 10  # room for two more fragments
    rig.film(20, 61)
    hold.set()
    rig.settle()
    rig.film(61, 80)
    rig.stop(80)
    rig.settle()
    rig.verify()
    assert {gap[0] for gap in rig.gaps()} == {"writer_behind"}
    assert sum(gap[3] for gap in rig.gaps()) >= 10
    rig.account(0, 80)
    assert set(rig.troubles) == {"writer_behind"}


@pytest.mark.requirement("R29")
def test_a_card_that_hangs_is_told_after_two_seconds(rig: Rig) -> None:
    hold = threading.Event()
    rig.writer.start()
    rig.film(0, 20)
    rig.start(20)
    rig.settle()
    rig.writer.put(_blocking(hold))
    rig.film(20, 41)
    session = rig.recorder.session
    assert session is not None
    now_ns = min(session.waiting.values())  # since when the card takes nothing
    rig.recorder.last_frame_ns = now_ns  # the camera is alive
    rig.recorder.tick(now_ns + SECOND // 2)
    assert rig.troubles == []
    rig.recorder.last_frame_ns = now_ns + 3 * SECOND
    rig.recorder.tick(now_ns + 3 * SECOND)
    rig.recorder.tick(now_ns + 3 * SECOND)
    assert rig.troubles == ["writer_behind"]
    hold.set()


class AwaySigner:
    """A token that was pulled out; `back` ends that."""

    def __init__(self, signer: FileSigner) -> None:
        self._signer = signer
        self.certificate, self.chain, self.level = signer.certificate, signer.chain, signer.level
        self.waited_for, self.back = threading.Event(), threading.Event()
        self.out, self.refused = False, 0

    def sign_digest(self, digest: bytes) -> bytes:
        if self.out and not self.back.is_set():
            self.refused += 1
            if self.refused == 3:  # the picture's own, the statement's, and the statement's again
                self.waited_for.set()
            raise SigningFailed("the token is away")
        return self._signer.sign_digest(digest)


def test_a_key_that_fails_is_told_within_a_second_and_costs_nothing_when_it_comes_back(rig: Rig) -> None:
    """docs/design/keys.md, 3: told at the first fragment and the next tick, long before the key is given up."""
    signer = AwaySigner(rig.signer)
    rig.signer = signer  # type: ignore[assignment]
    rig.writer.start()
    rig.film(0, 20)
    rig.start(20)
    rig.settle()
    signer.out = True
    now_ns = boottime_ns()  # the tick's: however long it takes here, nothing has waited for two seconds by then
    rig.film(20, 41)
    assert signer.waited_for.wait(60)
    rig.recorder.last_frame_ns = now_ns
    rig.recorder.tick(now_ns)
    rig.recorder.tick(now_ns)
    assert rig.troubles == ["signing_key"]
    signer.back.set()
    rig.settle()
    rig.stop(41)
    rig.settle()
    rig.recorder.tick(boottime_ns())
    assert rig.troubles == ["signing_key"]
    rig.verify()
    rig.account(0, 41)


def _blocking(hold: threading.Event) -> Any:
    from device.writer import Job

    return Job("hold", lambda: hold.wait(120) and None, alone=True)


def test_the_ring_survives_a_stop_and_the_overlap_is_recorded_again(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.writer.start()
    rig.film(0, 40)
    rig.start(40)
    rig.film(40, 60)
    rig.stop(60)
    rig.settle()
    rig.verify()
    sealed: list[Any] = []
    prepare = RecordingFile.prepare_open
    RecordingFile.prepare_open = lambda self, fields, metadata: (
        sealed.append(metadata),
        prepare(self, fields, metadata),
    )[1]  # type: ignore[method-assign]
    try:
        rig.start(60)
    finally:
        RecordingFile.prepare_open = prepare  # type: ignore[method-assign]
    rig.film(60, 80)
    rig.stop(80)
    rig.settle()
    rig.verify()
    first = media(rig.path)[0].media
    assert first is not None
    assert first.first_frame == 40, "two seconds before the second trigger, recorded again"
    assert sealed[0]["overlap"] == {"recording": "SIM-0001-000001", "frames": 20}
    rig.account(40, 80)


def test_a_frame_that_is_no_h264_is_left_out_and_counted(rig: Rig) -> None:
    rig.writer.start()
    rig.pictures = list(rig.pictures)
    rig.pictures[25] = (b"\0\0\0\1\xff not a slice", False)
    rig.film(0, 20)
    rig.start(20)
    rig.film(20, 50)
    rig.stop(50)
    rig.settle()
    rig.verify()
    assert [(gap[0], gap[3]) for gap in rig.gaps()] == [("frames_lost", 1)]
    closed = statements(rig.path)[-1]
    assert isinstance(closed, Close)
    assert closed.frames == 49
