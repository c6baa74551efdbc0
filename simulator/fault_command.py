"""``firsthand-sim fault`` and ``firsthand-sim do``: something happens to the world that plays now."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from simulator.faults import catalogue, find_fault
from simulator.faults.fault import Fault
from simulator.run_errors import WorldRefused
from simulator.words import UnknownWord, deed
from simulator.world_messages import BeginOp, DoOp, EndOp, StatusOp, WorldAnswer, WorldOp
from simulator.world_place import ask_world, find_world

_USAGE: Final = 64
_FAULT: Final = """\
Let something go wrong in the simulated world that plays now (`firsthand-sim shift` in another terminal), and say what
the camera must do then. Each fault names the requirement that it tests. It ends by itself after --for, in the world's
own time, or when you say --end; then the world is as it was before.
"""
_FAULT_AFTER: Final = """\
examples:
  firsthand-sim fault --list
  firsthand-sim fault camera.black --for 10s
  firsthand-sim fault microphone.late --amount 1.1
  firsthand-sim fault microphone.late --end

exit code: 0 done, 1 this world cannot do it (it says why), 64 wrong usage
"""
_DO: Final = """\
Do something in the simulated world that plays now: all that a scenario can do (docs/simulator.md), in the same words.
"""
_DO_AFTER: Final = """\
examples:
  firsthand-sim do "light bar on"
  firsthand-sim do "press record button twice"
  firsthand-sim do "battery 20" --run build/shift

exit code: 0 done, 1 this world cannot do it (it says why), 64 wrong usage
"""
_UNITS_S: Final = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_LONGEST_S: Final = 86_400.0


def duration_s(text: str) -> float:
    """Seconds of ``10s``, ``0.5 s``, ``2m``, ``1h``. Raises ValueError."""
    found = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,3})?) ?(ms|s|m|min|h)?", text)
    seconds = float(found[1]) * _UNITS_S[found[2] or ""] if found is not None else 0.0
    if not 0 < seconds <= _LONGEST_S:
        raise ValueError(text)
    return seconds


duration_s.__name__ = "time such as 10s, 0.5s, 2m or 1h"


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Both verbs."""
    fault = commands.add_parser(
        "fault",
        help="let something go wrong in the world that plays now",
        description=_FAULT,
        epilog=_FAULT_AFTER,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    fault.add_argument("name", nargs="?", metavar="FAULT", help="its name, as --list shows it")
    fault.add_argument("--for", dest="for_s", type=duration_s, metavar="TIME", help="how long, e.g. 10s; default: on")
    fault.add_argument("--amount", type=float, metavar="N", help="its number, where it takes one")
    fault.add_argument("--end", action="store_true", help="end a fault that lasts")
    fault.add_argument("--list", action="store_true", help="all faults, and what the camera must do")
    _common(fault, run_fault)
    do = commands.add_parser(
        "do",
        help="do something in the world that plays now",
        description=_DO,
        epilog=_DO_AFTER,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    do.add_argument("words", nargs="+", metavar="WORDS", help='what to do, e.g. "light bar on"')
    _common(do, run_do)


def _common(parser: argparse.ArgumentParser, run: Callable[[argparse.Namespace], int]) -> None:
    parser.add_argument("--run", dest="run_directory", type=Path, metavar="DIR", help="which world, by its --out")
    parser.add_argument("--json", action="store_true", help="print what there is to say as JSON")
    parser.set_defaults(run=run)


def run_fault(options: argparse.Namespace) -> int:
    """``firsthand-sim fault``: the exit code."""
    if options.list:
        _list(as_json=options.json)
        return 0
    try:
        if options.name is None:
            return _lasting(options)
        fault = find_fault(options.name)
        if options.end and (options.for_s is not None or options.amount is not None):
            return _wrong("fault", "--end takes neither --for nor --amount")
        if options.end:
            return _asked(options, EndOp(fault.name), f"{fault.name} is over")
    except WorldRefused as error:
        return _wrong("fault", str(error))
    for_s: float | None = options.for_s
    said = f"{fault.name}: {fault.does}" + (f", for {for_s:g} s" if for_s else "")
    return _asked(options, BeginOp(fault.name, for_s, options.amount), said)


def run_do(options: argparse.Namespace) -> int:
    """``firsthand-sim do``: the exit code."""
    text = " ".join(options.words)
    try:
        deed(text)
    except UnknownWord as error:
        return _wrong("do", str(error))
    return _asked(options, DoOp(text), text)


def _asked(options: argparse.Namespace, operation: WorldOp, said: str) -> int:
    try:
        answer = ask_world(find_world(options.run_directory), operation)
    except WorldRefused as error:
        answer = WorldAnswer(ok=False, error=str(error))
    if options.json:
        print(msgspec.json.encode(answer).decode())
    elif answer.ok:
        print(said)
        if answer.must:
            print(f"the camera must: {answer.must}")
        print(f"the camera says: {answer.camera}")
    else:
        print(f"firsthand-sim: {answer.error}", file=sys.stderr)
    return 0 if answer.ok else 1


def _lasting(options: argparse.Namespace) -> int:
    """Without a name: what lasts now."""
    try:
        answer = ask_world(find_world(options.run_directory), StatusOp())
    except WorldRefused as error:
        answer = WorldAnswer(ok=False, error=str(error))
    if not answer.ok:
        print(f"firsthand-sim: {answer.error}", file=sys.stderr)
        return 1
    if options.json:
        print(msgspec.json.encode(answer).decode())
        return 0
    for one in answer.lasting:
        print(one.name + (f", {one.left_s:.0f} s more" if one.left_s is not None else ", until --end"))
    if not answer.lasting:
        print("nothing is wrong now; all faults: firsthand-sim fault --list")
    return 0


def _list(*, as_json: bool) -> None:
    faults = catalogue().values()
    if as_json:
        keys = ("name", "requirement", "does", "must")
        rows = [{**{key: getattr(one, key) for key in keys}, "lasts": one.end is not None} for one in faults]
        print(json.dumps(rows, indent=2))
        return
    print("\n\n".join(_row(one) for one in faults))
    print("\n(… s) can be given a length with --for, or ended with --end; the others happen at an instant.")


def _row(fault: Fault) -> str:
    takes = fault.amount
    number = f"  --amount {takes.usual:g} {takes.unit} ({takes.least:g} to {takes.most:g})" if takes else ""
    lasts = "  (… s)" if fault.end is not None else ""
    return f"{fault.name}  [{fault.requirement}]{lasts}{number}\n    {fault.does}\n    the camera must: {fault.must}"


def _wrong(verb: str, why: str) -> int:
    print(f"firsthand-sim {verb}: {why}", file=sys.stderr)
    return _USAGE
