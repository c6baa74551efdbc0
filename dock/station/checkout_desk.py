"""Checkout: who gets which camera, told to the camera by a signed assignment, and taken back at docking.

R8, R9, R10, R30, R32. The rules are numbered in docs/design/checkout.md.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import sqlite3
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from dock.admin_words import arguments_of
from dock.config_desk import DeskSettings
from dock.errors import BadConfig, CheckoutRefused
from dock.station.checkout import Candidate, Need, choose
from dock.station.checkout_table import candidates, refusal, rows
from dock.station.checkout_words import (
    BayRow,
    CheckedOut,
    CheckInRequest,
    CheckoutRequest,
    WithholdRequest,
)
from dock.station.identify import identify, supervisor_of
from dock.station.issue_watch import IssueWatch
from dock.station.issues import Issue, IssueBook
from dock.station.part import AdminVerb, Document, StationPart
from dock.station.people_audit import PeopleAudit
from dock.station.person import Person
from evidence import cms
from evidence.commands import Assign, Identified, powers_of, sequence_at
from evidence.keys import FileSigner
from evidence.roles import role_of
from evidence.statements import encode_canonical, moment

if TYPE_CHECKING:
    from dock.station.station import Station

log = logging.getLogger(__name__)
LOOK_S: Final = 5.0


class CheckoutDesk(StationPart):
    """The desk. Methods that people use block: call them in a thread."""

    name = "checkout"

    def __init__(self, station: Station) -> None:
        super().__init__(station)
        self.issues = IssueBook(station.config.directory)
        self.watch = IssueWatch(station, self.issues)
        self._signer: FileSigner | None = None
        self._poke = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def begin(self) -> None:
        """Raises `BadConfig` for a certificate that cameras would refuse, `evidence.errors.BadKey`."""
        settings = self.station.config.desk
        if settings is None:
            return
        signer = FileSigner.load(settings.command_key, settings.command_certificate)
        if role_of(signer.certificate) != "command" or "assign" not in powers_of(signer.certificate):
            raise BadConfig(
                f"desk.command_certificate {settings.command_certificate} does not have the command role with the "
                "power `assign`: cameras would refuse it"
            )
        self._signer = signer
        self.watch.signer = signer

    async def run(self) -> None:
        """Notice what comes back, and what nobody took."""
        self._loop = asyncio.get_running_loop()
        self.station.listeners.append(self._told)
        while True:
            self._poke.clear()
            try:
                await asyncio.to_thread(self.watch.look)
            except (OSError, sqlite3.Error) as error:
                log.error("the book of the desk waits: %s", error)
            try:
                async with asyncio.timeout(LOOK_S):
                    await self._poke.wait()
            except TimeoutError:
                continue

    def _told(self, what: str, serial: str | None) -> None:
        if what == "bay" and serial is not None and self._loop is not None:
            self._loop.call_soon_threadsafe(self._poke.set)

    async def end(self) -> None:
        self.issues.close()

    # --- what people do -----------------------------------------------------------------------------------------------

    def admin_verbs(self) -> Mapping[str, AdminVerb]:
        return {
            "checkout": self._checkout_verb,
            "check_in": self._check_in_verb,
            "withhold": self._withhold_verb,
            "bays": lambda _arguments, _who: {"bays": [msgspec.to_builtins(one) for one in self.rows()]},
        }

    def check_out(self, request: CheckoutRequest, who: str) -> CheckedOut:
        """Identify, choose, assign.

        Raises `NotIdentified`, `SignInLocked`, `CheckoutRefused`, OSError, sqlite3.Error.
        """
        people = self.station.part(PeopleAudit).people
        officer, how = identify(people, request.officer)
        supervisor = supervisor_of(people, request.supervisor) if request.supervisor is not None else None
        return self.hand_out(request, officer, how, who, supervisor)

    def hand_out(
        self, request: CheckoutRequest, officer: Person, how: Identified, who: str, supervisor: Person | None = None
    ) -> CheckedOut:
        """The same for somebody who is identified already, on the dock page say; `request.officer` does not count."""
        settings = self._settings()
        try:
            return self._hand_out(request, officer, how, who, supervisor, settings)
        except CheckoutRefused as error:
            details = {"officer": officer.id, "why": str(error), "by": who}
            self.station.custody.enter("checkout_refused", who=f"officer {officer.id}", details=details)
            self.station.tell("checkout_refused", request.camera)
            raise

    def _hand_out(
        self,
        request: CheckoutRequest,
        officer: Person,
        how: Identified,
        who: str,
        supervisor: Person | None,
        settings: DeskSettings,
    ) -> CheckedOut:
        self.watch.look()
        now_ns = self.station.utc_ns()
        warnings = self._training(officer, settings, now_ns)
        old = self._before(officer, request, now_ns)
        if supervisor is not None and request.reason is None:
            raise CheckoutRefused("a supervisor must say why: add a reason")
        need = Need(request.shift_h or settings.shift_h, settings.charged_percent)
        cameras = [one for one in self.candidates() if old is None or one.serial != old.serial]
        choice = choose(cameras, need, wanted=request.camera, supervisor=supervisor is not None)
        if choice.camera is None:
            raise CheckoutRefused(refusal(choice, request.camera, cameras, need))
        taken_on = [one for one in choice.findings if one.weight == "supervisor"]
        warnings += [one.text for one in choice.findings]
        serial = choice.camera.serial
        shift = old.shift if old is not None else f"{officer.id}-{_utc(now_ns):%Y%m%dT%H%MZ}"
        command = self._assign(serial, officer, how, shift, settings, now_ns)
        if old is not None:
            self._replace(old, request.reason, who, now_ns)
        self.issues.issue(
            serial=serial,
            officer=officer.id,
            shift=shift,
            shift_h=need.shift_h,
            at_ns=now_ns,
            command=command,
            replaces=old.serial if old is not None else None,
        )
        details = {
            "officer": officer.id,
            "identified_by": how,
            "shift": shift,
            "hours": f"{need.shift_h:g}",
            "by": who,
            **({"replaces": old.serial} if old is not None else {}),
            **({"warnings": "; ".join(warnings)} if warnings else {}),
        }
        if supervisor is not None and taken_on:
            details["supervisor"] = supervisor.id
            details["taken_on"] = "; ".join(one.text for one in taken_on)
            details["reason"] = request.reason or ""
        self.station.custody.enter("checkout", who=f"officer {officer.id}", serial=serial, details=details)
        self.station.tell("checkout", serial)
        return CheckedOut(
            camera=serial,
            officer=officer.id,
            name=officer.name,
            shift=shift,
            identified_by=how,
            warnings=tuple(warnings),
            spares=choice.spares,
            replaces=old.serial if old is not None else None,
        )

    def check_in(self, serial: str, who: str) -> None:
        """The camera is handed in, or was not taken after all. Raises `CheckoutRefused`."""
        issue = self.issues.of(serial)
        if issue is None:
            raise CheckoutRefused(f"{serial} is not checked out")
        self.watch.take_back(issue, "cancelled" if issue.state == "waiting" else "returned", who)

    def withhold(self, serial: str, reason: str | None, who: str) -> None:
        """Keep a camera back from checkout, or let it be handed out again. Raises `CheckoutRefused`."""
        if reason is not None:
            self.issues.withhold(serial, reason, who, self.station.utc_ns())
        elif not self.issues.put_back(serial):
            raise CheckoutRefused(f"{serial} is not kept back")
        details = {"reason": reason} if reason is not None else {}
        step = "withheld" if reason is not None else "put_back"
        self.station.custody.enter(step, who=who, serial=serial, details=details)
        self.station.tell("checkout", serial)

    # --- what is there ------------------------------------------------------------------------------------------------

    def candidates(self) -> list[Candidate]:
        """Every camera that ever reported, with what this station knows of it."""
        return candidates(self.station, self.issues)

    def rows(self) -> list[BayRow]:
        """The table of cameras for a usual shift: the ready ones in their order, then the others."""
        settings = self._settings()
        return rows(self.candidates(), Need(settings.shift_h, settings.charged_percent))

    def documents(self, serial: str) -> Sequence[Document]:
        return self.watch.documents(serial)

    def answered(self, serial: str, document: Document, error: str | None) -> None:
        self.watch.answered(serial, document, error)

    # --- steps of a checkout ------------------------------------------------------------------------------------------

    def _settings(self) -> DeskSettings:
        settings = self.station.config.desk
        if settings is None:
            raise CheckoutRefused("this station has no desk: add the table [desk] to its station.toml")
        return settings

    def _training(self, officer: Person, settings: DeskSettings, now_ns: int) -> list[str]:
        """Rule 7 (R32)."""
        if officer.trained(_utc(now_ns).date()):
            return []
        until = officer.training_valid_until
        told = f"training was valid until {until}" if until is not None else "no training is on record"
        if settings.training == "refuse":
            raise CheckoutRefused(f"{officer.name}: {told}; a camera is handed out after the training")
        return [f"{told}: have it renewed"]

    def _before(self, officer: Person, request: CheckoutRequest, now_ns: int) -> Issue | None:
        """The issue that this one replaces (R10). Raises `CheckoutRefused` for an officer who has a camera already."""
        held = [one for one in self.issues.open() if one.officer == officer.id and not one.replaced]
        if request.replaces is None:
            if held:
                raise CheckoutRefused(
                    f"{officer.name} has {held[0].serial} already: check it in, or ask for a replacement of it"
                )
            return None
        old = self.issues.last(officer.id, request.replaces)
        if old is None or old.ends_ns < now_ns or (held and held[0].serial != request.replaces):
            raise CheckoutRefused(f"{request.replaces} is not the camera of {officer.name}'s present shift")
        if request.reason is None:
            raise CheckoutRefused(
                f"say what is wrong with {request.replaces}: it is kept back until somebody has looked"
            )
        return old

    def _replace(self, old: Issue, reason: str | None, who: str, now_ns: int) -> None:
        self.issues.withhold(old.serial, reason or "replaced", who, now_ns)
        details = {"officer": old.officer, "shift": old.shift, "reason": reason or ""}
        self.station.custody.enter("withheld", who=who, serial=old.serial, details=details)

    def _assign(
        self, serial: str, officer: Person, how: Identified, shift: str, settings: DeskSettings, now_ns: int
    ) -> bytes:
        """The signed assignment, good until nobody waits for it any more."""
        assert self._signer is not None
        now = _utc(now_ns)
        until = officer.training_valid_until
        command = Assign(
            v=1,
            serial=serial,
            sequence=sequence_at(now),
            issued=moment(now_ns),
            valid_until=moment(now_ns + settings.pickup_minutes * 60 * 10**9),
            officer=officer.id,
            name=officer.name,
            badge=officer.badge,
            identified_by=how,
            shift=shift,
            training_valid_until=until.isoformat() if until is not None else None,
        )
        return cms.sign(encode_canonical(command), self._signer, now)

    # --- verbs --------------------------------------------------------------------------------------------------------

    def _checkout_verb(self, arguments: dict[str, Any], who: str) -> dict[str, Any]:
        done: dict[str, Any] = msgspec.to_builtins(self.check_out(arguments_of(CheckoutRequest, arguments), who))
        return done

    def _check_in_verb(self, arguments: dict[str, Any], who: str) -> dict[str, Any]:
        said = arguments_of(CheckInRequest, arguments)
        self.check_in(said.camera, who)
        return {"camera": said.camera}

    def _withhold_verb(self, arguments: dict[str, Any], who: str) -> dict[str, Any]:
        said = arguments_of(WithholdRequest, arguments)
        self.withhold(said.camera, said.reason, who)
        return {"camera": said.camera}


def _utc(utc_ns: int) -> dt.datetime:
    return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=utc_ns // 1000)
