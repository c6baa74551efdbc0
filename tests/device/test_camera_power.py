"""Battery and heat of the real daemon: told, fewer bits, and an orderly end (R8, R22, R30)."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from camera_bench import HAPTIC, CameraBench, statements, until, watch

from device.service import EXIT_POWER_OFF
from evidence.handover import Facts
from evidence.requests import FactsRequest
from evidence.statements import Event

Make = Callable[..., CameraBench]


def facts(camera: CameraBench) -> dict[str, Any]:
    answer = camera.ask(FactsRequest(about="power"))
    assert isinstance(answer, Facts)
    return answer.facts


def words(camera: CameraBench, event: str) -> list[str | None]:
    return [word for name, word, _ in camera.events() if name == event]


@pytest.mark.requirement("R8", "R22")
def test_an_empty_battery_closes_the_recording_seals_the_log_and_asks_to_be_switched_off(bench: Make) -> None:
    camera = bench(battery_percent=60).start()
    stem = camera.double_press()
    camera.fragments(1)
    camera.battery.set(percent=6, load_ma=300)  # 36 minutes to empty, 24 to the switch-off at 2 %: not yet low
    camera.battery.set(percent=4, load_ma=300)  # 12 to the switch-off
    camera.wait("battery", "low")
    camera.wait("low_power", "battery")
    assert camera.status().recording == stem, "it records on, with fewer bits"
    camera.battery.set(percent=3, load_ma=300)  # 6 to the switch-off
    camera.wait("battery", "critical")
    camera.battery.set(percent=1, load_ma=300)
    closed = camera.wait("recording_closed")
    assert (closed.recording, closed.word) == (stem, "battery_empty")
    assert camera.process is not None
    assert camera.process.wait(60) == EXIT_POWER_OFF
    camera.process = None
    report = camera.verify(stem)
    assert report.closed is not None
    assert report.closed.reason == "battery_empty"
    assert "low_power" in [one.event for one in statements(camera.path(stem)) if isinstance(one, Event)]
    logged = [name for name, _, _ in camera.events()]  # every segment verifies and is closed
    assert logged.index("battery_empty") < logged.index("shutdown")
    assert json.loads((camera.state / "power.json").read_bytes())["end"] == "battery_empty"

    camera.battery.set(percent=90, load_ma=260)
    camera.start()
    assert facts(camera)["died_last_shift"] is True
    assert camera.stop() == 0
    assert "battery_empty" in words(camera, "died_last_shift")


def put(path: Path, text: str) -> None:
    """At once: a gauge that is half written would be another fault."""
    path.with_name(".new").write_text(text)
    path.with_name(".new").rename(path)


@pytest.mark.requirement("R22")
def test_a_gauge_that_jumps_or_is_lost_stops_nothing(bench: Make) -> None:
    camera = bench(battery_percent=80).start()
    stem = camera.double_press()
    uevent = camera.battery.directory / "uevent"
    good = uevent.read_text()
    stuck = good.replace("CAPACITY=80", "CAPACITY=0")  # the voltage is that of a charged cell
    put(uevent, stuck)
    camera.wait("fault", "battery")
    camera.fragments(12)  # longer than any confirmation
    assert camera.status().recording == stem
    assert facts(camera)["gauge_believed"] is False
    put(uevent, good)
    until(lambda: facts(camera)["gauge_believed"], what="the gauge is believed again")
    seen = len(camera.notices)
    camera.battery.remove()
    camera.wait("fault", "battery", since=seen)
    until(lambda: camera.status().battery_percent is None, what="no charge is known")
    camera.fragments(1)
    assert camera.status().recording == stem
    camera.battery.set(percent=80)
    until(lambda: camera.status().battery_percent == 80, what="the gauge is back")
    camera.stop()
    camera.verify(stem)
    assert words(camera, "fault").count("battery") == 2, "each is one fault, however long it lasts"


@pytest.mark.requirement("R22")
def test_a_gauge_that_hangs_is_a_fault_and_holds_nobody_up(bench: Make) -> None:
    camera = bench(battery_percent=80).start()
    stem = camera.double_press()
    uevent = camera.battery.directory / "uevent"
    pipe = uevent.with_name(".hanging")
    os.mkfifo(pipe)
    pipe.rename(uevent)  # whoever opens it waits for ever, as on a bus that is stuck
    camera.wait("fault", "battery")
    until(lambda: camera.status().battery_percent is None, what="no charge is known")
    camera.fragments(1)
    assert camera.status().recording == stem
    assert camera.stop() == 0, "the end does not wait for the gauge either"
    camera.verify(stem)


@pytest.mark.requirement("R22")
def test_a_hot_board_records_on_with_fewer_bits_and_cools_down_again(bench: Make) -> None:
    camera = bench().start()
    with watch(camera) as seen:
        stem = camera.double_press()
        camera.thermal.set(celsius=86)
        camera.wait("thermal", "critical")
        camera.wait("low_power", "heat")
        until(lambda: [one for one in seen if one.get("pin") == HAPTIC], what="the officer feels it")
        camera.fragments(2)
        assert camera.status().recording == stem
        assert (facts(camera)["heat"], facts(camera)["throttled"]) == ("critical", True)
        camera.thermal.set(celsius=45)
        camera.wait("thermal", "normal")
        camera.wait("low_power", "over")
    camera.stop()
    camera.verify(stem)
    assert words(camera, "thermal") == ["critical", "normal"]
    assert words(camera, "low_power") == ["heat", "over"]


@pytest.mark.requirement("R8")
def test_a_camera_that_went_dark_with_a_low_battery_says_so_at_the_next_boot(bench: Make) -> None:
    camera = bench(battery_percent=5).start()
    kept = camera.state / "power.json"
    until(lambda: kept.exists() and json.loads(kept.read_bytes())["percent"] == 5, what="the state is written down")
    camera.kill()  # a start of the simulated clock is another boot of the board: its power was cut
    camera.battery.set(percent=90)
    camera.start()
    assert facts(camera)["died_last_shift"] is True
    checks = {row["name"] for row in self_test(camera)}
    assert {"battery", "battery_health", "runtime", "thermal"} <= checks
    camera.stop()
    assert words(camera, "died_last_shift") == ["running"]


def self_test(camera: CameraBench) -> tuple[dict[str, Any], ...]:
    from evidence.handover import SelfTestDone
    from evidence.requests import SelfTestRequest

    answer = camera.ask(SelfTestRequest())
    assert isinstance(answer, SelfTestDone)
    return answer.checks
