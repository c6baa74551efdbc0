"""Buttons and lines on the event loop: edges go into `device.triggers`, and what they mean comes out in time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

from device.config import Input
from device.policy import Profile
from device.triggers import BUTTON_DEBOUNCE_NS, Inputs, Intent, LineChanged, LineRule, standing
from hal.clock import Clock
from hal.switches import Edge

log = logging.getLogger("firsthand.inputs")

MAX_TIMELINE: Final = 2_000


def line_rule(one: Input, policy: Profile) -> LineRule:
    """How a line is read: its own debounce, else 30 ms for buttons and the profile's for lines."""
    if one.debounce_ms is not None:
        debounce_ns = one.debounce_ms * 1_000_000
    else:
        debounce_ns = BUTTON_DEBOUNCE_NS if one.kind.endswith("button") else policy.debounce_ms * 1_000_000
    critical, wakes = standing(one)
    return LineRule(one.kind, critical, debounce_ns, one.off_delay_ms * 1_000_000, wakes)


class InputLines:
    """All input lines of one camera. Loop only."""

    def __init__(self, inputs: dict[str, Input], policy: Profile, clock: Clock, act: Callable[[Intent], None]) -> None:
        self._inputs = Inputs(
            {name: line_rule(one, policy) for name, one in inputs.items() if one.source == "line"},
            double_press_ns=policy.double_press_ms * 1_000_000,
            hold_ns=policy.hold_to_stop_ms * 1_000_000,
        )
        self._clock = clock
        self._act = act
        self._timer: asyncio.TimerHandle | None = None
        self.timeline: list[list[Any]] = []
        """Rows of (ns, line, level), newest last."""

    @property
    def chattering(self) -> frozenset[str]:
        """Lines that were caught chattering since the start."""
        return self._inputs.chattering

    def pressing(self) -> bool:
        """Whether a press of the record button is under way whose meaning is not known yet."""
        return self._inputs.pressing

    @property
    def levels(self) -> dict[str, bool]:
        """Debounced levels by line."""
        return self._inputs.levels

    def edge(self, edge: Edge) -> None:
        """Take one raw edge."""
        self._do(self._inputs.edge(edge))

    def note(self, at_ns: int, name: str, value: int) -> None:
        """Put a row into the timeline of the ring's own time."""
        self.timeline.append([at_ns, name, value])
        del self.timeline[:-MAX_TIMELINE]

    def _on_time(self) -> None:
        self._do(self._inputs.tick(self._clock.boottime_ns()))

    def _do(self, intents: list[Intent]) -> None:
        for intent in intents:
            if isinstance(intent, LineChanged):
                self.note(intent.at_ns, intent.line, int(intent.active))
            try:
                self._act(intent)
            except Exception:
                log.exception("%s came to nothing", intent)  # and costs no other gesture its meaning (invariant 1)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline_ns = self._inputs.deadline_ns()
        if deadline_ns is not None:
            delay_s = max(0.0, (deadline_ns - self._clock.boottime_ns()) / 1e9) + 0.001
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._on_time)
