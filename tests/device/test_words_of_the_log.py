"""Every entry that the camera can log has words in `evidence/words.toml`, and so has every word that it can bear."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

import device
from device.failures import COMPONENTS
from device.states import State
from device.stopping import PAUSES, REASONS, Stopping
from evidence.log_words import load
from evidence.statements import GapCause

LANGUAGE = load()
CALLS = frozenset({"log", "event", "_log", "_log_entry"})
"""Methods whose first argument is an entry's name."""
FUNCTIONS = frozenset({"log_failure"})
"""Functions whose second argument is one."""


def logged() -> Iterator[tuple[str, str]]:
    """(file and line, name) of every entry that the code of the daemon names."""
    for path in sorted(Path(device.__file__).parent.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            named = None
            if isinstance(node.func, ast.Attribute) and node.func.attr in CALLS and node.args:
                named = None if ast.unparse(node.func.value) in ("log", "math") else node.args[0]
            elif isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS:
                named = node.args[1]
            for one in ast.walk(named) if named is not None else ():
                if isinstance(one, ast.Constant) and isinstance(one.value, str):
                    yield f"{path.name}:{node.lineno}", one.value


def test_every_entry_has_words() -> None:
    found = list(logged())
    assert len(found) > 50
    assert {"boot", "muted", "tombstone", "docked", "undocked", "failure_began"} <= {name for _, name in found}
    assert [f"{where}: {name}" for where, name in found if not LANGUAGE.knows(name)] == []


@pytest.mark.parametrize("state", [one for one in State if one is not State.HOME])
def test_every_state_has_a_sentence_of_its_own(state: State) -> None:
    assert state.value in LANGUAGE.entries["state"].word


@pytest.mark.requirement("R24", "R27")
def test_every_reason_is_quoted_with_its_section() -> None:
    assert {code for code in REASONS if "(D." not in LANGUAGE.values.get(code, "")} == set()
    for number, code in enumerate(REASONS[1:11], 1):
        assert f"(D.3.a.({number}))" in LANGUAGE.values[code]
    assert set(REASONS) >= PAUSES


@pytest.mark.requirement("R29")
def test_every_cause_of_a_failure_and_of_a_gap_is_told_in_words() -> None:
    assert {cause for cause in (*COMPONENTS, *get_args(GapCause)) if cause not in LANGUAGE.values} == set()


@pytest.mark.requirement("R27")
def test_a_stop_is_told_ready_for_the_report() -> None:
    stopping = Stopping(1, 2, "undercover_informant", "not_possible")
    details = stopping.facts()["stop_reason"]
    assert LANGUAGE.sentence("stop_reason", {"word": stopping.code, "recording": 12, **details}) == (
        "stopped by the officer; reason: undercover officer or informant (D.3.a.(2)); "
        "no supervisor could be asked (D.3.b.(1)) (recording 12)"
    )
