"""Judge a run by what its scenario itself expects."""

from __future__ import annotations

from typing import Any

from simulator.layout import RunLayout
from simulator.run_facts import RunFiles
from simulator.scenario import Scenario


def judge_expected(scenario: Scenario, layout: RunLayout, extra: dict[str, Any]) -> dict[str, Any]:
    """The report of a run whose expectations all came true: what is left is that files and programs are in order.

    A scenario that says itself what the evidence is worth is believed.
    """
    facts = RunFiles(layout).facts()
    said = any(one.claim is not None and one.claim.fact == "evidence" for step in scenario.steps for one in step.expect)
    problems = [] if said else list(facts.problems)
    ended = {name: code for name, code in extra["exit_codes"].items() if code}
    problems += [f"{name} ended with code {code}" for name, code in ended.items()]
    recordings = [one.stem for one in facts.recordings]
    return {"title": scenario.title, "recordings": recordings, "problems": problems, **extra, "ok": not problems}
