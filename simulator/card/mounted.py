"""A card that another process has mounted under a camera: started, ordered about, and ended from here."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NoReturn

from simulator.card.answers import Ask
from simulator.card.card import Fault, Lost, Survives
from simulator.card.mounts import unmount
from simulator.card.orders import (
    BitRot,
    CutAfter,
    CutNow,
    Fail,
    FlipBit,
    Full,
    Heal,
    Look,
    Order,
    PowerOn,
    ReadOnly,
    Slow,
    Stall,
)
from simulator.control import ControlLine
from simulator.processes import Child, Children, python_module
from simulator.run_errors import ProcessDied, WorldRefused

READY_WITHIN_S: Final = 120.0
_FUSE: Final = Path("/dev/fuse")


@dataclass
class MountedCard:
    """The orders of `simulator.card.orders.CardOrders`, carried to the process at a control socket."""

    control: Path
    directory: Path
    below: Path
    """The same directory as it lies below the mount."""
    _line: ControlLine = field(init=False)
    _armed: bool = False
    """The power may go by itself."""

    def __post_init__(self) -> None:
        self._line = ControlLine(self.control, "the simulated card")

    def slow(self, bytes_per_s: float | None = None, sync_s: float = 0.0) -> None:
        self._tell(Slow(bytes_per_s=bytes_per_s, sync_s=sync_s))

    def full(self, left_bytes: int = 0) -> None:
        self._tell(Full(left_bytes=left_bytes))

    def read_only(self) -> None:
        self._tell(ReadOnly())

    def error(self, *asks: Ask) -> None:
        self._tell(Fail(asks=asks))

    def stall(self) -> None:
        self._tell(Stall())

    def bit_rot(self, every_bytes: int, seed: int = 1) -> None:
        self._tell(BitRot(every_bytes=every_bytes, seed=seed))

    def flip_bit(self, seed: int = 1, within: str = "") -> str | None:
        said: str | None = self._tell(FlipBit(seed=seed, within=within))["said"]
        return said

    def heal(self, fault: Fault | None = None) -> None:
        self._tell(Heal(fault=fault))

    def cut(self, survives: Survives = "nothing") -> Lost:
        facts = self._tell(CutNow(survives=survives))
        return Lost(facts["lost_bytes"], facts["lost_names"])

    def cut_after(
        self, *, written_bytes: int | None = None, requests: int | None = None, survives: Survives = "nothing"
    ) -> None:
        self._tell(CutAfter(written_bytes=written_bytes, requests=requests, survives=survives))
        self._armed = True

    def power_on(self) -> None:
        self._armed = False
        self._tell(PowerOn())

    def seen(self, path: Path) -> Path:
        """Past the mount: a world that waited for its own card would wait for ever."""
        return self.below / path.relative_to(self.directory) if path.is_relative_to(self.directory) else path

    def power_is_lost(self) -> bool:
        """Asks only if somebody armed it: the world looks often."""
        return self._armed and bool(self._tell(Look())["off"])

    def make_whole(self) -> None:
        """No fault, and power: everything that waits for the card goes on, and can end."""
        self.heal()
        self.power_on()

    def close(self) -> None:
        """End the line. May be called twice."""
        self._line.close()

    def _tell(self, order: Order) -> dict[str, Any]:
        return self._line.ask(order)


@dataclass(frozen=True, slots=True)
class NoCard:
    """The camera's files lie in a plain directory; every order is refused with the reason."""

    why: str = "this world's card is a plain directory"

    def slow(self, bytes_per_s: float | None = None, sync_s: float = 0.0) -> None:  # noqa: ARG002 - as every card
        self._refuse()

    def full(self, left_bytes: int = 0) -> None:  # noqa: ARG002
        self._refuse()

    def read_only(self) -> None:
        self._refuse()

    def error(self, *asks: Ask) -> None:  # noqa: ARG002
        self._refuse()

    def stall(self) -> None:
        self._refuse()

    def bit_rot(self, every_bytes: int, seed: int = 1) -> None:  # noqa: ARG002
        self._refuse()

    def flip_bit(self, seed: int = 1, within: str = "") -> str | None:  # noqa: ARG002
        self._refuse()

    def heal(self, fault: Fault | None = None) -> None:  # noqa: ARG002
        self._refuse()

    def cut(self, survives: Survives = "nothing") -> Lost:  # noqa: ARG002
        """Nothing can be forgotten here: the power goes, and the host keeps every byte."""
        return Lost(0, 0)

    def cut_after(
        self,
        *,
        written_bytes: int | None = None,  # noqa: ARG002
        requests: int | None = None,  # noqa: ARG002
        survives: Survives = "nothing",  # noqa: ARG002
    ) -> None:
        self._refuse()

    def power_on(self) -> None:
        """It has no power of its own."""

    def seen(self, path: Path) -> Path:
        return path

    def power_is_lost(self) -> bool:
        return False

    def _refuse(self) -> NoReturn:
        raise WorldRefused(f"the card cannot fail: {self.why}")


def mount_card(children: Children, directory: Path, control: Path) -> tuple[MountedCard | NoCard, Child | None]:
    """Mount a card over a directory, as a child of its own; a `NoCard` that says why where this cannot be."""
    if not os.access(_FUSE, os.R_OK | os.W_OK):
        return NoCard(f"{_FUSE} cannot be opened here (install fuse3, and run as root or let users mount)"), None
    child = children.start("card", python_module("simulator.card", str(directory), "--control", str(control)))
    try:
        ready = children.wait_for_text(child, "card ready: ", READY_WITHIN_S)
    except ProcessDied:
        child.expected = True
        children.stop(child)
        unmount(directory)
        said = child.text().strip().splitlines()
        return NoCard(said[-1].partition("simulator.card: ")[2] if said else "it was not ready in time"), None
    below = Path(f"/proc/{child.process.pid}/fd/{ready.rpartition(' ')[2]}")
    return MountedCard(control, directory, below), child
