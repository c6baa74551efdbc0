"""A whole shift: set up a department, start its programs, play the scenario, and measure what the evidence says."""

from __future__ import annotations

import json
import time
from typing import Any

from evidence.export.decrypt import Vault
from evidence.trust import Trust
from simulator.exporting import export_all
from simulator.layout import RunLayout
from simulator.measured import measure
from simulator.playing import play_and_keep
from simulator.processes import Children
from simulator.progress import Progress
from simulator.report import build_report
from simulator.run_expected import judge_expected
from simulator.running import DRAWN_UP_TO, Order, running, signals
from simulator.vault_holder import proven


def run_shift(order: Order, progress: Progress, *, export: bool = True) -> dict[str, Any]:
    """Play the scenario and return the report, which also lies in ``report.json``.

    Without `export` no video is made, and only what the scenario itself expects is judged. Raises `RunError` with one
    sentence; no process is left behind in any case.
    """
    began_s = time.monotonic()
    with signals(), running(order, progress) as run:
        scenario_s = play_and_keep(order.scenario, run.world, run.layout)
        exits = run.end()
        restarts = [{"name": name, "signal": number} for name, number in run.children.restarts]
        ends = {"exit_codes": exits, "restarts": restarts, "scenario_s": scenario_s}
        if export:
            report = _judge(order, run.layout, run.children, progress, ends)
        else:
            report = judge_expected(order.scenario, run.layout, ends)
        report["elapsed_s"] = round(time.monotonic() - began_s, 1)
        run.layout.report.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        return report


def _judge(
    order: Order, layout: RunLayout, children: Children, progress: Progress, extra: dict[str, Any]
) -> dict[str, Any]:
    trust = Trust.load(layout.pki / "root.pem")
    vault = Vault.load(layout.pki / "vault.pem", layout.pki / "vault.key")
    stored = (path for store in layout.stores for path in store.glob("*.evidence"))
    recordings = sorted(path for path in stored if "-log-" not in path.name)
    exports = None
    if order.speed <= DRAWN_UP_TO:  # pictures that repeat have numbers that repeat
        progress.event(f"exporting {len(recordings)} recordings and reading every frame of the videos")
        exports = export_all(layout, children, recordings)
    extra = {**extra, "proofs": proven(layout.proofs, trust)}
    measured = measure(layout.stores, layout.spool, trust, vault)
    return build_report(measured, exports, order.scenario.triggers, extra)
