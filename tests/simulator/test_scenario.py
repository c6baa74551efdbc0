"""Scenarios are read by trainers and checked strictly: every mistake is one sentence with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.run_errors import BadScenario
from simulator.scenario import bundled, find_scenario, load_scenario

STEP = '[[step]]\nat = "start"\ndo = "dock"\n'


def load(tmp_path: Path, text: str) -> str:
    """The sentence with which a text is refused."""
    path = tmp_path / "bad.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadScenario) as refused:
        load_scenario(path)
    sentence = str(refused.value)
    assert "\n" not in sentence
    return sentence


@pytest.mark.parametrize("name", ["default", "quick"])
def test_bundled_scenarios_pull_every_trigger_and_end_offloaded(name: str) -> None:
    scenario = load_scenario(find_scenario(name))
    assert set(scenario.triggers) == {"record_button", "lightbar", "pursuit"}
    assert scenario.steps[-1].state == "offloaded"
    assert scenario.profile["keep_after_receipt_h"] == 0


def test_default_scenario_spaces_its_triggers_wider_than_the_ring() -> None:
    scenario = load_scenario(find_scenario("default"))
    after_stop = [step for step in scenario.steps if step.action in ("light bar on", "pursuit on")]
    assert [(step.state, step.wait_s) for step in after_stop] == [("stopped", 31.0)] * 2


def test_an_unknown_scenario_names_the_nearest() -> None:
    assert {"default", "quick", "power"} <= set(bundled())
    with pytest.raises(BadScenario, match=r"no scenario 'quik'.*did you mean 'quick'\?"):
        find_scenario("quik")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", "title"),
        ("title = 'a'", "step"),
        ("title = 'a'\nstep = []", "step"),
        ("titel = 'a'\n" + STEP, "unknown key 'titel'; did you mean 'title'?"),
        ("title = 'a'\n[profile]\nring_s = 3\n" + STEP, "[profile]: unknown key 'ring_s'"),
        ("title = 'a'\n[profile]\npre_event_s = -1\n" + STEP, "[profile]"),
        ("title = 'a'\n[profile.severity]\nsensr = 'warn'\n" + STEP, "did you mean 'sensor'?"),
        ("title = 'a'\n[camera]\nwidth = 5\n" + STEP, "width"),
        ("title = 'a'\n" + STEP + '[[step]]\nat = "ring ful"\ndo = "dock"', ":5: at: 'ring ful' is not known; did you"),
        ("title = 'a'\n" + STEP + '[[step]]\nat = "3s later"\ndo = "dock"', ":5: at: '3s later' is not known"),
        ("title = 'a'\n" + STEP + '[[step]]\nat = "3 s after stoped"\ndo = "dock"', "did you mean 'stopped'?"),
        ("title = 'a'\n" + STEP + '[[step]]\nat = "stopped"\ndo = "lightbar on"', "did you mean 'light bar on'?"),
        ("title = 'a'\n" + STEP + '[[step]]\nat = "stopped"\ndo = "battery 101"', "101 is no percentage"),
        ("title = 'a'\n" + STEP + '[[step]]\nat = "stopped"\ndoo = "dock"', ":5: unknown key 'doo'"),
        ("title = 'a'\n[[step]]\nat = '3 s later'\ndo = 'dock'", ":2: the first step has nothing to come later than"),
        ("title = 'a'\n[[step]]\nat = 3\ndo = 'dock'", ":2: Expected `str`, got `int`"),
        ("title = ", "not valid TOML"),
    ],
)
def test_a_mistake_is_one_sentence_with_its_place(tmp_path: Path, text: str, wanted: str) -> None:
    assert wanted in load(tmp_path, text)


def test_a_huge_or_missing_file_is_refused(tmp_path: Path) -> None:
    assert "larger" in load(tmp_path, "# " + "x" * 300_000)
    with pytest.raises(BadScenario, match="cannot read"):
        load_scenario(tmp_path / "missing.toml")


def test_battery_takes_its_percentage(tmp_path: Path) -> None:
    path = tmp_path / "good.toml"
    path.write_text("title = 'a'\n[[step]]\nat = '2.5 s after start'\ndo = 'battery 20'\n", encoding="utf-8")
    step = load_scenario(path).steps[0]
    assert (step.state, step.wait_s, step.action, step.amount) == ("start", 2.5, "battery", 20)


def test_the_board_takes_its_degrees(tmp_path: Path) -> None:
    path = tmp_path / "hot.toml"
    path.write_text("title = 'a'\n[[step]]\nat = 'start'\ndo = 'board 85 degrees'\n", encoding="utf-8")
    (step,) = load_scenario(path).steps
    assert (step.action, step.amount) == ("board", 85)
    path.write_text("title = 'a'\n[[step]]\nat = 'start'\ndo = 'board 400 degrees'\n", encoding="utf-8")
    with pytest.raises(BadScenario, match="no board is 400 degrees hot"):
        load_scenario(path)
