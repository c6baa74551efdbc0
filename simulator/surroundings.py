"""What a scenario says of the world at its beginning, for either way of running: the cell, the receiver's route."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from simulator.battery_feed import BatteryFeed
from simulator.gpx import read_gpx
from simulator.layout import RunLayout
from simulator.receiver_controls import ReceiverControls
from simulator.route import BLOCKS, Route
from simulator.run_errors import BadInput
from simulator.scenario import Scenario

DESIGN_MAH: Final = 3100


def cell_of(layout: RunLayout, scenario: Scenario) -> BatteryFeed:
    """``[battery]``."""
    cell = scenario.setup.battery
    return BatteryFeed(
        layout.battery,
        float(cell.percent),
        temperature_c=float(cell.celsius),
        capacity_mah=round(DESIGN_MAH * cell.health_percent / 100),
        design_mah=DESIGN_MAH,
    )


def route_of(scenario: Scenario, given: Path | None = None) -> Route:
    """The GPX file that the command line gives, else ``[gps] route``, else the blocks. Raises `BadInput`."""
    wanted = scenario.setup.gps.route
    file = given if given is not None else Path(scenario.name).parent / wanted if wanted else None
    try:
        return BLOCKS if file is None else read_gpx(file)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise BadInput(f"{'[gps] route' if given is None else '--route'} {file} cannot be played: {why}") from error


def begin(gps: ReceiverControls, scenario: Scenario) -> None:
    """The rest of ``[gps]``."""
    wanted = scenario.setup.gps
    if not wanted.fix:
        gps.lose_fix()
    gps.drive_at(wanted.speed_kmh)
