"""What is asked at checkout, and what is answered: over the station's socket, and from the dock page (R8, R10)."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from evidence.commands import Identified
from evidence.statements import Frozen, Name, Serial

Hours = Annotated[float, Meta(gt=0, le=24)]
Sentence = Annotated[str, Meta(min_length=1, max_length=500)]
Secret = Annotated[str, Meta(min_length=1, max_length=64)]


class Identification(Frozen, frozen=True, kw_only=True):
    """Who stands there: a tag, or an identifier with or without its PIN."""

    tag: Secret | None = None
    person: Name | None = None
    pin: Secret | None = None


class CheckoutRequest(Frozen, frozen=True, kw_only=True):
    """An officer wants a camera."""

    officer: Identification
    shift_h: Hours | None = None
    """Default: that of `[desk]`."""
    camera: Serial | None = None
    """This one and no other; default: the best."""
    replaces: Serial | None = None
    """The officer's camera that is to be replaced (R10)."""
    reason: Sentence | None = None
    """What is wrong with that one, or why a supervisor takes on what is wrong with the new one."""
    supervisor: Identification | None = None
    """A supervisor who takes on what only a supervisor may (R9)."""


class CheckedOut(Frozen, frozen=True, kw_only=True):
    """Take this camera."""

    camera: Serial
    officer: Name
    name: Name
    shift: Name
    identified_by: Identified
    warnings: tuple[str, ...]
    spares: tuple[Serial, ...]
    """The next ones, if this one should fail (R10)."""
    replaces: Serial | None = None


class CheckInRequest(Frozen, frozen=True, kw_only=True):
    """A camera is handed in at the desk, or was not taken after all."""

    camera: Serial


class WithholdRequest(Frozen, frozen=True, kw_only=True):
    """Keep a camera back, with a reason; without one it may be handed out again."""

    camera: Serial
    reason: Sentence | None = None


class BayRow(Frozen, frozen=True, kw_only=True):
    """One camera in the table of `bays`."""

    camera: Serial
    officer: Name | None
    battery_percent: int | None
    runtime_minutes: int | None
    waiting_files: int | None
    firmware: Name
    self_test: str | None
    age_s: int
    ready: bool
    """May be handed out for a usual shift."""
    place: int | None
    """Its place in the order, 1 is next."""
    findings: tuple[str, ...] = msgspec.field(default=())
