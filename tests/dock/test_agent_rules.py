"""When, over what and how fast the agent may upload, and what each answer means: tables, without a network."""

from __future__ import annotations

import asyncio
import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from dock_bench import SERIAL

from dock.agent.answers import Course, course_of
from dock.agent.backoff import Backoff
from dock.agent.bandwidth import Bandwidth
from dock.agent.daemon import all_of
from dock.agent.gate import Gate
from dock.agent.ledger import Settled, UploadLedger
from dock.agent.links import interfaces_up, matching
from dock.agent.permission import ALL, Permission, Situation, decide
from dock.agent.stations import Stations
from dock.agent.windows import is_open
from dock.config import Away, Offload
from dock.errors import (
    BadFileName,
    BadReceipt,
    DockError,
    ReceiptNotReady,
    RecorderConfused,
    RecorderRefused,
    RecorderUnreachable,
    SpoolMismatch,
    StationBusy,
    StationFailed,
    StationFull,
    StationRefused,
    StationRejects,
    StationUnreachable,
    UploadStopped,
)
from evidence.handover import Status

AWAY = Away(links=("wifi", "lte"), min_battery_percent=40, lte_mb_day=1)
NOON, NIGHT = 12 * 60, 23 * 60


def status(**more: Any) -> Status:
    values: dict[str, Any] = {
        "serial": SERIAL,
        "model": "bench",
        "firmware": "0",
        "state": "ready",
        "docked": False,
        "degraded": False,
        "uptime_s": 1,
        "battery_percent": 80,
    }
    return Status(**{**values, **more})


def judged(
    offload: Offload, *, minute: int = NOON, up: tuple[str, ...] = (), spent: int = 0, **more: Any
) -> Permission:
    return decide(Situation(status(**more), up, minute, spent), offload)


@pytest.mark.requirement("R13", "R30")
@pytest.mark.parametrize("more", [{"recording": "X-000001"}, {"state": "recording"}])
@pytest.mark.parametrize("docked", [True, False])
def test_while_recording_nothing_is_uploaded_wherever_the_camera_is(more: dict[str, Any], docked: bool) -> None:
    found = judged(Offload(away=AWAY), up=("wlan0",), docked=docked, **more)
    assert not found.granted
    assert "recording comes first" in found.why


def test_what_is_not_known_allows_nothing() -> None:
    assert decide(Situation(None), Offload(away=AWAY)).why == "the recorder does not answer"
    found = judged(Offload(away=AWAY), up=("wlan0",), battery_percent=None)
    assert not found.granted
    assert "charge is not known" in found.why


@pytest.mark.requirement("R30")
def test_in_the_dock_everything_goes_at_any_time_and_a_cable_is_a_dock_too() -> None:
    options = Offload(windows=("22:00-06:00",), dock_interfaces=("eth0",), kbit_s=800)
    assert judged(options, docked=True) == Permission(ALL, "dock", kbit_s=800)
    assert judged(options, up=("eth0",)).over == "dock"
    assert judged(options, up=("eth1",)).why == "the camera is not docked"
    kept = Offload(windows=("22:00-06:00",), windows_at_dock=True)
    assert judged(kept, docked=True).classes == {"critical"}
    assert judged(kept, docked=True, minute=NIGHT).classes == ALL
    strict = Offload(windows=("22:00-06:00",), windows_at_dock=True, windows_spare_critical=False)
    assert not judged(strict, docked=True).granted


@pytest.mark.requirement("R30")
@pytest.mark.parametrize(
    ("up", "battery", "spent", "over", "why"),
    [
        (("wlan0", "wwan0"), 80, 0, "wifi", ""),
        (("wwan0",), 80, 0, "lte", ""),
        (("ppp0",), 40, 999_999, "lte", ""),
        (("wwan0",), 80, 1_000_000, "none", "megabytes over LTE are used up"),
        (("wlan0",), 39, 0, "none", "the battery has 39 %"),
        (("eth0", "lo"), 80, 0, "none", "no link over wifi or lte"),
    ],
)
def test_away_from_the_dock_links_charge_and_budget_decide(
    up: tuple[str, ...], battery: int, spent: int, over: str, why: str
) -> None:
    found = judged(Offload(away=AWAY), up=up, battery_percent=battery, spent=spent)
    assert found.over == over
    assert why in found.why
    if found.granted:
        assert found.classes == {"critical"}
        assert found.interface == up[0]
        assert found.left_bytes == (None if over == "wifi" else 10**6 - spent)


def test_a_window_may_lie_over_midnight_and_its_end_is_outside() -> None:
    minutes = {minute for minute in range(1440) if is_open(("22:00-06:00",), minute)}
    assert minutes == {*range(22 * 60, 1440), *range(6 * 60)}
    assert is_open((), NOON)
    assert is_open(("00:00-00:00",), NOON)
    assert not is_open(("13:00-14:00", "08:00-12:00"), NOON)


def test_links_are_up_as_the_kernel_says(tmp_path: Path) -> None:
    for name, state, carrier in (("eth0", "up", "1"), ("wlan0", "down", "0"), ("ppp0", "unknown", "1")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "operstate").write_text(f"{state}\n")
        (tmp_path / name / "carrier").write_text(f"{carrier}\n")
    (tmp_path / "odd").mkdir()
    assert interfaces_up(tmp_path) == ("eth0", "ppp0")
    assert interfaces_up(tmp_path / "missing") == ()
    assert matching(("wlan1", "wlan0"), ("wlan0", "wlan*")) == "wlan0"


@pytest.mark.parametrize("workers", [1, 3])
def test_the_bandwidth_limit_holds_over_all_connections(workers: int) -> None:
    """Counted over an injected clock: 800 kbit/s are 100 kB in a second, whoever sends."""
    now = [100.0]
    bucket = Bandwidth(clock=lambda: now[0])
    assert bucket.piece(10**9) == 10**9
    assert bucket.reserve(10**9) == 0
    bucket.limit(800)
    sent = 0
    waits = [0.0] * workers
    while now[0] < 160.0:
        for worker in range(workers):
            if waits[worker] <= now[0]:
                piece = bucket.piece(10**9)
                sent += piece
                waits[worker] = now[0] + bucket.reserve(piece)
        now[0] += 0.01
    assert 0.95 * 6_000_000 <= sent <= 1.05 * 6_000_000 + workers * 100_000
    now[0] += 3600.0  # an hour's pause earns no more than a second
    assert bucket.reserve(200_000) == 0
    assert bucket.reserve(1) == pytest.approx(1.0)


@pytest.mark.requirement("R30")
def test_the_days_budget_is_kept_to_the_byte_and_over_a_kill(tmp_path: Path) -> None:
    day = [dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)]
    for name, word in (("operstate", "up"), ("carrier", "1")):
        (tmp_path / "net/wwan0").mkdir(parents=True, exist_ok=True)
        (tmp_path / "net/wwan0" / name).write_text(word)
    options = Offload(away=Away(links=("lte",), lte_mb_day=2))

    def gate() -> Gate:  # the ledger is never closed: as after kill -9
        return Gate(options, UploadLedger(tmp_path / "ledger"), net=tmp_path / "net", now=lambda: day[0])

    def spend_all(one: Gate) -> int:
        spent = 0
        while (permission := one.look(status())).granted:
            spent += asyncio.run(one.take(permission, 300_000))[0]
        with pytest.raises(UploadStopped, match="used up"):
            asyncio.run(one.take(Permission(ALL, "lte", left_bytes=1), 1))
        return spent

    first = gate()
    assert asyncio.run(first.take(first.look(status()), 300_000)) == (300_000, 0.0)
    second = gate()
    # What was counted ahead is lost with the kill: less is sent than allowed, never more.
    assert 300_000 + spend_all(second) <= 2_000_000
    assert not gate().look(status()).granted
    day[0] += dt.timedelta(days=1)
    assert spend_all(gate()) == 2_000_000


LEAVE, ON = "leave", "go_on"


@pytest.mark.requirement("R30", "R38")
@pytest.mark.parametrize(
    ("error", "course"),
    [
        (StationRejects("", 400), Course("reject", ON)),
        (StationRefused("", 400), Course("keep", ON)),
        (StationRefused("", 401), Course("keep", LEAVE)),
        (StationRefused("", 402), Course("keep", LEAVE)),
        (StationRefused("", 403), Course("keep", LEAVE)),
        (StationRefused("", 404), Course("keep", LEAVE)),
        (StationRefused("", 413), Course("keep", ON)),
        (StationBusy("", 5), Course("same", "pause")),
        (StationFull(""), Course("same", LEAVE)),
        (StationUnreachable(""), Course("same", LEAVE)),
        (StationFailed("500, a redirect, an early 200, an empty answer"), Course("keep", LEAVE)),
        (BadReceipt(""), Course("keep", ON)),
        (ReceiptNotReady(""), Course("keep", ON)),
        (SpoolMismatch(""), Course("keep", ON)),
        (BadFileName(""), Course("keep", ON)),
        (OSError("the spool"), Course("keep", ON)),
        (RecorderRefused(""), Course("keep", ON)),
        (RecorderUnreachable(""), Course("same", LEAVE)),
        (RecorderConfused(""), Course("same", LEAVE)),
        (UploadStopped(""), Course("same", LEAVE)),
        (DockError("something new"), Course("keep", LEAVE)),
    ],
)
def test_what_each_answer_means(error: Exception, course: Course) -> None:
    assert course_of(error) == course


def test_what_may_pass_counts_only_when_it_comes_again() -> None:
    """A proxy answers 400 to a torn connection: that is no word about the file."""
    error = StationRefused("", 400)
    assert [course_of(error, strikes).file for strikes in (1, 2, 3)] == ["keep", "keep", "reject"]
    refused = RecorderRefused("the card is full")
    assert [course_of(refused, strikes).file for strikes in (1, 2, 3)] == ["keep", "keep", "refuse"]


@pytest.mark.requirement("R6")
def test_another_station_is_tried_while_the_first_one_waits() -> None:
    now = [0.0]
    stations = Stations(
        ("https://a", "https://b", "https://a"),
        lambda: Backoff(10, 100, draw=lambda _low, high: high),
        clock=lambda: now[0],
    )
    assert stations.next() == ("https://a", 0)
    assert stations.failed("https://a") == 10
    assert stations.next() == ("https://b", 0)
    assert stations.failed("https://b", 300) == 300
    assert stations.next() == ("https://a", 10)
    now[0] = 10
    assert stations.next() == ("https://a", 0)
    assert stations.failed("https://a") == 20
    stations.worked("https://a")
    assert stations.failed("https://a") == 10


@pytest.mark.parametrize("end", ["cancelled", "failed"])
def test_the_agents_works_end_together_and_none_is_left_half_way(end: str) -> None:
    """An upload that is cut off has connections to clear away: the ledger and the loop are not closed before it."""
    cleared: list[str] = []

    async def upload() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            for _ in range(10):
                await asyncio.sleep(0)
            cleared.append("upload")

    async def other() -> None:
        if end == "failed":
            await asyncio.sleep(0)
            raise OSError("the disk")
        await asyncio.Event().wait()

    async def whole() -> None:
        works = asyncio.ensure_future(all_of(other(), upload()))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        if end == "cancelled":
            works.cancel()
        with pytest.raises(OSError if end == "failed" else asyncio.CancelledError):
            await works
        assert cleared == ["upload"]

    asyncio.run(whole())


def test_what_is_settled_survives_a_kill(tmp_path: Path) -> None:
    one = Settled("n", "h", "https://a", "rejected", "why", "", "v1", 1.0, 2.0)
    UploadLedger(tmp_path / "ledger").settle(one)  # never closed
    ledger = UploadLedger(tmp_path / "ledger")
    assert ledger.settled() == [one]
    ledger.unsettle("n", "h")
    assert UploadLedger(tmp_path / "ledger").settled() == []
