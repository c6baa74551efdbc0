"""Lists the scenario library for docs/simulator/library.md from `simulator/scenarios`."""

from __future__ import annotations

from collections.abc import Callable

from simulator.library import library


def table() -> str:
    """All scenarios of the library, by name."""
    rows = []
    for one in library():
        story = f"**{one.scenario.title}.** {one.scenario.setup.about}"
        faults = ", ".join(f"`{name}`" for name in one.faults)
        rows.append(f"| `{one.name}` | {story} | {', '.join(one.requirements)} | {faults} |")
    return "\n".join(["| Scenario | Story | Shows | Faults |", "|---|---|---|---|", *rows, ""])


TABLES: dict[str, Callable[[], str]] = {"scenarios.library": table}
