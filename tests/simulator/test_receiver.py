"""The simulated GPS receiver: like real ones in what it says, and as wrong as they can be. The camera reads it all."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import mean

import pytest

from hal.gps import GpsEpoch
from hal.gps_serial import LineBuffer
from hal.nmea import EpochAssembler
from simulator.receiver import FLAT_FIX_S, GNSS_WEEKS, NO_FIX_S, RouteReceiver, Spoofer
from simulator.receiver_controls import ReceiverControls
from simulator.receiver_line import ReceiverLine, ubx_frame
from simulator.route import Route, Waypoint

SECOND = 10**9
NOON_NS = int(datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC).timestamp()) * SECOND
PARKED = Route((Waypoint(lat=41.5382, lon=-72.807),))


class Bench:
    """A receiver on its line, heard by the camera's own assembler; one epoch a second."""

    def __init__(self, receiver: RouteReceiver | None = None, line: ReceiverLine | None = None) -> None:
        self.controls = ReceiverControls(receiver or RouteReceiver(), line or ReceiverLine())
        self.receiver, self.line = self.controls.receiver, self.controls.line
        self.assembler = EpochAssembler()
        self._lines = LineBuffer()
        self.second = 0

    def hear(self, seconds: int) -> list[GpsEpoch]:
        """What the camera makes of the next seconds."""
        found: list[GpsEpoch] = []
        for _ in range(seconds):
            now_ns = self.second * SECOND
            data = self.controls.epoch_bytes(NOON_NS + now_ns)
            heard = [self.assembler.add(line, now_ns) for line in self._lines.feed(data)]
            heard.append(self.assembler.flush(now_ns + SECOND // 2))
            found += [epoch for epoch in heard if epoch is not None]
            self.second += 1
        return found


def apart_m(one: GpsEpoch, other: GpsEpoch) -> float:
    assert one.latitude_nd is not None
    assert one.longitude_nd is not None
    assert other.latitude_nd is not None
    assert other.longitude_nd is not None
    north = (other.latitude_nd - one.latitude_nd) / 1e9 * 111_195
    east = (other.longitude_nd - one.longitude_nd) / 1e9 * 111_195 * math.cos(math.radians(41.54))
    return math.hypot(north, east)


def levels(lines: Iterator[str]) -> list[int]:
    """The levels of all satellites that are heard."""
    found = []
    for line in lines:
        if line[3:6] == "GSV":
            found += [int(field) for field in line.partition("*")[0].split(",")[7::4] if field]
    return found


def test_a_parked_receiver_wanders_by_metres_and_slowly() -> None:
    epochs = Bench(RouteReceiver(PARKED, seed=3)).hear(900)
    assert all(one.fix and one.dimensions == 3 and one.satellites == 10 for one in epochs)
    far = [apart_m(epochs[0], one) for one in epochs]
    steps = [apart_m(one, other) for one, other in itertools.pairwise(epochs)]
    assert 1 < max(far) < 10
    assert 0 < mean(steps) < 0.4
    assert all((one.speed_mm_s or 0) < 300 and one.course_mdeg is None for one in epochs)


@pytest.mark.requirement("R5")
@pytest.mark.parametrize("name", ["neo-m8n.log", "ublox-8.log", "bu353s4.log"])
def test_levels_precision_and_unrest_are_those_of_real_receivers(shared_data: Callable[[str], Path], name: str) -> None:
    text = shared_data(name).read_text("ascii", errors="replace")
    real_lines = [line for line in text.splitlines() if line.startswith("$")]
    bench = Bench(RouteReceiver(PARKED))
    ours = bench.hear(120)
    real, ours_levels = levels(iter(real_lines)), levels(line for one in ours for line in one.sentences)
    assert abs(mean(real) - mean(ours_levels)) < 10
    assert max(ours_levels) <= max(real) + 14
    assert min(ours_levels) >= 5
    hdops = [float(line.split(",")[8]) for line in real_lines if line[3:6] == "GGA" and line.split(",")[6] == "1"]
    for one in ours:
        assert one.hdop_centi is not None
        assert min(hdops) * 0.7 < one.hdop_centi / 100 < max(hdops) * 1.5


def test_the_same_seed_says_the_same_and_another_does_not() -> None:
    def said(seed: int) -> list[tuple[str, ...]]:
        return [one.sentences for one in Bench(RouteReceiver(seed=seed)).hear(60)]

    assert said(5) == said(5) != said(6)


@pytest.mark.requirement("R5")
def test_between_high_houses_few_satellites_are_left_and_the_place_is_far_off() -> None:
    receiver = RouteReceiver(PARKED, seed=2)
    bench = Bench(receiver)
    (first,) = bench.hear(1)
    receiver.view = "canyon"
    epochs = [one for one in bench.hear(300) if one.fix]
    assert len(epochs) > 200
    assert all(4 <= (one.satellites or 0) <= 8 for one in epochs[60:])
    assert mean(one.hdop_centi or 0 for one in epochs) > 150
    assert 8 < max(apart_m(first, one) for one in epochs) < 60


@pytest.mark.requirement("R5")
def test_a_tunnel_has_time_and_no_place_and_behind_it_the_drive_has_gone_on() -> None:
    receiver = RouteReceiver()
    bench = Bench(receiver)
    before = bench.hear(5)[-1]
    receiver.view = "none"
    inside = bench.hear(10)
    assert [(one.fix, one.latitude_nd, one.utc_ns is not None) for one in inside] == [(False, None, True)] * 10
    receiver.view = "open"
    assert apart_m(before, bench.hear(1)[0]) > 40


@pytest.mark.requirement("R5")
def test_a_cold_start_knows_the_time_before_the_date_before_the_place_before_the_height() -> None:
    receiver = RouteReceiver()
    bench = Bench(receiver)
    receiver.cold_start()
    epochs = bench.hear(FLAT_FIX_S + 5)
    order = [("no time" if one.utc_ns is None else "time" if not one.fix else f"{one.dimensions}D") for one in epochs]
    assert [kind for kind, _ in itertools.groupby(order)] == ["no time", "time", "2D", "3D"]
    assert order.index("2D") == NO_FIX_S
    assert not any(one.sentences[0].split(",")[1] for one in epochs[:3]), "at first not even the time of day"


@pytest.mark.requirement("R5")
def test_after_a_roll_over_of_the_week_the_date_is_1024_weeks_back_and_the_time_of_day_is_right() -> None:
    receiver = RouteReceiver()
    receiver.weeks_off = GNSS_WEEKS
    (epoch,) = Bench(receiver).hear(1)
    assert epoch.utc_ns is not None
    assert NOON_NS - epoch.utc_ns == timedelta(weeks=1024) / timedelta(seconds=1) * SECOND


@pytest.mark.requirement("R5")
def test_a_spoofer_draws_the_place_away_and_every_sentence_agrees_with_it() -> None:
    receiver = RouteReceiver(PARKED)
    bench = Bench(receiver)
    (before,) = bench.hear(1)
    receiver.spoofer = Spoofer(drag_m_s=5.0)
    dragged = bench.hear(60)
    assert all(one.fix for one in dragged), "nothing of it is invalid"
    assert apart_m(before, dragged[-1]) == pytest.approx(300, abs=15)
    assert all(abs((one.speed_mm_s or 0) - 5000) < 300 for one in dragged)
    assert mean(levels(line for one in dragged for line in one.sentences)) > 47, "all equally strong"
    receiver.spoofer = Spoofer(north_m=20_000, time_s=7200)
    (jumped,) = bench.hear(1)
    assert apart_m(before, jumped) == pytest.approx(20_000, abs=50)
    assert jumped.utc_ns == NOON_NS + 61 * SECOND + 7200 * SECOND
    receiver.spoofer = None
    assert apart_m(before, bench.hear(1)[0]) < 10


@pytest.mark.requirement("R5")
@pytest.mark.parametrize("seed", range(4))
def test_on_a_bad_cable_no_damaged_sentence_becomes_a_place(seed: int) -> None:
    bench = Bench(RouteReceiver(PARKED), ReceiverLine(seed, garbage=0.6))
    epochs = bench.hear(150)
    bench.line.garbage = 0.0
    (clean,) = bench.hear(1)[-1:]
    assert sum(bench.assembler.rejections.values()) > 100
    assert all(apart_m(clean, one) < 15 for one in epochs if one.fix)
    assert any(one.fix for one in epochs)


def test_binary_frames_between_the_sentences_cost_no_epoch() -> None:
    bench = Bench(line=ReceiverLine(ubx=True))
    epochs = bench.hear(100)
    assert len(epochs) >= 95
    assert sum(one.fix for one in epochs) >= 90
    assert ubx_frame(0x05, 0x01, b"\x06\x01") == bytes.fromhex("b562050102000601 0f38".replace(" ", ""))


def test_a_silent_line_and_one_at_another_speed_say_nothing() -> None:
    assert Bench(line=ReceiverLine(silent=True)).hear(10) == []
    assert not any(one.fix for one in Bench(line=ReceiverLine(wrong_speed=True)).hear(10))


def test_no_sentence_is_longer_than_the_standard_allows() -> None:
    receiver = RouteReceiver()
    for second, view in enumerate(["open", "canyon", "none"] * 30):
        receiver.view = view  # type: ignore[assignment]
        for line in receiver.epoch(NOON_NS + second * SECOND):
            assert len(line) <= 80
            assert re.fullmatch(r"\$GP(RMC|GGA|GSA|GSV),[^*]*\*[0-9A-F]{2}", line)
