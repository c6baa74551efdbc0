"""The threat model names nothing that is not there: every file, every test, every invariant (docs/threats.toml)."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import pytest

BASE = Path(__file__).resolve().parents[2]
sys.path.append(str(BASE / "docs"))

import listed_threats  # noqa: E402

ASKED = {
    "stolen-camera", "seized-card", "malicious-dock", "hostile-network", "taken-over-agent", "insider-technician",
    "insider-station", "broken-clock", "malicious-update", "malicious-peer", "courts-doubt",
}  # fmt: skip


def test_every_test_and_file_that_it_names_exists() -> None:
    assert listed_threats.faults(listed_threats.model()) == []


def test_every_attacker_of_the_issue_is_in_it() -> None:
    assert {one.id for one in listed_threats.model()} == ASKED


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("tests", ("tests/security/test_threats.py::test_that_is_not_there",), "there is no test"),
        (
            "tests",
            ("tests/security/no_such_file.py::test_every_test_and_file_that_it_names_exists",),
            "there is no test",
        ),
        ("tests", (), "no test shows"),
        ("where", ("device/no_such.py",), "there is no device/no_such.py"),
        ("invariants", (15,), "no invariant 15"),
    ],
)
def test_what_is_not_there_is_found(field: str, value: object, says: str) -> None:
    first = listed_threats.model()[0]
    changed = msgspec.structs.replace(first.mechanism[0], **{field: value})
    faults = listed_threats.faults((msgspec.structs.replace(first, mechanism=(changed,)),))
    assert len(faults) == 1
    assert says in faults[0]


def test_an_attacker_whom_nothing_stays_open_for_is_not_believed() -> None:
    first = listed_threats.model()[0]
    assert listed_threats.faults((msgspec.structs.replace(first, open=" "),))
