"""The tables of assurance.md: claim -> invariant -> requirement -> test -> last figures.

    python docs/assurance.py --tests CLAIM   the tests of a claim, for pytest
    python docs/assurance.py --fresh         which figures are of the code of today, and which of older code

Sources: claims.toml beside this file, the sources of the tests, and docs/figures/*.json, which only benches write. A
bench that failed is shown as FAILED, one that was never run as not run yet: nothing here can hide either.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import traceability
from claims import (
    Bench,
    Claim,
    Found,
    all_tests,
    claims,
    invariants,
    not_passed,
    published,
    shown,
    tamper_matrix,
    tests_of,
)
from traceability import BASE

NOT_RUN = "not run yet"
_MOST_ROWS = 60
_MOST_COLUMNS = 6


# --- what was found ---------------------------------------------------------------------------------------------------


def verdict(name: str) -> str:
    """passed, measured, **FAILED** or not run yet."""
    bench, found = claims().bench.get(name), published().get(name)
    if found is None:
        return NOT_RUN
    return "**FAILED**" if not found.ok else "measured" if bench and bench.measures else "passed"


def told(name: str, sentence: str) -> str:
    """One bench under a claim: what it found, when, and where all of it stands."""
    bench, found = claims().bench[name], published().get(name)
    if found is None:
        return f"[{name}](#figures-{name}) ({bench.does}): {NOT_RUN} (`{bench.command}`)"
    sentence = sentence or bench.say
    what = found.said(sentence) if sentence else bench.does
    return f"[{name}](#figures-{name}), {found.ended_utc[:10]}, {verdict(name)}: {what}"


def summary() -> str:
    """Sums, made from the same things as the rest."""
    every = claims().claim
    tests = {test for one in every for test in tests_of(one)}
    covered = {number for one in every for number in one.requirements}
    rows = traceability.requirements()
    proven = [number for number in rows if traceability.tests().get(number)]
    pending = [f"R{number}" for number, row in rows.items() if row.pending]
    states = [verdict(name) for name in _benches()]
    failed = [name for name in _benches() if verdict(name) == "**FAILED**"]
    run = published().get("tests")
    lines = [
        f"- {len(every)} claims; each names its tests and what it does not show.",
        f"- {len(tests)} tests are named below, out of {len({one.path for one in tests})} files of tests.",
        f"- {len(invariants())} of {len(invariants())} invariants are under a claim.",
        f"- {len(covered)} of {len(rows)} requirements are under a claim that names a test of theirs; "
        f"{len(proven)} of {len(rows)} have a test"
        + (f"; not complete yet: {', '.join(pending)}" if pending else "")
        + " ([requirements.md](requirements.md)).",
        f"- {_attacks()}",
        f"- Benches: {_sums(states)}.",
        *(f"- **FAILED: [{name}](#figures-{name})**" for name in failed),
        "- The last whole run of the tests that was published: " + (_run(run) if run else NOT_RUN + "."),
    ]
    return "\n".join([*lines, ""])


def _attacks() -> str:
    found = tamper_matrix()
    rest = [f"{word}: {found[word]}" for word in ("noted", "unknown", "blind") if found[word]]
    told = f"{found.total()} attacks on recordings, logs and exports: caught by a layer: {found['caught']}"
    return f"{'; '.join([told, *rest])} ([tamper-matrix.md](tamper-matrix.md))."


def _sums(states: list[str]) -> str:
    counts = Counter(states)
    measured, failed = counts["measured"], counts["**FAILED**"]
    return f"{counts['passed']} passed, {measured} only measure, {failed} FAILED, {counts[NOT_RUN]} {NOT_RUN}"


def _run(run: Found) -> str:
    part = run.figures["files"] != run.figures["files_known"]
    counts = run.said("{passed} passed, {failed} failed, {skipped} skipped")
    return f"{counts}{run.said(', of {files} of {files_known} files only') if part else ''} ([tests](#figures-tests))."


def _benches() -> list[str]:
    """Those that claims.toml knows, then those that only left figures."""
    return list(dict.fromkeys([*claims().bench, *published()]))


# --- claims -----------------------------------------------------------------------------------------------------------


def overview() -> str:
    """One row for each claim."""
    lines = ["| Claim | Invariants | Requirements | Tests | Last figures |", "|---|---|---|---|---|"]
    for group, ones in _groups():
        lines.append(f"| **{group}** | | | | |")
        lines += [
            f"| {one.link} | {_joined(one.invariants)} | {_joined(one.requirements)} | {len(tests_of(one))} "
            f"| {_verdicts(one.figures)} |"
            for one in ones
        ]
    return "\n".join([*lines, ""])


def _groups() -> Iterator[tuple[str, list[Claim]]]:
    for group in dict.fromkeys(one.group for one in claims().claim):
        yield group, [one for one in claims().claim if one.group == group]


def _joined(values: tuple[int, ...] | tuple[str, ...]) -> str:
    return ", ".join(str(one) for one in values) or "–"


def _verdicts(benches: Iterable[str]) -> str:
    return "; ".join(f"[{name}](#figures-{name}): {verdict(name)}" for name in benches) or "–"


def details() -> str:
    """Each claim with all that stands behind it."""
    lines: list[str] = []
    for group, ones in _groups():
        lines += [f"### {group}", ""]
        for one in ones:
            lines += [f'<a id="claim-{one.id}"></a>', "", f"#### {one.title}", "", one.says, ""]
            lines += [f"- **Rests on** {line}" for line in _rests_on(one)]
            lines += ["- **Tests**", *_tests(one)]
            if one.figures:
                lines += ["- **Last figures**"] + [f"  - {told(name, say)}" for name, say in one.figures.items()]
            lines += ["- **What this does not show**"] + [f"  - {line}" for line in one.not_shown]
            lines += [""]
    return "\n".join(lines)


def _rests_on(one: Claim) -> Iterator[str]:
    names = [
        f"[invariant {number}](design/README.md#the-fourteen-invariants) ({invariants()[number]})"
        for number in one.invariants
    ]
    names += [_requirement(number) for number in one.requirements]
    pages = [f"[{page.replace('.md', '').replace('#', ': ')}]({page})" for page in one.pages]
    yield "; ".join([*names, *(["explained in " + ", ".join(pages)] if pages else [])])


def _requirement(name: str) -> str:
    return f"[{name}](requirements.md#{name.lower()})" if traceability.tests().get(int(name[1:])) else name


def _tests(claim: Claim) -> Iterator[str]:
    """One line for each file of tests, with the sentences that its tests are."""
    files: dict[str, list[str]] = {}
    for test in tests_of(claim):
        ended = not_passed().get((test.path, test.name))
        flag = f" (**{ended}** in the last published run)" if ended else ""
        files.setdefault(test.path, []).append(test.sentence + flag)
    for path, sentences in files.items():
        yield f"  - [{path.removeprefix('tests/')}](../{path}): {'; '.join(sentences)}"


def judged() -> str:
    """What was asked for before it was built: which tests try it, and what the benches found."""
    lines = ["| What is tried | Tests | Last figures |", "|---|---|---|"]
    for one in claims().judged:
        files = Counter(test.path for test in tests_of(one))
        places = ", ".join(f"[{Path(path).stem}](../{path}) ({count})" for path, count in files.items())
        lines.append(f"| {one.asks} | {places} | {_verdicts(one.figures)} |")
    return "\n".join([*lines, ""])


# --- from the other end -----------------------------------------------------------------------------------------------


def by_invariant() -> str:
    """Which claims stand for an invariant."""
    lines = ["| No | Invariant | Claims |", "|---|---|---|"]
    for number, name in invariants().items():
        links = "; ".join(one.link for one in claims().claim if number in one.invariants)
        lines.append(f"| {number} | {name} | {links} |")
    return "\n".join([*lines, ""])


def by_requirement() -> str:
    """Which claims stand for a requirement; those without one are named too."""
    lines = ["| No | What it asks | Claims |", "|---|---|---|"]
    for number, row in traceability.requirements().items():
        links = "; ".join(one.link for one in claims().claim if f"R{number}" in one.requirements)
        alone = "not on the camera" if row.elsewhere else "only on its own page"
        lines.append(f"| {_requirement(f'R{number}')} | {row.asks} | {links or alone} |")
    return "\n".join([*lines, ""])


# --- figures ----------------------------------------------------------------------------------------------------------


def figures() -> str:
    """What each bench left last, all of it."""
    lines: list[str] = []
    for name in _benches():
        bench, found = claims().bench.get(name), published().get(name)
        lines += [f'<a id="figures-{name}"></a>', "", f"### {name}", ""]
        if bench:
            lines += [f"{bench.does[0].upper()}{bench.does[1:]}.", ""]
        lines += [*_figures(bench, found), ""]
    return "\n".join(lines)


def _figures(bench: Bench | None, found: Found | None) -> Iterator[str]:
    if found is None:
        assert bench is not None
        yield f"**{NOT_RUN.capitalize()}.** To run it: `{bench.command}` ({bench.takes})."
        return
    changed = " with changes that are in no commit" if found.commit.endswith("+") else ""
    state, machine, when = verdict(found.name), found.machine, found.ended_utc[:16].replace("T", " ")
    took = f", {shown(found.seconds)} s" if found.seconds is not None else ""
    yield (
        f"{state if '*' in state else f'**{state.capitalize()}**'}. `{found.command}`, {when} UTC{took}, "
        f"commit `{found.commit.rstrip('+')}`{changed}; "
        f"{machine['processors']} × {machine['processor']}, {machine['memory_mib']} MiB, Linux {machine['kernel']}, "
        f"Python {machine['python']}, load {machine['load_1min']}."
    )
    yield from ("", "| Figure | Value |", "|---|---|")
    yield from (f"| `{key}` | {shown(value)} |" for key, value in found.figures.items())
    columns = list(dict.fromkeys(key for row in found.rows for key in row))
    if found.rows and len(found.rows) <= _MOST_ROWS and len(columns) <= _MOST_COLUMNS:
        yield from ("", f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}")
        yield from (f"| {' | '.join(shown(row.get(key, '')) for key in columns)} |" for row in found.rows)
    elif found.rows:
        yield from ("", f"{len(found.rows)} rows more stand in [{found.name}.json](figures/{found.name}.json).")


TABLES = {
    "assurance.summary": summary,
    "assurance.overview": overview,
    "assurance.claims": details,
    "assurance.judged": judged,
    "assurance.invariants": by_invariant,
    "assurance.requirements": by_requirement,
    "assurance.figures": figures,
}


# --- by hand ----------------------------------------------------------------------------------------------------------


def fresh() -> Iterator[str]:
    """For each bench the rooms whose code is another one today."""
    for name, found in published().items():
        if not found.rooms:
            yield f"{name}: does not say of which code it is (commit {found.commit})"
            continue
        command = ["git", "rev-parse", *(f"HEAD:{room}" for room in found.rooms)]
        today = subprocess.run(command, cwd=BASE, capture_output=True, text=True, check=True).stdout.split()
        older = [room for room, tree in zip(found.rooms, today, strict=True) if found.rooms[room] != tree[:12]]
        yield f"{name}: {'changed since: ' + ', '.join(older) if older else 'of the code of today'}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="docs/assurance.py", description="Claims and what stands behind them.")
    parser.add_argument("--tests", metavar="CLAIM", help="name the tests of a claim, for pytest")
    parser.add_argument("--fresh", action="store_true", help="say which figures are of the code of today")
    options = parser.parse_args()
    if options.tests:
        chosen = [one for one in claims().claim if one.id == options.tests]
        if not chosen:
            print(
                f"no claim is called {options.tests!r}: {', '.join(one.id for one in claims().claim)}", file=sys.stderr
            )
            return 64
        print(" ".join(f"{test.path}::{test.name}" for test in tests_of(chosen[0])))
    elif options.fresh:
        print("\n".join(fresh()))
    else:
        for one in claims().claim:
            print(f"{one.id:24} {len(tests_of(one)):3} tests of {len(all_tests())} files  {one.title}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
