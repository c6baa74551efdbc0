"""A card that fails, becomes read-only, or fills: survived, told, never at the cost of a start (R29, R30)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from camera_bench import HAPTIC, CameraBench, statements, until, watch

from evidence.handover import Facts
from evidence.requests import FactsRequest
from evidence.statements import Event, Gap

Make = Callable[..., CameraBench]
LAUNCHER = str(Path(__file__).with_name("failing_card.py"))


def on_failing_card(bench: Make, **options: Any) -> tuple[CameraBench, Path]:
    camera = bench(**options)
    flag = camera.directory / "card-fails-with"
    camera.program = (LAUNCHER, str(flag))
    return camera.start(), flag


def facts(camera: CameraBench) -> dict[str, Any]:
    answer = camera.ask(FactsRequest(about="storage"))
    assert isinstance(answer, Facts)
    return answer.facts


def words(camera: CameraBench, event: str) -> list[str | None]:
    return [word for name, word, _ in camera.events() if name == event]


@pytest.mark.requirement("R29", "R30")
@pytest.mark.parametrize("error", ["EIO", "EROFS"])
def test_a_card_that_fails_in_a_recording_is_told_and_the_recording_goes_on_when_it_works(
    bench: Make, error: str
) -> None:
    camera, flag = on_failing_card(bench)
    stem = camera.double_press()
    camera.fragments(2)
    with watch(camera) as seen:
        flag.write_text(error)
        # Not any alarm: that the card is behind is told while the writer still tries, and then nothing is lost yet.
        camera.wait("alarm", "storage_error")
        camera.wait("storage_level", "fault")
        until(lambda: [one for one in seen if one.get("pin") == HAPTIC], what="the officer feels it")
    assert camera.status().recording == stem, "nothing ends a recording because the card fails"
    since = len(camera.notices)
    flag.unlink()
    camera.wait("storage_level", "works_again", since=since)
    camera.wait("fragment", since=since, count=2)
    assert facts(camera)["fault"] is None
    assert camera.stop() == 0
    camera.verify(stem)
    gaps = [one for one in statements(camera.path(stem)) if isinstance(one, Gap)]
    assert [one for one in gaps if one.cause == "storage_error" and one.frames], "what was not kept is named"
    told = [one for one in camera.log_statements() if isinstance(one, Event) and one.event == "storage"]
    assert [one.word for one in told if one.word == "works_again"], "the log could not be told before"


@pytest.mark.requirement("R13", "R30")
def test_the_button_is_not_refused_on_a_card_that_fails_and_records_once_it_works(bench: Make) -> None:
    camera, flag = on_failing_card(bench)
    flag.write_text("EIO")
    camera.press(times=2)
    camera.wait("alarm")
    assert camera.status().recording is not None, "it tries, and says that it does not get through"
    since = len(camera.notices)
    flag.unlink()
    camera.wait("fragment", since=since, count=2)
    stem = camera.status().recording
    assert stem is not None
    camera.stop()
    camera.verify(stem)


@pytest.mark.requirement("R30")
def test_the_forecast_follows_the_bit_rate_and_the_alarm_comes_before_the_card_is_full(bench: Make) -> None:
    camera = bench(policy={"alarm_free_min": 1440}, camera={"bitrate": 2_000_000}).start()
    until(lambda: facts(camera)["hours_left"] is not None, what="a forecast")
    now = facts(camera)
    assert now["hours_left"] == pytest.approx(now["free_bytes"] * 8 / now["bits_per_s"] / 3600, rel=0.05, abs=0.1)
    assert camera.status().storage_minutes_left is not None

    def follows() -> bool:
        known = facts(camera)
        return bool(known["level"] == ("low" if known["hours_left"] <= 24 else "good"))

    until(follows, what="1440 minutes or less are low")
    camera.stop()


@pytest.mark.requirement("R30")
def test_recordings_that_wait_too_long_for_the_dock_are_an_alarm_in_running_time(bench: Make) -> None:
    camera = bench(policy={"backlog_alarm_h": 1}).start()
    stem = camera.double_press()
    camera.fragments(1)
    camera.hold_to_stop()
    assert camera.stop() == 0
    kept = camera.state / "card.json"
    account = json.loads(kept.read_bytes())
    assert account["written_bytes"] >= 0
    name = f"{stem}.evidence"
    kept.write_text(json.dumps({**account, "waiting_s": {name: 3 * 3600}}))  # three hours of running have passed
    camera.start()
    until(lambda: facts(camera)["backlog_alarm"], 90, what="the backlog's alarm")
    assert facts(camera)["oldest_waiting_s"] >= 3 * 3600
    answer = camera.ask_selftest()
    assert answer in ("pass", "warn"), "a backlog is noted and blocks nobody"
    camera.stop()
    assert words(camera, "backlog") == ["old"]
    assert "wear" in [name for name, _, _ in camera.events()], "what was written is told at the end"
