"""The page of claims: it can say no more than there is, and can hide no bench that failed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
CLAIM = """
[bench.cuts]
does = "power is cut"
command = "make cuts"
takes = "a minute"
say = "{cuts} cuts, {lost_s} s lost"

[[claim]]
id = "one"
group = "All"
title = "Nothing is lost"
says = "Nothing at all."
invariants = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]
requirements = ["R2"]
tests = ["test_assurance.py::a_claim_*", "device/test_camera_vehicle.py"]
figures = { cuts = "" }
pages = ["glossary.md"]
not_shown = ["Everything else."]
"""

MACHINE = {"processor": "abacus", "processors": 1, "memory_mib": 1, "kernel": "6", "python": "3", "load_1min": "0"}
Rows = tuple[dict[str, Any], ...]


class Page:
    """The generator with claims and figures of this test."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        import assurance
        import claims

        self.claims, self.assurance, self._figures = claims, assurance, directory / "figures"
        self._figures.mkdir()
        self._file = directory / "claims.toml"
        monkeypatch.setattr(claims, "FIGURES", self._figures)
        monkeypatch.setattr(assurance, "claims", lambda: claims.claims(self._file))
        self.write(CLAIM)

    def write(self, text: str) -> None:
        self._file.write_text(text, "utf-8")
        self.forget()

    def found(self, name: str, figures: dict[str, Any], *, ok: bool = True, rows: Rows = ()) -> None:
        said = {"name": name, "command": "make cuts", "ended_utc": "2026-01-02T03:04:05+00:00", "seconds": 1.5}
        said |= {"commit": "abc+", "machine": MACHINE, "ok": ok, "figures": figures, "rows": list(rows)}
        (self._figures / f"{name}.json").write_text(json.dumps(said), "utf-8")
        self.forget()

    def forget(self) -> None:
        for cached in (self.claims.claims, self.claims.published, self.claims.not_passed):
            cached.cache_clear()

    def text(self) -> str:
        return "\n".join(table() for table in self.assurance.TABLES.values())


@pytest.fixture(scope="module")
def generator() -> Iterator[None]:
    """The modules of docs/, once for all: reading all sources of tests takes a second."""
    sys.path.insert(0, str(ROOT / "docs"))
    yield
    sys.path.remove(str(ROOT / "docs"))
    for name in ("assurance", "claims", "traceability"):
        sys.modules.pop(name, None)


@pytest.fixture
def page(generator: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Page:
    return Page(tmp_path, monkeypatch)


def test_a_claim_is_told_with_its_tests_its_figures_and_what_it_does_not_show(page: Page) -> None:
    page.found("cuts", {"cuts": 4000, "lost_s": 1.25})
    text = page.text()
    assert "a claim is told with its tests its figures and what it does not show" in text
    assert "4000 cuts, 1.25 s lost" in text
    assert "Everything else." in text
    assert "with changes that are in no commit" in text


def test_a_bench_that_was_never_run_is_told_as_such(page: Page) -> None:
    text = page.text()
    assert "[cuts](#figures-cuts): not run yet" in text
    assert "**Not run yet.** To run it: `make cuts` (a minute)." in text


def test_a_bench_that_failed_stands_in_capitals_wherever_it_is_named(page: Page) -> None:
    page.found("cuts", {"cuts": 4000, "lost_s": 61.0}, ok=False)
    tables = page.assurance.TABLES
    for name in ("assurance.summary", "assurance.overview", "assurance.claims", "assurance.figures"):
        assert "**FAILED" in tables[name](), name


def test_figures_that_lack_what_a_claim_tells_are_refused(page: Page) -> None:
    page.found("cuts", {"cuts": 4000})
    with pytest.raises(SystemExit, match=r"docs/figures/cuts.json has no figure 'lost_s'"):
        page.text()


def test_figures_that_no_bench_wrote_are_refused(page: Page) -> None:
    page.found("cuts", {"cuts": [1, 2]})
    with pytest.raises(SystemExit, match=r"docs/figures/cuts.json: .*run the bench again"):
        page.text()


def test_a_bench_that_no_claim_names_is_shown_all_the_same(page: Page) -> None:
    page.found("other", {"seen": 3}, rows=({"what": "a | b", "count": 1},))
    text = page.text()
    assert "| `seen` | 3 |" in text
    assert "| a \\| b | 1 |" in text


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('["test_assurance.py::a_claim_*", "device/test_camera_vehicle.py"]', "[]", "claim 'one' names no test"),
        ("a_claim_*", "no_such_*", "there is no such test"),
        ("test_assurance.py::a_claim_*", "evidence/test_gone.py", "there is no such test"),
        ('["Everything else."]', "[]", "does not say what it does not show"),
        ("13, 14]", "13]", "invariant 14 is under no claim"),
        ("13, 14]", "13, 14, 15]", "unknown invariant 15"),
        ('["R2"]', '["R99"]', "unknown requirement R99"),
        ('["R2"]', '["R2", "R26"]', "answers R26, and none of its tests is marked with that"),
        ("glossary.md", "gone.md", "docs/gone.md, which does not exist"),
        ("{ cuts = ", "{ cats = ", "the bench 'cats', which is not in this file"),
        ("says =", "sais =", "sais"),
    ],
)
def test_a_claim_that_nothing_stands_behind_is_refused(page: Page, old: str, new: str, said: str) -> None:
    assert old in CLAIM
    page.write(CLAIM.replace(old, new))
    with pytest.raises(SystemExit, match=said):
        page.text()


def test_the_attacks_of_the_tamper_matrix_are_counted(page: Page) -> None:
    rows = (ROOT / "docs" / "tamper-matrix.md").read_text("utf-8").partition("| Attack |")[2].splitlines()[2:]
    attacks = sum(row.startswith("| ") for row in rows)
    assert page.claims.tamper_matrix().total() == attacks
    assert f"{attacks} attacks on recordings, logs and exports" in page.text()


def test_two_claims_of_one_name_are_refused(page: Page) -> None:
    page.write(CLAIM + CLAIM[CLAIM.index("[[claim]]") :])
    with pytest.raises(SystemExit, match="two claims are called 'one'"):
        page.text()


def test_a_named_test_that_did_not_pass_in_the_last_run_says_so(page: Page) -> None:
    test = "tests/test_assurance.py::test_a_claim_that_nothing_stands_behind_is_refused[x]"
    counts = {"passed": 1, "failed": 0, "skipped": 1, "files": 1, "files_known": 2}
    page.found("tests", counts, rows=({"test": test, "outcome": "skipped", "why": "no such tool"},))
    assert "is refused (**skipped: no such tool** in the last published run)" in page.text()
    assert "1 passed, 0 failed, 1 skipped, of 1 of 2 files only" in page.text()


def test_the_tests_of_a_claim_are_named_as_pytest_wants_them() -> None:
    command = [sys.executable, str(ROOT / "docs" / "assurance.py"), "--tests", "lost-minute"]
    named = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout.split()
    assert "tests/evidence/test_power_cut.py::test_no_power_cut_costs_a_fragment_that_was_acknowledged" in named
    assert all((ROOT / one.partition("::")[0]).exists() for one in named)


def test_a_run_of_tests_is_counted_and_names_what_did_not_pass(pytester_of: Callable[[str], dict[str, Any]]) -> None:
    found = pytester_of(
        "import pytest\n"
        "def test_good(): pass\n"
        "def test_bad(): assert 1 == 2\n"
        "def test_away(): pytest.skip('no such tool')\n"
        "@pytest.fixture\n"
        "def broken():\n    yield\n    raise OSError('at the end')\n"
        "def test_unclean(broken): pass\n"
    )
    assert {key: found["figures"][key] for key in ("passed", "failed", "skipped")} == {
        "passed": 1,
        "failed": 2,
        "skipped": 1,
    }
    assert not found["ok"]
    assert [(row["test"].rpartition("::")[2], row["outcome"]) for row in found["rows"]] == [
        ("test_away", "skipped"),
        ("test_bad", "failed"),
        ("test_unclean", "failed"),
    ]
    assert found["rows"][0]["why"] == "no such tool"


@pytest.fixture
def pytester_of(tmp_path: Path) -> Callable[[str], dict[str, Any]]:
    """Runs a file of tests with `--record-figures` in a checkout of its own; what was recorded."""

    def run(source: str) -> dict[str, Any]:
        for name in ("tests/recorded_run.py", "benchmarks/figures.py"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_bytes((ROOT / name).read_bytes())
        hooks = "from recorded_run import add_options as pytest_addoption, configure as pytest_configure\n"
        (tmp_path / "tests" / "conftest.py").write_text(hooks, "utf-8")
        (tmp_path / "tests" / "test_some.py").write_text(source, "utf-8")
        (tmp_path / "pytest.ini").write_text("[pytest]\n", "utf-8")
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:firsthand"]
        command += ["--record-figures", "tests"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600)
        assert done.returncode == 1, done.stdout + done.stderr
        found: dict[str, Any] = json.loads((tmp_path / "build" / "figures" / "tests.json").read_text("utf-8"))
        return found

    return run
