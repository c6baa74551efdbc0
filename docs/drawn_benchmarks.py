"""Draws docs/benchmarks.md from docs/figures/*.json: tables beside the peers, and plots. Nothing is typed by hand.

`make bench PUBLISH=1` keeps the figures, `make docs` draws the page and docs/images/benchmarks/*.svg.
"""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import drawn_files

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))

import figures
from table import BY_NAME, PARTS, Part, Row, number, seen

FOLDER = Path(__file__).resolve().parent / "images" / "benchmarks"
OURS, PEER, MET, MISSED, INK, FAINT = "#2962ff", "#b0bec5", "#1a9c3c", "#d32f2f", "#263238", "#cfd8dc"
LABEL, PLOT, NUMBERS, ROW, PAD = 500, 260, 110, 34, 10
"""Pixels: width of the words, of the bars and of the numbers behind them, height of a row, and around everything."""


@functools.cache
def _all() -> dict[str, dict[str, Any]]:
    return figures.published("bench")


def _found(part: Part) -> dict[str, Any]:
    """Figures of the last published run; empty without one."""
    return dict(_all().get(part.name, {}).get("figures", {}))


def _plain(text: str) -> str:
    return text.replace("`", "")


def _beside(part: Part) -> list[Row]:
    """Rows that have a peer's figure of the same run."""
    found = _found(part)
    return [row for row in part.rows if row.figure in found and row.peer in found]


def where(part: Part) -> str:
    """When, on what, and with which command it was measured."""
    run = _all().get(part.name)
    if run is None:
        return f"*Not measured yet: `{part.command}`.*\n"
    machine = run["machine"]
    gigabytes = round(machine["memory_mib"] / 1024)
    before = run["figures"].get("load_before")
    load = f"load {machine['load_1min']} at its end" + (
        f", {number(before)} at its start" if before is not None else ""
    )
    return (
        f"`{run['command']}`, {run['ended_utc'][:10]}, commit `{run['commit']}`: {machine['processors']} × "
        f"{machine['processor']}, {gigabytes} GB, Linux {machine['kernel']}, Python {machine['python']}; {load}; "
        f"{number(round(run['seconds'] or 0))} s.\n"
    )


def part_block(part: Part) -> str:
    """One part's figures, its plot, and where they come from."""
    found = _found(part)
    if not found:
        return where(part)
    lines = ["| Figure | Aim | Seen | | Peer |", "|---|---|---|---|---|"]
    for row in part.rows:
        aim, value, verdict, peer = seen(row, found)
        judged = f"**{verdict}**" if verdict == "missed" else verdict
        beside = f"{peer} ({row.peer_is})" if peer else ""
        lines.append(f"| {row.what} | {aim} | {value} | {judged} | {beside} |")
    if _beside(part):
        lines += ["", f"![{part.title}: ours beside the peers](images/benchmarks/{part.name}.svg)"]
    return "\n".join([*lines, "", where(part)])


def aims_block() -> str:
    """Every row that has an aim, with its command; and the drawing of how far each is from it."""
    lines = ["| What | Aim | Seen | | Command |", "|---|---|---|---|---|"]
    for part in PARTS:
        for row in part.rows:
            if row.aim is None:
                continue
            aim, value, verdict, _ = seen(row, _found(part))
            judged = f"**{verdict}**" if verdict == "missed" else verdict
            words = _plain_start(row, part)
            lines.append(f"| {words} | {aim} | {value} | {judged} | `{part.command}` |")
    if _aimed():
        lines += ["", "![how far each figure is from its aim](images/benchmarks/aims.svg)"]
    return "\n".join([*lines, ""])


def _plain_start(row: Row, part: Part) -> str:
    """A row's words away from the rows above it, which they may go on from."""
    return f"{part.title}: {row.what}"


def _aimed() -> list[tuple[str, float, float, bool]]:
    """(words, how many times worse than the aim, value, met) of every figure whose aim is not zero."""
    listed = []
    for part in PARTS:
        found = _found(part)
        for row in part.rows:
            value = found.get(row.figure)
            if row.aim and isinstance(value, int | float):
                times = row.aim / max(value, 1e-9) if row.at_least else value / row.aim
                listed.append((_plain(_plain_start(row, part)), times, float(value), bool(row.met(value))))
    return listed


def _svg(height: int, title: str, parts: list[str]) -> str:
    width = LABEL + PLOT + NUMBERS + 3 * PAD
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'font-family="sans-serif" font-size="12" role="img"><title>{escape(title)}</title>'
        f'<rect width="{width}" height="{height}" rx="4" fill="#ffffff" stroke="{FAINT}"/>'
    )
    return "\n".join([head, *parts, "</svg>", ""])


def _text(x: float, y: float, text: str, colour: str = INK, anchor: str = "start", size: int = 12) -> str:
    return f'<text x="{x:g}" y="{y:g}" fill="{colour}" font-size="{size}" text-anchor="{anchor}">{escape(text)}</text>'


def _short(text: str, most: int = 76) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def aims_svg() -> str:
    """One dot for each figure on a scale of its own aim: better to the left of it, worse to the right."""
    listed, left = _aimed(), LABEL + PAD

    def at(times: float) -> float:
        return left + PLOT * (math.log10(max(0.1, min(10.0, times))) + 1) / 2

    bottom = PAD + 20 + 22 * len(listed)
    parts = []
    for times, word in ((0.1, "10 × better"), (0.4, "2.5 ×"), (1.0, "the aim"), (2.5, "2.5 ×"), (10.0, "10 × worse")):
        wide = 1.5 if times == 1.0 else 0.7
        parts.append(f'<path d="M{at(times):.1f} 28V{bottom}" stroke="{"#607d8b" if times == 1 else FAINT}" '
                     f'stroke-width="{wide}"/>')  # fmt: skip
        parts.append(_text(at(times), 20, word, "#455a64", "middle", 10))
    for place, (words, times, value, met) in enumerate(listed):
        y, colour = 42 + 22 * place, MET if met else MISSED
        parts.append(_text(PAD, y + 4, _short(words, 86), size=11))
        parts.append(f'<path d="M{at(1.0):.1f} {y}H{at(times):.1f}" stroke="{colour}" stroke-width="3" opacity="0.4"/>')
        parts.append(f'<circle cx="{at(times):.1f}" cy="{y}" r="5" fill="{colour}"/>')
        parts.append(_text(left + PLOT + PAD, y + 4, f"{number(value)} {'met' if met else 'missed'}", colour))
    return _svg(bottom + PAD, "how far each figure is from its aim", parts)


def beside_svg(part: Part) -> str:
    """Two bars a row, ours and the peer's; each row has a scale of its own, since units differ."""
    found, parts, left = _found(part), [], LABEL + PAD
    rows = _beside(part)
    for place, row in enumerate(rows):
        y = PAD + place * (ROW + 6)
        ours, peer = float(found[row.figure]), float(found[row.peer or ""])
        most = max(ours, peer) or 1.0
        parts.append(_text(PAD, y + 12, _short(_plain(row.what))))
        parts.append(_text(PAD, y + 28, _short(_plain(row.peer_is)), "#607d8b", size=11))
        for value, colour, down in ((ours, OURS, 2), (peer, PEER, 18)):
            wide = max(1.0, PLOT * value / most)
            parts.append(f'<rect x="{left}" y="{y + down}" width="{wide:.1f}" height="13" rx="2" fill="{colour}"/>')
            parts.append(_text(left + wide + 6, y + down + 11, f"{number(value)} {row.unit}", size=11))
    return _svg(2 * PAD + len(rows) * (ROW + 6), f"{part.title}: ours (blue) beside the peers (grey)", parts)


def _images() -> dict[Path, str]:
    wanted = {FOLDER / f"{part.name}.svg": beside_svg(part) for part in PARTS if _beside(part)}
    return wanted | ({FOLDER / "aims.svg": aims_svg()} if _aimed() else {})


def stale_images() -> list[Path]:
    """Drawings that are not what the figures say."""
    return drawn_files.stale(FOLDER, _images())


def write_images() -> None:
    """Draw what is stale."""
    drawn_files.write(FOLDER, _images())


def _of(part: Part) -> Callable[[], str]:
    return lambda: part_block(part)


TABLES: dict[str, Callable[[], str]] = {
    "bench.aims": aims_block,
    **{f"bench.{name}": _of(part) for name, part in BY_NAME.items()},
}
