"""`make kills N=2000`: recorder, agent, station and broker are killed (SIGKILL), at random instants of every phase.

    .venv/bin/python tests/kills/run_kills.py [--kills N] [--seed S] [--phase PHASE …] [--minutes M] [--publish]

First each of them is killed at every durable step that it makes, one after the other; then at random instants, by turns
in the recorder's own phases, at the dock, and while releases are handed out. docs/design/kills.md says what is checked
after each.
Exit code: 0 every invariant held, 1 one did not, 64 wrong usage.
"""

from __future__ import annotations

import argparse
import logging
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), *(str(HERE.parent / room) for room in ("device", "dock")), str(HERE.parents[1])]

from controls import CONTROLS  # noqa: E402
from dock_lives import kill_at_the_dock  # noqa: E402
from killed_camera import import_and_encode  # noqa: E402
from recorder_lives import PHASES, kill_recorders  # noqa: E402
from step_lives import StepLives  # noqa: E402
from tally import Tally  # noqa: E402
from update_lives import UpdateLives  # noqa: E402

from benchmarks.figures import record  # noqa: E402
from fleet.ca import create_agency  # noqa: E402

WAYS = ("steps-station", "steps-recorder", "steps-deletion", "steps-agent", "dock", "update", *PHASES)
A_TURN = 32
"""Kills of one kind before it is another kind's turn."""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    found = argparse.ArgumentParser(
        prog="make kills",
        description="Kill the camera's and the dock's programs at random instants, and at each durable step they make, "
        "and check after each kill that nothing is lost, doubled or left lying about.",
        epilog="exit code: 0 every invariant held, 1 one did not, 64 wrong usage",
    )
    found.add_argument("--kills", type=int, default=2000, metavar="N", help="so many at random instants (2000)")
    found.add_argument("--seed", type=int, default=1, metavar="S", help="of the instants (1)")
    found.add_argument("--phase", action="append", choices=WAYS, help="only this; may be given again. Default: all")
    found.add_argument("--every", type=int, default=1, metavar="K", help="only each K-th durable step (1: all of them)")
    found.add_argument("--minutes", type=float, default=24 * 60, metavar="M", help="end after so long, whatever N says")
    found.add_argument("--no-controls", action="store_true", help="without the spoilt recorders that must be found out")
    found.add_argument("--publish", action="store_true", help="the figures are meant for docs/figures")
    return found


class Bench:
    """One run."""

    def __init__(self, args: argparse.Namespace, directory: Path) -> None:
        self._args, self._directory = args, directory
        self._pki = directory / "pki"
        self._pki.mkdir()
        create_agency(self._pki)
        self._end_s = time.monotonic() + 60 * args.minutes
        self._steps_end_s = time.monotonic() + 30 * args.minutes
        """The other half of the time belongs to random instants."""
        self.tally = Tally()

    def go_on(self, _: Tally) -> bool:
        return time.monotonic() < self._end_s

    def _steps_on(self, _: Tally) -> bool:
        return time.monotonic() < self._steps_end_s

    def steps(self, ways: set[str]) -> None:
        """At every durable step."""
        chance = random.Random(self._args.seed)
        for way in (one for one in WAYS if one.startswith("steps-") and one in ways):
            place = self._directory / way
            place.mkdir()
            lives = StepLives(place, self._pki, self.tally, chance, every=self._args.every, go_on=self._steps_on)
            count = {
                "steps-station": lives.station,
                "steps-recorder": lives.recorder,
                "steps-deletion": lambda lives=lives: lives.at_the_dock("recorder"),
                "steps-agent": lambda lives=lives: lives.at_the_dock("agent"),
            }[way]()
            self.tally.outlived[way] = self._args.every == 1 and self._steps_on(self.tally)
            print(f"{way}: {count} durable steps, {self.tally.total} kills so far", flush=True)

    def controls(self) -> None:
        """Spoilt recorders: each must be found out, or the bench proves nothing."""
        for name, (main, phases) in CONTROLS.items():
            place = self._directory / f"control-{name}"
            place.mkdir()
            found = kill_recorders(place, self._pki, 20, self._args.seed, phases=phases, main=main)
            caught = bool(found.violations)
            print(f"control: a recorder that {name}: {'found out' if caught else 'NOT FOUND OUT'}", flush=True)
            self.tally.controls[name] = caught

    def random_instants(self, ways: set[str]) -> None:
        """By turns in the recorder's phases, at the dock, and while releases are handed out."""
        phases = [one for one in PHASES if one in ways]
        kinds: dict[str, Callable[[Path, int, int], Tally]] = {
            "recorder": lambda place, left, seed: kill_recorders(
                place, self._pki, left, seed, phases=phases, go_on=self.go_on
            ),
            "dock": lambda place, left, seed: kill_at_the_dock(place, self._pki, left, seed, go_on=self.go_on),
            "update": lambda place, left, seed: kill_at_the_dock(
                place, self._pki, left, seed, kind=UpdateLives, deaths=6, go_on=self.go_on
            ),
        }
        wanted = [one for one in kinds if one in ways or (one == "recorder" and phases)]
        turn = 0
        while wanted and self.tally.kills.total() < self._args.kills and self.go_on(self.tally):
            turn += 1
            left = min(A_TURN, self._args.kills - self.tally.kills.total())
            place, seed = self._directory / f"turn-{turn}", self._args.seed * 1000 + turn
            place.mkdir()
            self.tally.add(kinds[wanted[turn % len(wanted)]](place, left, seed))
            print(f"turn {turn}: {self.tally.total} kills, {len(self.tally.violations)} violations", flush=True)


def main() -> int:
    """The exit code."""
    args = parser().parse_args()
    began_s = time.monotonic()
    logging.disable(logging.CRITICAL)  # of this process: each life says what it says in a log of its own
    import_and_encode()
    directory = Path(tempfile.mkdtemp(prefix="kills-"))
    bench = Bench(args, directory)
    logging.disable(logging.NOTSET)
    ways = set(args.phase or WAYS)
    try:
        if not args.no_controls:
            bench.controls()
        bench.steps(ways)
        bench.random_instants(ways)
    except KeyboardInterrupt:
        print("stopped: what was found so far follows")
    tally = bench.tally
    print(tally.text())
    if tally.ok:
        _forget(directory)
    options = f" PHASE={','.join(args.phase)}" if args.phase else ""
    record(
        "kills", tally.figures(), ok=tally.ok, rows=tally.rows(), seconds=time.monotonic() - began_s,
        publish=args.publish, command=f"make kills N={args.kills} SEED={args.seed}{options}",
    )  # fmt: skip
    return 0 if tally.ok else 1


def _forget(directory: Path) -> None:
    import shutil

    shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
