"""The self-test's row `inputs`: each line is named idle, active, stuck, chattering or without a wire (R8). Pure.

A digital input cannot feel a broken wire: an open line without a pull-up floats, and is seen by its chatter.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from device.config import Input
from device.selftest import Seen

STUCK_NS: Final = 10_000_000_000
"""No gesture holds a button this long."""
CHATTER_NS: Final = 60_000_000_000
CHATTER: Final = 20
"""Changes within CHATTER_NS that no person and no lamp relay makes."""
MAY_BE_ACTIVE: Final = frozenset({"dock", "ignition", "brake", "stealth_switch"})
"""Kinds that are in order whether active or not."""


def lines_of(inputs: Mapping[str, Input]) -> dict[str, Input]:
    """The inputs that are wired."""
    return {name: one for name, one in inputs.items() if one.source == "line"}


def line_state(
    name: str, one: Input, levels: Mapping[str, bool], timeline: Sequence[Sequence[Any]], now_ns: int
) -> str:
    """What one line does, in words; `idle` and `on` are in order. `timeline` holds rows of (ns, line, level)."""
    changes = [row for row in timeline if row[1] == name]
    recent = sum(1 for row in changes if now_ns - row[0] < CHATTER_NS)
    if recent > CHATTER:
        return f"chatters or is open: {recent} changes in {CHATTER_NS // 10**9} s"
    if not levels.get(name, False):
        return "idle"
    if one.kind in MAY_BE_ACTIVE:
        return "on"
    if not changes:
        return "stuck active since the start"
    held_s = (now_ns - changes[-1][0]) // 10**9
    return f"stuck active for {held_s} s" if held_s * 10**9 >= STUCK_NS else f"active for {held_s} s"


def judge_lines(
    inputs: Mapping[str, Input],
    levels: Mapping[str, bool],
    timeline: Sequence[Sequence[Any]],
    now_ns: int,
    unwired: Collection[str] = (),
    chattering: Collection[str] = (),
    lost: Collection[str] = (),
) -> Seen:
    """The row: what is not in order is named first.

    `unwired` are lines that no pin was found for, `chattering` those that were caught bouncing since the start, `lost`
    those that the driver cannot read: they may have been idle when they were lost.
    """
    limit = "all idle"
    if not inputs:
        return Seen("not_present", "no input line is configured", limit, "check device.toml")
    states = {name: line_state(name, one, levels, timeline, now_ns) for name, one in sorted(inputs.items())}
    states |= {name: "chatters or is open" for name in inputs if name in chattering and states[name] in ("idle", "on")}
    states |= {name: "has no pin" for name in inputs if name in unwired}
    states |= {name: "cannot be read" for name in inputs if name in lost}
    wrong = {name: state for name, state in states.items() if state not in ("idle", "on")}
    right = {name: state for name, state in states.items() if name not in wrong}
    value = ", ".join(f"{name} {state}" for name, state in (*wrong.items(), *right.items()))
    if wrong:
        return Seen("fail", value, limit, f"release or check the wiring of {', '.join(wrong)}")
    return Seen("pass", value, limit)
