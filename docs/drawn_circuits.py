"""Draw the small circuits of docs/wiring/circuits.md: what stands between a pin of the header and the world.

Symbols are those of IEC 60617 (a resistor is a box). Each drawing is a row of symbols on one grid of pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from xml.sax.saxutils import escape

LINE = "#263238"
RED, BLUE = "#c62828", "#1565c0"


class Sheet:
    """One drawing."""

    def __init__(self, title: str, width: int, height: int) -> None:
        self._parts = [
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
                f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="13" role="img">'
            ),
            f"<title>{escape(title)}</title>",
            f'<rect width="{width}" height="{height}" rx="6" fill="#fafafa" stroke="#cfd8dc"/>',
        ]

    def text(
        self, x: int, y: int, words: str, *, anchor: str = "middle", colour: str = LINE, bold: bool = False
    ) -> None:
        weight = ' font-weight="bold"' if bold else ""
        self._parts.append(
            f'<text x="{x}" y="{y}" text-anchor="{anchor}" fill="{colour}"{weight}>{escape(words)}</text>'
        )

    def path(self, data: str, *, colour: str = LINE, fill: str = "none", width: float = 2) -> None:
        self._parts.append(f'<path d="{data}" stroke="{colour}" stroke-width="{width:g}" fill="{fill}"/>')

    def dot(self, x: int, y: int) -> None:
        self._parts.append(f'<circle cx="{x}" cy="{y}" r="3.5" fill="{LINE}"/>')

    def circle(self, x: int, y: int, radius: int, fill: str = "#ffffff") -> None:
        self._parts.append(f'<circle cx="{x}" cy="{y}" r="{radius}" stroke="{LINE}" stroke-width="2" fill="{fill}"/>')

    def pin(self, x: int, y: int, words: str) -> None:
        """A pin of the header, at the left end of a wire."""
        self.path(f"M{x - 64} {y - 13}h64v26h-64z", fill="#bbdefb")
        self.text(x - 32, y + 5, words, bold=True)

    def ground(self, x: int, y: int) -> None:
        """Ground of the header, at the lower end of a wire."""
        self.path(f"M{x} {y - 10}v10M{x - 13} {y}h26M{x - 8} {y + 5}h16M{x - 3} {y + 10}h6")

    def supply(self, x: int, y: int, words: str, colour: str = RED) -> None:
        """A supply, at the upper end of a wire."""
        self.path(f"M{x - 12} {y}h24M{x} {y}v12", colour=colour)
        self.text(x, y - 6, words, colour=colour, bold=True)

    def resistor(self, x: int, y: int, words: str) -> None:
        """Lying, from x to x + 50."""
        self.path(f"M{x} {y - 8}h50v16h-50z", fill="#ffffff")
        self.text(x + 25, y - 15, words)

    def resistor_down(self, x: int, y: int, words: str) -> None:
        """Standing, from y to y + 44."""
        self.path(f"M{x - 8} {y}h16v44h-16z", fill="#ffffff")
        self.text(x + 16, y + 27, words, anchor="start")

    def diode_up(self, x: int, y: int, words: str) -> None:
        """Standing, from y to y + 24, its line (cathode) above."""
        self.path(f"M{x - 10} {y}h20M{x} {y}l-10 24h20z", fill="#ffffff")
        self.text(x - 16, y + 17, words, anchor="end")

    def npn(self, x: int, y: int, words: str) -> None:
        """Base at (x - 34, y), collector at (x, y - 34), emitter at (x, y + 34)."""
        self.circle(x - 7, y, 25)
        self.path(
            f"M{x - 34} {y}h16M{x - 18} {y - 14}v28M{x - 18} {y - 7}L{x} {y - 22}V{y - 34}"
            f"M{x - 18} {y + 7}L{x} {y + 22}V{y + 34}"
        )
        self.path(f"M{x} {y + 22}l-9 -2l5 -7z", fill=LINE, width=1)
        self.text(x + 24, y + 5, words, anchor="start")

    def svg(self) -> str:
        return "\n".join([*self._parts, "</svg>", ""])


def button() -> str:
    """A button, slide switch or dock contact: nothing but the contact."""
    sheet = Sheet("A button between a pin and ground", 560, 190)
    sheet.pin(90, 70, "pin")
    sheet.path("M90 70H280")
    sheet.path("M350 70H420V120")
    sheet.path("M280 70L345 48", width=2.5)
    sheet.dot(280, 70)
    sheet.dot(350, 70)
    sheet.text(315, 36, "closes when pressed")
    sheet.ground(420, 130)
    sheet.text(450, 135, "header ground", anchor="start")
    sheet.path("M150 70V112", colour=BLUE, width=1.5)
    sheet.path("M142 112h16v34h-16z", colour=BLUE, fill="#e3f2fd", width=1.5)
    sheet.path("M150 146v10", colour=BLUE, width=1.5)
    sheet.text(150, 172, "3.3 V", colour=BLUE)
    sheet.text(168, 134, "pull-up inside the chip", anchor="start", colour=BLUE)
    return sheet.svg()


def lamp() -> str:
    """An LED with its resistor."""
    sheet = Sheet("An LED with its resistor", 560, 170)
    sheet.pin(90, 70, "pin")
    sheet.path("M90 70H150M200 70H280")
    sheet.resistor(150, 70, "330 Ω")
    sheet.path("M280 56v28l24 -14z", fill="#ffcdd2")
    sheet.path("M304 56v28M304 70H400V110")
    sheet.path("M288 46l9 -11m0 0l-6 2m6 -2l-1 6M300 46l9 -11m0 0l-6 2m6 -2l-1 6", width=1.5)
    sheet.text(274, 104, "long leg", anchor="end")
    sheet.text(310, 104, "short leg", anchor="start")
    sheet.ground(400, 120)
    sheet.text(430, 125, "header ground", anchor="start")
    sheet.text(
        290,
        152,
        "4 mA: red, amber, green. Not for white or blue LEDs: they need more than 3.3 V gives.",
        colour="#607d8b",
    )
    return sheet.svg()


def _switched(title: str, load: Callable[[Sheet], None]) -> Sheet:
    """A load at 3.3 V, switched to ground by a transistor."""
    sheet = Sheet(title, 620, 310)
    sheet.pin(90, 190, "pin")
    sheet.path("M90 190H150M200 190H286")
    sheet.resistor(150, 190, "1 kΩ")
    sheet.npn(320, 190, "NPN: 2N2222, BC337, BC817")
    sheet.path("M320 156V128M320 224V250")
    sheet.ground(320, 260)
    sheet.text(350, 265, "header ground", anchor="start")
    sheet.dot(240, 190)
    sheet.path("M240 190V206M240 250V250")
    sheet.resistor_down(240, 206, "")
    sheet.text(226, 233, "10 kΩ", anchor="end")
    sheet.ground(240, 260)
    sheet.text(
        120,
        292,
        "The 10 kΩ keep it silent while the board starts and no program holds the pin.",
        anchor="start",
        colour="#607d8b",
    )
    load(sheet)
    return sheet


def motor() -> str:
    """A vibration motor with its diode."""

    def load(sheet: Sheet) -> None:
        sheet.circle(320, 95, 20)
        sheet.text(320, 100, "M", bold=True)
        sheet.text(350, 100, "vibration motor, 3 V, up to 100 mA", anchor="start")
        sheet.path("M320 75V50M320 115V128")
        sheet.supply(320, 38, "3.3 V, header pin 17")
        sheet.dot(320, 60)
        sheet.dot(320, 128)
        sheet.path("M320 60H270V83M270 107V128H320")
        sheet.diode_up(270, 83, "1N4148, line towards 3.3 V")

    return _switched("A vibration motor over a transistor, with a diode across it", load).svg()


def sounder() -> str:
    """An active sounder."""

    def load(sheet: Sheet) -> None:
        sheet.path("M300 74h40v42h-40z", fill="#ffffff")
        sheet.path("M307 108a13 13 0 0 1 26 0z", fill="#eceff1")
        sheet.text(350, 100, "active sounder, 3 V, up to 30 mA", anchor="start")
        sheet.text(292, 84, "+", anchor="end", bold=True)
        sheet.path("M320 74V50M320 116V128")
        sheet.supply(320, 38, "3.3 V, header pin 17")

    return _switched("An active sounder over a transistor", load).svg()


def optocoupler() -> str:
    """A 12 V line of a vehicle."""
    sheet = Sheet("A 12 V line of a vehicle over an optocoupler", 780, 330)
    sheet.path("M24 30h330v270h-330z", colour="#ef9a9a", fill="#fff5f5", width=1.5)
    sheet.text(189, 52, "the vehicle: 12 V (24 V)", colour=RED, bold=True)
    sheet.path("M446 30h310v270h-310z", colour="#90caf9", fill="#f3f9ff", width=1.5)
    sheet.text(601, 52, "the camera: 3.3 V", colour=BLUE, bold=True)
    sheet.path("M354 96h92v148h-92z", fill="#ffffff")
    sheet.text(400, 86, "PC817", bold=True)
    # The vehicle's side: fuse, resistor, LED; a diode the other way round takes reversed and inductive voltage.
    sheet.text(40, 116, "light bar +", anchor="start", colour=RED)
    sheet.path("M40 126H130M180 126H205M255 126H378V150M378 184V214H40")
    sheet.path("M130 118h50v16h-50zM130 126h50", fill="#ffffff")
    sheet.text(155, 110, "fuse 100 mA")
    sheet.resistor(205, 126, "")
    sheet.text(230, 152, "2.2 kΩ, 0.5 W")
    sheet.text(40, 234, "vehicle's ground −", anchor="start", colour=RED)
    sheet.dot(300, 126)
    sheet.dot(300, 214)
    sheet.path("M300 126V168M300 192V214")
    sheet.diode_up(300, 168, "1N4148")
    sheet.text(62, 284, "Here, and nowhere else, is the vehicle's ground.", anchor="start", colour="#607d8b")
    # The coupler.
    sheet.path("M366 150h24l-12 26zM366 176h24M378 176v10", fill="#ffcdd2")
    sheet.path("M392 160l14 0m0 0l-5 -3m5 3l-5 3M392 170l14 0m0 0l-5 -3m5 3l-5 3", width=1.5)
    sheet.path("M412 148v34M412 158L430 144V126H520M412 172L430 188V214H600V240")
    sheet.path("M430 188l-10 -3l6 -7z", fill=LINE, width=1)
    # The camera's side.
    sheet.path("M520 113h64v26h-64z", fill="#bbdefb")
    sheet.text(552, 131, "pin", bold=True)
    sheet.ground(600, 250)
    sheet.text(626, 255, "header ground", anchor="start")
    sheet.text(598, 131, "pull-up inside the chip", anchor="start", colour=BLUE)
    sheet.text(464, 284, "12 V on: the pin is low. Wire cut: the pin is high.", anchor="start", colour="#607d8b")
    return sheet.svg()


def drawings() -> dict[str, str]:
    """Every circuit by its name."""
    return {"button": button(), "lamp": lamp(), "motor": motor(), "sounder": sounder(), "optocoupler": optocoupler()}
