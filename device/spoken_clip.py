"""The test clip after the self-test: a few seconds in which the officer says name and badge, kept as `test` (R8).

1. It is an ordinary recording, started by the trigger `self_test`: not critical, and it wakes nobody.
2. It ends by itself after the policy's `test_clip_s`.
3. Any other trigger, any press of any button, and any category or label that somebody gives it make it a real
   recording: it simply goes on, without the label.
4. The label `test` takes footage out of evidence. So it is written only at the end, into the closing metadata, and
   only by this part while rule 3 has not struck (invariant 11). A crash in the middle leaves no label.
5. Where the camera may not start it (asleep, out of service and barred by the policy, recording already) there is none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from device.config import RESERVED_TRIGGER
from device.part import Part
from device.selftest import Seen, rate
from device.triggers import Start

if TYPE_CHECKING:
    from device.daemon import Daemon

SPEECH_DBFS: Final = -50.0
"""A person who speaks at arm's length is louder than this, a quiet room is not."""
LOOK_S: Final = 0.05
LABEL: Final = "test"


@dataclass
class Clip:
    """One test clip while it is recorded. Pure."""

    at_ns: int
    length_ns: int
    buttons: Collection[str]
    """Names of the lines that are buttons."""
    loudest_dbfs: float | None = None
    labelled: str | None = None
    """A category or label that somebody gave this recording meanwhile."""

    def cleared_by(self, triggers: Sequence[Mapping[str, Any]], timeline: Sequence[Sequence[Any]]) -> str | None:
        """What made this recording a real one: a trigger, button or label by name; None while it is only a test.

        `triggers` are those of the recording, `timeline` its rows of (ns, line, level).
        """
        if self.labelled is not None:
            return self.labelled
        for position, one in enumerate(triggers):
            ours = position == 0 and one["name"] == RESERVED_TRIGGER and one["at_ns"] == self.at_ns
            if not ours:
                return str(one["name"])
        pressed = (row[1] for row in timeline if row[2] and row[0] >= self.at_ns and row[1] in self.buttons)
        return next((str(line) for line in pressed), None)

    def hear(self, level_dbfs: float, captured_ns: int) -> None:
        """Note how loud it was, if that was during the clip."""
        if captured_ns >= self.at_ns:
            self.loudest_dbfs = max(level_dbfs, self.loudest_dbfs if self.loudest_dbfs is not None else level_dbfs)

    def over(self, now_ns: int) -> bool:
        return now_ns - self.at_ns >= self.length_ns


def judge_clip(clip: Clip, cleared_by: str | None, *, microphone: bool) -> Seen:
    """The row `test_clip`: was anybody heard?"""
    limit = f"speech above {SPEECH_DBFS:g} dBFS"
    if cleared_by is not None:
        return Seen("not_present", f"became a real recording by {cleared_by}", limit, expected=False)
    length = f"{clip.length_ns // 10**9} s"
    if not microphone:
        return Seen("not_present", f"{length}, no microphone is configured", limit, expected=False)
    if clip.loudest_dbfs is None:
        return Seen("fail", f"{length}, no sound at all", limit, "check the microphone")
    value = f"{length}, loudest {clip.loudest_dbfs:.0f} dBFS"
    if clip.loudest_dbfs < SPEECH_DBFS:
        return Seen("fail", value, limit, "say name and badge aloud; if they were said, check the microphone")
    return Seen("pass", value, limit)


class SpokenClip(Part):
    """Records the test clip at undocking, or when a technician asks."""

    name = "test_clip"

    def __init__(self, daemon: Daemon) -> None:
        super().__init__(daemon)
        self._clip: Clip | None = None
        self._number = 0
        """Number of the recording that is the clip."""
        self._wanted = False
        """The camera was taken out of the dock: the clip follows the self-test."""

    def logged(self, event: str, fields: Mapping[str, Any]) -> None:
        if event == "undocked":
            self._wanted = self.daemon.recorder.session is None
        elif event == "docked":
            self._wanted = False
        elif event == "self_test" and self._wanted:
            self._wanted = False
            self.daemon.on_loop(self._after_test)
        elif event == "labelled" and fields.get("recording") == self._number and fields.get("word") != LABEL:
            self._label(str(fields.get("word")))

    def _label(self, word: str) -> None:
        if self._clip is not None:
            self._clip.labelled = word

    def _after_test(self) -> None:
        if self.daemon.profile.profile.test_clip_s:
            self.daemon.spawn(self._record_by_itself())

    async def _record_by_itself(self) -> None:
        """A clip that the policy asks for and that could not be: that is on record too."""
        refused = await self.record()
        if refused is not None:
            self.daemon.log("test_clip", word="skipped", details={"why": refused})

    def closing(self) -> Mapping[str, Any]:
        session = self.daemon.recorder.session
        if self._clip is None or session is None or session.started_ns != self._clip.at_ns:
            return {}  # a clip so long that it went on in another file counts as evidence
        if self._clip.cleared_by(session.triggers, session.timeline) is not None:
            return {}
        self.daemon.log("labelled", word=LABEL, recording=session.file.number, details={"origin": "self_test"})
        return {"labels": [LABEL]}

    async def record(self) -> str | None:
        """Record the clip to its end; a sentence if there was none. Its row goes into the last self-test."""
        daemon, length_s = self.daemon, self.daemon.profile.profile.test_clip_s
        if not length_s:
            return "the policy profile asks for no test clip (test_clip_s is 0)"
        if daemon.recorder.session is not None:
            return "the camera records already: there is no test clip"
        buttons = {name for name, one in daemon.settings.inputs.items() if one.kind.endswith("button")}
        clip = Clip(daemon.clock.boottime_ns(), length_s * 10**9, buttons)
        daemon.trigger(Start(RESERVED_TRIGGER, False, clip.at_ns, manual=False, kind="self_test"))
        session = daemon.recorder.session
        if session is None:
            return "the camera does not start the test clip in its present state"
        self._clip, self._number = clip, session.file.number
        daemon.publish("test_clip", "say_name_and_badge", session.file.stem)
        try:
            word, cleared_by = await self._follow(clip)
        finally:
            self._clip = None
        row = rate(
            "test_clip",
            judge_clip(clip, cleared_by, microphone=daemon.hardware.microphone is not None),
            daemon.profile.severity("test_clip"),
            (daemon.clock.boottime_ns() - clip.at_ns) // 1_000_000,
        )
        daemon.log(
            "test_clip",
            word=word,
            recording=session.file.number,
            details={"check": row.row(), "id": daemon.examination.id},
        )
        daemon.examination.add_row(row)
        daemon.publish("test_clip", word, session.file.stem)
        return None

    async def _follow(self, clip: Clip) -> tuple[str, str | None]:
        """Until the clip is over or has become a real recording: the word for the log, and what cleared it."""
        recorder = self.daemon.recorder
        while (session := recorder.session) is not None:
            cleared_by = clip.cleared_by(session.triggers, session.timeline)
            if cleared_by is not None:
                return "cleared", cleared_by
            if recorder.last_sound is not None:
                clip.hear(recorder.last_sound.level_dbfs, recorder.last_sound.captured_ns)
            if clip.over(self.daemon.clock.boottime_ns()):
                self.daemon.conduct.stop("test_clip")
                return LABEL, None
            await asyncio.sleep(LOOK_S)
        return LABEL, None  # it was ended before its time: card full, shutdown
