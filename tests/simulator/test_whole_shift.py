"""The judges' case: a whole shift by the policy, every kind of trigger and fault, whose log a person can read (R36)."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from real_time import comes_first

from simulator.scenario import find_scenario, load_scenario
from simulator.words import TRIGGERS


def test_it_pulls_every_trigger_and_expects_an_answer_to_each() -> None:
    scenario = load_scenario(find_scenario("whole-shift"))
    assert set(scenario.triggers) == set(TRIGGERS.values())
    for step in scenario.steps:
        if step.action in TRIGGERS:
            assert step.expect, step.line
    faults = {"camera covered", "camera black", "encoder stalls", "microphone silent", "lose gps", "clock jumps",
              "power cut", "board", "battery", "drive at"}  # fmt: skip
    assert faults <= {step.action for step in scenario.steps}
    assert scenario.steps[-1].state == "offloaded"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole shift, played once."""
    out = tmp_path_factory.mktemp("whole") / "run"
    with comes_first():
        done = subprocess.run(
            [sys.executable, "-m", "simulator", "shift", "whole-shift", "--out", str(out)],
            env={**os.environ, "HOME": str(out.parent)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=2500,
            check=False,
        )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr
    return out


def told(run: Path, *more: str) -> str:
    """What `firsthand-evidence log` says about it."""
    pki = run / "pki"
    done = subprocess.run(
        [sys.executable, "-m", "evidence", "log", str(run / "station" / "store"), str(run / "camera" / "spool"),
         "--root", str(pki / "root.pem"), *more],
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def with_key(run: Path) -> list[str]:
    key = ("--vault-cert", str(run / "pki" / "vault.pem"), "--vault-key", str(run / "pki" / "vault.key"))
    return told(run, *key).splitlines()


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.requirement(
    "R8", "R13", "R14", "R15", "R17", "R18", "R22", "R23", "R24", "R25", "R26", "R27", "R28", "R29", "R31", "R36"
)
def test_the_log_tells_the_shift_to_somebody_who_knows_only_the_policy(with_key: list[str]) -> None:
    """In this order; other lines may stand between."""
    wanted = [
        "officer 4711 signed in (pin)",
        "self-test PASSED",
        "category: test clip, not evidence of any event",
        "was started by the light bar",
        "one more trigger: the siren",
        "the officer set a marker",
        "case number 26-01234",
        "the officer muted the sound",
        "the sound is back after ",
        "the officer held the record button: asked to stop",
        "the stop was withdrawn: the recording goes on",
        "the officer confirmed the stop",
        "stopped by the officer; the reason was SPOKEN",
        "category: arrest search; by the officer, on the wheel",
        "was started by the emergency button",
        "reason: telephone (D.3.a.(8)); a supervisor was consulted (D.3.b.(1))",
        "the officer was reminded to reactivate the camera (D.3.c)",
        "reactivated after a pause of ",
        "the lens is covered",
        "FAILURE began: the picture was black",
        "FAILURE began: the encoder stood still",
        "FAILURE began: the microphone was silent",
        "it jumped forward",
        "reached its length and goes on without a gap in SIM-0001-",
        "the REASON IS MISSING",
        "the camera is asleep",
        "the light bar started nothing: the camera was asleep",
        "was started by the pursuit line; class critical",
        "one more trigger: speed over the profile's threshold",
        "stealth on",
        "was started by the restart after an interruption",
        "reason: the interaction has ended (D.2.c)",
        "was started by a crash",
        "one more trigger: a drawn weapon (radio)",
        "no supervisor could be asked",
        "was started by the door",
        "category: prisoner transport",
        "one more trigger: the gun rack",
        "camera SIM-0002 announced a start",
        "category: FALSE ACTIVATION",
        "temperature of the board: ",
        "battery: low",
        "usage until the camera was docked: ",
    ]
    lines = iter(with_key)
    for one in wanted:
        assert any(one in line for line in lines), f"{one!r} does not come in its place"
    assert any(" was interrupted; it was recovered and closed" in line for line in with_key)
    assert any("it goes on with recording SIM-0001-" in line and "NO PICTURES from" in line for line in with_key)


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_every_line_has_words_and_none_is_told_twice(with_key: list[str]) -> None:
    assert not [line for line in with_key if '{"' in line], "an entry has no words"
    said = [line[42:] for line in with_key if " log " in line or " rec " in line]
    twice = [one for before, one in itertools.pairwise(said) if before == one]
    assert not twice


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.requirement("R1")
def test_without_the_key_the_log_names_no_officer_no_reason_given_in_words_and_no_case(run: Path) -> None:
    public = told(run)
    assert "4711" not in public
    assert "26-01234" not in public
    assert "FAILURE began: the picture was black" in public


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.requirement("R38", "R22")
def test_everything_verifies_and_no_frame_is_missing_that_no_gap_tells_of(run: Path) -> None:
    report: dict[str, Any] = json.loads((run / "report.json").read_text(encoding="utf-8"))
    assert report["problems"] == []
    assert {name for one in report["recordings"] for name in one["triggers"]} >= set(TRIGGERS.values())
    # What runs on the camera loses its power together; above a plain directory only its daemon is killed.
    lost_power = ["agent", "device"] if (run / "logs" / "card.log").exists() else ["device"]
    assert sorted(one["name"] for one in report["restarts"]) == lost_power
