"""The 40-pin header of a Raspberry Pi: which place carries which BCM pin, and where its buses come out.

The same on every board from the Model B+ on, on the Zero 2 W, the Raspberry Pi 5 and the CM4 IO board (Raspberry Pi's
own documentation, "GPIO and the 40-pin header").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from device.board import Board, Bus

Supply = Literal["3V3", "5V", "GND"]

PLACES: Final[dict[int, int | Supply]] = {
    1: "3V3", 2: "5V",
    3: 2, 4: "5V",
    5: 3, 6: "GND",
    7: 4, 8: 14,
    9: "GND", 10: 15,
    11: 17, 12: 18,
    13: 27, 14: "GND",
    15: 22, 16: 23,
    17: "3V3", 18: 24,
    19: 10, 20: "GND",
    21: 9, 22: 25,
    23: 11, 24: 8,
    25: "GND", 26: 7,
    27: 0, 28: 1,
    29: 5, 30: "GND",
    31: 6, 32: 12,
    33: 13, 34: "GND",
    35: 19, 36: 16,
    37: 26, 38: 20,
    39: "GND", 40: 21,
}  # fmt: skip
"""Header place -> BCM pin, or what supplies."""
PLACE_OF: Final = {pin: place for place, pin in PLACES.items() if isinstance(pin, int)}
GROUNDS: Final = tuple(place for place, pin in PLACES.items() if pin == "GND")
PULLED_UP_AT_START: Final = 8
"""From reset on the chip pulls pins up to this one to 3.3 V and higher ones down, until a program says otherwise."""
IDENTITY: Final = (0, 1)
"""For the EEPROM of an add-on board; nothing else may be wired to them."""


@dataclass(frozen=True, slots=True)
class BusWire:
    """One wire of a bus."""

    pin: int
    signal: str
    """What it is called in the chip's papers."""
    to: str
    """What it is called at the other end."""


BUSES: Final[dict[Bus, tuple[BusWire, ...]]] = {
    "uart": (BusWire(14, "TXD", "RX"), BusWire(15, "RXD", "TX")),
    "pps": (BusWire(4, "PPS", "PPS"),),
    "i2c": (BusWire(2, "SDA", "SDA"), BusWire(3, "SCL", "SCL")),
    "i2s": (BusWire(18, "PCM CLK", "BCLK"), BusWire(19, "PCM FS", "LRCL"), BusWire(20, "PCM DIN", "DOUT")),
}
BUS_SUPPLY: Final[dict[Bus, int]] = {"uart": 1, "i2c": 1, "i2s": 17}
"""Where a bus's device gets its 3.3 V from. The pulse comes from the receiver, which is fed already."""
RESERVED: Final = {21: "PCM DOUT: the sound overlay takes it"}
"""Pins that an overlay takes although this project has nothing to connect to them."""


def claimed(board: Board) -> dict[int, str]:
    """BCM pins of a board that are no inputs or outputs, with why."""
    pins = dict.fromkeys(IDENTITY, "EEPROM of an add-on board")
    for bus, what in board.facts.buses.items():
        pins |= {wire.pin: f"{wire.signal}: {what}" for wire in BUSES[bus]}
    if "i2s" in board.facts.buses:
        pins |= RESERVED
    return pins | {int(pin): what for pin, what in board.facts.taken.items()}


def nearest_ground(place: int, taken: dict[int, int]) -> int:
    """The ground pin that is nearest on the connector and has fewest wires yet; counts it in `taken`."""

    def distance(ground: int) -> tuple[int, int]:
        rows = abs((ground - 1) // 2 - (place - 1) // 2)
        return rows + 2 * taken.get(ground, 0), ground

    best = min(GROUNDS, key=distance)
    taken[best] = taken.get(best, 0) + 1
    return best
