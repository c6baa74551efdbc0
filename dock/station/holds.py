"""Holds: what a court, a request or an inquiry needs stays, whatever retention says (R35; docs/design/custody.md).

1. `held` is asked before anything of a recording is cleaned up anywhere; whatever is unknown is held (invariant 13).
2. A hold stands in its file before it stands in the custody ledger, a release in the ledger before the file goes.
3. A hold that the ledger tells of and no file does, is put back at the start.
4. The camera is told by a signed command at its next contact, if the station has a command key. A release needs one
   with `supervise`; without it the camera keeps its own hold, and the release says so.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from dock.admin_words import arguments_of
from dock.errors import BadHold
from dock.names import EvidenceName, original_name, parse_name
from dock.station.hold_book import ENDING, HeldRecording, Hold, HoldBook, HoldKind, Order, recording_of
from dock.station.part import AdminVerb, Document, StationPart
from dock.station.station import Station
from evidence import cms, commands
from evidence.commands import Sentence, powers_of, sequence_at
from evidence.custody_ledger import CustodyEntry
from evidence.errors import EvidenceError
from evidence.keys import FileSigner
from evidence.statements import Frozen, encode_canonical, moment

log = logging.getLogger(__name__)
_MOST_REFUSALS: Final = 5
_NEAR: Final = 5000
"""Entries that the index of the ledger may be behind for a start to wait for it: about a second."""
_AGAIN_S: Final = 30.0
Id = Annotated[str, Meta(min_length=1, max_length=128)]


class _HoldArguments(Frozen, frozen=True, kw_only=True):
    id: Id
    reason: Sentence
    kind: HoldKind = "request"


class _ReleaseArguments(Frozen, frozen=True, kw_only=True):
    id: Id
    reason: Sentence
    kind: HoldKind | None = None


class Holds(StationPart):
    """The holds of one station."""

    name = "holds"

    def __init__(self, station: Station) -> None:
        super().__init__(station)
        self.book = HoldBook(station.config.directory / "holds")
        self._known = False
        """The ledger was asked for holds that have no file: until then everything is held."""
        self._documents: dict[tuple[str, Order], bytes] = {}

    async def begin(self) -> None:
        last = self.station.custody.index.last()
        if self.station.custody.head.seq - (last.seq if last is not None else 0) <= _NEAR:
            await asyncio.to_thread(self._look_back)

    async def run(self) -> None:
        """An index that is made anew takes its time: nobody waits for it, and until then everything is held."""
        while True:
            if self._known or await asyncio.to_thread(self._look_back):
                return
            await asyncio.sleep(_AGAIN_S)

    def held(self, name: str) -> bool:
        """Whether nothing of a file may be cleaned up. `name`: its stem, its name on the camera, or that in the store.

        A camera's device log is held as long as one of its recordings is.
        """
        try:
            if not self._known:
                return True
            meant = parse_name(original_name(name if ENDING in name else name + ENDING))
            if meant.stream == "log":
                return any(one.name.startswith(f"{meant.serial}-") for one in self.all())
            return bool(self.book.look(meant).holds)
        except Exception as error:  # noqa: BLE001 - whatever it is, unknown is held
            log.error("whether %s is on hold is not known, so it is: %s", name, error)
            return True

    def all(self) -> list[HeldRecording]:
        """Every recording on hold. Raises OSError."""
        return [one for one in self.book.all() if one.holds]

    def hold(self, name: str, kind: HoldKind, reason: str, who: str) -> HeldRecording:
        """Keep a recording, also one that is still on its camera. Raises `BadHold`, OSError."""
        meant = recording_of(name)
        with self.book.lock:
            record = self.book.look(meant)
            if any((one.kind, one.reason) == (kind, reason) for one in record.holds):
                raise BadHold(f"{meant.text} is on hold already for that reason ({kind})")
            if len(record.holds) >= 64:
                raise BadHold(f"{meant.text} has {len(record.holds)} holds already")
            made = Hold(kind=kind, reason=reason, who=who, at=moment(self.station.utc_ns()))
            order: Order | None = None if record.camera_knows and record.order is None else "hold"
            if self._signer("hold") is None:
                order = None
            self.book.keep(
                msgspec.structs.replace(
                    record, holds=(*record.holds, made), order=order, order_reason=reason, refused=0
                )
            )
            self._documents.pop((meant.text, "release"), None)
            self._enter("hold", who, meant, {"kind": kind, "reason": reason})
            kept = self.book.look(meant)
        self.station.tell("hold", meant.serial)
        return kept

    def release(self, name: str, kind: HoldKind | None, reason: str, who: str) -> HeldRecording:
        """End the holds of one kind. Raises `BadHold`, OSError."""
        meant = recording_of(name)
        with self.book.lock:
            record = self.book.look(meant)
            kinds = sorted({one.kind for one in record.holds})
            if not kinds:
                raise BadHold(f"{meant.text} is not on hold here")
            if kind is None and len(kinds) > 1:
                raise BadHold(f"{meant.text} has several holds, name the one that ends: --kind {' | '.join(kinds)}")
            ended = kind or kinds[0]
            if ended not in kinds:
                raise BadHold(f"{meant.text} has no {ended} hold, but: {', '.join(kinds)}")
            left = tuple(one for one in record.holds if one.kind != ended)
            self._enter("released", who, meant, {"kind": ended, "reason": reason, "left": str(len(left))})
            order: Order | None = record.order if left else None
            if not left and record.camera_knows and self._signer("release") is not None:
                order = "release"
            self.book.keep(msgspec.structs.replace(record, holds=left, order=order, order_reason=reason, refused=0))
            self._documents.pop((meant.text, "hold"), None)
            kept = self.book.look(meant)
        self.station.tell("hold", meant.serial)
        return msgspec.structs.replace(kept, camera_knows=record.camera_knows)

    # --- people -------------------------------------------------------------------------------------------------------

    def admin_verbs(self) -> Mapping[str, AdminVerb]:
        return {"hold": self._do_hold, "release": self._do_release, "holds": self._do_list}

    def _do_hold(self, arguments: dict[str, Any], who: str) -> dict[str, Any]:
        asked = arguments_of(_HoldArguments, arguments)
        record = self.hold(asked.id, asked.kind, asked.reason, who)
        here = self.station.store.size(record.name) is not None
        return {
            **_told(record),
            "here": here,
            "camera": "order" if record.order else "knows" if record.camera_knows else "no",
        }

    def _do_release(self, arguments: dict[str, Any], who: str) -> dict[str, Any]:
        asked = arguments_of(_ReleaseArguments, arguments)
        record = self.release(asked.id, asked.kind, asked.reason, who)
        keeps = not record.holds and record.camera_knows and record.order is None
        return {**_told(record), "camera": "order" if record.order == "release" else "keeps" if keeps else "no"}

    def _do_list(self, arguments: dict[str, Any], _who: str) -> dict[str, Any]:
        arguments_of(Frozen, arguments)
        return {"held": [_told(one) for one in self.all()], "unreadable": self.book.unreadable()}

    # --- cameras ------------------------------------------------------------------------------------------------------

    def documents(self, serial: str) -> Sequence[Document]:
        signed = [self._sign(one) for one in self.book.waiting(serial)]
        return [Document("command", data) for data in signed if data is not None]

    def answered(self, serial: str, document: Document, error: str | None) -> None:
        for (name, order), data in tuple(self._documents.items()):
            if data != document.data:
                continue
            del self._documents[name, order]
            meant = recording_of(name)
            with self.book.lock:
                record = self.book.look(meant)
                given_up = error is not None and record.refused + 1 >= _MOST_REFUSALS
                done = record.order == order and (error is None or given_up)
                self._enter(
                    f"{order}_refused" if error else f"{order}_sent",
                    f"camera {serial}",
                    meant,
                    {"error": error, "tried_again": "no" if given_up else "yes"} if error else {},
                )
                self.book.keep(
                    msgspec.structs.replace(
                        record,
                        order=None if done else record.order,
                        refused=record.refused + 1 if error else 0,
                        camera_knows=order == "hold" if error is None else record.camera_knows,
                    )
                )

    def _sign(self, record: HeldRecording) -> bytes | None:
        """The order that waits; the same document until it is answered, so that it can be asked for by its hash."""
        order = record.order
        assert order is not None
        known = self._documents.get((record.name, order))
        if known is not None:
            return known
        signer = self._signer(order)
        if signer is None:
            return None
        meant, now_ns = recording_of(record.name), self.station.utc_ns()
        when = dt.datetime.fromtimestamp(now_ns / 1e9, dt.UTC)
        kind = commands.Hold if order == "hold" else commands.Release
        command = kind(
            v=1,
            serial=meant.serial,
            sequence=sequence_at(when),
            issued=moment(now_ns),
            recording=meant.text.removesuffix(ENDING),
            reason=record.order_reason,
        )
        data = cms.sign(encode_canonical(command), signer, when)
        self._documents[record.name, order] = data
        return data

    def _signer(self, order: Order) -> FileSigner | None:
        """The command key, if the station has one that may give this order."""
        settings = self.station.config.desk
        if settings is None:
            return None
        try:
            signer = FileSigner.load(settings.command_key, settings.command_certificate)
        except EvidenceError as error:
            log.error("no camera can be told of holds: %s", error)
            return None
        return signer if commands.NEEDS[order] in powers_of(signer.certificate) else None

    # --- the ledger ---------------------------------------------------------------------------------------------------

    def _enter(self, step: str, who: str, meant: EvidenceName, details: dict[str, str]) -> None:
        self.station.custody.enter(step, who=who, serial=meant.serial, name=meant.text, details=details)

    def _look_back(self) -> bool:
        """Put back holds that the ledger tells of and no file does; whether that is settled now."""
        try:
            steps = [*self.station.custody.find(step="hold"), *self.station.custody.find(step="released")]
            for name, holds in _open_holds(sorted(steps, key=lambda one: one.seq)).items():
                self._put_back(name, holds)
        except (EvidenceError, OSError, sqlite3.Error) as error:
            log.error("the holds in the custody ledger are not known, so everything is held: %s", error)
            return False
        self._known = True
        return True

    def _put_back(self, name: str, holds: dict[str, Hold]) -> None:
        meant = recording_of(name)
        with self.book.lock:
            try:
                record = self.book.look(meant)
            except BadHold as error:
                log.error("%s", error)
                return
            there = {f"{one.kind} {one.reason}" for one in record.holds}
            lost = [one for key, one in holds.items() if key not in there]
            if lost:
                log.error("%s is on hold by the custody ledger, and its file was gone: it is put back", name)
                self.book.keep(msgspec.structs.replace(record, holds=(*record.holds, *lost)))


def _open_holds(steps: Sequence[CustodyEntry]) -> dict[str, dict[str, Hold]]:
    """By file and by what tells one hold from another: all that was held and not released."""
    found: dict[str, dict[str, Hold]] = {}
    for entry in steps:
        kind, reason = entry.details.get("kind", "internal"), entry.details.get("reason", "?")
        holds = found.setdefault(entry.name or "", {})
        if entry.step == "hold":
            values = {"kind": kind, "reason": reason, "who": entry.who, "at": entry.at}
            holds[f"{kind} {reason}"] = msgspec.convert(values, Hold)
        else:
            for key in [key for key, one in holds.items() if one.kind == kind]:
                del holds[key]
    return found


def _told(record: HeldRecording) -> dict[str, Any]:
    holds = [msgspec.to_builtins(one) for one in record.holds]
    return {"name": record.name, "holds": holds}
