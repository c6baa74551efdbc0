"""The outbox by itself: what it keeps, and what goes first when it is full."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from dock.mqtt.messages import COMMAND_BYTES, refusal
from dock.mqtt.outbox import Outbox

TIME = "2026-01-01T00:00:00.000000Z"


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return Outbox(tmp_path / "outbox.sqlite", max_rows=5)


def test_rows_survive_a_restart_and_numbers_are_never_used_again(tmp_path: Path, outbox: Outbox) -> None:
    first = outbox.put("boot", "evt", "a", TIME, {"x": 1})
    outbox.delete(first)
    second = outbox.put("boot", "evt", "b", TIME, {"x": 2})
    assert second > first
    outbox.close()
    again = Outbox(tmp_path / "outbox.sqlite", max_rows=5)
    assert [(row.row, row.name, row.data) for row in again.oldest(10)] == [(second, "b", {"x": 2})]
    assert len(again) == 1


def test_it_is_as_durable_as_it_says(tmp_path: Path, outbox: Outbox) -> None:
    assert outbox._database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert outbox._database.execute("PRAGMA synchronous").fetchone() == (2,)


def test_only_the_newest_state_is_kept(outbox: Outbox) -> None:
    for number in range(3):
        outbox.put("boot", "state", "state", TIME, {"n": number})
    assert [row.data for row in outbox.oldest(10)] == [{"n": 2}]


def test_when_full_answers_go_first_then_the_state_then_the_oldest_event(outbox: Outbox) -> None:
    outbox.put("boot", "evt", "first", TIME, {})
    outbox.put("boot", "state", "state", TIME, {})
    outbox.put("boot", "rsp", "x", TIME, {})
    for name in ("second", "third"):
        outbox.put("boot", "evt", name, TIME, {})
    kinds = []
    for name in ("fourth", "fifth", "sixth"):
        outbox.put("boot", "evt", name, TIME, {})
        kinds.append([row.name if row.kind == "evt" else row.kind for row in outbox.oldest(10)])
    assert kinds == [
        ["first", "state", "second", "third", "fourth"],
        ["first", "second", "third", "fourth", "fifth"],
        ["second", "third", "fourth", "fifth", "sixth"],
    ]
    assert outbox.dropped() == {"rsp": 1, "state": 1, "evt": 1}


def test_a_row_in_flight_is_not_sent_twice_at_once(outbox: Outbox) -> None:
    rows = [outbox.put("boot", "evt", "a", TIME, {}) for _ in range(4)]
    assert [row.row for row in outbox.oldest(2, but={rows[0], rows[1]})] == rows[2:]


def test_a_value_that_json_cannot_carry_is_refused_and_nothing_changes(outbox: Outbox) -> None:
    with pytest.raises(ValueError):
        outbox.put("boot", "evt", "a", TIME, {"x": float("nan")})
    assert len(outbox) == 0


def test_a_closed_outbox_says_so(outbox: Outbox) -> None:
    outbox.close()
    with pytest.raises(sqlite3.Error):
        outbox.put("boot", "evt", "a", TIME, {})


def test_only_what_looks_like_a_command_is_answered() -> None:
    base = "fleet/v1/SIM-0001/cmd/"
    assert refusal("SIM-0001", "fleet/v1/SIM-0002/cmd/lock", b"{}") is None
    assert refusal("SIM-0001", base + "a/b", b"{}") is None
    assert refusal("SIM-0001", base, b"{}") is None
    name, answer = refusal("SIM-0001", base + "lock", b"x" * (COMMAND_BYTES + 1)) or ("", {})
    assert name == "lock"
    assert "at most" in answer["error"]
    good = b'{"specversion":"1.0","id":"1","source":"s","type":"t"}'
    assert refusal("SIM-0001", base + "lock", good) == ("lock", {"request": "1", "error": "not supported"})
    for bad in (good.replace(b"1.0", b"2.0"), good.replace(b'"id":"1"', b'"id":""'), good[:-1] + b',"more":1}'):
        assert (refusal("SIM-0001", base + "lock", bad) or ("", {}))[1]["request"] is None
