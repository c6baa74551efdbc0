"""A whole shift: set up a department, start its programs, play the scenario, and measure what the evidence says."""

from __future__ import annotations

import json
import time
from typing import Any, Final

from evidence.export.decrypt import Vault
from evidence.trust import Trust
from simulator.expecting import expect
from simulator.exporting import export_all
from simulator.layout import RunLayout
from simulator.measured import measure
from simulator.processes import Children
from simulator.progress import Progress
from simulator.report import build_report
from simulator.run_errors import NotAsExpected, WorldRefused
from simulator.running import Order, running, signals
from simulator.scenario import Scenario
from simulator.vault_holder import proven
from simulator.world import World

STATE_WITHIN_S: Final = 60.0
"""How long any state of a scenario may take; the ring's length comes on top."""


def run_shift(order: Order, progress: Progress) -> dict[str, Any]:
    """Play the scenario and return the report, which also lies in ``report.json``.

    Raises `RunError` with one sentence; no process is left behind in any case.
    """
    began_s = time.monotonic()
    with signals(), running(order, progress) as run:
        play(order.scenario, run.world)
        exits = run.end()
        restarts = [{"name": name, "signal": number} for name, number in run.children.restarts]
        report = _judge(order, run.layout, run.children, progress, {"exit_codes": exits, "restarts": restarts})
        report["elapsed_s"] = round(time.monotonic() - began_s, 1)
        run.layout.report.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        return report


def play(scenario: Scenario, world: World) -> None:
    """Do one step after the other. Raises `RunError`."""
    within_s = STATE_WITHIN_S + world.profile.pre_event_s
    for step in scenario.steps:
        if step.state is not None:
            world.wait_for(step.state, within_s)
        world.pause(step.wait_s)
        if step.say:
            world.progress.event(step.say)
        if step.action != "nothing":
            world.progress.event(f"> {step.text}")
        since = len(world.log.look()) if step.expect else 0
        try:
            world.act(step.deed)
        except WorldRefused as error:
            raise NotAsExpected(f"{scenario.name}:{step.line}: {error}") from error
        done_s = world.now_s()
        world.look()
        for one in step.expect:
            expect(one, world, f"{scenario.name}:{step.line}", since, done_s)


def _judge(
    order: Order, layout: RunLayout, children: Children, progress: Progress, extra: dict[str, Any]
) -> dict[str, Any]:
    trust = Trust.load(layout.pki / "root.pem")
    vault = Vault.load(layout.pki / "vault.pem", layout.pki / "vault.key")
    recordings = sorted(path for path in layout.store.glob("*.evidence") if "-log-" not in path.name)
    progress.event(f"exporting {len(recordings)} recordings and reading every frame of the videos")
    exports = export_all(layout, children, recordings)
    extra = {**extra, "proofs": proven(layout.proofs, trust)}
    measured = measure(layout.store, layout.spool, trust, vault)
    return build_report(measured, exports, order.scenario.triggers, extra)
