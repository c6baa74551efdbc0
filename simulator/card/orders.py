"""What is said to the simulated card: its orders in this process, and as JSON lines to one that is mounted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

import msgspec
from msgspec import Meta

from simulator.card.answers import Ask
from simulator.card.card import Fault, Lost, SimulatedCard, Survives
from simulator.run_errors import WorldRefused

_Bytes = Annotated[int, Meta(ge=0, le=2**50)]
_Seed = Annotated[int, Meta(ge=0, le=2**31 - 1)]
_Survives = Literal["nothing", "written"] | _Seed


class CardOrders(Protocol):
    """The card of a world, however it stands under the camera. Each method raises `WorldRefused` if there is none."""

    def slow(self, bytes_per_s: float | None = None, sync_s: float = 0.0) -> None: ...
    def full(self, left_bytes: int = 0) -> None: ...
    def read_only(self) -> None: ...
    def error(self, *asks: Ask) -> None: ...
    def stall(self) -> None: ...
    def bit_rot(self, every_bytes: int, seed: int = 1) -> None: ...
    def flip_bit(self, seed: int = 1, within: str = "") -> str | None: ...
    def heal(self, fault: Fault | None = None) -> None: ...
    def cut(self, survives: Survives = "nothing") -> Lost: ...
    def cut_after(
        self, *, written_bytes: int | None = None, requests: int | None = None, survives: Survives = "nothing"
    ) -> None: ...
    def power_on(self) -> None: ...

    def seen(self, path: Path) -> Path:
        """Where somebody outside the camera looks at a file of the card, and never waits for it."""
        ...

    def power_is_lost(self) -> bool:
        """Whether the power went by itself, after `cut_after`, and is not back."""
        ...


class Slow(msgspec.Struct, frozen=True, kw_only=True, tag_field="op", tag="slow", forbid_unknown_fields=True):
    bytes_per_s: Annotated[float, Meta(gt=0, le=1e12)] | None = None
    sync_s: Annotated[float, Meta(ge=0, le=600)] = 0.0


class Full(msgspec.Struct, frozen=True, kw_only=True, tag_field="op", tag="full", forbid_unknown_fields=True):
    left_bytes: _Bytes = 0


class ReadOnly(msgspec.Struct, frozen=True, kw_only=True, tag_field="op", tag="read_only", forbid_unknown_fields=True):
    pass


class Fail(msgspec.Struct, frozen=True, kw_only=True, tag_field="op", tag="error", forbid_unknown_fields=True):
    asks: tuple[Ask, ...] = ()


class Stall(msgspec.Struct, frozen=True, kw_only=True, tag_field="op", tag="stall", forbid_unknown_fields=True):
    pass


class BitRot(msgspec.Struct, frozen=True, kw_only=True, tag_field="op", tag="bit_rot", forbid_unknown_fields=True):
    every_bytes: Annotated[int, Meta(ge=1, le=2**40)]
    seed: _Seed = 1


class FlipBit(msgspec.Struct, frozen=True, kw_only=True, tag_field="op", tag="flip_bit", forbid_unknown_fields=True):
    seed: _Seed = 1
    within: Annotated[str, Meta(max_length=200)] = ""


class Heal(msgspec.Struct, frozen=True, kw_only=True, tag_field="op", tag="heal", forbid_unknown_fields=True):
    fault: Fault | None = None


class CutNow(msgspec.Struct, frozen=True, kw_only=True, tag_field="op", tag="cut", forbid_unknown_fields=True):
    survives: _Survives = "nothing"


class CutAfter(msgspec.Struct, frozen=True, kw_only=True, tag_field="op", tag="cut_after", forbid_unknown_fields=True):
    written_bytes: _Bytes | None = None
    requests: _Bytes | None = None
    survives: _Survives = "nothing"


class PowerOn(msgspec.Struct, frozen=True, kw_only=True, tag_field="op", tag="power_on", forbid_unknown_fields=True):
    pass


class Look(msgspec.Struct, frozen=True, kw_only=True, tag_field="op", tag="look", forbid_unknown_fields=True):
    """How it is."""


Order = Slow | Full | ReadOnly | Fail | Stall | BitRot | FlipBit | Heal | CutNow | CutAfter | PowerOn | Look
decode_order = msgspec.json.Decoder(Order).decode


def obey(card: SimulatedCard, order: Order) -> dict[str, Any]:
    """Do what was ordered; the answer's facts."""
    said: str | None = None
    match order:
        case Slow():
            card.slow(order.bytes_per_s, order.sync_s)
        case Full():
            card.full(order.left_bytes)
        case ReadOnly():
            card.read_only()
        case Fail():
            card.error(*order.asks)
        case Stall():
            card.stall()
        case BitRot():
            card.bit_rot(order.every_bytes, order.seed)
        case FlipBit():
            said = card.flip_bit(order.seed, order.within)
            if said is None:
                raise WorldRefused(f"no file on the card has {order.within!r} in its name and bytes in it")
        case Heal():
            card.heal(order.fault)
        case CutNow():
            card.cut(order.survives)
        case CutAfter():
            card.cut_after(written_bytes=order.written_bytes, requests=order.requests, survives=order.survives)
        case PowerOn():
            card.power_on()
    facts: dict[str, Any] = {"off": card.power_is_lost(), "cuts": card.cuts}
    return facts | {"lost_bytes": card.last_cut.bytes, "lost_names": card.last_cut.names, "said": said}
