"""Several cameras as one recorder (R2, R17): one incident, one timeline, and nobody stops because another fails."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from camera_bench import SECOND, media, statements
from recorder_rig import RATE, Rig, encoded

from device.group import Group
from device.incident_note import IncidentNote, completed, opened_by
from device.recorder import Recorder
from device.recording_file import RecordingFile
from device.ring import Ring
from device.roll_over import FileLimits
from device.triggers import Start
from evidence.statements import Event, Open
from hal.camera import EncodedFrame
from hal.gps import GpsEpoch

CHANNELS = ("cabin", "rear")


@pytest.fixture(scope="module")
def pictures() -> list[tuple[bytes, bool]]:
    return encoded(10)


class Vehicle(Rig):
    """A windshield camera that leads, and two others. Each camera's key frames come at another instant."""

    def __post_init__(self) -> None:
        super().__post_init__()
        alone, self.metadata, self.faults = self.recorder, [], []
        told = alone._told
        options: dict[str, Any] = {"limits": FileLimits(5 * SECOND, 10**9)}

        def ring() -> Ring:
            return Ring(2 * SECOND, 10**7, keep_sound=False)

        self.group = self.recorder = Group(
            ring(), self.writer, self._file, self._open_fields, told,
            followers={
                name: Recorder(
                    ring(), self.writer, self._file, self._open_fields, told, channel=name,
                    own={"microphone": False}, **options
                )
                for name in CHANNELS
            },
            channel="windshield",
            on_fault=lambda part, text: self.faults.append((part, text)),
            **options,
        )  # fmt: skip

    def film_all(self, first: int, end: int, without: str | None = None) -> None:
        for n in range(first, end):
            for shift, one in enumerate(self.group.members):
                if one.channel != without and n >= 3 * shift:
                    data, key = self.pictures[n - 3 * shift]
                    one.on_frame(EncodedFrame(data, key, self.at_ns(n), n - 3 * shift))
            self.group.tick(self.at_ns(n))

    def begin(self, frame: int) -> None:
        opening = {"part": "opening", "microphone": True, "resumes": "SIM-0001-000000"}
        self.group.start(Start("pursuit", True, self.at_ns(frame), manual=False), opening)

    def end(self, frame: int) -> None:
        self.group.stop("record_button", self.at_ns(frame))
        self.settle()

    def files(self) -> list[Path]:
        return sorted(self.spool.glob("SIM-0001-0*.evidence"))

    def opened(self) -> list[Open]:
        found = [statements(path)[0] for path in self.files()]
        assert all(isinstance(one, Open) for one in found)
        return found  # type: ignore[return-value]


@pytest.fixture
def rig(
    pki: Path, tmp_path: Path, pictures: list[tuple[bytes, bool]], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Vehicle]:
    made = Vehicle(pki, tmp_path, pictures)
    prepare, close = RecordingFile.prepare_open, RecordingFile.close

    def note_open(self: RecordingFile, fields: Any, metadata: Any) -> None:
        made.metadata.append(metadata)
        prepare(self, fields, metadata)

    def note_close(self: RecordingFile, reason: str, metadata: Any, gaps: Any) -> RecordingFile:
        made.metadata.append({"number": self.number, **metadata})
        return close(self, reason, metadata, gaps)

    monkeypatch.setattr(RecordingFile, "prepare_open", note_open)
    monkeypatch.setattr(RecordingFile, "close", note_close)
    made.writer.start()
    yield made
    made.writer.stop()


@pytest.mark.requirement("R2", "R17", "R23")
def test_one_trigger_begins_one_recording_of_each_camera_in_one_incident(rig: Vehicle) -> None:
    rig.film_all(0, 25)
    rig.begin(25)
    rig.film_all(25, 35)
    rig.end(35)
    assert [one["channel"] for one in rig.metadata[:3]] == ["windshield", "cabin", "rear"]
    assert {one["incident"] for one in rig.metadata[:3]} == {"SIM-0001-000001"}
    assert [one["microphone"] for one in rig.metadata[:3]] == [True, False, False]
    assert [one.group for one in rig.opened()] == [1, 1, 1]
    starts, ends = [], []
    for path in rig.files():
        rig.verify(path)
        facts = [one.media for one in media(path) if one.media is not None]
        starts.append(facts[0].start_ns)
        ends.append(facts[-1].start_ns + facts[-1].duration_ns)
    assert max(starts) < min(ends), "they overlap in time"
    assert rig.closed == ["record_button"] * 3


@pytest.mark.requirement("R22")
def test_all_go_on_in_new_files_and_each_keeps_its_own_frames(rig: Vehicle) -> None:
    rig.film_all(0, 20)
    rig.begin(20)
    rig.film_all(20, 95)
    rig.end(95)
    held: dict[str, list[int]] = {}
    for path, opened in zip(rig.files(), rig.opened(), strict=True):
        rig.verify(path)
        before = opened.continues
        channel = next(one for one in held if before is not None and f"-{before:06d}" in one) if before else path.stem
        facts = [one.media for one in media(path) if one.media is not None]
        held.setdefault(channel, []).extend(
            n for one in facts for n in range(one.first_frame, one.first_frame + one.frames)
        )
    assert len(rig.files()) == 6
    assert {one.group for one in rig.opened()} == {1}
    for numbers in held.values():
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert sorted(numbers[-1] for numbers in held.values()) == [88, 91, 94]
    assert [number for number, _ in rig.group.same_incident(5)] == [1, 2, 3, 4, 5, 6], "a label is on all of them"
    rig.begin(95)
    assert [number for number, _ in rig.group.same_incident(7)] == [7, 8, 9]
    assert rig.group.same_incident(99) == []
    rig.end(95)


@pytest.mark.requirement("R2", "R29")
def test_a_camera_that_dies_stops_no_other_and_its_recording_has_the_gap(rig: Vehicle) -> None:
    rig.film_all(0, 20)
    rig.begin(20)
    rig.film_all(20, 30)
    rig.film_all(30, 48, without="cabin")
    rig.film_all(48, 52)
    rig.end(52)
    assert rig.troubles == ["camera_silent"]
    assert rig.closed == ["record_button"] * 3
    for path in rig.files():
        rig.verify(path)
    assert [_gaps(path) for path in rig.files()] == [[], ["frames_lost"], []]


def _gaps(path: Path) -> list[str]:
    return [one.cause for one in statements(path) if one.kind == "gap"]


def test_a_camera_that_cannot_begin_is_a_fault_and_the_others_record(
    rig: Vehicle, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("no memory")

    monkeypatch.setattr(rig.group.followers["cabin"], "start", broken)
    rig.film_all(0, 20)
    rig.begin(20)
    rig.film_all(20, 40)
    rig.end(40)
    assert len(rig.files()) == 2
    assert rig.faults == [("camera_cabin", "start: RuntimeError: no memory")]


@pytest.mark.requirement("R2")
def test_triggers_lines_markers_mutes_and_positions_are_in_all_of_them(rig: Vehicle) -> None:
    rig.film_all(0, 20)
    rig.begin(20)
    assert rig.group.session is not None
    for session in rig.group.sessions:
        session.timeline.append([rig.at_ns(21), "lightbar", 1])  # as the daemon does
    rig.group.on_epoch(GpsEpoch(rig.at_ns(22), fix=True, latitude_nd=1, longitude_nd=2))
    rig.film_all(20, 30)
    rig.group.add_trigger(Start("lightbar", False, rig.at_ns(21), manual=False))
    rig.group.event("marker", None, None)
    rig.group.mute(rig.at_ns(30))
    rig.group.unmute(rig.at_ns(33))
    rig.group.session.extra["category"] = "use_of_force"
    rig.film_all(30, 35)
    rig.end(35)
    for path in rig.files():
        events = [one.event for one in statements(path) if isinstance(one, Event)]
        assert events == ["trigger", "marker", "muted", "unmuted"], path
    closings = [one for one in rig.metadata if one["part"] == "closing"]
    for key in ("triggers", "timeline", "track", "mutes", "category"):
        assert closings[0][key] == closings[1][key] == closings[2][key], key
        assert closings[0][key]


def test_the_rings_share_what_memory_and_card_allow(rig: Vehicle) -> None:
    rig.group.limit_ring(9 * 10**6, "the card is slow")
    assert [one.ring.max_bytes for one in rig.group.members] == [3 * 10**6] * 3
    rig.film_all(0, 20)
    assert rig.group.ring_bytes == sum(one.ring.bytes for one in rig.group.members) > 0
    rig.group.buffer_off()
    assert rig.group.ring_bytes == 0
    rig.group.buffer_on()
    rig.film_all(20, 40)
    assert rig.group.ring_bytes > 0
    rig.group.drop_ring()
    assert rig.group.ring_bytes == 0


@pytest.mark.requirement("R23")
def test_after_a_crash_each_camera_goes_on_from_its_own_recording_in_the_same_incident(rig: Vehicle) -> None:
    rig.number = 6
    rig.group.goes_on_from({"windshield": 4, "cabin": 6, "rear": 5}, "PEER-7-000012")
    rig.film_all(0, 20)
    opening = {"part": "opening", "resumes": "SIM-0001-000006"}
    rig.group.start(Start("resumed_after_restart", True, rig.at_ns(20), manual=True), opening, resumes=6)
    rig.film_all(20, 30)
    rig.end(30)
    assert [one.resumes for one in rig.opened()] == [4, 6, 5]
    assert [one["resumes"] for one in rig.metadata[:3]] == [f"SIM-0001-{number:06d}" for number in (4, 6, 5)]
    assert {one["incident"] for one in rig.metadata[:3]} == {"PEER-7-000012"}


def test_the_note_tells_the_next_boot_what_was_whose(rig: Vehicle, tmp_path: Path) -> None:
    note = IncidentNote(tmp_path / "state")
    rig.film_all(0, 20)
    rig.begin(20)
    for session in rig.group.sessions:
        note.begun(session)
    rig.end(20 + RATE)
    again = IncidentNote(tmp_path / "state")
    incident = "SIM-0001-000001"
    assert again.read([1, 2, 3]) == ({"windshield": 1, "cabin": 2, "rear": 3}, incident)
    assert again.read([3]) == ({"rear": 3}, incident), "the others were closed"
    assert again.read([]) == ({}, None)
    (tmp_path / "state" / "incident.json").write_bytes(b'{"incident":"x","recordings":{"A B":1}}')
    assert again.read([1]) == ({}, None), "a note that cannot be read is no reason not to go on"
    (tmp_path / "state" / "incident.json").write_bytes(b"[" * 100_000)
    assert again.read([1]) == ({}, None)


def test_what_began_after_the_note_is_known_by_its_own_open(rig: Vehicle) -> None:
    channels = ("windshield", "cabin", "rear")
    rig.film_all(0, 20)
    rig.begin(20)
    rig.film_all(20, 95)
    rig.end(95)
    opened = [one for path in rig.files() if (one := opened_by(path)) is not None]
    assert [one.number for one in opened] == [1, 2, 3, 4, 5, 6]
    third = {one.continues: one.number for one in opened if one.continues is not None}
    assert completed({"windshield": 1}, opened[:3], channels) == {"windshield": 1, "cabin": 2, "rear": 3}
    assert completed({"windshield": 1, "cabin": 2, "rear": 3}, opened, channels) == {
        "windshield": third[1], "cabin": third[2], "rear": third[3],
    }  # fmt: skip
    assert completed({None: 1}, opened[:1], channels) == {None: 1}
    assert completed({"rear": 3}, opened[2:3], channels) == {"rear": 3}, "the others were closed"
