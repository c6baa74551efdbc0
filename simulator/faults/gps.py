"""Faults of the GPS receiver, of the sky above it, and of the line to it (R5, R14)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from simulator.faults.fault import Amount, Begin, End, Fault
from simulator.receiver import GNSS_WEEKS, RouteReceiver, Spoofer
from simulator.receiver_line import GARBAGE_SHARE, ReceiverLine
from simulator.run_errors import WorldRefused

if TYPE_CHECKING:
    from simulator.world import World

_PLACE: Final = "receiver's position"


def _receiver(world: World) -> RouteReceiver:
    if world.deeds.gps.plays_log:
        raise WorldRefused("this world plays a real receiver's log, to which only faults of its line can happen")
    return world.deeds.gps.receiver


def _on(change: Callable[[RouteReceiver], None]) -> Begin:
    return lambda world, _: change(_receiver(world))


def _off(change: Callable[[RouteReceiver], None]) -> End:
    return lambda world: change(_receiver(world))


def _teleport(world: World, amount: float | None) -> None:
    _receiver(world).teleport(amount or 0.0, 0.0)


def _spoof(**of: float) -> Begin:
    """A spoofer; the fault's amount is the one value that is None."""

    def begin(world: World, amount: float | None) -> None:
        values = {key: (amount or 0.0) if value < 0 else value for key, value in of.items()}
        _receiver(world).spoofer = Spoofer(**values)

    return begin


def _no_spoofer(receiver: RouteReceiver) -> None:
    receiver.spoofer = None


def _garbage(world: World, amount: float | None) -> None:
    world.deeds.gps.line.garbage = GARBAGE_SHARE if amount is None else amount / 100


def _line(change: Callable[[ReceiverLine], None]) -> Begin:
    return lambda world, _: change(world.deeds.gps.line)


def _line_back(change: Callable[[ReceiverLine], None]) -> End:
    return lambda world: change(world.deeds.gps.line)


def _set(name: str, value: object) -> Callable[[object], None]:
    return lambda thing: setattr(thing, name, value)


_SAID: Final = "write down what the receiver says, with its arrival, and follow its time nowhere"
FAULTS: Final = (
    Fault(
        "gps.no_fix", "R5", "no satellite is heard, as in a garage; the receiver keeps its time",
        "write no position, neither zero nor the last one; record on, and start as ever",
        _on(_set("has_fix", False)), _off(_set("has_fix", True)), holds="satellites",
    ),
    Fault(
        "gps.canyon", "R5", "high houses: few satellites, and a position that is off by a street's width",
        "write the position down with the precision and the satellites that the receiver claims",
        _on(_set("view", "canyon")), _off(_set("view", "open")), holds="satellites",
    ),
    Fault(
        "gps.cold_start", "R5", "the receiver knows nothing; then the time, the date, a place, after 30 s a height",
        "write no position and no time that the receiver does not have yet",
        _on(RouteReceiver.cold_start), _off(RouteReceiver.warm), holds="satellites",
    ),
    Fault(
        "gps.stale", "R5", "the receiver repeats its last epoch, time and place, over and over",
        "write each epoch down with its own arrival, so that the evidence shows the receiver's time standing still",
        _on(_set("frozen", True)), _off(_set("frozen", False)), holds=_PLACE,
    ),
    Fault(
        "gps.teleport", "R14", "the position jumps north by so many metres; the speed does not change",
        "write it down as the receiver's claim; start no recording for it",
        _teleport, _off(RouteReceiver.home), Amount("m", 5000, 1, 10_000_000), holds=_PLACE,
    ),
    Fault(
        "gps.spoof_drag", "R5", "false satellites draw the position away so fast; every sentence agrees with it",
        "write down what the receiver says, levels included: the same for all satellites is how it shows",
        _spoof(drag_m_s=-1), _off(_no_spoofer), Amount("m/s", 5, 0.1, 100), holds=_PLACE,
    ),
    Fault(
        "gps.spoof_jump", "R5", "false satellites put the receiver so many metres east, at once and without a fault",
        _SAID, _spoof(east_m=-1), _off(_no_spoofer), Amount("m", 20_000, 1, 10_000_000), holds=_PLACE,
    ),
    Fault(
        "gps.spoof_time", "R5", "false satellites tell a time that is so many seconds ahead",
        "keep its own time, sign the step gnss_jumped into the device log", _spoof(time_s=-1), _off(_no_spoofer),
        Amount("s", 7200, 1, 10**8), holds=_PLACE,
    ),
    Fault(
        "gps.week_rollover", "R5", f"the receiver's date is {GNSS_WEEKS} weeks back, its time of day is right",
        "keep its own time, sign the step gnss_went_back into the device log",
        _on(_set("weeks_off", GNSS_WEEKS)), _off(_set("weeks_off", 0)),
    ),
    Fault(
        "gps.garbage", "R5", "a bad cable: so many of a hundred sentences arrive damaged",
        "believe no sentence whose checksum fails; take those that are whole",
        _garbage, _line_back(_set("garbage", 0.0)), Amount("percent", 50, 1, 100),
    ),
    Fault(
        "gps.ubx", "R5", "binary frames of the receiver's own protocol stand between its sentences",
        "read the sentences as if nothing had been", _line(_set("ubx", True)), _line_back(_set("ubx", False)),
    ),
    Fault(
        "gps.silent", "R5", "nothing comes from the receiver any more",
        "say within seconds that the receiver is silent; record on", _line(_set("silent", True)),
        _line_back(_set("silent", False)), holds="receiver's line",
    ),
    Fault(
        "gps.wrong_speed", "R5", "the receiver talks at another speed: bytes come, and none makes sense",
        "say within seconds that nothing can be read, and which speed it expects; record on",
        _line(_set("wrong_speed", True)), _line_back(_set("wrong_speed", False)), holds="receiver's line",
    ),
)  # fmt: skip
"""Every fault of the receiver."""
