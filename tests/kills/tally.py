"""What a kill bench counts: kills by process and phase, how long each was away, and everything that was wrong."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

Value = float | int | str | bool


@dataclass
class Tally:
    """Of one run; several add up."""

    kills: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(process, phase) -> how often it was killed there."""
    steps: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(process, what it did) -> durable steps at each of which it was killed."""
    slowest_s: dict[str, float] = field(default_factory=dict)
    """Process -> slowest time from its start to its first answer, of this machine."""
    violations: list[str] = field(default_factory=list)
    checks: Counter[str] = field(default_factory=Counter)
    """Invariant -> how often it was looked at."""

    controls: dict[str, bool] = field(default_factory=dict)
    """What a spoilt program does -> whether the bench found it out."""
    outlived: dict[str, bool] = field(default_factory=dict)
    """Way through the durable steps -> whether each step's turn came: else the time was over before."""

    @property
    def ok(self) -> bool:
        """No invariant was broken, and every control was found out."""
        return not self.violations and all(self.controls.values())

    def back(self, process: str, seconds: float) -> None:
        """A killed process answers again."""
        self.slowest_s[process] = max(seconds, self.slowest_s.get(process, 0.0))

    def checked(self, invariant: str, *wrong: str) -> None:
        """An invariant was looked at; what was wrong with it."""
        self.checks[invariant] += 1
        self.violations += [f"{invariant}: {one}" for one in wrong]

    def add(self, other: Tally) -> None:
        self.kills += other.kills
        self.steps += other.steps
        self.checks += other.checks
        self.violations += other.violations
        for process, seconds in other.slowest_s.items():
            self.back(process, seconds)

    @property
    def total(self) -> int:
        """All kills."""
        return self.kills.total() + self.steps.total()

    def figures(self) -> dict[str, Value]:
        """Flat, for `benchmarks.figures.record`."""
        found: dict[str, Value] = {"kills": self.total, "at_random_instants_kills": self.kills.total()}
        found["at_each_durable_step_kills"] = self.steps.total()
        for process in sorted({one for one, _ in [*self.kills, *self.steps]}):
            count = sum(n for (one, _), n in [*self.kills.items(), *self.steps.items()] if one == process)
            found[f"{process}_kills"] = count
        for process, seconds in sorted(self.slowest_s.items()):
            found[f"{process}_slowest_restart_s"] = seconds
        found["checks"] = self.checks.total()
        for way, whole in self.outlived.items():
            found[f"{way.replace('-', '_')}_all"] = whole
        found["controls_found_out"] = sum(self.controls.values())
        found["controls"] = len(self.controls)
        found["violations"] = len(self.violations)
        return found

    def rows(self) -> list[dict[str, Value]]:
        """One row for each process and phase."""
        return [
            {"process": process, "phase": phase, "kills": count, "how": how}
            for how, table in (("random instant", self.kills), ("each durable step", self.steps))
            for (process, phase), count in sorted(table.items())
        ]

    def text(self) -> str:
        """The table for people."""
        lines = [f"{'process':<10} {'phase':<28} {'kills':>7}  how"]
        lines += [f"{one['process']:<10} {one['phase']:<28} {one['kills']:>7}  {one['how']}" for one in self.rows()]
        lines += [f"{'all':<10} {'':<28} {self.total:>7}"]
        lines += [f"{name:<40} looked at {count} times" for name, count in sorted(self.checks.items())]
        lines += [f"{name}: slowest restart {seconds:.2f} s" for name, seconds in sorted(self.slowest_s.items())]
        lines += [f"VIOLATION {one}" for one in self.violations] or ["no violation"]
        lines += [
            f"CONTROL NOT FOUND OUT: a recorder that {name}" for name, found in self.controls.items() if not found
        ]
        return "\n".join(lines)
