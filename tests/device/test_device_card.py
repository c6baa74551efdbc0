"""The card: how much still fits, when it is told, how old the backlog is, what outlives a boot (R30)."""

from __future__ import annotations

from pathlib import Path

import pytest

from device.card import (
    SECOND,
    CardAccount,
    Rate,
    Room,
    Waiting,
    level_of,
    load_account,
    minutes_left,
    save_account,
    written_by_this_process,
)

MIB = 2**20


@pytest.mark.requirement("R30")
def test_the_forecast_counts_receipted_copies_as_room_and_leaves_the_reserve_alone() -> None:
    room = Room(free_bytes=61 * 60_000_000, receipted_bytes=60 * 60_000_000, reserve_bytes=60_000_000)
    assert minutes_left(room, 8_000_000) == 120
    assert minutes_left(room, 4_000_000) == 240, "at half the rate twice as long"
    assert minutes_left(room, None) is None
    assert minutes_left(Room(0, 0, MIB), 8_000_000) == 0


def test_the_rate_is_measured_in_the_ring_and_then_in_the_recording() -> None:
    rate = Rate()
    rate.ring(500_000, SECOND // 2)
    assert rate.bits_per_s is None, "half a second says nothing"
    rate.ring(2_000_000, 2 * SECOND)
    assert rate.bits_per_s == 8_000_000
    for second in range(300):
        rate.count(500_000 * second, second * SECOND)
    assert rate.bits_per_s is not None
    assert abs(rate.bits_per_s - 4_000_000) < 50_000
    rate.count(0, 301 * SECOND)  # the next file
    rate.count(500_000 * 10, 311 * SECOND)
    assert abs(rate.bits_per_s - 4_000_000) < 50_000


@pytest.mark.requirement("R30")
def test_the_alarm_comes_at_the_policys_minutes_and_does_not_flutter() -> None:
    assert level_of(61, startable=True, alarm_min=60, before="good") == "good"
    assert level_of(60, startable=True, alarm_min=60, before="good") == "low"
    assert level_of(63, startable=True, alarm_min=60, before="low") == "low"
    assert level_of(67, startable=True, alarm_min=60, before="low") == "good"
    assert level_of(500, startable=False, alarm_min=60, before="good") == "full"
    assert level_of(None, startable=True, alarm_min=60, before="low") == "low", "unknown is no reason to be at ease"
    assert level_of(None, startable=True, alarm_min=60, before="full") == "good"


@pytest.mark.requirement("R30")
def test_waiting_is_counted_in_running_time_and_ends_with_the_receipt() -> None:
    waiting = Waiting({"a": 100})
    waiting.tick(["a", "b"], 60)
    assert waiting.oldest == ("a", 160)
    waiting.tick(["b"], 60)
    assert waiting.oldest == ("b", 120)
    waiting.tick([], 60)
    assert waiting.oldest is None


def test_the_account_outlives_a_boot(tmp_path: Path) -> None:
    account = CardAccount(written_bytes=5, waiting_s={"SIM-0001-000001.evidence": 3600})
    save_account(tmp_path / "state" / "card.json", account)
    assert load_account(tmp_path / "state" / "card.json") == account


@pytest.mark.parametrize(
    "data", [b"", b"[]", b'{"written_bytes":-1}', b'{"waiting_s":{"a":-5}}', b'{"surprise":1}', b"\xff\xfe"]
)
def test_a_damaged_account_begins_anew(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "card.json").write_bytes(data)
    assert load_account(tmp_path / "card.json") == CardAccount()


def test_an_account_that_cannot_be_saved_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    save_account(tmp_path / "file" / "card.json", CardAccount())


def test_what_was_written_is_the_kernels_count(tmp_path: Path) -> None:
    io = tmp_path / "io"
    io.write_text("rchar: 1\nwrite_bytes: 4096\ncancelled_write_bytes: 0\n")
    assert written_by_this_process(io) == 4096
    io.write_text("write_bytes: many\n")
    assert written_by_this_process(io) is None
    assert written_by_this_process(tmp_path / "nothing") is None
