"""A camera that was too busy to pass its self-test is not lost for the shift: it tests itself again (R8, R9).

After a power cut the camera records first, recovers what was cut off, and tests itself, all at once; a check that gets
no answer in its time then fails, as it must. What really is broken fails again. Each test stands in the log.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from device.background_test import BackgroundTest
from device.part import Part
from device.selftest import NO_ANSWER, Result

if TYPE_CHECKING:
    from device.daemon import Daemon

NS: Final = 1_000_000_000
WAITS_NS: Final = (60 * NS, 300 * NS, 900 * NS)
"""How long the camera waits before each further look: it looks three times at most until a test passes."""
LIVE: Final = frozenset({"sensor", "picture", "encoder", "microphone"})
"""What the background test watches all the time: it knows whether such a component works now."""


def may_have_recovered(blocking: Sequence[Result], ailing: frozenset[str]) -> bool:
    """Whether another test may end otherwise: each component did not answer, or is watched and works now. Pure.

    `ailing`: the components that the background test holds for broken at this moment.
    """
    return bool(blocking) and all(
        one.name not in ailing and (one.name in LIVE or one.value == NO_ANSWER) for one in blocking
    )


class SecondLook(Part):
    """Looks again at a blocked camera that neither records nor lies in the dock."""

    name = "second_look"

    def __init__(self, daemon: Daemon) -> None:
        super().__init__(daemon)
        self._looks = 0
        self._since_ns: int | None = None
        """Since when the camera has been idle, blocked, and seemingly well."""

    def each_second(self, now_ns: int) -> None:
        daemon = self.daemon
        if not daemon.machine.blocked:
            self._looks, self._since_ns = 0, None
        elif self._looks < len(WAITS_NS):
            if daemon.machine.state.value != "out_of_service" or not self._promising():
                self._since_ns = None
            elif self._since_ns is None:
                self._since_ns = now_ns
            elif now_ns - self._since_ns >= WAITS_NS[self._looks]:
                self._looks, self._since_ns = self._looks + 1, None
                daemon.spawn(daemon.examination.run())

    def _promising(self) -> bool:
        test, left = self.daemon.examination.last, self.daemon.examination.left
        blocking = [] if test is None else [one for one in test.results if one.name in left]
        return may_have_recovered(blocking, self.daemon.part(BackgroundTest).ailing)
