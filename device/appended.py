"""What was appended to recordings as far as the camera itself must act on it: upload class, holds, a seized camera.

The signed device log says all of it too; this is the copy that clean-up asks. Rules (R35, invariants 7 and 13):

1. A hold keeps every clean-up from its recording, receipt or not. Only a signed `release` lifts it.
2. While the camera is seized, or locked because it was lost (R11), nothing at all is deleted.
3. What cannot be read holds everything, until a supervisor ends that (the end of a critical incident).
4. A change that the card does not take rules all the same, and is written again and again until it is kept.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from device.state_file import StateUnreadable, read_state, write_state
from evidence.statements import Frozen, Hash, Name, Word

log = logging.getLogger("firsthand.appended")

STATE_BYTES: Final = 8 * 1024 * 1024


class About(Frozen, frozen=True, kw_only=True):
    """What was appended to one recording."""

    category: Word | None = None
    """The newest one; earlier ones stand in the log."""
    upload_class: Literal["critical", "normal"] = "normal"
    """The highest that any of its categories or later triggers asked for."""
    holds: Annotated[tuple[Word, ...], Meta(max_length=8)] = ()
    """Who asks for it to be held: `category`, `officer`, `command`."""


class Seized(Frozen, frozen=True, kw_only=True):
    """A supervisor has taken the camera into custody."""

    custodian: Name
    command_sha256: str


class _State(Frozen, frozen=True, kw_only=True):
    recordings: dict[Name, About] = msgspec.field(default_factory=dict)
    seized: Seized | None = None
    locked: Hash | None = None
    """SHA-256 of the command that locked the camera."""
    accepted: dict[Name, Hash] = msgspec.field(default_factory=dict)
    """File -> SHA-256 of what a supervisor accepted although it does not verify."""
    unknown: bool = False
    """An earlier state was lost (rule 3)."""


@dataclass
class Appended:
    """Kept in ``appended.json``. Safe to use from the loop and the writer thread."""

    path: Path
    _state: _State = field(default_factory=_State)
    complaint: str | None = None
    """Why the earlier state could not be had."""
    _unsaved: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _saving: threading.Lock = field(default_factory=threading.Lock)

    def load(self) -> None:
        """Read what an earlier boot kept; `complaint` says if that cannot be had. Never raises."""
        try:
            self._state = read_state(self.path, _State, STATE_BYTES) or _State()
        except StateUnreadable as error:
            self._state, self._unsaved = _State(unknown=True), True
            self.complaint = f"{error}: nothing is deleted until a supervisor ends that"

    # --- questions --------------------------------------------------------------------------------------------------

    def about(self, stem: str) -> About:
        """What was appended to a recording."""
        with self._lock:
            return self._state.recordings.get(stem, About())

    def may_clean_up(self, name: str) -> bool:
        """Whether a file of that name may be deleted, as far as this has a say (rules 1 and 2)."""
        with self._lock:
            state, about = self._state, self._state.recordings.get(name.removesuffix(".evidence"))
        free = state.seized is None and state.locked is None and not state.unknown
        return free and not (about is not None and about.holds)

    @property
    def seized(self) -> Seized | None:
        """Who has custody of the camera; None while it is in service."""
        return self._state.seized

    @property
    def locked(self) -> str | None:
        """SHA-256 of the command that locked the camera as lost; None while it is not."""
        return self._state.locked

    def accepted(self, name: str) -> str | None:
        """SHA-256 of what a supervisor accepted of that file although it does not verify."""
        with self._lock:
            return self._state.accepted.get(name)

    @property
    def unknown(self) -> bool:
        """Rule 3 holds everything."""
        return self._state.unknown

    @property
    def held(self) -> tuple[str, ...]:
        """Stems of the recordings on hold."""
        with self._lock:
            return tuple(sorted(stem for stem, about in self._state.recordings.items() if about.holds))

    # --- changes (each is kept by `save`, which may block) ------------------------------------------------------------

    def categorize(self, stem: str, category: str, upload_class: Literal["critical", "normal"], hold: bool) -> None:
        """A recording's newest category. Class and hold are only ever raised by it."""
        with self._lock:
            known = self._state.recordings.get(stem, About())
            critical = "critical" in (known.upload_class, upload_class)
            self._put(
                stem,
                About(
                    category=category,
                    upload_class="critical" if critical else "normal",
                    holds=_with(known.holds, "category") if hold else known.holds,
                ),
            )

    def urgent(self, stem: str) -> None:
        """A recording became critical after its beginning: a pursuit joined it, say (R14)."""
        with self._lock:
            known = self._state.recordings.get(stem, About())
            self._put(stem, msgspec.structs.replace(known, upload_class="critical"))

    def hold(self, stem: str, by: str) -> None:
        """Nothing cleans that recording up from now on."""
        with self._lock:
            known = self._state.recordings.get(stem, About())
            self._put(stem, msgspec.structs.replace(known, holds=_with(known.holds, by)))

    def release(self, stem: str) -> bool:
        """Lift all holds of a recording; False if there was none."""
        with self._lock:
            known = self._state.recordings.get(stem)
            if known is None or not known.holds:
                return False
            self._put(stem, msgspec.structs.replace(known, holds=()))
            return True

    def seize(self, seized: Seized | None) -> None:
        """Into custody, or back into service with None."""
        with self._lock:
            self._state = msgspec.structs.replace(self._state, seized=seized, unknown=False)
            self._unsaved = True

    def lock(self, command_sha256: str | None) -> None:
        """Locked as lost, or found with None."""
        with self._lock:
            self._state = msgspec.structs.replace(self._state, locked=command_sha256)
            self._unsaved = True

    def accept(self, name: str, sha256: str) -> None:
        """A supervisor accepts these bytes of a file."""
        with self._lock:
            self._state = msgspec.structs.replace(self._state, accepted={**self._state.accepted, name: sha256})
            self._unsaved = True

    def forget(self, name: str) -> None:
        """The file is deleted: what was appended stands in the log."""
        stem = name.removesuffix(".evidence")
        with self._lock:
            if name in self._state.accepted:
                kept = {known: one for known, one in self._state.accepted.items() if known != name}
                self._state = msgspec.structs.replace(self._state, accepted=kept)
                self._unsaved = True
            if stem in self._state.recordings:
                rest = {known: about for known, about in self._state.recordings.items() if known != stem}
                self._state = msgspec.structs.replace(self._state, recordings=rest)
                self._unsaved = True

    def _put(self, stem: str, about: About) -> None:
        self._state = msgspec.structs.replace(self._state, recordings={**self._state.recordings, stem: about})
        self._unsaved = True

    # --- the card -----------------------------------------------------------------------------------------------------

    @property
    def unsaved(self) -> bool:
        """Something is not durable yet (rule 4)."""
        return self._unsaved

    def save(self) -> None:
        """Make all changes durable. May block; raises OSError, after which the changes rule all the same."""
        with self._saving:
            with self._lock:
                state, self._unsaved = self._state, False
            try:
                write_state(self.path, state)
            except OSError:
                self._unsaved = True
                raise

    def try_to_save(self) -> None:
        """The same for a chore that comes again, if there is anything to save."""
        if not self._unsaved:
            return
        with contextlib.suppress(OSError):
            self.save()


def _with(holds: tuple[str, ...], by: str) -> tuple[str, ...]:
    return holds if by in holds else (*holds, by)
