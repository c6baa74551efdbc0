"""The continuous self-test while the camera is ready: what breaks in mid-shift is told when it breaks (R3, R12, R29).

Each ailment is told once when it begins and once when the component works again: a signed `background_test` entry, a
notice, a pattern. Picture, sensor, encoder and microphone are known within 5 s; the card, the key and the input lines
are asked now and then: a button whose chip is gone would only be missed when somebody needs it. While the camera
records, the alarm is the failure detector's, and here it is only written down.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from device import indicators as patterns
from device.beside import Beside
from device.channel_senses import Ailment
from device.line_check import lines_of
from device.part import Part
from device.senses import Senses
from evidence.errors import EvidenceError
from hal.errors import HalError

if TYPE_CHECKING:
    from device.daemon import Daemon

NS: Final = 1_000_000_000
QUIET_NS: Final = 600 * NS
"""A component that comes and goes is told again after this long at the earliest (a camera in a pocket)."""
CARD_EVERY_NS: Final = 2 * NS
"""Asking the card whether it is there costs no wear."""
KEY_EVERY_NS: Final = 60 * NS
INPUTS_EVERY_NS: Final = 10 * NS
HANGS_NS: Final = 5 * NS
"""A card or key that has not answered for so long is lost."""
GENTLE: Final = ("picture_covered", "picture_defocused", "picture_upside_down", "microphone_clipped")
"""The officer should know; nothing is broken (R12: told by vibration, logged, never an alarm)."""
ONCE_S: Final = 36_000
COVERED: Final = "covered"
"""The indicator's condition."""
NOTICE: Final = patterns.CONDITIONS[COVERED]
"""Felt once: the picture cannot be used as it is."""


@dataclass(frozen=True, slots=True)
class Told:
    """One thing to tell."""

    word: str
    """The ailment's cause, or `microphone_works`."""
    component: str
    since_ns: int
    began: bool
    aloud: bool
    """False if the same was told a short while ago: it is not even written down."""


@dataclass
class Complaints:
    """Which components ail: each is told once. Pure."""

    _present: dict[str, Ailment] = field(default_factory=dict)
    _told_ns: dict[str, int] = field(default_factory=dict)
    """When each cause was last told."""
    _silent: set[str] = field(default_factory=set)
    """Components whose present ailment was not told, since it had just been."""

    def update(self, ailments: dict[str, Ailment], now_ns: int) -> list[Told]:
        """Take all that is wrong now; what has to be told."""
        told: list[Told] = []
        for component, ailment in sorted(ailments.items()):
            before = self._present.get(component)
            if before is not None and before.cause == ailment.cause:
                continue
            aloud = now_ns - self._told_ns.get(ailment.cause, -QUIET_NS) >= QUIET_NS
            if aloud:
                self._told_ns[ailment.cause] = now_ns
                self._silent.discard(component)
            else:
                self._silent.add(component)
            self._present[component] = ailment
            told.append(Told(ailment.cause, component, ailment.since_ns, began=True, aloud=aloud))
        for component in sorted(set(self._present) - set(ailments)):
            gone = self._present.pop(component)
            aloud = component not in self._silent
            told.append(Told(f"{component}_works", component, gone.since_ns, began=False, aloud=aloud))
        return told

    @property
    def components(self) -> frozenset[str]:
        """Which components ail."""
        return frozenset(self._present)

    @property
    def causes(self) -> frozenset[str]:
        """What is wrong now."""
        return frozenset(one.cause for one in self._present.values())


class Errand:
    """One question to hardware that may hang, asked on a thread, now and then. Loop only."""

    def __init__(self, every_ns: int, ask: Callable[[], str | None], hangs: str, beside: type[Beside] = Beside) -> None:
        self._every_ns = every_ns
        self._ask = ask
        self._hangs = hangs
        self._beside = beside
        self._asked_ns: int | None = None
        self._open = False
        self.answer: str | None = None
        """The cause of what is wrong, by the last answer; None if all is well."""
        self.since_ns = 0

    def put_off(self, now_ns: int) -> None:
        """As if it had just been asked, and all were well."""
        self._asked_ns = now_ns

    def look(self, now_ns: int, spawn: Callable[[object], None]) -> None:
        """Ask if it is time; a question that is still open for too long is an answer too."""
        if self._open:
            if self._asked_ns is not None and now_ns - self._asked_ns > HANGS_NS:
                self._set(self._hangs, now_ns)
            return
        if self._asked_ns is None or now_ns - self._asked_ns >= self._every_ns:
            self._asked_ns, self._open = now_ns, True
            spawn(self._go(now_ns))

    async def _go(self, now_ns: int) -> None:
        try:
            answer = await self._beside.once(self._ask)
        finally:
            self._open = False
        self._set(answer, now_ns)

    def _set(self, answer: str | None, now_ns: int) -> None:
        if answer is not None and self.answer is None:
            self.since_ns = now_ns
        self.answer = answer


class BackgroundTest(Part):
    """The background self-test of one camera."""

    name = "background_test"

    def __init__(self, daemon: Daemon) -> None:
        super().__init__(daemon)
        self._complaints = Complaints()
        self._fell_ns: int | None = None
        self._card = Errand(CARD_EVERY_NS, self._ask_card, "storage_hangs", daemon.beside)
        self._key = Errand(KEY_EVERY_NS, self._ask_key, "key_hangs", daemon.beside)
        self._inputs = Errand(INPUTS_EVERY_NS, self._ask_inputs, "inputs_hang", daemon.beside)

    @property
    def ailing(self) -> frozenset[str]:
        """Components that do not work now, as far as can be seen without a test."""
        return self._complaints.components

    def begin(self) -> None:
        """The self-test at the boot signs; the next time is later."""
        self._key.put_off(self.daemon.clock.boottime_ns())

    def each_second(self, now_ns: int) -> None:
        """Gather what is wrong, and tell what is new."""
        senses = self.daemon.part(Senses)
        if senses.away:
            return
        recording = self.daemon.recorder.session is not None
        ailments = senses.ailments(now_ns)
        self._card.look(now_ns, self.daemon.spawn)
        self._inputs.look(now_ns, self.daemon.spawn)
        if not recording and not self.daemon.machine.testing:  # a recording is the best test of the key
            self._key.look(now_ns, self.daemon.spawn)
        for component, errand in (("storage", self._card), ("signing_key", self._key), ("inputs", self._inputs)):
            if errand.answer is not None:
                ailments[component] = Ailment(component, errand.answer, errand.since_ns)
        if self.daemon.settings.role == "body":
            self._fell_off(senses.fell_ns)
        for one in self._complaints.update(ailments, now_ns):
            if one.aloud:
                self._tell(one, recording=recording)
        covered = any(cause.endswith("picture_covered") for cause in self._complaints.causes)
        self.daemon.signals.condition(COVERED, covered, every_s=ONCE_S)

    def _tell(self, one: Told, *, recording: bool) -> None:
        daemon = self.daemon
        details = {"component": one.component, "since_ns": one.since_ns}
        daemon.log("background_test", word=one.word, details=details)
        daemon.publish("background_test", one.word)
        if one.began and not recording and not one.word.endswith(GENTLE):
            daemon.signals.play(patterns.ALARM)
        elif one.began and one.word.endswith(GENTLE) and not one.word.endswith("picture_covered"):
            daemon.signals.play(NOTICE)

    def _fell_off(self, fell_ns: int | None) -> None:
        """Logged, felt, and marked in the recording, which goes on (R12)."""
        if fell_ns is None or fell_ns == self._fell_ns:
            return
        self._fell_ns = fell_ns
        daemon = self.daemon
        session = daemon.recorder.session
        details = {"at_ns": fell_ns}
        daemon.log("dislodged", recording=session.file.number if session is not None else None, details=details)
        daemon.recorder.event("dislodged", None, details)
        daemon.publish("dislodged", None, session.file.stem if session is not None else None)
        daemon.signals.play(NOTICE)

    # --- on threads ---------------------------------------------------------------------------------------------------

    def _ask_card(self) -> str | None:
        """Whether it is there. Whether it takes what is written is asked by `device.card_watch`."""
        try:
            self.daemon.hardware.storage.free_bytes()
        except (HalError, OSError):
            return "storage_lost"
        return None

    def _ask_key(self) -> str | None:
        digest = hashlib.sha256(b"firsthand background test of the key").digest()
        try:
            self.daemon.identity.signer.sign_digest(digest)
        except (EvidenceError, OSError):
            return "key_lost"
        return None

    def _ask_inputs(self) -> str | None:
        """Whether each line that has a pin can be read; what it says, and lines without a pin, are the self-test's."""
        switches = self.daemon.hardware.switches
        for name in lines_of(self.daemon.settings.inputs) if switches is not None else ():
            try:
                switches.active(name)  # type: ignore[union-attr]
            except KeyError:
                continue
            except (HalError, OSError):
                return "inputs_lost"
        return None
