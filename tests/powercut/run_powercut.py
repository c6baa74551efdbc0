"""`make powercut`: cut the power at many instants of what must be durable, and look at every card.

    .venv/bin/python tests/powercut/run_powercut.py [--cuts 1000] [--seed 1] [--publish] [PART …]

docs/design/power-cut.md. Exit code: 0 all held and each negative control lost data, 1 not, 2 the bench cannot run here.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

import cutting  # noqa: E402
import offload_bench  # noqa: E402
import peers_bench  # noqa: E402
import recorder_bench  # noqa: E402
import small_benches  # noqa: E402
from cutting import Tally  # noqa: E402
from recorded_card import why_not  # noqa: E402
from write_log import MODELS  # noqa: E402

from benchmarks import figures  # noqa: E402

MOST_LOST_S: Final = 2.0
"""Invariant 3."""
CONTROL_CUTS: Final = 100
STARTS: Final = 6
"""Cuts after which the recorder is really started again."""
VISITS: Final = 8
"""Cuts after which camera, station and agent are, for the next visit to the dock."""
Part = Callable[[int, int], list[Tally]]
PARTS: Final[dict[str, Part]] = {
    "recorder": lambda cuts, seed: [
        recorder_bench.run(cuts=cuts, seed=seed, seconds=recorder_bench.seconds_for(cuts), starts=STARTS)
    ],
    "log": lambda cuts, seed: [small_benches.device_log(cuts=cuts, seed=seed, entries=max(60, cuts // 4))],
    "offload": lambda cuts, seed: [offload_bench.run(cuts=cuts, seed=seed, visits=VISITS)],
    "outbox": lambda cuts, seed: [small_benches.outbox(cuts=cuts, seed=seed, rows=max(60, cuts // 2))],
}
CONTROLS: Final = "controls"
PEERS: Final = "peers"
PEER_CUTS: Final = 150
PEER_S: Final = 55
"""Longer than the kernel lets unwritten bytes wait by itself (30 s)."""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    found = argparse.ArgumentParser(
        prog="make powercut",
        description="Run the camera's and the station's own programs on a disk that records each write and each flush, "
        "cut the power at many points, keep what a card may keep, and look at what the next start finds (root).",
        epilog="exit code: 0 nothing acknowledged was lost and every negative control lost data, 1 not so, 2 not here",
    )
    found.add_argument("parts", nargs="*", metavar="PART", help=f"only these: {', '.join((*PARTS, CONTROLS, PEERS))}")
    found.add_argument("--cuts", type=int, default=1000, help="points at which each part is cut, four models each")
    found.add_argument("--seed", type=int, default=1, help="of everything that is left to chance")
    found.add_argument(
        "--publish",
        action="store_true",
        help="keep the figures of a whole run, or of the peers, in docs/figures as well",
    )
    return found


def table(tallies: Sequence[Tally]) -> str:
    """What was found, for people."""
    lines = [
        f"{'what was cut':<26} {'entries':>7} {'cuts':>6} {'at ack.':>7} {'cards':>7}  {'lost data':<10} worst loss"
    ]
    for one in tallies:
        worst = f"{one.worst:.2f} s" if one.worst else "-"
        lost = f"{one.lost} cards" if one.lost else "none"
        numbers = f"{one.entries:>7} {one.cuts:>6} {one.at_acknowledgements:>7} {one.total:>7}"
        lines.append(f"{one.name:<26} {numbers}  {lost:<10} {worst}")
    return "\n".join(lines)


def rows(tallies: Sequence[Tally], *, control: bool) -> list[dict[str, figures.Value]]:
    """A row for each run and model."""
    return [
        {
            "what": one.name,
            "model": model,
            "control": control,
            "cards": one.looks[model],
            "lost": one.broken[model],
            "worst_s": one.worst_s.get(model, 0.0),
        }
        for one in tallies
        for model in MODELS
    ]


def summary(ours: Sequence[Tally], controls: Sequence[Tally]) -> dict[str, figures.Value]:
    """The flat figures."""
    found: dict[str, figures.Value] = {
        "cuts": sum(one.cuts for one in ours),
        "cuts_at_acknowledgements": sum(one.at_acknowledgements for one in ours),
        "cards_checked": sum(one.total for one in ours),
        "distinct_cards": sum(one.distinct for one in ours),
        "cards_that_lost_acknowledged_data": sum(one.lost for one in ours),
        "worst_loss_s": max((one.worst for one in ours), default=0.0),
        "distinct_cards_per_s": sum(one.distinct for one in ours) / max(0.001, sum(one.seconds for one in ours)),
    }
    for one in ours:
        found |= {f"{one.name}_cuts": one.cuts, **{f"{one.name}_{key}": value for key, value in one.facts.items()}}
    for one in controls:
        found[f"control_{one.name}_lost_cards"] = one.lost
        found[f"control_{one.name}_cards"] = one.total
    return found


def attempt(name: str, part: Part, cuts: int, seed: int) -> list[Tally]:
    """Run one part; one that does not come to its end has failed, and the others go on."""
    print(f"{name}...", flush=True)
    try:
        return part(cuts, seed)
    except (AssertionError, OSError, RuntimeError, subprocess.SubprocessError) as error:
        traceback.print_exc()
        return [Tally(name, broken=Counter(all=1), told=[f"this part did not come to its end: {error}"])]


def peers(options: argparse.Namespace) -> None:
    """The same cuts beside us; figures of their own."""
    began_s = time.monotonic()
    cuts = min(options.cuts, PEER_CUTS)
    found = attempt(PEERS, lambda cuts, seed: peers_bench.run(cuts=cuts, seed=seed, seconds=PEER_S), cuts, options.seed)
    print("\nseconds of pictures lost, beside us:\n" + peers_bench.table(found), flush=True)
    figures.record(
        "powercut_peers",
        peers_bench.summary(found),
        ok=not any(one.told for one in found if one.name in ("firsthand", PEERS)),
        rows=peers_bench.rows(found),
        seconds=time.monotonic() - began_s,
        publish=options.publish,
        command=f"make powercut PART=peers CUTS={cuts} SEED={options.seed}",
    )


def main(words: list[str] | None = None) -> int:
    """The exit code."""
    options = parser().parse_args(words)
    unknown = [one for one in options.parts if one not in (*PARTS, CONTROLS, PEERS)]
    if unknown or options.cuts < 1:
        print(
            f"powercut: no part is called {unknown[0]!r}: see --help" if unknown else "powercut: --cuts is at least 1"
        )
        return 2
    if (why := why_not()) is not None:
        print(f"powercut: {why}")
        return 2
    cutting.patience = 19
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))  # what is mounted is taken away first
    began_s = time.monotonic()
    ours: list[Tally] = []
    for name, part in PARTS.items():
        if not options.parts or name in options.parts:
            ours += attempt(name, part, options.cuts, options.seed)
    controls: list[Tally] = []
    if not options.parts or CONTROLS in options.parts:
        controls = attempt(
            CONTROLS,
            lambda cuts, seed: [
                *small_benches.controls(cuts=cuts, seed=seed),
                offload_bench.run(cuts=cuts, seed=seed, without="sync", name="offload_without_fdatasync"),
            ],
            min(options.cuts, CONTROL_CUTS),
            options.seed,
        )
    if not options.parts or PEERS in options.parts:
        peers(options)
    if options.parts == [PEERS]:
        return 0
    print("\n" + table(ours))
    if controls:
        print("\nnegative controls, which must lose data:\n" + table(controls))
    blind = [one.name for one in controls if not one.lost]
    worst = max((one.worst for one in ours), default=0.0)
    for line in [f"{one.name}: {line}" for one in ours for line in one.told]:
        print(f"LOST  {line}")
    if blind:
        print(f"{', '.join(blind)} lost nothing: this bench proves nothing")
    finished = all(one.total for one in (*ours, *controls))
    ok = finished and not any(one.lost for one in ours) and not blind and worst <= MOST_LOST_S
    print(f"\nworst loss of pictures at any cut: {worst:.2f} s (at most {MOST_LOST_S:.0f} s are allowed)")
    if not options.parts or {*PARTS, CONTROLS} <= set(options.parts):
        figures.record(
            "powercut",
            summary(ours, controls),
            ok=ok,
            rows=[*rows(ours, control=False), *rows(controls, control=True)],
            seconds=time.monotonic() - began_s,
            publish=options.publish,
            command=f"make powercut CUTS={options.cuts} SEED={options.seed}",
        )
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
