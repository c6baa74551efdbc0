"""The stop and its reason (D.3, R24 to R28): the codes, what was said, and what the evidence says about it. Pure.

A stop needs a hold and a confirmation; then the camera records on while the officer says why. Nothing forces a reason:
a stop without one is allowed and flagged `reason_missing`.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

D3A_REASONS: Final = (
    "agency_talk",
    "undercover_informant",
    "break",
    "medical_psychological",
    "hospital_non_suspect",
    "mental_health_facility",
    "private_conversation",
    "telephone",
    "strip_search",
    "locker_rest_room",
)
"""The ten of D.3.a, in the policy's order (1) to (10)."""
HAMPERED: Final = "investigation_hampered"
"""D.3.b: recording hampers the investigation; the supervisor is consulted when possible."""
ENDED: Final = "interaction_ended"
"""No deactivation in the sense of D.3: what had to be recorded is over (D.2.c)."""
REASONS: Final = (ENDED, *D3A_REASONS, HAMPERED)
"""All codes, in the order of the reason wheel: one press of the function button is the first."""
PAUSES: Final = frozenset({*D3A_REASONS, HAMPERED})
"""After these the interaction goes on, and the officer is reminded to reactivate (D.3.c, R28)."""

SPEECH_OVER_FLOOR_DB: Final = 8.0
SPEECH_LEAST_DBFS: Final = -50.0
SPEECH_LEAST_NS: Final = 700_000_000
SPEECH_WITHIN_NS: Final = 3_000_000_000
"""So much loud sound within so long is a word or two: ten clicks in ten seconds are none…"""
SPEAKING_WITHIN_NS: Final = 1_500_000_000
SPEAKING_LEAST_NS: Final = 250_000_000
"""…and so much of it within the last moments is somebody who has not finished; a click each second is neither."""
FLOOR_SAMPLES: Final = 150


@dataclass
class VoiceHeard:
    """Whether somebody spoke: sound well above what the place sounded like before. Feed it every piece of sound."""

    _before: deque[float] = field(default_factory=lambda: deque(maxlen=FLOOR_SAMPLES))
    _floor_dbfs: float | None = None
    _heard: bool = False
    _recent: deque[tuple[int, int]] = field(default_factory=deque)
    """(CLOCK_BOOTTIME, duration) of the loud pieces of the last seconds."""

    def listen(self) -> None:
        """The reason window begins: what was heard until now is the floor."""
        levels = sorted(self._before)
        self._floor_dbfs = levels[len(levels) // 2] if levels else SPEECH_LEAST_DBFS - SPEECH_OVER_FLOOR_DB
        self._heard = False
        self._recent.clear()

    def sound(self, level_dbfs: float, at_ns: int, duration_ns: int) -> None:
        """One piece of sound with its peak level."""
        if self._floor_dbfs is None:
            self._before.append(level_dbfs)
            return
        if level_dbfs >= max(SPEECH_LEAST_DBFS, self._floor_dbfs + SPEECH_OVER_FLOOR_DB):
            self._recent.append((at_ns, duration_ns))
            while at_ns - self._recent[0][0] > SPEECH_WITHIN_NS:
                self._recent.popleft()
            self._heard |= sum(length for _, length in self._recent) >= SPEECH_LEAST_NS

    def done(self) -> None:
        """The window is over: what follows is the next floor."""
        self._floor_dbfs = None

    @property
    def heard(self) -> bool:
        """Enough for a word."""
        return self._heard

    def speaking(self, now_ns: int) -> bool:
        """Whether somebody is speaking, or was a moment ago."""
        recent = sum(length for at_ns, length in tuple(self._recent) if now_ns - at_ns <= SPEAKING_WITHIN_NS)
        return recent >= SPEAKING_LEAST_NS


@dataclass
class Stopping:
    """One stop from the officer's hold to the end of the recording. Times are CLOCK_BOOTTIME nanoseconds."""

    asked_ns: int
    confirmed_ns: int | None = None
    code: str | None = None
    supervisor: str | None = None
    """`consulted` or `not_possible` (D.3.b.(1), R25)."""
    spoken: bool = False
    presses: int = 0
    """Presses of the function button: the reason wheel."""
    asks_reason: bool = True
    """Whether the profile has a time for the reason at all (`stop_reason_s`)."""

    def step(self) -> str:
        """One press further on the reason wheel; the code it shows now."""
        self.presses += 1
        self.code = REASONS[(self.presses - 1) % len(REASONS)]
        return self.code

    @property
    def reason_missing(self) -> bool:
        """Asked for, and neither said nor entered (R26)."""
        return self.asks_reason and self.confirmed_ns is not None and self.code is None and not self.spoken

    @property
    def word(self) -> str:
        """The one public word of it in the device log."""
        if self.code is not None or self.spoken:
            return self.code or "spoken"
        return "reason_missing" if self.reason_missing else "not_asked"

    def facts(self) -> dict[str, Any]:
        """As it stands in the sealed closing metadata, ready to be quoted in a report (R27)."""
        return {
            "stop_reason": {
                "code": self.code,
                "spoken": self.spoken,
                "supervisor": self.supervisor,
                "asked_ns": self.asked_ns,
                "confirmed_ns": self.confirmed_ns,
            },
            "stop_reason_missing": self.reason_missing,
        }


@dataclass(frozen=True, slots=True)
class Pause:
    """A stop for a reason of D.3 after which the interaction goes on."""

    recording: str
    """Stem of the recording that was paused."""
    code: str
    since_ns: int

    def due_ns(self, last_ns: int, every_s: int) -> int | None:
        """When the officer is next reminded; None for never."""
        return max(self.since_ns, last_ns) + every_s * 10**9 if every_s else None

    def facts(self, now_ns: int) -> dict[str, Any]:
        """As it stands in the opening metadata of the recording that ends the pause (R28)."""
        passed_s = round((now_ns - self.since_ns) / 1e9, 3)
        return {"after_pause": {"recording": self.recording, "reason": self.code, "seconds": passed_s}}


def is_false_start(kinds: set[str], started_ns: int, asked_ns: int, within_s: int) -> bool:
    """Whether a stop cancels a start that only a peer made, soon enough to be a false one (field: false start)."""
    return within_s > 0 and kinds == {"peer"} and asked_ns - started_ns <= within_s * 10**9
