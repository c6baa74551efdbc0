"""Lists the simulator's faults for docs/simulator/faults.md from `simulator.faults`."""

from __future__ import annotations

from collections.abc import Callable

from simulator.faults import catalogue


def table() -> str:
    """All faults, in the catalogue's order."""
    rows = []
    for one in catalogue().values():
        number = "" if one.amount is None else f"{one.amount.usual:g} {one.amount.unit}"
        lasts = "lasts" if one.end is not None else "instant"
        rows.append(f"| `{one.name}` | {one.requirement} | {one.does} | {one.must} | {lasts} | {number} |")
    head = "| Fault | Tests | What happens to the world | What the camera must do | Kind | Usual number |"
    return "\n".join([head, "|---|---|---|---|---|---|", *rows, ""])


TABLES: dict[str, Callable[[], str]] = {"faults.catalogue": table}
