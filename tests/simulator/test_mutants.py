"""A short slice of `make mutants`: the five mutants of issue 6, caught by a scenario each (R15, R19, R24, R38).

All the others: `make mutants` (docs/simulator/mutants.md).
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

MUTANTS = Path(__file__).resolve().parents[1] / "mutants"
sys.path.append(str(MUTANTS))

import catalogue  # noqa: E402
from judging import judge, play  # noqa: E402
from mutant import ROOT, Moved, Mutant, copy_tree, mutate, read, reason  # noqa: E402

from simulator.scenario import bundled  # noqa: E402


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the working tree in which nothing is broken, and which passes."""
    copy = tmp_path_factory.mktemp("mutants") / "unbroken"
    copy_tree(ROOT, copy)
    for one in play(copy, [mutant.scenarios[0] for mutant in catalogue.FIVE], jobs=2):
        assert one["ok"], one["told"]
    return copy


@pytest.mark.slow
@pytest.mark.requirement("R15", "R19", "R24", "R38")
@pytest.mark.parametrize("mutant", catalogue.FIVE, ids=lambda one: one.name)
def test_a_broken_firmware_is_caught_for_a_reason_that_fits(mutant: Mutant, tree: Path, tmp_path: Path) -> None:
    judged = judge(tree, mutant, tmp_path / "broken", everything=False, jobs=1)
    assert judged.caught == mutant.scenarios[0], judged.why


def test_the_five_of_the_issue_are_there_and_every_mutant_still_fits_the_source() -> None:
    assert [one.name for one in catalogue.FIVE] == [
        "no-pre-event-flush", "no-debounce", "no-receipt-check", "no-sync", "no-mute-alarm",
    ]  # fmt: skip
    for one in catalogue.MUTANTS:
        assert one.text in read(ROOT, one)
        assert one.text != one.instead, one.name
        assert set(one.scenarios) <= set(bundled()), one.name
    assert len({one.name for one in catalogue.MUTANTS}) == len(catalogue.MUTANTS)


def test_a_mutant_whose_source_has_moved_on_fails_loudly(tmp_path: Path) -> None:
    (tmp_path / "tree" / "device").mkdir(parents=True)
    (tmp_path / "tree" / "device" / "x.py").write_text("twice = 1\ntwice = 1\n", encoding="utf-8")
    mutant = Mutant("x", "nothing", "R1", "device/x.py", "twice = 1\n", "", ("quick",), "expected")
    with pytest.raises(Moved, match=r"stands 2 times in device/x.py, not once.*mend the mutant"):
        mutate(tmp_path / "tree", mutant, tmp_path / "into")
    assert not (tmp_path / "into").exists()


def test_only_the_expectation_that_failed_counts_as_a_reason_not_the_excerpt_before_it() -> None:
    told = (
        "What happened before it:\n     0:11 script as expected: recording for 2 s\n"
        "firsthand-sim shift: /a/b/stop.toml:9: expected tone within 11 s, and it did not come; the camera says: ready"
    )
    assert reason(told) == "stop.toml:9: expected tone within 11 s, and it did not come; the camera says: ready"
    assert reason("Traceback (most recent call last):\nSyntaxError: expected ':'") == ""


@pytest.mark.slow
@pytest.mark.requirement("R11")
def test_a_log_whose_segments_do_not_name_each_other_is_no_valid_evidence(tree: Path, tmp_path: Path) -> None:
    (mutant,) = (one for one in catalogue.MUTANTS if one.name == "log-not-chained")
    judged = judge(tree, mutant, tmp_path / "broken", everything=False, jobs=1)
    assert "its `previous` is not the close hash of SIM-0001-log-000001.evidence" in judged.why


def test_an_unknown_mutant_is_wrong_usage() -> None:
    done = subprocess.run(
        [sys.executable, str(MUTANTS / "run.py"), "no-debonce"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 64
    assert "did you mean 'no-debounce'?" in done.stderr
