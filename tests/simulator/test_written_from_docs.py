"""Scenarios that were written from docs/simulator/scenarios.md alone, by somebody who had not seen the reader.

They are spelt as people spell. What the page says must work: each of them found a place where it did not.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from simulator.expected import expected
from simulator.plain_words import plain_deed
from simulator.script import WHEN
from simulator.timeline import Moment, Timeline
from simulator.words import UnknownWord

FILES = sorted((Path(__file__).parent / "written_from_docs").glob("*.toml"))


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """How each of them went, by name."""
    done = subprocess.run(
        [sys.executable, "-m", "simulator", "check", *map(str, FILES), "--json", "--jobs", "2",
         "--out", str(tmp_path_factory.mktemp("written"))],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=800, check=False,
    )  # fmt: skip
    return {one["scenario"]: one for one in json.loads(done.stdout)}


@pytest.mark.slow
@pytest.mark.requirement("R13", "R15", "R24", "R25", "R28", "R30")
@pytest.mark.parametrize("name", [file.stem for file in FILES])
def test_what_somebody_wrote_from_the_page_alone_plays(name: str, outcomes: dict[str, Any]) -> None:
    assert outcomes[name]["ok"], outcomes[name]["told"]


@pytest.mark.parametrize("words", [words for words in WHEN if words != "start"])
def test_every_way_to_say_a_state_can_be_expected_too(words: str) -> None:
    found = expected(f"{words} within 2 s")
    assert (found.status, found.within_s) == (WHEN[words], 2.0)


def test_articles_number_words_and_number_signs_make_no_difference() -> None:
    assert expected("a marker").claim == expected("marker").claim
    assert expected("a recording has gap").claim != expected("every recording has gap").claim
    assert plain_deed("turn the wheel by three").amount == 3
    assert plain_deed("case number #4711").reason == "4711"


def test_the_logs_trigger_does_not_say_which_so_that_nobody_waits_for_it_in_vain() -> None:
    with pytest.raises(UnknownWord, match="does not say which trigger; say: expect trigger siren"):
        expected("log trigger siren")
    assert expected("log trigger").event == "trigger"


def test_after_a_long_silence_a_failure_shows_what_came_before_it() -> None:
    timeline = Timeline([Moment(float(second), "script", f"> deed {second}") for second in range(20)])
    shown = timeline.excerpt(until_s=500.0, deed_s=19.0)
    assert [line.split("> ")[1] for line in shown] == [f"deed {second}" for second in range(12, 20)]
