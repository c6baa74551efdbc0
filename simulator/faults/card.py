"""Faults of the camera's card (R22, R29, R30, R38). In a world whose card is a plain directory each is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simulator.faults.fault import Amount, End, Fault

if TYPE_CHECKING:
    from simulator.card.card import Fault as CardFault
    from simulator.world import World

SLOW_SYNC_S: Final = 0.3
_KB: Final = 1000
_MISREAD_EVERY_BYTES: Final = 64 * 1024


def _slow(world: World, kilobytes_per_s: float | None) -> None:
    world.card.slow((kilobytes_per_s or 0) * _KB, SLOW_SYNC_S)


def _full(world: World, left_kilobytes: float | None) -> None:
    world.card.full(int((left_kilobytes or 0) * _KB))


def _read_only(world: World, _: float | None) -> None:
    world.card.read_only()


def _error(world: World, _: float | None) -> None:
    world.card.error("write", "sync", "name")


def _stall(world: World, _: float | None) -> None:
    world.card.stall()


def _misread(world: World, _: float | None) -> None:
    world.card.bit_rot(_MISREAD_EVERY_BYTES)


def _flip(world: World, seed: float | None) -> None:
    said = world.card.flip_bit(int(seed or 0), within=".evidence")
    world.progress.event(f"    on the card: {said} is turned")


def _power_cut(world: World, after_bytes: float | None) -> None:
    world.card.cut_after(written_bytes=int(after_bytes or 0), survives="nothing")


def _torn_write(world: World, after_bytes: float | None) -> None:
    world.card.cut_after(written_bytes=int(after_bytes or 0), survives="written")


def _heal(fault: CardFault) -> End:
    return lambda world: world.card.heal(fault)


FAULTS: Final = (
    Fault(
        "card.slow", "R22", "the card writes slowly, and takes its time for each sync",
        "go on recording; what the card cannot take in time is told to the officer and signed as a gap",
        _slow, _heal("slow"), Amount("kB/s", 60, 1, 100_000),
    ),
    Fault(
        "card.full", "R30", "hardly anything fits on the card any more",
        "let go what has a receipt, and nothing else; then close the recording, say so, and refuse new starts loudly",
        _full, _heal("full"), Amount("kB", 500, 0, 100_000_000),
    ),
    Fault(
        "card.read_only", "R29", "the card can only be read, as a worn one",
        "tell the officer at once that nothing is kept, and keep trying",
        _read_only, _heal("read_only"),
    ),
    Fault(
        "card.error", "R29", "the card fails whatever it is to keep",
        "tell the officer, keep the recording open, and sign the gap when the card works again",
        _error, _heal("error"),
    ),
    Fault(
        "card.stall", "R29", "the card answers nothing, no error either",
        "tell the officer that nothing becomes durable, and go on when it answers; no button waits for it",
        _stall, _heal("stall"),
    ),
    Fault(
        "card.bit_rot", "R38", "one bit of an evidence file on the card turns over",
        "never pass the file off as whole: it does not verify, gets no receipt that deletes it, and stays",
        _flip, None, Amount("as seed", 1, 0, 2**31 - 1),
    ),
    Fault(
        "card.misread", "R38", "the card reads a wrong bit now and then",
        "notice it in the self-test, and hand over nothing whose digest is another",
        _misread, _heal("bit_rot"),
    ),
    Fault(
        "card.power_cut", "R38", "the power goes in the middle of a write; what was not synced is forgotten",
        "come back with every fragment that was told to be durable, whole, signed and playable",
        _power_cut, None, Amount("bytes", 20_000, 0, 1_000_000_000),
    ),
    Fault(
        "card.torn_write", "R38", "the power goes in the middle of a write, and half of that write is on the card",
        "cut the torn end off, keep it aside, and sign nothing that no statement announced",
        _torn_write, None, Amount("bytes", 20_000, 0, 1_000_000_000),
    ),
)  # fmt: skip
"""Every fault of the card."""
