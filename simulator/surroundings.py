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


def route_of(scenario: Scenario) -> Route:
    """``[gps] route``. Raises `BadInput`."""
    wanted = scenario.setup.gps.route
    file = Path(scenario.name).parent / wanted
    try:
        return read_gpx(file) if wanted else BLOCKS
    except (OSError, ValueError) as error:
        raise BadInput(f"[gps] route {file} cannot be played: {error}") from error


def begin(gps: ReceiverControls, scenario: Scenario) -> None:
    """The rest of ``[gps]``."""
    wanted = scenario.setup.gps
    if not wanted.fix:
        gps.lose_fix()
    gps.drive_at(wanted.speed_kmh)
