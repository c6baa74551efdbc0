"""The boards that this project knows how to wire: `boards/NAME.toml` (docs/design/board.md).

Such a file is device.toml without serial, paths and keys, and last the table ``[board]``: what the board is and what
hangs on it. All above that table goes into a camera's device.toml as it stands, with its comments
(`device.new_config`), so that a technician finds there why a line is where it is.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from device.config import DeviceSettings, Settings
from device.errors import UnknownBoard
from evidence.settings import mistakes, nearest

FOLDER: Final = Path(__file__).parent / "boards"
WITHOUT_MODEL: Final = "dev-webcam"
"""What is proposed for a computer that is no Raspberry Pi."""
OF_A_CAMERA: Final = ("serial", "spool", "state", "socket", "profile", "keys")
"""Required keys of device.toml that no board has: they are one camera's own."""
_MARK: Final = "\n[board]\n"

Bus = Literal["uart", "i2c", "i2s", "pps"]
PinNumber = Annotated[str, Meta(pattern=r"^([0-9]|1[0-9]|2[0-7])$")]


class BoardFacts(Settings, frozen=True, kw_only=True):
    """The table ``[board]``."""

    says: Annotated[str, Meta(max_length=120)]
    """One sentence for `firsthand-device boards`."""
    machines: list[str]
    """How the device tree's model begins on such a board; empty: any computer."""
    memory_mib: int
    """Memory that must be there for it."""
    config_txt: list[str] = msgspec.field(default_factory=list)
    """Lines of the Raspberry Pi's config.txt that its drivers need."""
    udev: list[str] = msgspec.field(default_factory=list)
    """udev rules for parts that no overlay names to the kernel."""
    buses: dict[Bus, str] = msgspec.field(default_factory=dict)
    """What hangs on the header's buses: their pins are no inputs or outputs."""
    taken: dict[PinNumber, str] = msgspec.field(default_factory=dict)
    """BCM pins that something on the board takes for itself, with what."""
    parts: dict[str, str] = msgspec.field(default_factory=dict)
    """What to buy: seam -> part."""


@dataclass(frozen=True, slots=True)
class Board:
    """One board: what it is, and how it is wired."""

    name: str
    facts: BoardFacts
    wiring: Mapping[str, Any]
    """The tables of device.toml."""
    text: str
    """The same as it stands in the file, with comments."""

    def driver(self, seam: str) -> tuple[str, Mapping[str, Any]] | None:
        """Name and options of a seam's driver, or None if the board has none."""
        table = self.wiring.get(seam)
        return None if table is None else (table["driver"], table.get("options", {}))

    @property
    def lines(self) -> dict[str, Mapping[str, Any]]:
        """Input lines by name: pin and polarity."""
        return dict(self.wiring["switches"].get("options", {}).get("lines", {}))

    @property
    def channels(self) -> dict[str, int]:
        """Lamps, motor and sounder: channel -> BCM pin."""
        return dict(self.wiring["indicators"].get("options", {}).get("channels", {}))

    def kind(self, line: str) -> str:
        """What an input line means."""
        return str(self.wiring["inputs"][line]["kind"])


def board_names() -> list[str]:
    """All boards, in the alphabet's order."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load_board(name: str) -> Board:
    """A board by its name. Raises `UnknownBoard` that names the nearest."""
    names = board_names()
    if name not in names:
        raise UnknownBoard(f"no board is called {name!r}{nearest(name, names)}")
    text = (FOLDER / f"{name}.toml").read_text("utf-8")
    wiring, _, own = text.partition(_MARK)
    facts = msgspec.convert(tomllib.loads(_MARK + own)["board"], BoardFacts)
    return Board(name, facts, tomllib.loads(wiring), wiring.strip() + "\n")


def faults(board: Board) -> list[str]:
    """What would be no device.toml in a board's wiring, a sentence each. Empty for every board in the package."""
    missing = f"the top level: missing {', '.join(OF_A_CAMERA)}"
    return [one for one in mistakes(board.wiring, DeviceSettings) if one != missing]


def nearest_board(model: str | None) -> str:
    """The board whose machine this is by the device tree's model; without one, what runs anywhere."""
    if model:
        for name in board_names():
            if any(model.startswith(one) for one in load_board(name).facts.machines):
                return name
    return WITHOUT_MODEL
