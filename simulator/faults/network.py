"""Faults of the network between the camera and its station and broker (R6, R21, R30)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simulator.faults.fault import Amount, Begin, End, Fault
from simulator.relay import Mishap

if TYPE_CHECKING:
    from simulator.world import World

_HOLDS: Final = "network to the station"


def _shape(field: str) -> Begin:
    return lambda world, amount: world.network.shape("station", **{field: amount or 0.0})


def _bad_line(world: World, _: float | None) -> None:
    world.network.shape("station", latency_ms=120, jitter_ms=80, loss_percent=3, kbit_s=2000)


def _cut(link: str) -> Begin:
    return lambda world, _: world.network.cut(link)


def _silence(link: str) -> Begin:
    return lambda world, _: world.network.silence(link)


def _restore(link: str) -> End:
    return lambda world: world.network.restore(link)


def _happen(what: Mishap) -> Begin:
    return lambda world, amount: world.network.happen("station", what, after_bytes=round(amount or 0) * 1000)


def _slow_broker(world: World, amount: float | None) -> None:
    world.network.shape("broker", latency_ms=amount or 0.0)


_LATER: Final = "go on where the station says that it stands, without a byte lost or doubled"
_KEEP: Final = "keep every file, record on, say that offload waits; go on where it was when the line is back"
_BROKER: Final = "record and offload as if nothing had been, keep events and tell them when the broker is there again"
FAULTS: Final = (
    Fault(
        "network.latency", "R30", "each packet to and from the station takes so much longer",
        "offload all the same, only later", _shape("latency_ms"), _restore("station"),
        Amount("ms", 200, 1, 10_000), holds=_HOLDS,
    ),
    Fault(
        "network.loss", "R30", "so many packets of a hundred are lost, both ways",
        "offload all the same, only later", _shape("loss_percent"), _restore("station"),
        Amount("percent", 2, 0.1, 50), holds=_HOLDS,
    ),
    Fault(
        "network.slow", "R30", "the line to the station carries only so much",
        "offload what the line carries; start no second time, break off at once for a recording",
        _shape("kbit_s"), _restore("station"), Amount("kbit/s", 1000, 8, 1_000_000), holds=_HOLDS,
    ),
    Fault(
        "network.bad_line", "R30", "the line is slow, late, uneven, and loses packets: a radio link at its edge",
        "offload all the same, only later", _bad_line, _restore("station"), holds=_HOLDS,
    ),
    Fault(
        "network.cut", "R30", "the line to the station is cut: what is open is torn down, nothing gets through",
        _KEEP, _cut("station"), _restore("station"), holds=_HOLDS,
    ),
    Fault(
        "network.silent", "R30", "nothing arrives any more in either direction, and nobody is told",
        _KEEP, _silence("station"), _restore("station"), holds=_HOLDS,
    ),
    Fault(
        "network.reset", "R30", "the connection is torn after so much more has gone to the station", _LATER,
        _happen("reset"), amount=Amount("kB", 100, 0, 10_000_000),
    ),
    Fault(
        "network.half_open", "R30", "the station's end of the connection vanishes, and nobody tells the camera",
        f"give the silence up in time and {_LATER}", _happen("half_open"), amount=Amount("kB", 100, 0, 10_000_000),
    ),
    Fault(
        "network.broker_cut", "R21", "the line to the broker is cut", _BROKER,
        _cut("broker"), _restore("broker"), holds="network to the broker",
    ),
    Fault(
        "network.broker_silent", "R21", "nothing arrives at the broker or from it any more, and nobody is told",
        _BROKER, _silence("broker"), _restore("broker"), holds="network to the broker",
    ),
    Fault(
        "network.broker_late", "R21", "each packet to and from the broker takes so much longer",
        "record and offload as if nothing had been; telemetry comes later", _slow_broker, _restore("broker"),
        Amount("ms", 500, 1, 10_000), holds="network to the broker",
    ),
)  # fmt: skip
"""Every fault of the network."""
