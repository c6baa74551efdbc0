"""Whether anything may be uploaded now, what, and over which link; if not, why not (R6, R30, R31).

One pure decision. What is not known allows nothing: no status, no upload; no known charge, none away from the dock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from dock.agent.links import matching
from dock.agent.windows import is_open
from dock.config_agent import Offload
from dock.config_away import Away
from evidence.handover import Status
from evidence.statements import UploadClass

Over = Literal["dock", "wifi", "lte", "none"]
ALL: Final[frozenset[UploadClass]] = frozenset({"critical", "normal", "log"})
_CRITICAL: Final[frozenset[UploadClass]] = frozenset({"critical"})


@dataclass(frozen=True)
class Situation:
    """What the decision is made from."""

    status: Status | None
    """The recorder's newest word; None if there is none."""
    up: tuple[str, ...] = ()
    """Interfaces that are up."""
    minute: int = 0
    """Minute of the day, by the clock of the windows."""
    spent_bytes: int = 0
    """Sent over LTE today."""


@dataclass(frozen=True)
class Permission:
    """What may be uploaded. Nothing, unless there are classes."""

    classes: frozenset[UploadClass]
    over: Over = "none"
    interface: str | None = None
    """Away from the dock: the one interface that may be used."""
    kbit_s: int | None = None
    left_bytes: int | None = None
    """What is left of today's budget; None: there is none."""
    why: str = ""
    """If not everything may be uploaded: why, in one sentence."""

    @property
    def granted(self) -> bool:
        """Something may be uploaded."""
        return bool(self.classes)


def decide(situation: Situation, offload: Offload) -> Permission:
    """The permission in this situation. Pure."""
    status = situation.status
    if status is None:
        return _no("the recorder does not answer")
    if status.recording is not None or status.state == "recording":
        return _no("a recording is made, and recording comes first")
    if status.docked or matching(situation.up, offload.dock_interfaces) is not None:
        return _timed(Permission(ALL, "dock", kbit_s=offload.kbit_s), situation, offload, hold=offload.windows_at_dock)
    if offload.away is None:
        return _no("the camera is not docked")
    return _timed(_away(status, situation, offload, offload.away), situation, offload, hold=True)


def _away(status: Status, situation: Situation, offload: Offload, away: Away) -> Permission:
    patterns = {"wifi": away.wifi, "lte": away.lte}
    found = [(kind, name) for kind in away.links if (name := matching(situation.up, patterns[kind])) is not None]
    if not found:
        return _no(f"the camera is not docked, and has no link over {' or '.join(away.links) or 'anything'}")
    if status.battery_percent is None:
        return _no("the camera is not docked, and its charge is not known")
    if status.battery_percent < away.min_battery_percent:
        least = away.min_battery_percent
        return _no(f"the battery has {status.battery_percent} %, and the offload away from the dock needs {least} %")
    kbit_s = away.kbit_s if away.kbit_s is not None else offload.kbit_s
    for kind, name in found:
        left = None
        if kind == "lte" and away.lte_mb_day is not None:
            left = away.lte_mb_day * 10**6 - situation.spent_bytes
        if left is None or left > 0:
            return Permission(frozenset(away.classes), kind, name, kbit_s, left)
    return _no("today's megabytes over LTE are used up")


def _timed(permission: Permission, situation: Situation, offload: Offload, *, hold: bool) -> Permission:
    """Take away what the windows do not allow now."""
    if not permission.granted or not hold or is_open(offload.windows, situation.minute):
        return permission
    why = f"it is not one of the times {', '.join(offload.windows)} ({offload.windows_clock})"
    spared = permission.classes & _CRITICAL if offload.windows_spare_critical else frozenset[UploadClass]()
    if not spared:
        return _no(why)
    return Permission(
        spared, permission.over, permission.interface, permission.kbit_s, permission.left_bytes, f"critical only: {why}"
    )


def _no(why: str) -> Permission:
    return Permission(frozenset(), why=why)
