"""Categories, labels and holds: appended to a recording, never replaced (R5, R31, R35, invariant 11).

1. Each is an entry of the signed device log that names the recording, and, once it is closed, the file and its close
   hash; while it runs the entry stands in the recording too. What a person wrote is sealed.
2. The category's upload class and hold rule from then on; a later category never lowers either.
3. What is said of one file is said of all files of its incident, as far as this start of the camera knows them: those
   that it rolled over from and into, and those of a vehicle's other cameras. A `release` lifts one file's hold only.
4. Words that take footage out of evidence (`test`, `training`, `false_activation`) come only from the state that made
   it, never from here.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from device import indicators as patterns
from device.part import Part
from device.policy import Category
from evidence.handover import Answer, Done, Refused
from evidence.requests import CategoryRequest, LabelRequest, Request
from evidence.settings import nearest

RESERVED: Final = frozenset({"test", "training", "false_activation"})
"""Rule 4."""
DRAIN_S: Final = 5.0
STEM: Final = re.compile(r"^([A-Z0-9][A-Z0-9-]{0,31})-([0-9]{6,15})\Z")


def category_named(name: str, known: tuple[Category, ...]) -> Category | str:
    """The category, or one sentence that says why not. Pure."""
    if name in RESERVED:
        return f"{name} takes footage out of evidence: only the camera itself can set it, when it makes such footage"
    found = next((one for one in known if one.name == name), None)
    return found or f"unknown category {name!r}{nearest(name, [one.name for one in known])}"


def number_of(stem: str, serial: str) -> int | None:
    """The number of a recording of this camera by its stem; None for anything else. Pure."""
    match = STEM.match(stem)
    return int(match[2]) if match is not None and match[1] == serial else None


def gone(stem: str) -> str:
    """What to say to who wants to hold what is not here any more."""
    return f"{stem} is not on this camera any more: have it held where it is stored"


class Labels(Part):
    """What people say of recordings. Loop only; each method gives a refusal in one sentence, or None."""

    name = "labels"

    def each_second(self, now_ns: int) -> None:  # noqa: ARG002 - every second is soon enough
        appended = self.daemon.boot.spool.appended
        if appended.unsaved:
            self.daemon.spawn(asyncio.to_thread(appended.try_to_save))

    def logged(self, event: str, fields: Mapping[str, Any]) -> None:
        """Whoever gives a category (input's preset, wheel after the stop): rule 2 follows from the log's own entry."""
        number, details = fields.get("recording"), fields.get("details")
        if event == "recording_opened" and isinstance(details, Mapping) and "continues" in details:
            self.daemon.on_loop(self._go_on, number, str(details["continues"]))
        if event != "labelled" or not isinstance(number, int):
            return
        category = category_named(str(fields.get("word")), self.daemon.profile.profile.all_categories)
        stem = f"{self.daemon.identity.serial}-{number:06d}"
        if not isinstance(category, str) and self._on_card(stem):
            self.daemon.boot.spool.appended.categorize(stem, category.name, category.upload_class, category.hold)

    def end(self) -> None:
        if self.daemon.boot.spool.appended.unsaved:
            self.daemon.boot.spool.appended.try_to_save()

    async def answer(self, request: Request) -> Answer | None:
        if isinstance(request, CategoryRequest):
            refusal = self.categorize(request.category, request.recording)
        elif isinstance(request, LabelRequest):
            refusal = self.label(request.label, request.text, request.recording)
        else:
            return None
        if refusal is not None:
            return Refused(error=refusal)
        await asyncio.to_thread(self.daemon.boot.spool.appended.try_to_save)
        await asyncio.to_thread(self.daemon.writer.drain, DRAIN_S)  # the log has it before anybody is told
        return Done()

    def categorize(self, name: str, recording: str | None = None) -> str | None:
        """Give a category (R31): to the recording with that stem, or to the one in progress."""
        category = category_named(name, self.daemon.profile.profile.all_categories)
        if isinstance(category, str):
            return category
        return self._say(recording, category.name, {"label": category.label, "origin": "officer"})

    def label(self, kind: Literal["case", "cad", "note", "hold"], text: str, recording: str | None) -> str | None:
        """Append a case or CAD number, a note, or a hold."""
        details = {"label": kind, "text": text[:500]}
        return self._hold(recording, "officer", details) if kind == "hold" else self._say(recording, kind, details)

    def hold(self, recording: str, reason: str, command_sha256: str) -> str | None:
        """A signed `hold`."""
        return self._hold(recording, "command", {"label": "hold", "text": reason}, command_sha256)

    def release(self, recording: str, reason: str, command_sha256: str) -> str | None:
        """A signed `release`, the only way to lift a hold: of this one file, whatever else its incident holds."""
        target = self._target(recording)
        if isinstance(target, str):
            return target
        if not self.daemon.boot.spool.appended.release(target[0]):
            return f"{recording} is not on hold"
        self._append([target], "release", {"label": "release", "text": reason}, command_sha256)
        return None

    def correct_officer(self, recording: str, details: dict[str, Any], command_sha256: str) -> str | None:
        """A signed correction: the recording was another officer's. What the recording says stays as it is."""
        return self._say(recording, "officer_corrected", details, command_sha256)

    def _say(
        self, recording: str | None, word: str, details: dict[str, Any], command_sha256: str | None = None
    ) -> str | None:
        target = self._target(recording)
        if isinstance(target, str):
            return target
        self._append(self._incident(*target), word, details, command_sha256)
        return None

    def _hold(
        self, recording: str | None, by: Literal["officer", "command"], details: dict[str, Any],
        command_sha256: str | None = None,
    ) -> str | None:  # fmt: skip
        target = self._target(recording)
        if isinstance(target, str):
            return target
        if not self._on_card(target[0]):
            return gone(target[0])
        files = [one for one in self._incident(*target) if self._on_card(one[0])]
        for stem, _ in files:
            self.daemon.boot.spool.appended.hold(stem, by)
        self._append(files, "hold", details, command_sha256)
        return None

    def _incident(self, stem: str, number: int) -> list[tuple[str, int]]:
        """Rule 3: that file first, then all others of its incident."""
        others = [(named, mine) for mine, named in self.daemon.recorder.same_incident(number) if mine != number]
        return [(stem, number), *others]

    def _go_on(self, number: int, before: str) -> None:
        """Rule 3 for a recording that goes on in a new file."""
        stem = f"{self.daemon.identity.serial}-{number:06d}"
        about = self.daemon.boot.spool.appended.about(before)
        if about.category is not None:
            self._append([(stem, number)], about.category, {"origin": "continues", "text": f"as {before}"}, quiet=True)
        for by in about.holds:
            self.daemon.boot.spool.appended.hold(stem, by)
        if about.holds:
            self._append([(stem, number)], "hold", {"label": "hold", "text": f"as {before}"}, quiet=True)

    def _on_card(self, stem: str) -> bool:
        """Whether there is anything left here to hold or to order; the log takes statements about all the same."""
        running = {one.file.stem for one in self.daemon.recorder.sessions}
        return stem in running or (self.daemon.boot.spool.directory / f"{stem}.evidence").exists()

    def _target(self, recording: str | None) -> tuple[str, int] | str:
        """(stem, number) of what is meant, or why there is no such thing."""
        daemon = self.daemon
        if recording is None:
            session = daemon.recorder.session
            if session is None:
                return "nothing is being recorded: name a recording"
            return session.file.stem, session.file.number
        number = number_of(recording, daemon.identity.serial)
        if number is None or not 0 < number < daemon.boot.spool.counters.next_recording:
            return f"there is no recording {recording} of this camera"
        return f"{daemon.identity.serial}-{number:06d}", number

    def _append(
        self, files: Sequence[tuple[str, int]], word: str, details: dict[str, Any],
        command_sha256: str | None = None, *, quiet: bool = False,
    ) -> None:  # fmt: skip
        daemon = self.daemon
        for stem, number in files:
            known = daemon.boot.spool.find(f"{stem}.evidence")
            daemon.log(
                "labelled", recording=number, word=word, file=known.facts if known is not None else None,
                object_sha256=command_sha256, details={"recording": stem, **details},
            )  # fmt: skip
        session = daemon.recorder.session
        if session is not None and (session.file.stem, session.file.number) in files:
            daemon.recorder.event("labelled", word, details)
        if not quiet:
            daemon.signals.play(patterns.MARKED)
            daemon.publish("labelled", word, files[0][0])
        daemon.spawn(asyncio.to_thread(daemon.boot.spool.appended.try_to_save))
