"""Draws the state machine of `device.states` for docs/design/states.md: a diagram and the whole table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from device.states import IDLE_STATES, RECORDING_STATES, TABLE, Event, State


def _word(name: str) -> str:
    return name.replace("_", " ")


def diagram() -> str:
    """A Mermaid state diagram; starts are drawn once, since they lead to `recording` from everywhere."""
    edges: dict[tuple[State, State], list[str]] = defaultdict(list)
    for (state, event), row in TABLE.items():
        starts = row.target is State.RECORDING and state in (*IDLE_STATES, *RECORDING_STATES)
        if row.target is not state and not (starts and event is not Event.TIME_UP) and event is not Event.SHUTDOWN:
            edges[state, row.target].append(_word(event.value))
    lines = ["```mermaid", "stateDiagram-v2", "    direction LR", "    [*] --> boot"]
    lines.append("    state idle {")
    lines += [f"        {state.value}" for state in IDLE_STATES]
    lines.append("    }")
    lines.append("    state recorded {")
    lines += [f"        {state.value}" for state in RECORDING_STATES]
    lines.append("    }")
    lines.append("    idle --> recording : button, trigger")
    lines.append("    recorded --> recording : button, trigger")
    lines += [f"    {one.value} --> {other.value} : {', '.join(events)}" for (one, other), events in edges.items()]
    lines += ["    idle --> shutting_down : shutdown", "    recorded --> shutting_down : shutdown", "```", ""]
    return "\n".join(lines)


def table() -> str:
    """State x event: the next state, and the actions in their order. An empty cell changes nothing."""
    states = [state for state in State if state is not State.HOME]
    head = ["Event", *(f"`{state.value}`" for state in states)]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for event in Event:
        cells = [_cell(state, event) for state in states]
        lines.append(f"| `{event.value}` | " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


def _cell(state: State, event: Event) -> str:
    row = TABLE.get((state, event))
    if row is None:
        return ""
    target = "" if row.target is state else f"→ **{_word(row.target.value)}**"
    return " ".join([target, ", ".join(_word(action.value) for action in row.actions)]).strip()


TABLES: dict[str, Callable[[], str]] = {"states.diagram": diagram, "states.table": table}
