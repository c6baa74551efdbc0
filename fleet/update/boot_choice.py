"""RAUC's boot handler: which slot starts (`bootloader=custom`, docs/design/updates.md).

An installation may only say which slot is to be *tried*; the one that starts stays what it is until the new system has
proven itself. So nothing that RAUC asks for during an installation touches partition 1.
"""

from __future__ import annotations

from msgspec.structs import replace

from fleet.partition_one import writable
from fleet.update import autoboot
from fleet.update.autoboot import BadChoice, Slot
from fleet.update.kept import Places, load, running_slot, save


def primary(places: Places) -> Slot:
    """The slot that the next update's restart starts: one that is installed and waits, else the one that starts."""
    pending = load(places).pending
    if pending is not None and pending.phase != "installing":
        return pending.slot
    return autoboot.read(places.select)


def set_primary(places: Places, slot: Slot) -> None:
    """RAUC has written a slot whole: it may be tried. Raises `BadChoice`, OSError."""
    state = load(places)
    if slot == autoboot.read(places.select):
        if state.pending is not None:
            save(places, replace(state, pending=None))
        return
    if state.pending is None or state.pending.slot != slot:
        raise BadChoice(f"nobody installs into slot {slot}: install a bundle with `firsthand-fleet install-update`")
    save(places, replace(state, pending=replace(state.pending, phase="installed")))


def is_good(places: Places, slot: Slot) -> bool:
    """A slot that starts, or that waits to be tried."""
    return slot in (autoboot.read(places.select), primary(places))


def set_state(places: Places, slot: Slot, *, good: bool) -> None:
    """`bad`: RAUC is about to write the slot. `good`: it proved itself. Raises `BadChoice`, `BadUpdate`, OSError."""
    first = autoboot.read(places.select)
    if good:
        if slot != running_slot(places):
            raise BadChoice(f"slot {slot} is not the one that runs: only a running system can say that it is good")
        confirm(places, slot)
    elif slot == first:
        raise BadChoice(f"slot {slot} is the one that starts: it is the way back, and is never given up")
    else:
        state = load(places)
        if state.pending is not None and state.pending.slot == slot and state.pending.phase != "installing":
            save(places, replace(state, pending=replace(state.pending, phase="installing")))


def confirm(places: Places, slot: Slot) -> None:
    """Let the slot start from now on. Raises `BadChoice`, OSError."""
    if autoboot.read(places.select) != slot:
        with writable(places.select):
            autoboot.write(places.select, slot)


def answer(places: Places, verb: str, words: list[str]) -> str:
    """What RAUC reads on standard output; empty for what it only orders. Raises `BadChoice`, `BadUpdate`, OSError."""
    match verb, words:
        case "get-primary", []:
            return primary(places)
        case "get-current", []:
            return running_slot(places)
        case "get-state", [name]:
            return "good" if is_good(places, autoboot.slot_of(name)) else "bad"
        case "set-primary", [name]:
            set_primary(places, autoboot.slot_of(name))
        case "set-state", [name, "good" | "bad" as state]:
            set_state(places, autoboot.slot_of(name), good=state == "good")
        case _:
            raise BadChoice(f"boot-choice knows no `{' '.join([verb, *words])[:80]}`")
    return ""
