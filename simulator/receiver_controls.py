"""What a world can do to a camera's GPS receiver, whichever way its sentences reach the camera."""

from __future__ import annotations

from simulator.receiver import RouteReceiver
from simulator.receiver_line import ReceiverLine


class ReceiverControls:
    """A receiver and its line. `GpsFeed` plays them into a pseudo-terminal, an in-process driver steps them itself."""

    def __init__(self, receiver: RouteReceiver, line: ReceiverLine) -> None:
        self.receiver = receiver
        self.line = line
        self.said: tuple[str, ...] = ()
        """What arrived of the newest epoch, line by line."""

    @property
    def plays_log(self) -> bool:
        """It plays a real receiver's log, to which nothing can happen but on the line."""
        return False

    def lose_fix(self) -> None:
        """From the next epoch on, no satellites: void sentences, as in a garage. The drive goes on."""
        self.receiver.has_fix = False

    def fix(self) -> None:
        """The fix is back from the next epoch on."""
        self.receiver.has_fix = True

    def drive_at(self, kmh: float | None) -> None:
        """From the next epoch on that speed, corners or not; None: the route's own."""
        self.receiver.speed_kmh = kmh

    def freeze(self, *, frozen: bool = True) -> None:
        """A stale fix: position and time stand still while sentences go on."""
        self.receiver.frozen = frozen

    def teleport(self, north_m: float, east_m: float) -> None:
        """The reported position jumps by so many metres and stays there."""
        self.receiver.teleport(north_m, east_m)

    def epoch_bytes(self, utc_ns: int) -> bytes:
        """What arrives of the next second; `utc_ns` is nanoseconds since 1970."""
        return self.line.carry(self.receiver.epoch(utc_ns))
