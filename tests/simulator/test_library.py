"""The scenario library: every bundled story of police work comes out as the policy wants it, in virtual time."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import pytest

from simulator.library import LibraryScenario, library
from simulator.lint import lint
from simulator.scenario import FOLDER

LIBRARY = {one.name: one for one in library()}
PLAYED_ELSEWHERE = {"bad-day"}
"""tests/simulator/test_bad_day.py plays it, and reads its evidence too."""
REQUIREMENTS = tomllib.loads((Path(__file__).parents[2] / "docs" / "requirements.toml").read_text("utf-8"))
"""By number."""


@pytest.mark.requirement(
    "R6", "R12", "R13", "R14", "R15", "R18", "R21", "R22", "R23", "R24", "R25", "R26", "R28", "R29", "R30", "R31",
    "R34", "R38",
)  # fmt: skip
@pytest.mark.parametrize("name", [name for name in LIBRARY if name not in PLAYED_ELSEWHERE])
def test_a_scenario_comes_out_as_the_policy_wants(name: str) -> None:
    folder = Path(tempfile.mkdtemp(prefix="library-"))
    try:
        done = subprocess.run(
            [sys.executable, "-m", "simulator", "check", name, "--json", "--out", str(folder)],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        (outcome,) = json.loads(done.stdout)
        assert outcome["ok"], outcome["told"]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("one", LIBRARY.values(), ids=LIBRARY)
def test_a_scenario_tells_a_story_and_has_nothing_doubtful(one: LibraryScenario) -> None:
    assert lint(FOLDER / f"{one.name}.toml") == ([], [])
    assert set(one.requirements) <= set(REQUIREMENTS)
    assert one.scenario.setup.about
    assert any(step.say for step in one.scenario.steps), "it tells nothing to its reader"
    picture = one.scenario.camera
    assert picture.width * picture.height * picture.frame_rate <= 320 * 180 * 15, "a small picture is made faster"


def test_there_are_at_least_25() -> None:
    assert len(LIBRARY) >= 25


def test_the_page_names_no_scenario_that_is_not_there() -> None:
    page = (Path(__file__).parents[2] / "docs" / "simulator" / "library.md").read_text("utf-8")
    named = re.findall(r"`([a-z0-9-]+)`", page.partition("## What catches what")[2])
    assert named
    assert set(named) <= set(LIBRARY)
