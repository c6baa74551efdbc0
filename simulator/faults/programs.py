"""Faults of the programs themselves: killed, hung, and an update that is broken off (R13, R29, R38)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from evidence.requests import UpdateRequest
from simulator.faults.fault import Begin, End, Fault
from simulator.run_errors import WorldRefused

if TYPE_CHECKING:
    from simulator.programs import Programs
    from simulator.world import World


def _programs(world: World) -> Programs:
    if world.programs is None:
        raise WorldRefused("this world is one process: no program of it can be killed or stopped by itself")
    return world.programs


def _cut_camera(world: World, _: float | None) -> None:
    world.deeds.clock_offset_ns = 0  # as with the deed: the clock chip kept its time
    world.camera.cut_power()


def _kill(name: str) -> Begin:
    return lambda world, _: _programs(world).kill(name)


def _restart(name: str) -> Begin:
    return lambda world, _: _programs(world).restart(name)


def _stop(name: str) -> Begin:
    return lambda world, _: _programs(world).stop(name)


def _go_on(name: str) -> End:
    return lambda world: _programs(world).go_on(name)


def _interrupt_update(world: World, _: float | None) -> None:
    world.camera.ask(UpdateRequest(phase="began"))
    world.deeds.hands.line("dock", active=False)
    world.deeds.battery.set(status="discharging")


def _into_the_dock(world: World) -> None:
    world.deeds.hands.line("dock", active=True)
    world.deeds.battery.set(status="charging")


FAULTS: Final = (
    Fault(
        "process.kill_device", "R29", "the camera's program is killed and started again, as by a power cut",
        "go on in a new recording at once, recover the old one, sign what was lost", _cut_camera,
    ),
    Fault(
        "process.restart_device", "R22", "the camera's program is switched off in order and on again",
        "close what it records and say why, keep settings and sign-in, go on with the log where it was",
        _restart("device"),
    ),
    Fault(
        "process.kill_agent", "R30", "the camera's docking agent is killed and started again",
        "record on as if nothing had been; offload goes on where it was", _kill("agent"),
    ),
    Fault(
        "process.kill_station", "R38", "the docking station is killed and started again",
        "keep every file until a receipt comes, and offload it when the station is back", _kill("station"),
    ),
    Fault(
        "process.kill_broker", "R21", "the fleet's broker is killed and started again",
        "record and offload as if nothing had been; telemetry goes on when the broker is back", _kill("broker"),
    ),
    Fault(
        "process.hang_agent", "R30", "the camera's docking agent stands still",
        "record on as if nothing had been; offload waits", _stop("agent"), _go_on("agent"),
    ),
    Fault(
        "process.hang_station", "R38", "the docking station answers nobody",
        "keep every file, and try again later", _stop("station"), _go_on("station"),
    ),
    Fault(
        "process.hang_broker", "R21", "the fleet's broker answers nobody",
        "record and offload as if nothing had been; telemetry waits or is dropped", _stop("broker"), _go_on("broker"),
    ),
    Fault(
        "update.interrupted", "R13", "the camera is taken out of the dock in the middle of an update",
        "break the update off, say so in the log, be ready at once with the firmware it had",
        _interrupt_update, _into_the_dock,
    ),
)  # fmt: skip
"""Every fault of the programs."""
