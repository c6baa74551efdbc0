"""The self-test before the shift (R8, R9): each check with value, limit and time; the verdict by the signed table.

A check says what it saw; what a failure does (block, warn, note) is the profile's decision. All checks run side by
side, so that those which wait for hardware wait together: the whole test stays under 5 s whatever is dead.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from device.policy import CHECKS, Severity
from device.profile import AcceptedProfile
from hal import program_time

Outcome = Literal["pass", "warn", "fail", "not_present"]
Verdict = Literal["pass", "warn", "block"]
NO_ANSWER: Final = "no answer"
LIMIT_S: Final = 4.5
"""A check that has not answered by then has failed: the officer waits for the verdict."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one check saw."""

    outcome: Outcome
    """`warn` never blocks, whatever the profile says: it works, and will not for long."""
    value: str
    limit: str
    advice: str = ""
    """What a person should do if it failed."""
    expected: bool = True
    """False where this camera need not have it: then `not_present` is no failure."""


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


def run(checks: Sequence[Check], profile: AcceptedProfile, *, limit_s: float = LIMIT_S) -> SelfTest:
    """Run all checks side by side. One that raises or does not answer has failed; it never stops the others."""
    rows: list[Result | None] = [None] * len(checks)
    counting, working = threading.Lock(), set(range(len(checks)))

    def answered(name: str, check: Callable[[], Seen]) -> Result:
        began = time.monotonic_ns()
        try:
            seen = check()
        except Exception as error:  # noqa: BLE001 - a driver may raise anything, and the test must go on
            seen = Seen("fail", f"the check itself failed: {error}", "", "have the camera repaired")
        return rate(name, seen, profile.severity(name), (time.monotonic_ns() - began) // 1_000_000)

    def one(index: int, name: str, check: Callable[[], Seen]) -> None:
        try:
            program_time.turn(numbers[index])
            rows[index] = answered(name, check)
        finally:
            with counting:
                working.discard(index)
                if not working:
                    numbers.append(program_time.hold())  # ours again
            program_time.release()

    deadline = time.monotonic() + limit_s
    threads = [
        threading.Thread(target=one, args=(index, name, check), name=f"check {name}", daemon=True)
        for index, (name, check) in enumerate(checks)
    ]
    numbers = [program_time.hold() for _ in checks]  # simulated time waits for those who work; we only wait
    for thread in threads:
        thread.start()
    program_time.release()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    with counting:
        number = program_time.hold() if working or not threads else numbers[-1]
    program_time.turn(number)
    results = [
        row if row is not None else _unanswered(name, profile, limit_s)
        for row, (name, _) in zip(tuple(rows), checks, strict=True)
    ]
    results.sort(key=lambda row: CHECKS.index(row.name) if row.name in CHECKS else len(CHECKS))
    return SelfTest(tuple(results), verdict_of(results))


def _unanswered(name: str, profile: AcceptedProfile, limit_s: float) -> Result:
    limit = f"within {limit_s:g} s"
    seen = Seen("fail", NO_ANSWER, limit, "restart the camera; if it stays so, have it repaired")
    return rate(name, seen, profile.severity(name), round(limit_s * 1000))


def with_row(test: SelfTest, row: Result) -> SelfTest:
    """The test with one more row, or with that row in place of the one of its name; the verdict follows."""
    rows = (*(one for one in test.results if one.name != row.name), row)
    return replace(test, results=rows, verdict=verdict_of(rows))


def rate(name: str, seen: Seen, severity: Severity, duration_ms: int) -> Result:
    """One row by the signed table."""
    result: Literal["pass", "warn", "fail", "note", "not_present"]
    if seen.outcome == "pass":
        result = "pass"
    elif severity == "note" or (seen.outcome == "not_present" and not seen.expected):
        result = "not_present" if seen.outcome == "not_present" else "note"
    else:
        result = "fail" if severity == "block" and seen.outcome != "warn" else "warn"
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
