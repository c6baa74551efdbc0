"""Claims, and what they rest on: reads claims.toml, and refuses a claim that nothing stands behind.

A test is named as ``evidence/test_power_cut.py`` (every test of that file) or as
``evidence/test_power_cut.py::no_power_cut_*`` (a pattern for its name without ``test_``), both below ``tests/``; a name
that fits no test is an error. What a bench found stands in ``docs/figures/NAME.json`` (benchmarks/figures.py) and is
never written here.
"""

from __future__ import annotations

import ast
import fnmatch
import functools
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import traceability
from traceability import BASE, Test

FILE = BASE / "docs" / "claims.toml"
FIGURES = BASE / "docs" / "figures"
INVARIANTS = BASE / "docs" / "design" / "README.md"
MATRIX = BASE / "docs" / "tamper-matrix.md"
_PLACE = re.compile(r"\{(\w+)\}")


class Bench(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A program that measures or tries something many times, and what it left last."""

    does: str
    command: str
    takes: str
    measures: bool = False
    """It only measures: there is nothing that it could find broken."""
    say: str = ""
    """What it found in one sentence, with its figures as ``{key}``."""


class Claim(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One sentence that a court or a buyer may hold us to."""

    id: str
    group: str
    title: str
    says: str
    tests: tuple[str, ...]
    not_shown: tuple[str, ...]
    """What somebody who doubts may still ask; never empty."""
    invariants: tuple[int, ...] = ()
    requirements: tuple[str, ...] = ()
    figures: dict[str, str] = {}
    """Bench -> what it found about this very claim; an empty sentence takes the bench's own."""
    pages: tuple[str, ...] = ()

    @property
    def link(self) -> str:
        return f"[{self.title}](#claim-{self.id})"


class Judged(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something that was asked for before it was built, as somebody else would try it."""

    asks: str
    tests: tuple[str, ...]
    figures: tuple[str, ...] = ()


class Found(msgspec.Struct, frozen=True):
    """What a bench left in docs/figures."""

    name: str
    command: str
    ended_utc: str
    seconds: float | None
    commit: str
    machine: dict[str, str | int]
    ok: bool
    figures: dict[str, float | int | str | bool]
    rows: list[dict[str, float | int | str | bool]]
    rooms: dict[str, str] = {}

    def said(self, sentence: str) -> str:
        """The sentence with its figures. Raises SystemExit if the bench did not leave one of them."""

        def value(place: re.Match[str]) -> str:
            if place[1] not in self.figures:
                raise SystemExit(
                    f"docs/figures/{self.name}.json has no figure {place[1]!r}, which docs/claims.toml wants to tell: "
                    f"it has {', '.join(self.figures)}"
                )
            return shown(self.figures[place[1]])

        return _PLACE.sub(value, sentence)


class Claims(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of claims.toml."""

    bench: dict[str, Bench]
    claim: tuple[Claim, ...]
    judged: tuple[Judged, ...] = ()


def shown(value: float | int | str | bool) -> str:
    """A figure as people read it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"
    return value.replace("|", "\\|").replace("<", "&lt;")


@functools.cache
def claims(path: Path = FILE) -> Claims:
    """All claims, checked. Raises SystemExit with every claim that is not in order."""
    try:
        found = msgspec.toml.decode(path.read_bytes(), type=Claims)
    except (OSError, msgspec.MsgspecError) as error:
        raise SystemExit(f"{path.name}: {error}") from error
    wrong = list(mistakes(found))
    if wrong:
        raise SystemExit("\n".join(f"docs/{path.name}: {one}" for one in wrong))
    return found


def mistakes(found: Claims) -> Iterator[str]:
    """Each thing that would make the page say more than is there."""
    for name, count in Counter(one.id for one in found.claim).items():
        if count > 1:
            yield f"two claims are called {name!r}"
    requirements = {f"R{number}" for number in traceability.requirements()}
    for one in found.claim:
        yield from (f"claim {one.id!r} {what}" for what in _wrong(one, found, requirements))
    for asked in found.judged:
        yield from (f"judged {asked.asks[:40]!r} {what}" for what in _without(asked, found))
    covered = {number for one in found.claim for number in one.invariants}
    yield from (f"invariant {number} is under no claim" for number in invariants() if number not in covered)


def _wrong(one: Claim, found: Claims, requirements: set[str]) -> Iterator[str]:
    yield from _without(one, found)
    if not one.not_shown:
        yield "does not say what it does not show"
    if not (one.invariants or one.requirements):
        yield "rests on no invariant and on no requirement"
    yield from (f"rests on an unknown invariant {number}" for number in one.invariants if number not in invariants())
    yield from (f"rests on an unknown requirement {name}" for name in one.requirements if name not in requirements)
    mine = set(tests_of(one))
    for name in requirements & set(one.requirements):
        if not mine & set(traceability.tests().get(int(name[1:]), ())):
            yield f"says that it answers {name}, and none of its tests is marked with that"
    yield from (f"names docs/{page}, which does not exist" for page in one.pages if not _page(page).exists())


def _without(one: Claim | Judged, found: Claims) -> Iterator[str]:
    if not one.tests:
        yield "names no test: name one, or take it back"
    yield from (f"names {name!r}, and there is no such test" for name in one.tests if not named(name))
    yield from (
        f"names the bench {name!r}, which is not in this file" for name in one.figures if name not in found.bench
    )


def _page(name: str) -> Path:
    return BASE / "docs" / name.partition("#")[0]


@functools.cache
def invariants() -> dict[int, str]:
    """Number -> name, as docs/design/README.md has them."""
    found = re.findall(r"^(\d+)\. \*\*(.+?)\.?\*\*", INVARIANTS.read_text("utf-8"), re.MULTILINE)
    return {int(number): name for number, name in found}


@functools.cache
def tamper_matrix() -> Counter[str]:
    """The best that any layer says of each attack, counted: caught, noted, unknown or blind (docs/tamper-matrix.md)."""
    rows = re.findall(r"^\| ((?!Attack|Layer|-)[^|]+) ((?:\| [^|]+ ){5})\|$", MATRIX.read_text("utf-8"), re.MULTILINE)
    if not rows:
        raise SystemExit("docs/tamper-matrix.md has no table of attacks")
    words = ("caught", "noted", "unknown", "blind")
    return Counter(next(word for word in words if word in cells) for _, cells in rows)


@functools.cache
def all_tests() -> dict[str, tuple[Test, ...]]:
    """File below tests/ -> its tests in order, found by reading the source and nothing else."""
    found: dict[str, tuple[Test, ...]] = {}
    for path in sorted((BASE / "tests").rglob("test_*.py")):
        names = dict.fromkeys(
            node.name
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
        )
        file = path.relative_to(BASE).as_posix()
        found[file.removeprefix("tests/")] = tuple(Test(file, name) for name in names)
    return found


def named(pattern: str) -> tuple[Test, ...]:
    """The tests that a line of claims.toml means; none if there is no such test."""
    file, _, name = pattern.partition("::")
    tests = all_tests().get(file, ())
    return tuple(one for one in tests if fnmatch.fnmatchcase(one.name, f"test_{name or '*'}"))


def tests_of(claim: Claim | Judged) -> tuple[Test, ...]:
    """All tests that a claim names, each once."""
    return tuple(dict.fromkeys(one for pattern in claim.tests for one in named(pattern)))


@functools.cache
def published() -> dict[str, Found]:
    """Bench -> what it left last. Raises SystemExit for a file that no bench wrote."""
    found: dict[str, Found] = {}
    for path in sorted(FIGURES.glob("*.json")):
        try:
            found[path.stem] = msgspec.convert(json.loads(path.read_bytes()), type=Found)
        except (ValueError, msgspec.MsgspecError) as error:
            raise SystemExit(f"docs/figures/{path.name}: {error}; run the bench again with PUBLISH=1") from error
        if found[path.stem].name != path.stem:
            raise SystemExit(f"docs/figures/{path.name} holds the figures of {found[path.stem].name!r}")
    return found


@functools.cache
def not_passed() -> dict[tuple[str, str], str]:
    """Test -> how it ended in the last whole run that was published, if it did not pass."""
    run = published().get("tests")
    ended: dict[tuple[str, str], str] = {}
    for row in run.rows if run else ():
        file, _, name = str(row["test"]).partition("::")
        name = name.partition("[")[0].rpartition("::")[2]
        ended[file, name] = f"{row['outcome']}: {row['why']}"
    return ended
