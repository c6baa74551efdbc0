"""``firsthand-sim replay``: a real camera's log as a scenario that makes a simulated camera go through the same."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from evidence.errors import EvidenceError
from evidence.keys import in_token
from simulator.progress import Progress
from simulator.run_errors import BadInput, BadScenario, Interrupted, OutRefused, RunError

if TYPE_CHECKING:
    from evidence.export.decrypt import Vault
    from simulator.replay_read import ReadLog

_USAGE: Final = 64
_TEXT: Final = """\
Read the device log of a real (or simulated) camera and write a scenario that makes a simulated one go through the
same: triggers and gestures, dock and sign-in, battery and heat, clock steps, failures and power cuts, at their times,
and what the camera answered then as expectations. With the recordings beside the log, and with the vault's key, it
knows each trigger and the vehicle's lines; without them it is rough, and says where. No officer, case or place is
carried over.

The log is verified under --root as `firsthand-evidence log` does, and only what holds is played.
"""
_AFTER: Final = """\
examples:
  firsthand-sim replay /srv/evidence/SIM-0001-log-*.evidence --root root.pem --out fault.toml
  firsthand-sim replay /srv/evidence --root root.pem --vault-cert vault.pem --vault-key vault.key --out fault.toml \\
      --run build/replay

exit code: 0 written (with --run: and the replay did the same), 1 it did not, 64 wrong usage
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The verb."""
    replay = commands.add_parser(
        "replay",
        help="turn a camera's device log into a scenario that reproduces it",
        description=_TEXT,
        epilog=_AFTER,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    replay.add_argument("places", nargs="+", type=Path, metavar="LOG", help="log segments, recordings, or their folder")
    replay.add_argument(
        "--root", type=Path, metavar="PEM", help="the agency's root certificate; without it: not verified"
    )
    replay.add_argument("--vault-cert", type=Path, metavar="PEM", help="the agency's vault certificate")
    replay.add_argument("--vault-key", metavar="KEY", help="its private key, a PEM file")
    replay.add_argument("--camera", metavar="SERIAL", help="which camera, if the files are of several")
    replay.add_argument("--out", type=Path, required=True, metavar="TOML", help="the scenario to write; replaced")
    replay.add_argument("--run", dest="run_in", type=Path, metavar="DIR", help="play it in DIR at once, and compare")
    replay.add_argument("--deterministic", action="store_true", help="with --run: in one process and virtual time")
    replay.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """The exit code."""
    progress = Progress(sys.stdout)
    try:
        log = _read(options)
        _write(log, options.out)
        for warning in log.warnings:
            print(f"firsthand-sim replay: {warning}", file=sys.stderr)
        if not log.details:
            print("firsthand-sim replay: without the vault's key what started a recording is unknown", file=sys.stderr)
        progress.plain(f"{options.out}: {len(log.entries)} entries of {log.serial} as a scenario")
        return 0 if options.run_in is None else _played(log, options, progress)
    except (BadInput, BadScenario, OutRefused, EvidenceError) as error:
        print(f"firsthand-sim replay: {error}", file=sys.stderr)
        return _USAGE
    except Interrupted as error:
        progress.plain(f"firsthand-sim replay: {error}")
        return 128 + error.number
    except (RunError, OSError) as error:
        print(f"firsthand-sim replay: {error}", file=sys.stderr)
        return 1


def _read(options: argparse.Namespace) -> ReadLog:
    """Raises `BadInput` or `EvidenceError`."""
    from evidence.trust import Trust
    from simulator.replay_read import read_log

    trust = None if options.root is None else Trust.load(options.root)
    return read_log(options.places, trust, _vault(options), options.camera)


def _vault(options: argparse.Namespace) -> Vault | None:
    from evidence.export.decrypt import Vault

    if (options.vault_cert is None) != (options.vault_key is None):
        raise BadInput("give --vault-cert and --vault-key together, or neither")
    if options.vault_cert is None:
        return None
    if in_token(options.vault_key):
        raise BadInput("a vault key in a token opens nothing without a ledger, and a replay keeps none: leave it away")
    return Vault.load(options.vault_cert, options.vault_key)


def _write(log: ReadLog, out: Path) -> None:
    from simulator.faults import catalogue
    from simulator.replay_plan import plan
    from simulator.replay_text import scenario_text

    text = scenario_text(log, plan(log.entries, frozenset(catalogue()), details=log.details))
    out.write_text(text, encoding="utf-8")


def _played(log: ReadLog, options: argparse.Namespace, progress: Progress) -> int:
    """Play it, and hold what the simulated camera logged against what the other one did."""
    from evidence.trust import Trust
    from simulator.playing import Player
    from simulator.replay_compare import compared
    from simulator.replay_read import read_log
    from simulator.run_facts import RunFiles
    from simulator.running import Order, running, signals
    from simulator.scenario import load_scenario
    from simulator.virtual_run import virtual_running

    order, trouble = Order(load_scenario(options.out), options.run_in), ""
    began = virtual_running(order, progress) if options.deterministic else running(order, progress)
    with signals(), began as playing:
        try:
            Player(order.scenario, playing.world, RunFiles(playing.layout).facts).play()
        except Interrupted:
            raise
        except RunError as error:
            trouble = str(error)
        playing.end()
        layout = playing.layout
        again = read_log([layout.spool, layout.store], Trust.load(layout.pki / "root.pem"), None)
    found = compared(log.entries, again.entries)
    progress.plain()
    progress.plain(f"the same in order: {found.same} of {found.before} entries (the replay has {found.after})")
    for one in (*found.differences, *([trouble] if trouble else [])):
        progress.plain(f"DIFFERENT: {one}")
    progress.plain("OK: the replay did the same" if found.alike and not trouble else "NOT OK: it did not do the same")
    return 0 if found.alike and not trouble else 1
