"""Draw the patterns of device/patterns.toml for the page indicators.md: a timeline for each, as a small SVG.

PYTHONPATH=. python docs/generate.py     writes docs/indicators.md and docs/images/indicators/*.svg
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from xml.sax.saxutils import escape

import drawn_files

from device.indicators import CATALOG, FELT_OR_HEARD, LAMPS, Beat, Lamp, Pattern

FOLDER = Path(__file__).resolve().parent / "images" / "indicators"
COLOURS = {
    "green": "#1a9c3c", "red": "#d32f2f", "amber": "#f5a300", "white": "#ffffff", "blue": "#2962ff",
    "haptic": "#5d4037", "tone": "#7b1fa2",
}  # fmt: skip
LABEL, SECOND, ROW, PAD = 56, 56, 18, 6
"""Pixels: width of the names, of a second, height of a row, and around everything."""
KINDS = {"states": CATALOG.states, "conditions": CATALOG.conditions, "plays": CATALOG.plays}


def channels(pattern: Pattern) -> dict[str, Lamp]:
    """What is drawn: every channel that the pattern uses, lamps first."""
    return {**pattern.lamps, **pattern.beats}


def shown_s(pattern: Pattern) -> int:
    """Seconds of timeline: enough for what has an end, and for one round of what has none."""
    longest = 4.0
    for one in channels(pattern).values():
        if isinstance(one, Beat):
            longest = max(longest, one.lasts_s + 0.5 if one.times else one.on_s + one.off_s)
    return int(-(-longest // 1))


def spans(lamp: Lamp, until_s: float) -> Iterator[tuple[float, float]]:
    """(from, to) in seconds, of every time that it is on."""
    if lamp == "on":
        yield 0.0, until_s
    elif isinstance(lamp, Beat):
        at_s, left = 0.0, lamp.times if lamp.times is not None else 10_000
        while at_s < until_s and left:
            yield at_s, min(until_s, at_s + lamp.on_s)
            at_s, left = at_s + lamp.on_s + lamp.off_s, left - 1


def svg(pattern: Pattern) -> str:
    """The timeline of one pattern."""
    until_s, rows = shown_s(pattern), channels(pattern)
    width = LABEL + SECOND * until_s + 3 * PAD
    height = ROW * max(1, len(rows)) + 14 + 2 * PAD
    right, bottom = LABEL + PAD + SECOND * until_s, PAD + ROW * max(1, len(rows))
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
            f'font-family="sans-serif" font-size="11" role="img">'
        ),
        f"<title>{escape(pattern.means)}</title>",
        f'<rect width="{width}" height="{height}" rx="4" fill="#eceff1"/>',
    ]
    for second in range(until_s + 1):
        x = LABEL + PAD + SECOND * second
        parts.append(f'<path d="M{x} {PAD}V{bottom}" stroke="#b0bec5" stroke-width="0.5"/>')
        parts.append(
            f'<text x="{x}" y="{bottom + 13}" fill="#455a64" font-size="9" text-anchor="middle">{second}</text>'
        )
    parts[-1] = parts[-1].replace("</text>", " s</text>")
    for row, (channel, lamp) in enumerate(rows.items()):
        y = PAD + ROW * row
        parts.append(f'<text x="{PAD}" y="{y + 13}" fill="#263238">{channel}</text>')
        parts.append(f'<path d="M{LABEL + PAD} {y + ROW - 4}H{right}" stroke="#90a4ae" stroke-width="0.7"/>')
        for begin, end in spans(lamp, until_s):
            x, wide = LABEL + PAD + SECOND * begin, max(1.5, SECOND * (end - begin))
            edge = ' stroke="#607d8b" stroke-width="0.7"' if channel == "white" else ""
            parts.append(
                f'<rect x="{x:g}" y="{y + 3}" width="{wide:.1f}" height="{ROW - 7}" fill="{COLOURS[channel]}"{edge}/>'
            )
        if lamp == "off":
            parts.append(f'<text x="{LABEL + PAD + 4}" y="{y + 13}" fill="#607d8b" font-size="9">off</text>')
    if not rows:
        parts.append(f'<text x="{PAD}" y="{PAD + 13}" fill="#607d8b">everything off</text>')
    return "\n".join([*parts, "</svg>", ""])


def in_words(pattern: Pattern) -> str:
    """The pattern as an officer is taught it."""
    words = [f"{name} {_lamp_words(lamp)}" for name, lamp in pattern.lamps.items()]
    counts = {name: beat.times for name, beat in pattern.beats.items()}
    if counts:
        words.append(" + ".join(f"{counts[name]} {_kind(name)}" for name in FELT_OR_HEARD if name in counts))
    return "; ".join(words) or "–"


def _kind(channel: str) -> str:
    return "felt" if channel == "haptic" else "heard"


def _lamp_words(lamp: Lamp) -> str:
    if not isinstance(lamp, Beat):
        return lamp
    times = f" {lamp.times} times" if lamp.times is not None else ""
    return f"blinks{times} ({lamp.on_s:g} s on, {lamp.off_s:g} s off)"


def table(kind: str) -> str:
    """All patterns of one kind, the most important first."""
    many = (
        sorted(KINDS[kind].items(), key=lambda one: -one[1].priority) if kind == "conditions" else KINDS[kind].items()
    )
    rows = []
    for name, one in many:
        repeat = f"every {one.every_s} s" if one.every_s else ""
        stealth = "felt" if one.stealth == "haptic" else "dark"
        when = f" {one.priority} | {repeat} | {stealth} |" if kind == "conditions" else f" {stealth} |"
        when = "" if kind == "states" else when
        rows.append(f"| `{name}` | {one.means} | ![{in_words(one)}](images/indicators/{kind}-{name}.svg) |{when}")
    heads = {
        "states": "| State | Says | Looks |\n|---|---|---|",
        "conditions": "| Condition | Says | Looks | Priority | Repeats | Stealth |\n|---|---|---|---|---|---|",
        "plays": "| Play | Says | Looks | Stealth |\n|---|---|---|---|",
    }
    return "\n".join([heads[kind], *rows, ""])


def images() -> dict[Path, str]:
    """Every drawing, by its file."""
    return {FOLDER / f"{kind}-{name}.svg": svg(one) for kind, many in KINDS.items() for name, one in many.items()}


def stale_images() -> list[Path]:
    """Drawings that are not what the patterns say, or that belong to none."""
    return drawn_files.stale(FOLDER, images())


def write_images() -> None:
    """Write what is stale, and remove what belongs to no pattern."""
    drawn_files.write(FOLDER, images())


def _made(kind: str) -> Callable[[], str]:
    return lambda: table(kind)


TABLES: dict[str, Callable[[], str]] = {f"indicators.{kind}": _made(kind) for kind in KINDS}
assert set(COLOURS) == {*LAMPS, *FELT_OR_HEARD}
