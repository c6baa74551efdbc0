"""Fuzz targets of `simulator`: scenarios, orders, routes, and the lines of its sockets."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final

import msgspec
import repaired
from target import LINES, Target, from_file

from simulator.card.orders import decode_order
from simulator.drivers.hardware_messages import OpRefused, decode_request
from simulator.gpx import parse_gpx
from simulator.network_words import decode_op
from simulator.panel.orders import read_order
from simulator.panel.track import place
from simulator.receiver_log import log_epochs
from simulator.route import Drive, Route, RouteRefused, drawn_route
from simulator.run_errors import BadScenario, WorldRefused
from simulator.scenario import load_scenario
from simulator.script import read_script
from simulator.world_messages import NotUnderstood, decode_answer, decode_operation


def read_scenario(path: Path) -> None:
    """A scenario that somebody wrote."""
    assert load_scenario(path).steps


def read_sentences(data: bytes) -> None:
    """A script alone: what is understood is said again, and every mistake names its line."""
    text = data.decode("utf-8", "replace")
    _, mistakes = read_script(text, 1)
    assert all(1 <= one.line <= text.count("\n") + text.count("\r") + 60_000 for one in mistakes)


def _drive(route: Route) -> None:
    drive = Drive(route)
    for _ in range(5):
        drive.go(1.0)
    there = drive.place()
    assert -90 <= there.latitude <= 90


def read_gpx(data: bytes) -> None:
    _drive(parse_gpx(data))


def read_drawn(data: bytes) -> None:
    _drive(drawn_route(msgspec.json.decode(data), loop=True))


def read_world(data: bytes) -> None:
    """A line to a world's door, and one that comes out of it."""
    for decode in (decode_operation, decode_answer):
        with contextlib.suppress(NotUnderstood):
            decode(data)


def read_track(data: bytes) -> None:
    place(data.decode("ascii", "replace").splitlines())


def read_log(data: bytes) -> None:
    """A real receiver's log, to be played."""
    log_epochs(data.decode("ascii", "replace"))


_NMEA: Final = (repaired.nmea_checksums,)
TARGETS: Final = (
    Target("scenario", from_file("scenario.toml", read_scenario), (BadScenario,)),
    Target("script", read_sentences, ()),
    Target("gpx", read_gpx, (RouteRefused,)),
    Target("drawn-route", read_drawn, (*LINES, RouteRefused)),
    Target("world-line", read_world, ()),
    Target("hardware-line", decode_request, (OpRefused,)),
    Target("network-line", decode_op, LINES),
    Target("card-line", decode_order, LINES),
    Target("panel-order", read_order, (WorldRefused,)),
    Target("panel-track", read_track, (), mends=_NMEA),
    Target("receiver-log", read_log, (), mends=_NMEA),
)
