"""Which camera an officer gets: the gates, and the order of what passes them (R8, R9, R10, R30). Pure.

The rules are numbered in docs/design/checkout.md; the code cites them as "checkout rule 2".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from dock.station.bays import Bay
from evidence.statements import moment_ns

STALE_S: Final = 120
"""A camera whose agent has been silent for longer is not counted as there."""
Weight = Literal["never", "supervisor", "warning"]
_STEP_PERCENT: Final = 10
"""Charges within one step count as the same, so that wear is spread."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that speaks against a camera."""

    weight: Weight
    """`never` bars it, `supervisor` bars it unless a supervisor takes it on, `warning` is told."""
    word: str
    text: str
    """After the serial: `CAM-0001 …`."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One camera, with what the station alone knows of it."""

    bay: Bay
    age_s: int
    """Since its last report."""
    issued_to: str | None = None
    """The officer who has it, or for whom it is ready."""
    lost: bool = False
    withheld: str | None = None
    """Why a person keeps it back."""
    last_issued_ns: int = 0
    newest_firmware: str | None = None
    """What it should run; None if nobody says."""

    @property
    def serial(self) -> str:
        return self.bay.serial

    @property
    def waiting_files(self) -> int | None:
        """Files that are not uploaded; None if nobody knows."""
        offloading = self.bay.report.offloading or self.bay.report.status.offloading
        return offloading.files if offloading is not None else None


@dataclass(frozen=True, slots=True)
class Need:
    """What the officer needs."""

    shift_h: float
    charged_percent: int
    """For a camera that predicts no runtime."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What came of it."""

    camera: Candidate | None
    """The one to hand out; None if it is refused."""
    findings: tuple[Finding, ...]
    """What speaks against that one, or against the one that was asked for."""
    spares: tuple[str, ...]
    """Serials of the others that are ready, the best one first (R10)."""


def findings(camera: Candidate, need: Need) -> list[Finding]:
    """All that speaks against one camera, the worst first (rules 2 to 4)."""
    return [*_bars(camera), *_faults(camera), *_charge(camera, need), *_warnings(camera, need)]


def _bars(camera: Candidate) -> Iterable[Finding]:
    """Rule 2."""
    status = camera.bay.report.status
    if camera.lost:
        yield Finding("never", "lost", "was reported lost: give it to a supervisor")
    if status.seized:
        yield Finding("never", "seized", "is in a supervisor's custody")
    if camera.issued_to is not None:
        yield Finding("never", "issued", f"is checked out to {camera.issued_to}")
    if status.recording is not None or status.state == "recording":
        yield Finding("never", "recording", "records")
    if not status.docked:
        yield Finding("never", "away", "is not in the dock")
    elif camera.age_s > STALE_S:
        yield Finding("never", "silent", f"was last heard of {camera.age_s // 60} minutes ago")
    elif camera.issued_to is None and status.assigned:
        yield Finding("never", "assigned", "says that somebody is signed in already")


def _faults(camera: Candidate) -> Iterable[Finding]:
    """Rule 3, health (R9)."""
    status = camera.bay.report.status
    if camera.withheld is not None:
        yield Finding("supervisor", "withheld", f"is kept back: {camera.withheld}")
    if status.do_not_use:
        yield Finding("supervisor", "failed", f"must not be used: {', '.join(status.do_not_use)}")
    elif status.self_test == "block":
        yield Finding("supervisor", "failed", "failed its self-test")
    elif status.self_test is None:
        yield Finding("supervisor", "untested", "has not tested itself yet")


def _charge(camera: Candidate, need: Need) -> Iterable[Finding]:
    """Rule 3, charge (R8). What nobody knows does not pass."""
    status = camera.bay.report.status
    percent = "unknown" if status.battery_percent is None else f"{status.battery_percent} %"
    if status.runtime_minutes is not None:
        if status.runtime_minutes < need.shift_h * 60:
            hours = f"{status.runtime_minutes * 10 // 60 / 10} h"  # never rounded up to what is needed
            text = f"would last {hours} of {need.shift_h:g} h (charge {percent})"
            yield Finding("supervisor", "charge", text)
    elif status.battery_percent is None:
        yield Finding("supervisor", "charge", "does not say how much charge it has")
    elif status.battery_percent < need.charged_percent:
        yield Finding("supervisor", "charge", f"has a charge of {percent}, and needs {need.charged_percent} %")


def _warnings(camera: Candidate, need: Need) -> Iterable[Finding]:
    """Rule 4."""
    status = camera.bay.report.status
    room = status.storage_minutes_left
    if room is None:
        yield Finding("warning", "room", "does not say how much room it has")
    elif room < need.shift_h * 60:
        text = f"has room for {room / 60:.1f} h of {need.shift_h:g} h: dock it as soon as you can"
        yield Finding("warning", "room", text)
    if camera.waiting_files is None or camera.waiting_files:
        count = "an unknown number of" if camera.waiting_files is None else str(camera.waiting_files)
        yield Finding("warning", "not_offloaded", f"still holds {count} files without a receipt")
    if status.self_test == "warn" and not status.do_not_use:
        yield Finding("warning", "self_test", "passed its self-test with warnings")
    if status.overrides:
        yield Finding("warning", "override", f"is used by a supervisor's override: {', '.join(status.overrides)}")
    if camera.newest_firmware is not None and status.firmware != camera.newest_firmware:
        yield Finding("warning", "firmware", f"runs {status.firmware}, not {camera.newest_firmware}")


def rank(camera: Candidate, need: Need) -> tuple[object, ...]:
    """Smaller is better (rule 5)."""
    status = camera.bay.report.status
    words = {one.word for one in _warnings(camera, need)}
    return (
        bool(status.overrides),
        "room" in words,
        "not_offloaded" in words,
        "self_test" in words,
        "firmware" in words,
        -((status.battery_percent or 0) // _STEP_PERCENT),
        camera.last_issued_ns,
        camera.serial,
    )


def choose(cameras: Sequence[Candidate], need: Need, *, wanted: str | None = None, supervisor: bool = False) -> Choice:
    """The best camera, or the one that is `wanted`; `supervisor`: one has taken on what only a supervisor may.

    Refused, the choice names what speaks against it, and the spares that are ready (rules 1 to 6).
    """
    judged = {one.serial: (one, findings(one, need)) for one in cameras}
    in_order = sorted(judged.values(), key=lambda each: rank(each[0], need))
    ready = [each for each in in_order if _passes(each[1], supervisor=False)]
    if wanted is None:
        allowed = ready or [each for each in in_order if _passes(each[1], supervisor=supervisor)]
        picked = allowed[0] if allowed else None
    else:
        picked = judged.get(wanted)
    spares = tuple(camera.serial for camera, _ in ready if picked is None or camera.serial != picked[0].serial)
    if picked is None:
        return Choice(None, (), spares)
    camera, found = picked
    passes = _passes(found, supervisor=supervisor)
    return Choice(camera if passes else None, tuple(found), spares)


def _passes(found: Sequence[Finding], *, supervisor: bool) -> bool:
    return all(one.weight == "warning" or (supervisor and one.weight == "supervisor") for one in found)


def age_s(bay: Bay, now_ns: int) -> int:
    """Seconds since the report, by the station's clock; one from the future is as old as one can be."""
    age = (now_ns - moment_ns(bay.at)) // 10**9
    return age if age >= -STALE_S else 10**9
