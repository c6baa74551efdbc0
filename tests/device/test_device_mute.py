"""Mute and the ring's sleep in the recorder (R24): what must not be heard is nowhere, and every interval is named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from camera_bench import SECOND, statements
from recorder_rig import Rig, encoded

from device.mutes import Mutes, rows_until
from device.recording_file import RecordingFile
from device.roll_over import FileLimits
from evidence.statements import Event
from hal.gps import GpsEpoch
from hal.microphone import EncodedSound


@pytest.fixture(scope="module")
def pictures() -> list[tuple[bytes, bool]]:
    return encoded(8)


@pytest.fixture
def rig(pki: Path, tmp_path: Path, pictures: list[tuple[bytes, bool]]) -> Iterator[Rig]:
    made = Rig(pki, tmp_path, pictures)
    made.recorder.ring.keep_sound = True
    made.writer.start()
    yield made
    made.writer.stop()


@pytest.fixture
def sealed(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Opening and closing metadata of every file, before they are sealed."""
    seen: list[Any] = []
    prepare, close = RecordingFile.prepare_open, RecordingFile.close

    def note_open(self: RecordingFile, fields: Any, metadata: Any) -> None:
        seen.append(metadata)
        prepare(self, fields, metadata)

    def note_close(self: RecordingFile, reason: str, metadata: Any, gaps: Any) -> RecordingFile:
        seen.append(metadata)
        return close(self, reason, metadata, gaps)

    monkeypatch.setattr(RecordingFile, "prepare_open", note_open)
    monkeypatch.setattr(RecordingFile, "close", note_close)
    return seen


def heard(rig: Rig) -> list[int]:
    """In which tenth of a second each piece of sound in the recordings was captured, as it comes."""
    found: list[int] = []
    rig.on_fragment = lambda _, fragment: found.extend(rig.frame(sound.captured_ns) for sound in fragment.sounds)
    return found


def live(rig: Rig, first: int, end: int) -> None:
    """A frame and a piece of sound each tenth of a second."""
    for n in range(first, end):
        rig.film(n, n + 1)
        rig.recorder.on_sound(EncodedSound(b"aac", rig.at_ns(n), -20.0))
        rig.recorder.tick(rig.at_ns(n))


@pytest.mark.requirement("R24")
def test_a_mute_covers_what_was_captured_from_its_begin_to_its_end() -> None:
    mutes = Mutes()
    assert mutes.begin(100) is not None
    assert mutes.begin(150) is None, "it is muted already"
    assert [mutes.cover(at) for at in (99, 100, 10**9)] == [False, True, True]
    assert mutes.end(200)
    assert not mutes.end(300)
    assert [mutes.cover(at) for at in (99, 100, 199, 200)] == [False, True, True, False]
    mutes.begin(400)
    assert mutes.since(150) == [[100, 200], [400, None]]
    assert mutes.since(200) == [[400, None]]
    assert rows_until(mutes.since(0), 450) == [[100, 200], [400, 450]]
    assert rows_until(mutes.since(0), 300) == [[100, 200]]


@pytest.mark.requirement("R24")
def test_what_is_said_while_muted_is_not_in_the_recording_and_the_interval_is_named(
    rig: Rig, sealed: list[Any]
) -> None:
    found = heard(rig)
    live(rig, 0, 20)
    session = rig.start(20)
    live(rig, 20, 36)
    rig.recorder.mute(rig.at_ns(34))  # asked for at 34, known at 36: 34 and 35 go too
    assert rig.recorder.muted
    live(rig, 36, 52)
    rig.recorder.unmute(rig.at_ns(52))
    assert not rig.recorder.muted
    live(rig, 52, 60)
    rig.stop(60)
    rig.settle()
    rig.verify()
    assert found == [*range(34), *range(52, 60)]
    assert sealed[-1]["mutes"] == [[rig.at_ns(34), rig.at_ns(52)]] == session.mutes
    events = [one.event for one in statements(rig.path) if isinstance(one, Event)]
    assert events == ["muted", "unmuted"]
    rig.account(0, 60)


@pytest.mark.requirement("R24")
def test_a_mute_before_the_trigger_is_kept_with_the_ring(rig: Rig, sealed: list[Any]) -> None:
    found = heard(rig)
    live(rig, 0, 15)
    rig.recorder.mute(rig.at_ns(12))
    live(rig, 15, 25)
    rig.recorder.unmute(rig.at_ns(25))
    live(rig, 25, 30)
    rig.start(30)
    live(rig, 30, 40)
    rig.recorder.mute(rig.at_ns(40))
    rig.stop(45)
    rig.settle()
    assert sealed[0]["mutes"] == [[rig.at_ns(12), rig.at_ns(25)]]
    assert sealed[1]["mutes"] == [[rig.at_ns(12), rig.at_ns(25)], [rig.at_ns(40), rig.at_ns(45)]]
    assert found == [10, 11, *range(25, 40)]


def test_a_mute_that_lasts_goes_along_into_the_next_file(
    pki: Path, tmp_path: Path, pictures: Any, sealed: list[Any]
) -> None:
    made = Rig(pki, tmp_path, pictures, limits=FileLimits(3 * SECOND, 10**9))
    made.writer.start()
    live(made, 0, 20)
    made.start(20)
    live(made, 20, 35)
    made.recorder.mute(made.at_ns(35))
    live(made, 35, 50)
    made.stop(50)
    made.settle()
    made.writer.stop()
    parts = [(one["part"], one["mutes"]) for one in sealed]
    assert parts == [
        ("opening", []),
        ("opening", [[made.at_ns(35), None]]),
        ("closing", [[made.at_ns(35), made.at_ns(40)]]),
        ("closing", [[made.at_ns(35), made.at_ns(50)]]),
    ]


@pytest.mark.requirement("R24")
def test_a_ring_that_is_off_keeps_nothing_and_a_trigger_says_why(rig: Rig, sealed: list[Any]) -> None:
    live(rig, 0, 20)
    rig.recorder.on_epoch(_epoch(rig.at_ns(19)))
    rig.recorder.buffer_off()
    assert rig.recorder.buffered_ns() == 0
    assert not rig.recorder.ring.epochs, "no position either"
    live(rig, 20, 30)
    rig.recorder.on_epoch(_epoch(rig.at_ns(29)))
    rig.start(30)
    live(rig, 30, 45)
    rig.stop(45)
    rig.settle()
    rig.verify()
    ring = sealed[0]["ring"]
    assert (ring["available_ms"], ring["short_because"]) == (0, "asleep")
    assert sealed[1]["track"] == []
    rig.account(30, 45)


def test_a_ring_that_is_on_again_fills(rig: Rig, sealed: list[Any]) -> None:
    rig.recorder.buffer_off()
    live(rig, 0, 20)
    rig.recorder.buffer_on()
    live(rig, 20, 35)
    rig.start(35)
    rig.stop(36)
    assert sealed[0]["ring"]["available_ms"] == 1500
    assert sealed[0]["ring"]["short_because"] == "asleep"


def _epoch(at_ns: int) -> GpsEpoch:
    return GpsEpoch(at_ns, fix=True, latitude_nd=1, longitude_nd=1)
