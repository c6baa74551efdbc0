"""Every camera of the dock, judged for checkout: what the station knows, in the order of rule 5 (R8, R9, R10)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from dock.station.checkout import Candidate, Choice, Finding, Need, age_s, findings, rank
from dock.station.checkout_words import BayRow
from dock.station.issues import IssueBook

if TYPE_CHECKING:
    from dock.station.station import Station


@runtime_checkable
class KnowsLost(Protocol):
    """A part that knows which cameras are lost (R11)."""

    def lost(self, serial: str) -> bool: ...


@runtime_checkable
class KnowsFirmware(Protocol):
    """A part that knows what firmware cameras should run."""

    @property
    def newest_firmware(self) -> str | None: ...


def candidates(station: Station, issues: IssueBook) -> list[Candidate]:
    """Every camera that ever reported. Blocks."""
    now_ns, parts = station.utc_ns(), station.parts
    issued = {one.serial: one.officer for one in issues.open()}
    last, withheld = issues.last_issued_ns(), issues.withheld()
    lost = [part for part in parts if isinstance(part, KnowsLost)]
    newest = next((part.newest_firmware for part in parts if isinstance(part, KnowsFirmware)), None)
    return [
        Candidate(
            bay=bay,
            age_s=age_s(bay, now_ns),
            issued_to=issued.get(bay.serial),
            lost=any(part.lost(bay.serial) for part in lost),
            withheld=withheld.get(bay.serial),
            last_issued_ns=last.get(bay.serial, 0),
            newest_firmware=newest,
        )
        for bay in station.bays.all()
    ]


def rows(cameras: Sequence[Candidate], need: Need) -> list[BayRow]:
    """The ready ones in their order, then the others."""
    judged = [(one, findings(one, need)) for one in cameras]
    ready = [each for each in judged if all(found.weight == "warning" for found in each[1])]
    ready.sort(key=lambda each: rank(each[0], need))
    places = {camera.serial: place for place, (camera, _) in enumerate(ready, start=1)}
    rest = [each for each in judged if each[0].serial not in places]
    return [_row(camera, found, places.get(camera.serial)) for camera, found in [*ready, *rest]]


def refusal(choice: Choice, wanted: str | None, cameras: Sequence[Candidate], need: Need) -> str:
    """Why nobody gets a camera now, and what is ready instead (rule 6)."""
    if wanted is not None:
        against = [one.text for one in choice.findings if one.weight != "warning"]
        why = f"{wanted} {'; '.join(against)}" if against else f"{wanted} has never reported to this station"
    else:
        told = [f"{one.serial} {_first(findings(one, need))}" for one in cameras[:8]]
        why = f"no camera is ready for {need.shift_h:g} h: {'; '.join(told)}" if told else "no camera is known here"
    if choice.spares:
        return f"{why}. Ready: {', '.join(choice.spares[:3])}"
    return f"{why}. None is ready; a supervisor may take on what is wrong, with a reason"


def _first(found: Sequence[Finding]) -> str:
    return next((one.text for one in found if one.weight != "warning"), "is ready")


def _row(camera: Candidate, found: Sequence[Finding], place: int | None) -> BayRow:
    status = camera.bay.report.status
    return BayRow(
        camera=camera.serial,
        officer=camera.issued_to,
        battery_percent=status.battery_percent,
        runtime_minutes=status.runtime_minutes,
        waiting_files=camera.waiting_files,
        firmware=status.firmware,
        self_test=status.self_test,
        age_s=camera.age_s,
        ready=place is not None,
        place=place,
        findings=tuple(one.text for one in found),
    )
