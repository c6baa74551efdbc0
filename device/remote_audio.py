"""The remote audio recorder of a dash camera: its link, its battery, its wearer's mute, each in the log (R2, R3).

A dead microphone of a dash camera blocks the self-test. While the camera records, a link that fails is an alarm within
two seconds, and a statement in the recording: silence must not look like quiet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from device import indicators as patterns
from device.part import Part
from device.remote_link import LOST, LinkWatch, News, judge_link, link_facts
from device.selftest import Check, Seen
from hal import program_time
from hal.errors import HalError
from hal.microphone import LinkState, RemoteLink

if TYPE_CHECKING:
    from device.daemon import Daemon

WAIT_S: Final = 3.0
MAX_ROWS: Final = 500
ALARMING: Final[frozenset[News]] = frozenset({"lost", "battery_low"})


class RemoteAudio(Part):
    """Watches the link of the lead camera's microphone. Loop only, but for `muted` and the check."""

    name = "remote_audio"

    def __init__(self, daemon: Daemon) -> None:
        super().__init__(daemon)
        microphone = daemon.hardware.microphone
        self._remote: RemoteLink | None = microphone if isinstance(microphone, RemoteLink) else None
        self._watch = LinkWatch()
        self._state: LinkState | None = None
        self._rows: list[list[Any]] = []
        """What happened in this recording: (CLOCK_BOOTTIME ns, what)."""

    @property
    def muted(self) -> bool:
        """The wearer muted it, as far as is known."""
        return self._state is not None and self._state.muted

    def begin(self) -> None:
        self.each_second(self.daemon.clock.boottime_ns())

    def each_second(self, now_ns: int) -> None:
        if self._remote is None:
            return
        self._state = state = self._look(self._remote)
        for news in self._watch.look(state):
            self._tell(news, state, now_ns)
        if not self.daemon.recorder.sessions:
            self._rows.clear()

    @staticmethod
    def _look(remote: RemoteLink) -> LinkState:
        try:
            return remote.link()
        except (HalError, OSError):
            return LOST

    def _tell(self, news: News, state: LinkState, now_ns: int) -> None:
        daemon, session = self.daemon, self.daemon.recorder.session
        details = {"at_ns": now_ns, **link_facts(state)}
        number = session.file.number if session is not None else None
        daemon.log("remote_audio", word=news, recording=number, details=details)
        daemon.publish("remote_audio", news, session.file.stem if session is not None else None)
        if session is None:
            return
        if len(self._rows) < MAX_ROWS:
            self._rows.append([now_ns, news])
        daemon.recorder.event("remote_audio", news, details)
        if news in ALARMING:
            daemon.signals.play(patterns.ALARM)
            if news == "lost":
                daemon.publish("alarm", "remote_audio_lost", session.file.stem)

    def opening(self) -> Mapping[str, Any]:
        return {} if self._state is None else {"remote_audio": link_facts(self._state)}

    def closing(self) -> Mapping[str, Any]:
        return {} if self._remote is None else {"remote_audio": list(self._rows)}

    def checks(self) -> Sequence[Check]:
        return (("remote_audio", self.check),) if self.daemon.settings.role == "dash" else ()

    def check(self) -> Seen:
        """Paired, charged, not muted, and heard."""
        if self._remote is None:
            return judge_link(None, heard=False)
        clock, recorder = self.daemon.clock, self.daemon.recorder
        began_ns, heard = clock.boottime_ns(), False
        for _ in range(round(WAIT_S / 0.05)):
            state, sound = self._look(self._remote), recorder.last_sound
            heard = sound is not None and sound.captured_ns > began_ns - 500_000_000
            if heard or not state.paired or state.muted:
                break
            program_time.sleep(0.05)
        return judge_link(self._look(self._remote), heard=heard)
