"""The docking station with a liar in front: ``python -m simulator.lying_station --config FILE --control SOCKET``.

It is the production station, honest until it is told to lie over its control socket (see `lies`). `--keys` names the
directory with the false keys of `station_keys`; without it the lies that need one are refused.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import sys
from pathlib import Path
from typing import Any, Final

from dock.config import load_station
from dock.errors import DockError
from evidence.errors import EvidenceError
from simulator.control import ControlLine, serve_control
from simulator.lies import StationControl, StationOp, decode_op
from simulator.lying_app import LyingApp
from simulator.run_errors import WorldRefused

_TEXT: Final = "The docking station, honest until it is told to lie."


class _Far:
    """The station of another process."""

    def __init__(self, control: Path) -> None:
        self._line = ControlLine(control, "the station")

    def do(self, op: StationOp) -> dict[str, Any]:
        return self._line.ask(op)


def station_control(control: Path) -> StationControl:
    """Command the station whose control socket that is."""
    return StationControl(_Far(control))


async def _serve(config: Path, control: Path, keys: Path) -> None:
    from dock.station.server import run_station  # slow to import: the control's other end needs none of it

    served: list[LyingApp] = []

    def do(op: StationOp) -> dict[str, Any]:
        if not served:
            raise WorldRefused("the station is not ready yet")
        return served[0].do(op)

    def around(app: Any, station: Any) -> LyingApp:
        served.append(LyingApp(app, station, keys))
        return served[0]

    server = await serve_control(control, decode_op, do)
    try:
        await run_station(load_station(config), around)
    finally:
        server.close()


def main() -> int:
    """The process; exit codes as `firsthand-dock station`."""
    parser = argparse.ArgumentParser(prog="python -m simulator.lying_station", description=_TEXT)
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the station's station.toml")
    parser.add_argument("--control", type=Path, required=True, metavar="SOCKET", help="where it is told to lie")
    parser.add_argument("--keys", type=Path, metavar="DIR", help="false keys; default: beside the settings")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    try:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(_serve(options.config, options.control, options.keys or options.config.parent))
    except (DockError, EvidenceError, OSError) as error:
        print(f"simulator.lying_station: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
