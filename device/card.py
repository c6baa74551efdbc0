"""How long the card still takes recordings, and how old what waits for the dock is (R30). Pure but for its file.

The settled order when the card fills: the ring is dropped, then receipted copies go, never evidence without a receipt,
then new starts are refused loudly (`device.receipts`). Here stands what is said before that.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from device.state_file import StateUnreadable, read_state, write_state

log = logging.getLogger("firsthand.card")

MAX_BYTES: Final = 8 * 1024 * 1024
SECOND: Final = 1_000_000_000
LEAST_SPAN_NS: Final = 5 * SECOND
"""A rate is not measured over less."""
MARGIN: Final = 1.1
"""An alarm ends when this much more than its limit is left."""

Level = Literal["good", "low", "full"]


class Rate:
    """Bits per second that recordings take, from how a running count of bytes grows. Smoothed over about a minute."""

    def __init__(self) -> None:
        self.bits_per_s: int | None = None
        self._from: tuple[int, int] | None = None

    def count(self, total_bytes: int, now_ns: int) -> None:
        """The count as it stands; a smaller one than before begins a new span."""
        if self._from is None or total_bytes < self._from[1]:
            self._from = now_ns, total_bytes
            return
        span_ns = now_ns - self._from[0]
        if span_ns >= LEAST_SPAN_NS:
            self._take((total_bytes - self._from[1]) * 8 * SECOND // span_ns)
            self._from = now_ns, total_bytes

    def ring(self, ring_bytes: int, span_ns: int) -> None:
        """What the pre-event ring holds, and for how long."""
        self._from = None
        if span_ns >= SECOND:
            self._take(ring_bytes * 8 * SECOND // span_ns)

    def _take(self, bits_per_s: int) -> None:
        if bits_per_s > 0:
            before = self.bits_per_s
            self.bits_per_s = bits_per_s if before is None else (before * 7 + bits_per_s) // 8


@dataclass(frozen=True, slots=True)
class Room:
    """What there is on the card."""

    free_bytes: int
    receipted_bytes: int
    """Of copies that a station's receipt lets go when the space is needed."""
    reserve_bytes: int
    """Still to be set aside for the end of a recording and the log's word about it; 0 once it is."""

    @property
    def usable_bytes(self) -> int:
        """What recordings may take."""
        return max(0, self.free_bytes + self.receipted_bytes - self.reserve_bytes)


def minutes_left(room: Room, bits_per_s: int | None) -> float | None:
    """Minutes of recording that fit; None as long as nobody knows what a minute takes."""
    if not bits_per_s:
        return None
    return room.usable_bytes * 8 / bits_per_s / 60


def level_of(minutes: float | None, *, startable: bool, alarm_min: int, before: Level) -> Level:
    """`full` if no recording can be begun, `low` from the policy's minutes on."""
    if not startable:
        return "full"
    if minutes is None:
        return "good" if before == "full" else before
    limit = alarm_min * (MARGIN if before != "good" else 1.0)
    return "low" if minutes <= limit else "good"


class Waiting:
    """How long each recording has waited for a receipt, in running time of the camera: a wrong clock ages nothing."""

    def __init__(self, known: dict[str, int] | None = None) -> None:
        self.seconds: dict[str, int] = known or {}

    def tick(self, names: Iterable[str], passed_s: int) -> None:
        """So much time has passed; `names` still wait, the others do not any more."""
        self.seconds = {name: self.seconds.get(name, 0) + passed_s for name in names}

    @property
    def oldest(self) -> tuple[str, int] | None:
        """Name and seconds of what has waited longest."""
        return max(self.seconds.items(), key=lambda one: one[1], default=None)


class CardAccount(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What outlives a boot: `card.json` in the state directory."""

    v: Literal[1] = 1
    written_bytes: Annotated[int, Meta(ge=0)] = 0
    """By the camera daemon, in all boots before this one: what wears the card."""
    waiting_s: dict[str, Annotated[int, Meta(ge=0)]] = msgspec.field(default_factory=dict)


def load_account(path: Path) -> CardAccount:
    """The account; an empty one if there is none that can be read."""
    try:
        return read_state(path, CardAccount, MAX_BYTES) or CardAccount()
    except StateUnreadable as error:
        log.error("%s: waiting times begin anew", error)
        return CardAccount()


def save_account(path: Path, account: CardAccount) -> None:
    """Make it durable; a failure only means that the counts begin a little anew."""
    try:
        write_state(path, account)
    except OSError as error:
        log.warning("%s: %s", path.name, error)


def written_by_this_process(io: Path = Path("/proc/self/io")) -> int | None:
    """Bytes that this process caused to be written to media, as the kernel counts them; None if it does not."""
    try:
        for line in io.read_text("ascii").splitlines():
            name, _, value = line.partition(":")
            if name == "write_bytes" and value.strip().isdecimal():
                return int(value)
    except (OSError, UnicodeDecodeError):
        return None
    return None
