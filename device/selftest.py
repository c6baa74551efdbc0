"""The self-test before the shift (R8, R9): each check with value, limit and time; the verdict by the signed table.

A check says what it saw; what a failure does (block, warn, note) is the profile's decision.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from device.policy import Severity
from device.profile import AcceptedProfile

Outcome = Literal["pass", "fail", "not_present"]
Verdict = Literal["pass", "warn", "block"]


@dataclass(frozen=True, slots=True)
class Seen:
    """What one check saw."""

    outcome: Outcome
    value: str
    limit: str
    advice: str = ""
    """What a person should do if it failed."""


@dataclass(frozen=True, slots=True)
class Result:
    """One row of the self-test."""

    name: str
    result: Literal["pass", "warn", "fail", "note", "not_present"]
    severity: Severity
    value: str
    limit: str
    advice: str
    duration_ms: int

    def row(self) -> dict[str, str | int | float | None]:
        """As it stands in the log, on the socket and in reports."""
        return {
            "name": self.name,
            "result": self.result,
            "severity": self.severity,
            "value": self.value,
            "limit": self.limit,
            "advice": self.advice,
            "duration_ms": self.duration_ms,
        }


@dataclass(frozen=True, slots=True)
class SelfTest:
    """All rows and the verdict."""

    results: tuple[Result, ...]
    verdict: Verdict

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of the checks that block or warn."""
        return tuple(one.name for one in self.results if one.result in ("fail", "warn"))


Check = tuple[str, Callable[[], Seen]]


def run(checks: Sequence[Check], profile: AcceptedProfile) -> SelfTest:
    """Run all checks in order. A check that raises has failed; it never stops the others."""
    results: list[Result] = []
    for name, check in checks:
        began = time.monotonic_ns()
        try:
            seen = check()
        except Exception as error:  # noqa: BLE001 - a driver may raise anything, and the test must go on
            seen = Seen("fail", f"the check itself failed: {error}", "", "have the camera repaired")
        duration_ms = (time.monotonic_ns() - began) // 1_000_000
        results.append(_rate(name, seen, profile.severity(name), duration_ms))
    return SelfTest(tuple(results), verdict_of(results))


def _rate(name: str, seen: Seen, severity: Severity, duration_ms: int) -> Result:
    result: Literal["pass", "warn", "fail", "note", "not_present"]
    if seen.outcome == "pass":
        result = "pass"
    elif severity == "note":
        result = "not_present" if seen.outcome == "not_present" else "note"
    else:
        result = "fail" if severity == "block" else "warn"
    return Result(name, result, severity, seen.value[:200], seen.limit[:200], seen.advice[:200], duration_ms)


def verdict_of(results: Sequence[Result]) -> Verdict:
    """`block` if anything fails, `warn` if anything warns, else `pass`; notes change nothing."""
    kinds = {one.result for one in results}
    if "fail" in kinds:
        return "block"
    return "warn" if "warn" in kinds else "pass"


def self_test_id(test: SelfTest, boot: str, mono_ns: int) -> str:
    """A short name for one self-test, which recordings repeat."""
    words = "|".join(f"{one.name}={one.result}" for one in test.results)
    return hashlib.sha256(f"{boot}|{mono_ns}|{words}".encode()).hexdigest()[:16]
