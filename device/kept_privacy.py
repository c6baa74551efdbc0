"""Sleep, stealth and a pause outlive a restart of the daemon in the same boot (R4, R24, R28).

A daemon that crashes in a strip search must not come back with its ring on and its lamps lit, and an officer who paused
must still be reminded. Another boot of the board begins awake: whoever switched it on is there.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import msgspec
from msgspec import Meta

from device.part import Part
from device.pauses import Pauses
from device.privacy import Privacy
from device.state_file import StateUnreadable, read_state, write_state
from device.states import Event, State
from device.stopping import REASONS, Pause

if TYPE_CHECKING:
    from device.daemon import Daemon

log = logging.getLogger("firsthand.privacy")

MAX_BYTES: Final = 4096
_Text = Annotated[str, Meta(max_length=128)]


class KeptPause(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    recording: _Text
    code: _Text
    since_ns: int


class Kept(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that is kept, for one boot."""

    v: Literal[1] = 1
    boot: _Text
    asleep: bool = False
    stealth: bool = False
    pause: KeptPause | None = None


def load(path: Path, boot: str) -> Kept:
    """What this boot kept; nothing if there is none, of another boot, or unreadable (then it is said)."""
    nothing = Kept(boot=boot)
    try:
        kept: Kept | None = read_state(path, Kept, MAX_BYTES)
    except StateUnreadable as error:
        log.error("%s: the camera begins awake", error)
        return nothing
    return kept if kept is not None and kept.boot == boot else nothing


class KeptPrivacy(Part):
    """Keeps what changed, at the next second, and brings it back. Loop only; the file is written in a thread."""

    name = "kept_privacy"

    def __init__(self, daemon: Daemon) -> None:
        super().__init__(daemon)
        self._path = Path(daemon.settings.state) / "privacy.json"
        self._saved = Kept(boot=daemon.clock.boot_id)
        self._sleep_owed = False

    def begin(self) -> None:
        """Stealth and the pause at once; sleep as soon as the camera is where it can sleep."""
        self._saved = kept = load(self._path, self.daemon.clock.boot_id)
        if kept.stealth:
            self.daemon.part(Privacy).stealth(True, "restart")
        if kept.pause is not None and kept.pause.code in REASONS and not self.daemon.machine.recording:
            self.daemon.part(Pauses).pause = Pause(kept.pause.recording, kept.pause.code, kept.pause.since_ns)
        self._sleep_owed = kept.asleep and not self.daemon.machine.recording

    def state_changed(self, state: State) -> None:
        """Back to sleep after the self-test of the start, unless something was recorded or docked meanwhile."""
        if not self._sleep_owed or state is State.SELF_TEST:
            return
        self._sleep_owed = False
        if state in (State.READY, State.OUT_OF_SERVICE):
            self.daemon.on_loop(self.daemon.conduct.happen, Event.SLEEP_ASKED)

    def each_second(self, now_ns: int) -> None:  # noqa: ARG002 - what stands now is what is kept
        """Write down what changed."""
        pause = self.daemon.part(Pauses).pause
        now = Kept(
            boot=self.daemon.clock.boot_id,
            asleep=self._sleep_owed or self.daemon.machine.state is State.SLEEP,
            stealth=self.daemon.machine.flags["stealth"],
            pause=None
            if pause is None
            else KeptPause(recording=pause.recording, code=pause.code, since_ns=pause.since_ns),
        )
        if now != self._saved:
            self._saved = now
            self.daemon.spawn(asyncio.to_thread(self._save, now))

    def _save(self, kept: Kept) -> None:
        try:
            write_state(self._path, kept)
        except OSError as error:
            log.warning("%s: %s", self._path.name, error)
