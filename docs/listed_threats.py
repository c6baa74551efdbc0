"""Lists who attacks and what stands against it for docs/design/threats.md, from ``threats.toml`` beside this file."""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable
from pathlib import Path

import msgspec

HERE = Path(__file__).resolve().parent
BASE = HERE.parent
INVARIANTS = 14


class Mechanism(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What stands against an attacker."""

    what: str
    invariants: tuple[int, ...]
    where: tuple[str, ...]
    tests: tuple[str, ...]


class Threat(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One attacker."""

    id: str
    attacker: str
    has: str
    wants: str
    open: str
    mechanism: tuple[Mechanism, ...]


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """threats.toml"""

    threat: tuple[Threat, ...]


def model(path: Path = HERE / "threats.toml") -> tuple[Threat, ...]:
    """All of it, in its order. Raises `msgspec.ValidationError`."""
    return msgspec.toml.decode(path.read_bytes(), type=Model).threat


@functools.cache
def _functions(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text("utf-8"))
    return frozenset(one.name for one in ast.walk(tree) if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef))


def faults(threats: tuple[Threat, ...]) -> list[str]:
    """What the table names and is not there: files, tests, invariants; what it owes."""
    found = []
    if len({one.id for one in threats}) != len(threats):
        found.append("an id stands there twice")
    for threat in threats:
        found += [] if threat.mechanism else [f"{threat.id}: nothing stands against it"]
        found += [] if threat.open.strip() else [f"{threat.id}: says nothing of what stays open"]
        for one in threat.mechanism:
            found += [] if one.tests else [f"{threat.id}: no test shows that {one.what}"]
            found += [f"{threat.id}: there is no {path}" for path in one.where if not (BASE / path).is_file()]
            found += [f"{threat.id}: no invariant {n}" for n in one.invariants if not 1 <= n <= INVARIANTS]
            for test in one.tests:
                path, _, name = test.partition("::")
                if not (BASE / path).is_file() or name not in _functions(BASE / path) or not name.startswith("test_"):
                    found.append(f"{threat.id}: there is no test {test}")
    return found


def overview() -> str:
    """One row for each attacker."""
    rows = [
        f"| [{one.attacker}](#{one.id}) | {one.has} | {one.wants} | {len(one.mechanism)} | "
        f"{sum(len(each.tests) for each in one.mechanism)} |"
        for one in model()
    ]
    head = "| Attacker | Has | Wants | Mechanisms | Tests |\n|---|---|---|---|---|"
    return "\n".join([head, *rows, ""])


def each() -> str:
    """For each attacker the mechanisms with their files, invariants and tests, and what stays open."""
    lines: list[str] = []
    for threat in model():
        lines += [f'<a id="{threat.id}"></a>', f"### {threat.attacker}", ""]
        lines += [f"Has {threat.has}. Wants {threat.wants}.", ""]
        lines += ["| What stands against it | Invariants | Where | Shown by |", "|---|---|---|---|"]
        for one in threat.mechanism:
            invariants = ", ".join(map(str, one.invariants)) or "–"
            where = ", ".join(f"[{path}](../../{path})" for path in one.where)
            tests = ", ".join(_sentence(test) for test in one.tests)
            lines.append(f"| {one.what} | {invariants} | {where} | {tests} |")
        lines += ["", f"**Open:** {' '.join(threat.open.split())}", ""]
    return "\n".join(lines)


def _sentence(test: str) -> str:
    path, _, name = test.partition("::")
    return f"[{name.removeprefix('test_').replace('_', ' ')}](../../{path})"


TABLES: dict[str, Callable[[], str]] = {"threats.overview": overview, "threats.each": each}
