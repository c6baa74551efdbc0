"""What a run of the tests came to, for the pages: `--record-figures` (benchmarks/figures.py, docs/assurance.md).

Counts by room, and every test that did not pass by its name and its reason: a test that was skipped proves nothing, and
the page of claims says so beside it. With several workers only the process that gathers their reports writes.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path

import pytest

BASE = Path(__file__).resolve().parents[1]
_MOST_OF_A_REASON = 200


class RecordedRun:
    """Counts outcomes as they come in, and keeps them at the end."""

    def __init__(self, *, publish: bool) -> None:
        self._publish = publish
        self._begun = time.monotonic()
        self._files: set[str] = set()
        self._outcomes: dict[str, str] = {}
        self._reasons: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test counts once, with its worst phase: an error in its set-up or clean-up is a failure."""
        test = report.nodeid
        self._files.add(test.partition("::")[0])
        if report.failed:
            self._outcomes[test] = "failed"
            self._reasons[test] = _last_line(report.longreprtext)
        elif report.skipped:
            self._outcomes.setdefault(test, "skipped")
            self._reasons.setdefault(test, _why_skipped(report))
        elif report.when == "call":
            self._outcomes.setdefault(test, "passed")

    def pytest_sessionfinish(self) -> None:
        sys.path.append(str(BASE / "benchmarks"))
        import figures

        counts = Counter(self._outcomes.values())
        rooms = Counter((_room(test), outcome) for test, outcome in self._outcomes.items())
        known = {path.relative_to(BASE).as_posix() for path in (BASE / "tests").rglob("test_*.py")}
        figures.record(
            "tests",
            {
                **{outcome: counts[outcome] for outcome in ("passed", "failed", "skipped")},
                "files": len(self._files & known),
                "files_known": len(known),
                **{f"{room}_{outcome}": count for (room, outcome), count in sorted(rooms.items())},
            },
            ok=counts["failed"] == 0 and counts["passed"] > 0,
            rows=[
                {"test": test, "outcome": outcome, "why": self._reasons.get(test, "")[:_MOST_OF_A_REASON]}
                for test, outcome in sorted(self._outcomes.items())
                if outcome != "passed"
            ],
            seconds=time.monotonic() - self._begun,
            publish=self._publish,
            command="sudo make test",
        )


def _room(test: str) -> str:
    parts = Path(test.partition("::")[0]).parts
    return parts[1] if len(parts) > 2 else "whole"


def _why_skipped(report: pytest.TestReport) -> str:
    """`longrepr` of a skipped test is (file, line, reason)."""
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr or "")
    return reason.removeprefix("Skipped: ")


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")


def add_options(parser: pytest.Parser) -> None:
    group = parser.getgroup("firsthand's figures")
    group.addoption("--record-figures", action="store_true", help="keep the counts of this run in build/figures")
    group.addoption("--publish-figures", action="store_true", help="and let the pages show them: docs/figures")


def configure(config: pytest.Config) -> None:
    wanted = config.getoption("--record-figures") or config.getoption("--publish-figures")
    if wanted and not hasattr(config, "workerinput"):
        config.pluginmanager.register(RecordedRun(publish=bool(config.getoption("--publish-figures"))))
