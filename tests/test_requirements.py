"""Requirement -> code -> test: the page of requirements.md is made from these rules, and misses none of them."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def trace(monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    import traceability

    yield traceability
    sys.modules.pop("traceability", None)


def test_every_requirement_has_a_test_or_says_why_it_is_met_elsewhere(trace) -> None:  # type: ignore[no-untyped-def]
    assert trace.unproven() == []


def test_every_number_that_code_or_test_cites_is_a_requirement(trace) -> None:  # type: ignore[no-untyped-def]
    assert set(trace.code()) | set(trace.tests()) <= set(trace.requirements())


def test_every_requirement_is_cited_by_code_unless_it_is_met_elsewhere_or_not_yet(trace) -> None:  # type: ignore[no-untyped-def]
    rows = trace.requirements().items()
    silent = [f"R{number}" for number, row in rows if not (trace.code().get(number) or row.elsewhere or row.pending)]
    assert not silent, "cite the requirement in the docstring of the module that meets it"


def test_the_page_has_one_row_for_each_requirement(trace) -> None:  # type: ignore[no-untyped-def]
    rows = re.findall(r"^\| (R\d+) \|", trace.overview(), re.MULTILINE)
    assert rows == [f"R{number}" for number in range(1, 43)]


def test_a_row_that_is_missing_or_unknown_is_refused(trace, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    whole = (ROOT / "docs" / "requirements.toml").read_text("utf-8")
    damaged = tmp_path / "requirements.toml"
    damaged.write_text(whole.replace("[R7]", "[R77]"), "utf-8")
    with pytest.raises(ValueError, match="R1 to R42"):
        trace.requirements(damaged)


def test_citations_may_be_ranges(trace) -> None:  # type: ignore[no-untyped-def]
    assert trace.cited("starts (R13-R15), and R24 to R26 too") == {13, 14, 15, 24, 25, 26}
    assert trace.cited("(R8, R9)") == {8, 9}
    assert trace.cited("CR8, R123, R1Z and R") == set()


def test_a_test_names_its_requirement_by_marker_name_or_docstring(trace) -> None:  # type: ignore[no-untyped-def]
    source = '''
@pytest.mark.slow
@pytest.mark.requirement("R26", "R27")
def test_a_reason_is_spoken_r25(): """R28: and the reminder."""
'''
    (test,) = ast.parse(source).body
    assert isinstance(test, ast.FunctionDef)
    assert trace.proven(test) == {25, 26, 27, 28}


def test_a_files_own_mark_counts_for_each_of_its_tests(trace) -> None:  # type: ignore[no-untyped-def]
    source = (
        'pytestmark = [pytest.mark.slow, pytest.mark.requirement("R34", "R38")]\nother = pytest.mark.requirement("R1")'
    )
    assert trace.for_all(ast.parse(source)) == {34, 38}
    assert trace.for_all(ast.parse("pytestmark = pytest.mark.slow")) == set()


def test_markers_are_seen_by_pytest_as_the_page_tells_them(trace) -> None:  # type: ignore[no-untyped-def]
    """The marker exists for pytest too, so that a misspelt one is an error (--strict-markers)."""
    command = [sys.executable, "-m", "pytest", "--markers"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=300).stdout
    assert "@pytest.mark.requirement(*numbers)" in shown


def test_comments_and_docstrings_cite_and_other_strings_do_not(trace) -> None:  # type: ignore[no-untyped-def]
    source = '"""Module (R1)."""\nx = "R2"  # for R3\nclass A:\n    y: int = 1\n    """Field (R4)."""\n'
    assert {number for words in trace.words_of(source) for number in trace.cited(words)} == {1, 3, 4}
