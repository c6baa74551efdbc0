"""What hangs on each pin of a board, and how it is connected: for the pages in docs/wiring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from device.board import Board
from device.header import BUS_SUPPLY, BUSES, PLACE_OF, PULLED_UP_AT_START, nearest_ground

Circuit = Literal["button", "switch", "contact", "optocoupler", "lamp", "motor", "sounder", "bus"]

CIRCUITS: Final[dict[Circuit, str]] = {
    "button": "push button that closes to ground; no resistor: the chip's own pull-up holds the line",
    "switch": "slide switch that closes to ground when stealth is on; the chip's own pull-up holds the line",
    "contact": "contact that the dock closes to ground; the chip's own pull-up holds the line",
    "optocoupler": "never directly: over an optocoupler, whose transistor closes to ground when 12 V are on",
    "lamp": "330 Ω in series, then the LED's long leg; its short leg to ground",
    "motor": "1 kΩ to the base of an NPN transistor that switches the motor, with a diode across the motor",
    "sounder": "1 kΩ to the base of an NPN transistor that switches an active sounder",
    "bus": "straight; 3.3 V signals only",
}
"""How a kind of wire is connected, in a sentence. The circuits are drawn in docs/wiring/circuits.md."""

_OF_KIND: Final[dict[str, Circuit]] = {
    "record_button": "button",
    "emergency_button": "button",
    "function_button": "button",
    "stealth_switch": "switch",
    "dock": "contact",
}
_OF_CHANNEL: Final[dict[str, Circuit]] = {"haptic": "motor", "tone": "sounder"}
OUTPUT_SUPPLY: Final = 17
"""Where motor and sounder get their 3.3 V from: the other 3.3 V pin than the receiver's."""
COLOURS: Final[dict[str, str]] = {
    "record_button": "white", "emergency_button": "yellow", "function_button": "violet", "stealth_switch": "grey",
    "dock": "turquoise", "light_bar": "blue", "siren": "brown", "pursuit": "pink", "gun_rack": "grey",
    "door": "violet", "brake": "white", "ignition": "yellow",
    "green": "green", "red": "red", "amber": "yellow", "haptic": "brown", "tone": "pink",
    "TXD": "yellow", "RXD": "green", "PPS": "blue", "SDA": "blue", "SCL": "yellow",
    "PCM CLK": "yellow", "PCM FS": "green", "PCM DIN": "blue",
}  # fmt: skip
"""A suggestion for each cable; black is ground and red-black 5 V everywhere."""


@dataclass(frozen=True, slots=True)
class Wire:
    """One wire at the header."""

    function: str
    """An input's or channel's name, or the bus's signal."""
    pin: int
    place: int
    circuit: Circuit
    direction: Literal["in", "out", "bus"]
    active: str
    """``low``, ``high``, or empty on a bus."""
    ground: int | None
    """Place of the ground pin for its return wire; a bus's device has one, told with its first wire."""
    to: str
    """What is at the other end."""
    supply: int | None = None
    """Place of the 3.3 V pin that feeds what is there, if it is fed from the header."""

    @property
    def how(self) -> str:
        """How it is connected, in a sentence."""
        return CIRCUITS[self.circuit]

    @property
    def colour(self) -> str:
        return COLOURS.get(self.function, "grey")

    @property
    def starts_high(self) -> bool:
        """Whether the chip holds it at 3.3 V until the camera runs."""
        return self.pin <= PULLED_UP_AT_START


def wires(board: Board) -> list[Wire]:
    """Every wire of a board: inputs, outputs, buses; each in the order of the header."""
    grounds: dict[int, int] = {}
    found: list[Wire] = []
    # Buttons first: each shall have the nearest ground, since it is twisted with it.
    lines = sorted(board.lines.items(), key=lambda one: PLACE_OF[one[1]["pin"]])
    for name, line in lines:
        place, kind = PLACE_OF[line["pin"]], board.kind(name)
        active = "high" if line.get("active_high", False) else "low"
        circuit = _OF_KIND.get(kind, "optocoupler")
        to = name.replace("_", " ") + (" contact" if circuit == "contact" else "")
        found.append(Wire(name, line["pin"], place, circuit, "in", active, nearest_ground(place, grounds), to))
    for bus, what in board.facts.buses.items():
        for number, one in enumerate(BUSES[bus]):
            place, supply = PLACE_OF[one.pin], BUS_SUPPLY.get(bus) if number == 0 else None
            ground = nearest_ground(place, grounds) if supply is not None else None
            found.append(Wire(one.signal, one.pin, place, "bus", "bus", "", ground, f"{one.to} of {what}", supply))
    for name, pin in sorted(board.channels.items(), key=lambda one: PLACE_OF[one[1]]):
        place, circuit = PLACE_OF[pin], _OF_CHANNEL.get(name, "lamp")
        to = {"motor": "vibration motor", "sounder": "sounder"}.get(circuit, f"{name} lamp")
        feeds = OUTPUT_SUPPLY if circuit != "lamp" else None
        found.append(Wire(name, pin, place, circuit, "out", "high", nearest_ground(place, grounds), to, feeds))
    return sorted(found, key=lambda one: ("bus", "in", "out").index(one.direction))
