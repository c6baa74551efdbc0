"""Draw the 40-pin header of each board as it is wired, and write the tables of the pages in docs/wiring.

PYTHONPATH=. python docs/generate.py     writes docs/wiring/*.md and docs/images/wiring/*.svg
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from xml.sax.saxutils import escape

import drawn_circuits
import drawn_files

from device.board import Board, board_names, load_board
from device.header import GROUNDS, PLACES, claimed
from device.wiring import Wire, wires

FOLDER = Path(__file__).resolve().parent / "images" / "wiring"
WITH_HEADER = tuple(name for name in board_names() if load_board(name).lines and load_board(name).facts.machines)
"""Boards that somebody wires by hand."""
CABLES = {
    "white": "#ffffff", "orange": "#fb8c00", "violet": "#8e24aa", "grey": "#90a4ae", "turquoise": "#26c6da",
    "blue": "#1e88e5", "brown": "#6d4c41", "pink": "#f48fb1", "green": "#43a047", "red": "#e53935",
    "yellow": "#fdd835", "black": "#212121",
}  # fmt: skip
FILLS = {"in": "#bbdefb", "out": "#c8e6c9", "bus": "#e1bee7", "GND": "#212121", "3V3": "#ffcc80", "5V": "#ef5350"}
MEANS = {
    "in": "input", "out": "output", "bus": "bus", "GND": "ground", "3V3": "3.3 V", "5V": "5 V", "taken": "taken",
    "free": "free",
}  # fmt: skip
WIDTH, ROW, TOP = 1060, 27, 118
ODD, EVEN, RADIUS = 512, 548, 11
"""Pixels: the whole width, height of a row, where the first row is; the two columns of pins, and a pin's radius."""
CABLE = 34
"""Length of the piece of cable that is drawn beside a pin."""


def header_svg(board: Board) -> str:
    """The header, seen from above with pin 1 at the top left."""
    mine = {one.place: one for one in wires(board)}
    taken = claimed(board)
    height = TOP + 20 * ROW + 30
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
            f'font-family="sans-serif" font-size="13" role="img">'
        ),
        f"<title>The 40-pin header of {escape(board.name)}</title>",
        f'<rect width="{WIDTH}" height="{height}" rx="6" fill="#fafafa" stroke="#cfd8dc"/>',
        f'<text x="20" y="30" font-size="18" font-weight="bold" fill="#263238">{escape(board.name)}</text>',
        *_legend(),
        *_orientation(board),
        (
            f'<rect x="{ODD - 20}" y="{TOP - 20}" width="{EVEN - ODD + 40}" height="{20 * ROW + 14}" rx="5" '
            f'fill="#37474f"/>'
        ),
    ]
    for place, pin in PLACES.items():
        parts += _pin(place, pin, mine.get(place), taken, _feeds(board, place))
    return "\n".join([*parts, "</svg>", ""])


def _feeds(board: Board, place: int) -> list[str]:
    """What a ground or supply pin is for, shortest names."""
    return [
        one.to.rpartition(" of ")[2] if one.direction == "bus" else one.to
        for one in wires(board)
        if place in (one.ground, one.supply)
    ]


def _pin(place: int, pin: int | str, wire: Wire | None, taken: dict[int, str], feeds: list[str]) -> list[str]:
    odd = place % 2 == 1
    x, y = ODD if odd else EVEN, TOP + (place - 1) // 2 * ROW
    ring, cable, main, small = "#eceff1", None, "", ""
    fill = FILLS.get(str(pin), "#eceff1")
    if wire is not None:
        fill, cable = FILLS[wire.direction], wire.colour
        main, small = _words(wire)
    elif isinstance(pin, str):
        names = {"GND": "ground", "3V3": "3.3 V", "5V": "5 V"}
        main = f"{names[pin]}: {', '.join(feeds)}" if feeds else ""
        small = "" if feeds else names[pin]
        cable = {"GND": "black", "3V3": "orange"}.get(pin) if feeds else None
    elif pin in taken:
        fill, small = "#b0bec5", f"BCM {pin} · {taken[pin]}"
    else:
        small = f"BCM {pin} · free"
    number = "#ffffff" if pin in ("GND", "5V") and wire is None else "#263238"
    shape = "rect" if place == 1 else "circle"
    where = (
        f'x="{x - RADIUS}" y="{y - RADIUS}" width="{2 * RADIUS}" height="{2 * RADIUS}"'
        if shape == "rect"
        else f'cx="{x}" cy="{y}" r="{RADIUS}"'
    )
    drawn = [] if cable is None else _cable(cable, x, y, -1 if odd else 1)
    drawn.append(f'<{shape} {where} fill="{fill}" stroke="{ring}" stroke-width="1.5"/>')
    drawn.append(f'<text x="{x}" y="{y + 4}" font-size="11" fill="{number}" text-anchor="middle">{place}</text>')
    return drawn + _label(main, small, y, odd=odd)


def _words(wire: Wire) -> tuple[str, str]:
    """What stands beside a wire's pin."""
    if wire.direction == "bus":
        return f"{wire.function} → {wire.to}", f"BCM {wire.pin} · {wire.colour}"
    return wire.to, f"BCM {wire.pin} · {wire.circuit} · {wire.colour}"


def _cable(colour: str, x: int, y: int, side: int) -> list[str]:
    begin, end = x + side * RADIUS, x + side * (RADIUS + 14 + CABLE)
    return [
        f'<path d="M{begin} {y}H{end}" stroke="#546e7a" stroke-width="8" stroke-linecap="round"/>',
        f'<path d="M{begin} {y}H{end}" stroke="{CABLES[colour]}" stroke-width="6" stroke-linecap="round"/>',
    ]


def _label(main: str, small: str, y: int, *, odd: bool) -> list[str]:
    at, anchor = (ODD - RADIUS - CABLE - 26, "end") if odd else (EVEN + RADIUS + CABLE + 26, "start")
    bold = f'<tspan font-weight="bold" fill="#263238">{escape(main)}</tspan>' if main else ""
    grey = f'<tspan font-size="11" fill="#607d8b">{escape(small)}</tspan>' if small else ""
    gap = '<tspan font-size="11">&#160;&#160;&#160;</tspan>' if main and small else ""
    words = f"{grey}{gap}{bold}" if odd else f"{bold}{gap}{grey}"
    return [f'<text x="{at}" y="{y + 4}" text-anchor="{anchor}">{words}</text>'] if main or small else []


def _legend() -> list[str]:
    parts, x = [], 20
    for kind, word in MEANS.items():
        fill = FILLS.get(kind, "#b0bec5" if kind == "taken" else "#eceff1")
        parts.append(f'<circle cx="{x + 8}" cy="54" r="8" fill="{fill}" stroke="#607d8b"/>')
        parts.append(f'<text x="{x + 21}" y="58" fill="#37474f" font-size="12">{word}</text>')
        x += 36 + 7 * len(word)
    said = "The coloured piece beside a pin is the suggested cable. Seen from above."
    return [*parts, f'<text x="20" y="82" fill="#607d8b" font-size="12">{said}</text>']


def _orientation(board: Board) -> list[str]:
    """A small board, turned as the drawing is: header to the right, pin 1 at the top, the SD card's slot above."""
    x, y = 800, 14
    if "Compute Module" in board.facts.machines[0]:
        # The carrier decides where the header is.
        said = "Pin 1 has the square pad; the carrier's print says 1 and 2."
        return [f'<text x="620" y="30" font-size="12" fill="#c62828">{escape(said)}</text>']
    dots = [
        f'<rect x="{x + 46 + 5 * (place % 2 == 0)}" y="{y + 6 + 3 * ((place - 1) // 2)}" width="3" height="2" '
        f'fill="{"#e53935" if place == 1 else "#37474f"}"/>'
        for place in PLACES
    ]
    return [
        f'<rect x="{x}" y="{y}" width="58" height="72" rx="4" fill="#c8e6c9" stroke="#558b2f"/>',
        f'<rect x="{x + 14}" y="{y - 3}" width="20" height="10" fill="#cfd8dc" stroke="#78909c"/>',
        *dots,
        f'<text x="{x + 68}" y="{y + 14}" font-size="11" fill="#37474f">Turn the board like this:</text>',
        f'<text x="{x + 68}" y="{y + 30}" font-size="11" fill="#37474f">the card\'s slot above, the</text>',
        f'<text x="{x + 68}" y="{y + 46}" font-size="11" fill="#37474f">header on the right edge.</text>',
        f'<text x="{x + 68}" y="{y + 62}" font-size="11" fill="#c62828">Red: pin 1 (square pad).</text>',
    ]


def wire_table(board: Board, direction: str) -> str:
    """The wires of one direction as a table."""
    mine = [one for one in wires(board) if one.direction == direction]
    if direction == "bus":
        lines = ["| Signal | Header pin | BCM | Goes to | Cable | Ground | 3.3 V |", "|---|---|---|---|---|---|---|"]
        lines += [
            f"| {one.function} | **{one.place}** | {one.pin} | {one.to} | {one.colour} | {one.ground or ''} | "
            f"{one.supply or ''} |"
            for one in mine
        ]
        return "\n".join([*lines, ""])
    lines = ["| Function | Header pin | BCM | Ground | Active | Circuit | Cable |", "|---|---|---|---|---|---|---|"]
    for one in mine:
        circuit = f"[{one.circuit}](circuits.md#{one.circuit})"
        cells = [
            f"`{one.function}`",
            f"**{one.place}**",
            str(one.pin),
            str(one.ground),
            one.active,
            circuit,
            one.colour,
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def other_pins(board: Board) -> str:
    """Pins that are taken by something else, and what is free."""
    mine = {one.place for one in wires(board)}
    taken = claimed(board)
    rows = [
        f"| {place} | {pin} | {taken[pin]} |"
        for place, pin in PLACES.items()
        if isinstance(pin, int) and place not in mine and pin in taken
    ]
    free = [
        str(pin) for place, pin in PLACES.items() if isinstance(pin, int) and place not in mine and pin not in taken
    ]
    lines = ["| Header pin | BCM | Leave it free for |", "|---|---|---|", *rows, ""]
    return "\n".join([*lines, f"Free for more: BCM {', '.join(sorted(free, key=int)) or 'none'}.", ""])


def shared_grounds(board: Board) -> str:
    """Ground pins with all that comes back there."""
    back: dict[int, list[str]] = defaultdict(list)
    for place in GROUNDS:
        back[place] = _feeds(board, place)
    rows = [f"| **{place}** | {', '.join(names)} |" for place, names in back.items() if names]
    return "\n".join(["| Header pin | Ground of |", "|---|---|", *rows, ""])


def parts_table(board: Board) -> str:
    """What to buy."""
    rows = [f"| {seam} | {part} |" for seam, part in board.facts.parts.items()]
    return "\n".join(["| For | Part |", "|---|---|", *rows, ""])


def config_txt(board: Board) -> str:
    """The lines of config.txt."""
    return "\n".join(["```", *board.facts.config_txt, "```", ""])


def _tables() -> dict[str, Callable[[], str]]:
    found: dict[str, Callable[[], str]] = {}
    for name in WITH_HEADER:
        board, stem = load_board(name), f"wiring.{name.replace('-', '_')}"
        found |= {
            f"{stem}.buses": lambda board=board: wire_table(board, "bus"),
            f"{stem}.inputs": lambda board=board: wire_table(board, "in"),
            f"{stem}.outputs": lambda board=board: wire_table(board, "out"),
            f"{stem}.grounds": lambda board=board: shared_grounds(board),
            f"{stem}.others": lambda board=board: other_pins(board),
            f"{stem}.parts": lambda board=board: parts_table(board),
            f"{stem}.udev": lambda board=board: "\n".join(["```", *board.facts.udev, "```", ""]),
            f"{stem}.config": lambda board=board: config_txt(board),
        }
    return found


TABLES = _tables()


def images() -> dict[Path, str]:
    """Every drawing, by its file."""
    headers = {FOLDER / f"{name}.svg": header_svg(load_board(name)) for name in WITH_HEADER}
    return headers | {FOLDER / f"circuit-{name}.svg": text for name, text in drawn_circuits.drawings().items()}


def stale_images() -> list[Path]:
    """Drawings that are not what the boards say, or that belong to none."""
    return drawn_files.stale(FOLDER, images())


def write_images() -> None:
    """Write what is stale, and remove what belongs to no board."""
    drawn_files.write(FOLDER, images())
