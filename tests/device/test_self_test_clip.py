"""The test clip and the inspection, each decision by itself (R8, R37, invariant 11)."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from test_device_policy import GOOD

from device.config import load_settings
from device.inspection import Inspected, judge_inspection
from device.inspection_steps import seen_active
from device.spoken_clip import Clip, judge_clip
from evidence.settings import BadSettings
from evidence.statements import moment
from hal.clock import UtcClaim

SECOND = 10**9
OURS = {"name": "self_test", "at_ns": 100 * SECOND}


def clip(**changes: Any) -> Clip:
    return Clip(100 * SECOND, 5 * SECOND, {"record_button", "emergency"}, **changes)


@pytest.mark.requirement("R8", "R21")
@pytest.mark.parametrize(
    ("triggers", "timeline", "cleared"),
    [
        ([OURS], [], None),
        ([OURS, {"name": "lightbar", "at_ns": 101 * SECOND}], [], "lightbar"),
        ([{"name": "lightbar", "at_ns": 99 * SECOND}], [], "lightbar"),
        ([{"name": "self_test", "at_ns": 99 * SECOND}], [], "self_test"),  # another's recording with our name
        ([OURS, {"name": "self_test", "at_ns": 102 * SECOND}], [], "self_test"),
        ([OURS], [[101 * SECOND, "record_button", 1]], "record_button"),  # a marker, a hold: he means something
        ([OURS], [[101 * SECOND, "record_button", 0], [102 * SECOND, "brake", 1]], None),
        ([OURS], [[99 * SECOND, "record_button", 1]], None),  # before the clip
    ],
)
def test_only_a_recording_that_nobody_else_wanted_is_a_test(
    triggers: list[dict[str, Any]], timeline: list[list[Any]], cleared: str | None
) -> None:
    assert clip().cleared_by(triggers, timeline) == cleared


def test_a_category_that_somebody_gives_makes_it_evidence() -> None:
    assert clip(labelled="use_of_force").cleared_by([OURS], []) == "use_of_force"


def test_no_input_may_bear_the_name_of_the_test_clips_trigger(tmp_path: Path) -> None:
    path = tmp_path / "device.toml"
    path.write_text(GOOD + '[inputs.self_test]\nkind = "trigger"\n')
    with pytest.raises(BadSettings) as caught:
        load_settings(path)
    assert "self_test" in str(caught.value)


@pytest.mark.requirement("R8")
@pytest.mark.parametrize(
    ("levels", "microphone", "cleared", "outcome", "words"),
    [
        ([(-60, 101), (-20, 102), (-55, 103)], True, None, "pass", "loudest -20 dBFS"),
        ([(-70, 101), (-55, 102)], True, None, "fail", "loudest -55 dBFS"),
        ([(-10, 99)], True, None, "fail", "no sound at all"),  # heard before the clip
        ([], True, None, "fail", "no sound at all"),
        ([], False, None, "not_present", "no microphone"),
        ([(-10, 101)], True, "lightbar", "not_present", "real recording by lightbar"),
    ],
)
def test_the_loudest_sound_of_the_clip_is_a_row(
    levels: list[tuple[float, int]], microphone: bool, cleared: str | None, outcome: str, words: str
) -> None:
    made = clip()
    for level, at_s in levels:
        made.hear(level, at_s * SECOND)
    seen = judge_clip(made, cleared, microphone=microphone)
    assert seen.outcome == outcome
    assert words in seen.value


def test_the_clip_is_over_after_its_time() -> None:
    assert not clip().over(105 * SECOND - 1)
    assert clip().over(105 * SECOND)


# --- the inspection ---------------------------------------------------------------------------------------------------

LAST = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)


def claim(days: float, source: Any = "ntp") -> UtcClaim:
    at_ns = int((LAST + dt.timedelta(days=days)).timestamp()) * SECOND
    return UtcClaim(at_ns, at_ns, source)


@pytest.mark.requirement("R37")
@pytest.mark.parametrize(
    ("days", "at", "now", "outcome", "words"),
    [
        (0, None, claim(0), "not_present", "asks for none"),
        (30, None, claim(0), "fail", "nobody vouched"),
        (30, LAST, claim(29), "pass", "next due 2026-05-31"),
        (30, LAST, claim(33.5), "fail", "overdue for 3 days"),
        (30, LAST, claim(-20_000, "none"), "warn", "nobody vouches"),
    ],
)
def test_an_inspection_is_due_again_when_the_policy_says(
    days: int, at: dt.datetime | None, now: UtcClaim, outcome: str, words: str
) -> None:
    told = moment(int(at.timestamp()) * SECOND) if at is not None else None
    seen = judge_inspection(Inspected(v=1, at=told, verdict="pass"), days, now)
    assert seen.outcome == outcome
    assert words in seen.value


@pytest.mark.requirement("R37")
def test_a_camera_that_was_never_inspected_says_so() -> None:
    assert judge_inspection(None, 30, claim(0)).value == "never inspected"
    assert judge_inspection(None, 0, claim(0)).expected is False


def test_a_line_counts_only_if_it_changes_after_it_was_asked_for() -> None:
    timeline = [[5, "lightbar", 1], [9, "pursuit", 1], [12, "lightbar", 0]]
    assert seen_active(timeline, "lightbar", 6) == 12
    assert seen_active(timeline, "lightbar", 13) is None
    assert seen_active(timeline, "pursuit", 9) == 9
