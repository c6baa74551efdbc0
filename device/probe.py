"""`firsthand-device probe`: what of a board is there, what is missing, and what to do about it.

It changes nothing and disturbs no running recorder. With `--root` it reads a copy of a machine's /dev, /proc and /sys.
"""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from device.board import Board, BoardFacts, board_names, load_board, nearest_board
from device.config import load_settings
from device.errors import CannotCopy
from device.probe_machine import kernel_parts, machine, model_of, storage
from device.probe_media import cameras, microphones
from device.probe_pins import accelerometer, gauge, pins, receiver
from device.probe_tree import Finding, State, Tree
from evidence.settings import read_toml

WORDS: Final[dict[State, str]] = {"found": "found", "missing": "MISSING", "check": "check", "none": "–"}
COLOURS: Final[dict[State, str]] = {"found": "32", "missing": "31;1", "check": "33", "none": "2"}
WIDTH: Final = 110


def board_of(config: Path) -> Board:
    """The board that a device.toml describes; what is only in a board's file is taken from the one of the same model.

    Raises `evidence.settings.BadSettings`.
    """
    settings = load_settings(config)
    like = [one for one in map(load_board, board_names()) if one.wiring["model"] == settings.model]
    facts = like[0].facts if like else BoardFacts(says=settings.model[:120], machines=[], memory_mib=0)
    return Board(config.name, facts, read_toml(config), "")


def look(board: Board, tree: Tree) -> list[Finding]:
    """Everything, in the order in which a person would look."""
    return [
        *machine(board, tree),
        *storage(tree),
        *cameras(board, tree),
        *microphones(board, tree),
        *pins(board, tree),
        *receiver(board, tree),
        gauge(board, tree),
        accelerometer(board, tree),
        *kernel_parts(board, tree),
    ]


def probe(*, name: str | None, config: Path | None, root: Path, copy: Path | None, as_json: bool) -> int:
    """Look, print, and give the exit code: 0 all there, 1 something that the board needs is missing.

    With `copy` what was read is written below that new directory. Raises `DeviceError`,
    `evidence.settings.BadSettings`.
    """
    if copy is not None and copy.exists():
        raise CannotCopy(f"{copy} is there already: give a new directory")
    tree = Tree(root, copy=copy)
    model = model_of(tree)
    proposed = name is None and config is None
    board = board_of(config) if config is not None else load_board(name or nearest_board(model))
    found = look(board, tree)
    if as_json:
        shown = {"machine": model, "board": board.name, "proposed": proposed, "found": msgspec.to_builtins(found)}
        print(json.dumps(shown, ensure_ascii=False, indent=2))
    else:
        print(as_text(board, found, model, proposed=proposed, coloured=sys.stdout.isatty()))
    return int(any(one.state == "missing" for one in found))


def as_text(board: Board, found: Sequence[Finding], model: str | None, *, proposed: bool, coloured: bool) -> str:
    """The findings as a table for a newcomer."""
    why = " (the nearest to this computer; give --board for another)" if proposed else ""
    lines = [f"{model or 'This computer'}, looked at as {board.name}{why}", f"  {board.facts.says}", ""]
    wide = max(len(one.part) for one in found)
    indent = 2 + 9 + wide + 2
    told = ""
    for one in found:
        word = f"{WORDS[one.state]:<9}"
        word = f"\033[{COLOURS[one.state]}m{word}\033[0m" if coloured else word
        lines.append(f"  {word}{one.part:<{wide}}  {one.seen}")
        if one.advice and one.state != "found":
            advice = one.advice if one.advice != told else "as above"
            first, rest = " " * indent + "→ ", " " * (indent + 2)
            lines += textwrap.wrap(
                advice,
                WIDTH,
                initial_indent=first,
                subsequent_indent=rest,
                break_long_words=False,
                break_on_hyphens=False,
            )
        told = one.advice
    return "\n".join([*lines, "", _verdict(board, found)])


def _verdict(board: Board, found: Sequence[Finding]) -> str:
    missing = [one.part for one in found if one.state == "missing"]
    check = sum(one.state == "check" for one in found)
    more = f" {check} to check." if check else ""
    if missing:
        page = board.name if board.facts.machines and board.name in board_names() else "README"
        return f"Missing: {', '.join(missing)}.{more} How to wire it: docs/wiring/{page}.md"
    return f"Everything that the board needs is there.{more} Next: firsthand-device selftest"
