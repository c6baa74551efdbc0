"""What a self-test's verdict holds for, and when a supervisor may overrule it (R8, R9). Pure.

1. A verdict is bound to the officer, the shift and the boot in which it was found; when one of them changes, or after
   16 h of running time, it has expired. That is told and logged; it puts nobody out of service.
2. A supervisor's override is bound to the supervisor's signed command, to one component that failed, and to one shift:
   it ends at the dock, at the end of the session, after 16 h, and with the boot.
3. It is never possible for the keys, the card and the log: without them there is no evidence; nor for a camera that was
   reported lost. Nor where the signed policy does not allow it.
4. An override brings a camera back into service only when nothing that blocks is left. What it records stays marked
   `degraded`: the component is still broken.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from device.selftest import SelfTest

LASTS_NS: Final = 16 * 3600 * 1_000_000_000
"""No shift is longer: a session ends by itself after it too."""
NEVER_OVERRIDDEN: Final = frozenset(
    {"signing_key", "signing_pace", "vault", "storage", "log_chain", "whole_log", "custody"}
)


@dataclass(frozen=True, slots=True)
class Bound:
    """For whom and when a self-test was made."""

    boot: str
    officer: str | None
    shift: str | None
    at_ns: int
    """CLOCK_BOOTTIME."""


def expired_because(bound: Bound, now: Bound) -> str | None:
    """Why a verdict holds no longer, as one word for the log; None while it holds. `now` is the present."""
    if now.boot != bound.boot:
        return "new_boot"
    if now.officer != bound.officer:
        return "session_ended" if now.officer is None else "new_officer"
    if now.shift != bound.shift:
        return "new_shift"
    return "shift_over" if now.at_ns - bound.at_ns >= LASTS_NS else None


def blocking(test: SelfTest | None) -> tuple[str, ...]:
    """The components that block the camera by the signed table, in the order of the rows."""
    return tuple(one.name for one in test.results if one.result == "fail") if test is not None else ()


@dataclass(frozen=True, slots=True)
class Override:
    """One supervisor's word about one component."""

    component: str
    supervisor: str
    command_sha256: str
    """Of the signed command."""
    at_ns: int


@dataclass
class Overrides:
    """The overrides of one shift."""

    allowed: bool
    """What the signed policy says (`supervisor_override`)."""
    given: int = 0
    """How many this boot has seen."""
    _by_component: dict[str, Override] = field(default_factory=dict)

    @property
    def components(self) -> tuple[str, ...]:
        """The components that are overridden now."""
        return tuple(self._by_component)

    def refusal(self, component: str, failed: Iterable[str]) -> str | None:
        """Why this override cannot be; None if it can. `failed` are the components that block."""
        if not self.allowed:
            return "the policy profile allows no supervisor's override"
        if component in NEVER_OVERRIDDEN:
            return f"{component} is never overridden: keys, card and log make the evidence"
        if component in self._by_component:
            return f"{component} is overridden already"
        blocked = tuple(failed)
        if component not in blocked:
            what = f"it is blocked by {', '.join(blocked)}" if blocked else "nothing blocks this camera"
            return f"{component} does not block this camera: {what}"
        return None

    def add(self, override: Override) -> None:
        """Take one that `refusal` let pass."""
        self._by_component[override.component] = override
        self.given += 1

    def end(self) -> tuple[Override, ...]:
        """The shift is over; the overrides that ended."""
        ended, self._by_component = tuple(self._by_component.values()), {}
        return ended

    def outlived(self, now_ns: int) -> bool:
        """Whether one is older than any shift."""
        return any(now_ns - one.at_ns >= LASTS_NS for one in self._by_component.values())

    def left(self, test: SelfTest | None) -> tuple[str, ...]:
        """What still blocks the camera."""
        return tuple(name for name in blocking(test) if name not in self._by_component)
