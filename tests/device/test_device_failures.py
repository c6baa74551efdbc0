"""What counts as a failure to record, when it begins and when it is over (R29): the pure rules."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from device.background_test import QUIET_NS, BackgroundTest, Complaints, Errand
from device.beside import Beside
from device.channel_senses import Ailment, silent_part
from device.config import Input
from device.failures import COMPONENTS, LOSSES_LAST_NS, NOTHING_NS, WRITTEN_ONLY, Failure, FailureBook, Recording
from device.supervisor_queue import MAX_ITEMS, Item, Queue, read_queue
from evidence.errors import SigningFailed
from hal.errors import DeviceLost

S = 1_000_000_000
RECORDING = Recording(number=7, stem="SIM-0001-000007", started_ns=100 * S, durable=True, lost_frames=0)


def brief(failures: list[Failure]) -> list[tuple[str, float | None, float | None]]:
    """(cause, start s, end s)."""
    return [
        (one.cause, None if one.start_ns is None else one.start_ns / S, None if one.end_ns is None else one.end_ns / S)
        for one in failures
    ]


@pytest.mark.requirement("R29")
def test_a_failure_begins_when_it_did_and_ends_when_it_was_last_seen() -> None:
    book = FailureBook()
    assert book.look(105 * S, RECORDING, {"picture_black": 103 * S})[0].told
    assert book.alarming
    assert book.look(106 * S, RECORDING, {"picture_black": 103 * S}) == []
    assert book.look(107 * S, RECORDING, {}) == [], "one good second is not the end"
    assert brief(book.look(108 * S, RECORDING, {})) == [("picture_black", 103, 106)]
    assert not book.alarming


@pytest.mark.requirement("R29")
def test_what_was_wrong_before_the_trigger_fails_from_the_trigger_on() -> None:
    assert brief(FailureBook().look(101 * S, RECORDING, {"microphone_dead": 40 * S})) == [
        ("microphone_dead", 100, None)
    ]


def test_without_a_recording_nothing_fails_to_be_recorded() -> None:
    assert FailureBook().look(101 * S, None, {"picture_black": 99 * S}) == []


def test_a_covered_lens_is_no_failure_to_record() -> None:
    assert FailureBook().look(105 * S, RECORDING, {"picture_covered": 103 * S, "picture_defocused": 101 * S}) == []


@pytest.mark.requirement("R29")
def test_a_trigger_without_frames_on_disk_is_a_failure() -> None:
    nothing = replace(RECORDING, durable=False)
    book = FailureBook()
    assert book.look(100 * S + NOTHING_NS - 1, nothing, {}) == []
    assert brief(book.look(100 * S + NOTHING_NS, nothing, {})) == [("nothing_on_disk", 100, None)]


def test_a_silent_camera_explains_why_nothing_is_on_disk() -> None:
    nothing = replace(RECORDING, durable=False)
    assert brief(FailureBook().look(106 * S, nothing, {"camera_silent": 99 * S})) == [("camera_silent", 100, None)]


@pytest.mark.requirement("R29")
def test_a_failure_ends_with_its_recording_and_begins_anew_in_the_next() -> None:
    book = FailureBook()
    book.look(105 * S, RECORDING, {"picture_frozen": 103 * S})
    following = replace(RECORDING, number=8, stem="SIM-0001-000008", started_ns=106 * S)
    assert [(one.recording, one.end_ns) for one in book.look(106 * S, following, {"picture_frozen": 103 * S})] == [
        (7, 106 * S), (8, None),
    ]  # fmt: skip
    assert brief(book.look(107 * S, None, {})) == [("picture_frozen", 106, 107)]


@pytest.mark.requirement("R29")
def test_what_the_recorder_tells_lasts_until_it_is_quiet() -> None:
    book = FailureBook()
    book.told("storage_error", 104 * S)
    assert brief(book.look(105 * S, RECORDING, {})) == [("storage_error", 104, None)]
    book.told("storage_error", 109 * S)
    assert all(not book.look(second * S, RECORDING, {}) for second in range(106, 117))
    assert brief([one for second in range(117, 120) for one in book.look(second * S, RECORDING, {})]) == [
        ("storage_error", 104, 115)
    ]


def test_frames_that_a_silence_cost_are_counted_with_it() -> None:
    book = FailureBook()
    book.look(105 * S, RECORDING, {"encoder_stalled": 103 * S})
    assert book.look(106 * S, replace(RECORDING, lost_frames=60), {}) == []
    (ended,) = book.look(107 * S, replace(RECORDING, lost_frames=60), {})
    assert (ended.cause, ended.frames) == ("encoder_stalled", 60)


@pytest.mark.requirement("R29")
def test_lost_frames_are_counted_and_named_and_alarm_nobody() -> None:
    book = FailureBook()
    (began,) = book.look(105 * S, replace(RECORDING, lost_frames=3), {})
    assert (began.cause, began.frames, began.told) == ("frames_lost", 3, False)
    assert not book.alarming
    assert book.look(110 * S, replace(RECORDING, lost_frames=5), {}) == [], "one failure, not one for each frame"
    (ended,) = book.look(110 * S + LOSSES_LAST_NS, replace(RECORDING, lost_frames=5), {})
    assert (ended.frames, ended.end_ns) == (5, 110 * S)


def test_every_cause_has_a_component() -> None:
    assert set(COMPONENTS) >= WRITTEN_ONLY
    assert "" not in COMPONENTS.values()


# --- the sensor, or only the encoder ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frame_s", "picture_s", "found"),
    [
        (9.0, 9.5, None),
        (8.0, 8.0, ("sensor", "camera_silent")),
        (8.0, 9.6, ("encoder", "encoder_stalled")),
        (8.0, 8.4, ("sensor", "camera_silent")),
        (8.0, None, ("sensor", "camera_silent")),
    ],
)
def test_a_sensor_that_still_sees_blames_the_encoder(
    frame_s: float, picture_s: float | None, found: tuple[str, str] | None
) -> None:
    assert silent_part(10 * S, int(frame_s * S), None if picture_s is None else int(picture_s * S)) == found


# --- the background test -------------------------------------------------------------------------------------------


def ailing(cause: str, component: str = "picture") -> dict[str, Ailment]:
    return {component: Ailment(component, cause, 0)}


@pytest.mark.requirement("R29")
def test_an_ailment_is_told_once_and_once_when_it_is_over() -> None:
    complaints = Complaints()
    told = [
        (second, one.word)
        for second in range(8)
        for one in complaints.update(ailing("picture_black") if 2 <= second < 6 else {}, second * S)
    ]
    assert told == [(2, "picture_black"), (6, "picture_works")]


@pytest.mark.requirement("R12")
def test_a_lens_that_is_covered_again_and_again_is_told_once_in_ten_minutes() -> None:
    complaints = Complaints()
    aloud = [
        (second, one.word)
        for second in range(1200)
        for one in complaints.update(ailing("picture_covered") if second % 60 < 30 else {}, second * S)
        if one.aloud
    ]
    assert aloud == [
        (0, "picture_covered"), (30, "picture_works"), (QUIET_NS // S, "picture_covered"), (630, "picture_works"),
    ]  # fmt: skip


def test_a_card_that_does_not_answer_is_an_answer() -> None:
    asked: list[object] = []
    errand = Errand(2 * S, lambda: None, "storage_hangs")
    for second in range(7):
        errand.look(second * S, asked.append)
    assert len(asked) == 1, "nobody asks twice at once"
    assert errand.answer == "storage_hangs"
    asked[0].close()  # type: ignore[attr-defined]


@pytest.mark.requirement("R29")
def test_a_lost_key_and_a_lost_card_are_named() -> None:
    def refuse(_: bytes) -> bytes:
        raise SigningFailed("the token is gone")

    def gone() -> int:
        raise DeviceLost("the spool directory is missing")

    broken = BackgroundTest(
        SimpleNamespace(  # type: ignore[arg-type]
            identity=SimpleNamespace(signer=SimpleNamespace(sign_digest=refuse)),
            hardware=SimpleNamespace(storage=SimpleNamespace(free_bytes=gone)),
            beside=Beside,
        )
    )
    assert (broken._ask_key(), broken._ask_card()) == ("key_lost", "storage_lost")


@pytest.mark.requirement("R13", "R29")
def test_a_button_that_cannot_be_read_is_named_and_one_without_a_pin_is_not() -> None:
    """A chip that is gone says nothing by itself: no edge comes, as if nobody had pressed."""

    def level(line: str) -> bool:
        if line == "pursuit":
            raise KeyError(line)
        if line in gone:
            raise DeviceLost("input line is gone")
        return False

    lines = {name: Input(kind="record_button") for name in ("pursuit", "record_button")}
    gone: set[str] = set()
    test = BackgroundTest(
        SimpleNamespace(  # type: ignore[arg-type]
            settings=SimpleNamespace(inputs=lines),
            hardware=SimpleNamespace(switches=SimpleNamespace(active=level)),
            beside=Beside,
        )
    )
    assert test._ask_inputs() is None
    gone.add("record_button")
    assert test._ask_inputs() == "inputs_lost"


# --- the supervisor's queue ----------------------------------------------------------------------------------------


def item(number: int) -> Item:
    return Item(
        id=number, cause="picture_black", component="sensor", boot="b", noticed="2026-01-01T00:00:00.000000Z", told=True
    )


@pytest.mark.requirement("R29")
def test_the_queue_keeps_the_newest_and_says_how_many_made_room() -> None:
    queue = Queue()
    for _ in range(MAX_ITEMS + 3):
        queue = queue.add(item(queue.next_id))
    assert (len(queue.items), queue.dropped, queue.items[0].id) == (MAX_ITEMS, 3, 4)
    assert queue.end(2, end_ns=5).items == queue.items, "what made room has no end to be told"
    assert queue.end(9, end_ns=5).items[5].end_ns == 5
    assert len(msgspec.json.encode(queue)) < 128 * 1024


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"{", "is no queue"),
        (b'{"items":[{"id":1}]}', "is no queue"),
        (b'{"colour":"red"}', "is no queue"),
        (b'{"v":2}', "not written by this firmware"),
        (b" " * 300_000, "larger than"),
    ],
)
def test_a_queue_file_that_is_none_is_refused_with_one_sentence(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "supervisor_queue.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=why):
        read_queue(path)


def test_a_camera_without_a_queue_has_an_empty_one(tmp_path: Path) -> None:
    assert read_queue(tmp_path / "supervisor_queue.json") == Queue()
