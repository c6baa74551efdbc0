"""Recordings on the page: verdict, receipt, hold, labels and the chain of custody; never a picture or a copy (R1, R38).

What a supervisor does here is done by the parts themselves: `Holds` and `Labels` enter it in the ledger and tell the
camera. A recording that does not verify is accepted by a command that a supervisor's own key signs; the page takes it.
"""

from __future__ import annotations

import asyncio
import base64
import re
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, Final, get_args

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from dock.errors import DockError
from dock.station.admin import call
from dock.station.hold_book import Hold, HoldKind, recording_of
from dock.station.holds import Holds
from dock.station.labels import ALWAYS, Labels
from dock.station.page.visit import House, Visit, guarded
from dock.station.person import Role
from dock.station.recording_index import SHOWN, Listed, RecordingIndex
from evidence.commands import Accept, parse_command
from evidence.custody_words import sentence
from evidence.errors import EvidenceError

_SERIAL: Final = re.compile("[A-Z0-9][A-Z0-9-]{0,31}", re.ASCII)
_STEM: Final = "{stem:str}"
_VERDICTS: Final = ("valid", "not_valid", "unproven")
_MANY: Final = 5000
SEE: Final[tuple[Role, ...]] = ("supervisor", "administrator")
KINDS: Final[tuple[str, ...]] = get_args(HoldKind)
LABELS: Final = ("category", "case", "cad", "officer", "note")


class RecordingPage:
    """GET /recordings, GET /recordings/STEM and what a supervisor does there."""

    def __init__(self, house: House) -> None:
        station = house.station
        self._house = house
        self._index = station.part(RecordingIndex)
        self._holds = station.part(Holds)
        self._labels = station.part(Labels)

    def routes(self) -> Sequence[BaseRoute]:
        house, one = self._house, f"/recordings/{_STEM}"
        return [
            Route("/recordings", guarded(house, self._list, *SEE), methods=["GET"]),
            Route(one, guarded(house, self._one, *SEE), methods=["GET"]),
            Route(f"{one}/hold", guarded(house, self._hold, "supervisor"), methods=["POST"]),
            Route(f"{one}/release", guarded(house, self._release, "supervisor"), methods=["POST"]),
            Route(f"{one}/label", guarded(house, self._label, "supervisor"), methods=["POST"]),
            Route(f"{one}/accept", guarded(house, self._accept, "supervisor"), methods=["POST"]),
        ]

    async def _list(self, visit: Visit) -> Response:
        asked = visit.request.query_params
        serial, verdict, text = asked.get("camera", ""), asked.get("verdict", ""), asked.get("page", "0")
        serial = serial if _SERIAL.fullmatch(serial) else ""
        verdict = verdict if verdict in _VERDICTS else ""
        page = int(text) if re.fullmatch("[0-9]{1,6}", text, re.ASCII) else 0
        found = await asyncio.to_thread(self._index.find, serial=serial, verdict=verdict, page=page)
        shown = found[:SHOWN]
        holds = await asyncio.to_thread(self._held)
        return visit.render(
            "recordings.html",
            rows=shown,
            held=holds,
            serial=serial,
            verdict=verdict,
            verdicts=_VERDICTS,
            cameras=[bay.serial for bay in self._house.station.bays.all()],
            page=page,
            more=len(found) > SHOWN,
        )

    def _held(self) -> set[str]:
        """Names of files on hold."""
        return {one.name for one in self._holds.all()}

    async def _one(self, visit: Visit) -> Response:
        await visit.enter("page_recording", name=self._name(visit))
        return await self._show(visit)

    def _name(self, visit: Visit) -> str:
        try:
            return recording_of(visit.request.path_params["stem"]).text
        except DockError as error:
            raise HTTPException(404, "there is no such recording") from error

    async def _show(self, visit: Visit, problem: str | None = None) -> Response:
        name = self._name(visit)
        try:
            values = await asyncio.to_thread(self._known, name)
        except (EvidenceError, DockError, OSError, sqlite3.Error) as error:
            raise HTTPException(500, f"what is known of {name} cannot be read: {error}") from error
        return visit.render(
            "recording.html", 400 if problem else 200, problem=problem, form=visit.form, name=name, **values
        )

    def _known(self, name: str) -> dict[str, Any]:
        files: list[Listed] = self._index.get(name.removesuffix(".evidence"))
        entries = self._house.station.custody.find(name=name, most=_MANY)
        if not files and not entries:
            raise HTTPException(404, "nothing is known of that recording here")
        holds: tuple[Hold, ...] = next((one.holds for one in self._holds.all() if one.name == name), ())
        return {
            "stem": name.removesuffix(".evidence"),
            "files": files,
            "chain": [(one, sentence(one)) for one in entries if not one.step.startswith("page_")],
            "looks": [one for one in entries if one.step.startswith("page_")],
            "holds": holds,
            "kinds": KINDS,
            "labels": self._labels.of(name),
            "categories": self._labels.categories() or ALWAYS,
        }

    async def _do(self, visit: Visit, work: Callable[[], object], done: str, step: str) -> Response:
        """Do it, and note from where; a refusal is shown on the same page."""
        name = self._name(visit)
        try:
            await asyncio.to_thread(work)
        except (DockError, EvidenceError) as error:
            return await self._show(visit, f"{str(error)[:1].upper()}{str(error)[1:]}.")
        except (OSError, sqlite3.Error) as error:
            raise HTTPException(507, "the station's disk failed; look whether it was done") from error
        await visit.enter(step, name=name)
        return visit.back(f"/recordings/{name.removesuffix('.evidence')}", done)

    async def _hold(self, visit: Visit) -> Response:
        said = {"id": self._name(visit), **_only(visit, "kind", "reason")}
        return await self._do(
            visit, lambda: self._call(visit, "hold", said), "It is on hold: nothing cleans it up.", "page_hold"
        )

    async def _release(self, visit: Visit) -> Response:
        said = {"id": self._name(visit), **_only(visit, "kind", "reason")}
        return await self._do(visit, lambda: self._call(visit, "release", said), "That hold has ended.", "page_release")

    async def _label(self, visit: Visit) -> Response:
        said = {"id": self._name(visit), **_only(visit, *LABELS)}
        return await self._do(visit, lambda: self._call(visit, "label", said), "The label is appended.", "page_label")

    async def _accept(self, visit: Visit) -> Response:
        said = {"command": "".join(visit.form.get("command", "").split())}
        if _file_of(said["command"]) != self._name(visit):
            return await self._show(visit, "That is no command of a supervisor that accepts this recording.")
        return await self._do(
            visit,
            lambda: self._call(visit, "accept", said),
            "Accepted: the camera is told at its next contact.",
            "page_accept",
        )

    def _call(self, visit: Visit, verb: str, said: dict[str, str]) -> dict[str, Any]:
        return call(self._house.station, verb, said, visit.person.id)


def _only(visit: Visit, *names: str) -> dict[str, str]:
    """Fields of the form that were filled in."""
    return {name: visit.form[name] for name in names if visit.form.get(name)}


def _file_of(command: str) -> str | None:
    """Which file a signed acceptance is about; who signed it is the station's to judge."""
    try:
        found, _ = parse_command(base64.b64decode(command, validate=True))
    except (EvidenceError, ValueError):
        return None
    return found.file if isinstance(found, Accept) else None
