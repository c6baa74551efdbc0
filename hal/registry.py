"""Find drivers by entry point name (group ``firsthand.hal``), never by a Python path."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from hal.errors import BadDriverOption, DriverNotFound, SimulatedDriverRefused

GROUP = "firsthand.hal"


def find_driver(seam: str, name: str, *, allow_simulated: bool) -> EntryPoint:
    """The entry point ``SEAM.NAME``.

    Raises `DriverNotFound` with the nearest names, or `SimulatedDriverRefused` for a driver out of `simulator/`
    unless `allow_simulated` is set (design, invariant 11).
    """
    wanted = f"{seam}.{name}"
    known = {point.name: point for point in entry_points(group=GROUP)}
    point = known.get(wanted)
    if point is None:
        mine = sorted(key.partition(".")[2] for key in known if key.startswith(f"{seam}."))
        near = difflib.get_close_matches(name, mine, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise DriverNotFound(f"no {seam} driver {name!r}{hint} (installed: {', '.join(mine) or 'none'})")
    if point.module.split(".")[0] == "simulator" and not allow_simulated:
        raise SimulatedDriverRefused(
            f"{seam} driver {name!r} is simulated: start with --allow-simulated, and only with a simulated certificate"
        )
    return point


def load_driver(seam: str, name: str, options: Mapping[str, Any], *, allow_simulated: bool) -> Any:
    """Import the driver and call it with its options as keyword arguments.

    The caller knows the seam's protocol. Errors of `find_driver`, and whatever the driver raises for bad options
    (`hal.errors.BadDriverOption`).
    """
    factory: Callable[..., Any] = find_driver(seam, name, allow_simulated=allow_simulated).load()
    _refuse_unknown(seam, name, options, factory)
    return factory(**options)


def check_options(seam: str, name: str, options: Mapping[str, Any]) -> None:
    """Look at a driver's options without starting it. Raises `HalError` for a driver or option that is not known.

    The driver's module is imported: ImportError where its libraries are missing.
    """
    _refuse_unknown(seam, name, options, find_driver(seam, name, allow_simulated=True).load())


def _refuse_unknown(seam: str, name: str, options: Mapping[str, Any], factory: Callable[..., Any]) -> None:
    known = inspect.signature(factory).parameters
    for option in options:
        if option not in known:
            near = difflib.get_close_matches(option, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f" (it knows: {', '.join(known) or 'none'})"
            raise BadDriverOption(f"{seam} driver {name!r} has no option {option!r}{hint}")
