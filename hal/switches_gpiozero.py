"""Buttons and vehicle lines on GPIO pins, through gpiozero.

Only raw edges leave this module, stamped with CLOCK_BOOTTIME when gpiozero reports them. gpiozero's bounce time and
hold threads are not used: debounce, double press and hold belong to the state machine, where time can be simulated.
"""

from __future__ import annotations

import contextlib
import difflib
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gpiozero import DigitalInputDevice

from hal.clock import boottime_ns
from hal.errors import BadDriverOption, DeviceLost
from hal.pins import checked_pin, pin_errors
from hal.switches import Edge

log = logging.getLogger("firsthand.switches")
RETRY_S = 3.0
"""How long after an attempt to open a lost line the next one is made."""

_KEYS = ("pin", "active_high", "pull")
_PULLS: dict[str, bool | None] = {"up": True, "down": False, "none": None}


@dataclass(frozen=True, slots=True)
class LineOptions:
    """One input line."""

    pin: int
    """BCM number, 0..53."""
    active_high: bool = False
    """False: the line is active when it is pulled to ground, as a button does."""
    pull: str = "up"
    """Internal resistor: ``up``, ``down``, or ``none`` where the board has its own. Default: away from active."""


def line_options(name: str, options: Mapping[str, object], taken: dict[int, str]) -> LineOptions:
    """Check the options of one line. Raises `BadDriverOption` that names the nearest known option."""
    what = f"switch {name!r}"
    if not isinstance(options, Mapping):
        raise BadDriverOption(f'{what}: must be a table such as {{ pin = 17, active_high = false }}, not "{options}"')
    for key in options:
        if key not in _KEYS:
            near = difflib.get_close_matches(str(key), _KEYS, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise BadDriverOption(f"{what}: unknown option {key!r}{hint} (known: {', '.join(_KEYS)})")
    if "pin" not in options:
        raise BadDriverOption(f"{what}: option 'pin' is missing")
    active_high = options.get("active_high", False)
    if not isinstance(active_high, bool):
        raise BadDriverOption(f"{what}: active_high must be true or false, not {active_high!r}")
    pull = options.get("pull", "down" if active_high else "up")
    if not isinstance(pull, str) or pull not in _PULLS:
        raise BadDriverOption(f"{what}: pull must be one of {', '.join(_PULLS)}, not {pull!r}")
    if pull == ("up" if active_high else "down"):
        raise BadDriverOption(f"{what}: pull {pull!r} would hold the line active; use the other one, or 'none'")
    return LineOptions(checked_pin(what, options["pin"], taken), active_high, pull)


class GpiozeroSwitches:
    """A `hal.switches.Switches` on GPIO pins.

    `lines` maps a line's name to its options (see `LineOptions`), e.g.
    ``{"record_button": {"pin": 17, "active_high": False}}``. `pin_factory` None = gpiozero's default. `clock` returns
    CLOCK_BOOTTIME in nanoseconds.

    Raises `BadDriverOption` for an unknown option or a pin out of 0..53 or used twice. No pin is opened before `start`.
    """

    def __init__(
        self,
        lines: Mapping[str, Mapping[str, object]],
        pin_factory: Any | None = None,
        *,
        clock: Callable[[], int] = boottime_ns,
    ) -> None:
        if not isinstance(lines, Mapping):
            raise BadDriverOption("switches: lines must be a table of lines, e.g. lines.record_button = { pin = 17 }")
        taken: dict[int, str] = {}
        self._options = {name: line_options(name, options, taken) for name, options in lines.items()}
        self._factory = pin_factory
        self._clock = clock
        self._devices: dict[str, Any] = {}
        self._level: dict[str, bool] = {}
        self._lock = threading.RLock()  # keeps edges in order; re-entrant, so that a callback may call stop()
        self._on_edge: Callable[[Edge], None] | None = None
        self._stopping = threading.Event()

    def start(self, on_edge: Callable[[Edge], None]) -> None:
        """Open the pins and deliver edges; lines already active deliver an edge at once, on the caller's thread.

        Raises `DeviceLost` if pins cannot be opened, after all the others were: these deliver nevertheless, because a
        dead vehicle line must not take the record button with it (design, invariant 1). The lost ones are tried again
        every few seconds on a thread, until they are open or `stop` is called.
        """
        if self._on_edge is not None:
            raise RuntimeError("the switches are already started")
        self._on_edge = on_edge
        self._stopping = threading.Event()
        lost, unopened = [], dict[str, LineOptions]()
        for name, options in self._options.items():
            try:
                self._open(name, options)
            except pin_errors() as error:
                lost.append(f"{name} on pin {options.pin} ({error})")
                unopened[name] = options
        if lost:
            again = threading.Thread(
                target=self._open_later, args=(unopened, self._stopping), name="switches-again", daemon=True
            )
            again.start()
            raise DeviceLost(
                f"input lines lost: {'; '.join(lost)}: check that no other program uses the pins and that they exist"
            )

    def _open_later(self, unopened: dict[str, LineOptions], stopping: threading.Event) -> None:
        """A chip whose driver came late, a pin that another program held, rights that udev had not given yet."""
        while unopened and not stopping.wait(RETRY_S):
            for name, options in list(unopened.items()):
                with contextlib.suppress(*pin_errors()):
                    self._open(name, options)
                    del unopened[name]
                    log.warning("input line %s on pin %d is open now", name, options.pin)

    def _open(self, name: str, options: LineOptions) -> None:
        pull = _PULLS[options.pull]
        device = DigitalInputDevice(
            options.pin,
            pull_up=pull,
            active_state=options.active_high if pull is None else None,
            pin_factory=self._factory,
        )
        with self._lock:
            if self._on_edge is None:  # stopped meanwhile
                device.close()
                return
            self._devices[name] = device
            self._level[name] = False
            device.when_activated = lambda: self._deliver(name, active=True)
            device.when_deactivated = lambda: self._deliver(name, active=False)
            if device.is_active:
                self._deliver(name, active=True)

    def _deliver(self, name: str, *, active: bool) -> None:
        at_ns = self._clock()
        with self._lock:
            # The first edge may be seen twice, as the level at start and as a callback: it is delivered once.
            if self._on_edge is None or self._level[name] == active:
                return
            self._level[name] = active
            self._on_edge(Edge(name, active, at_ns))

    def active(self, line: str) -> bool:
        """The present level, polarity applied.

        Raises KeyError for an unknown line, `DeviceLost` if it is not open, or if its chip is not there any more.
        """
        if line not in self._options:
            raise KeyError(line)
        device = self._devices.get(line)
        if device is None:
            raise DeviceLost(f"input line {line!r} is not open: start the switches first, or check its pin")
        try:
            return bool(device.is_active)
        except pin_errors() as error:
            pin = self._options[line].pin
            raise DeviceLost(f"input line {line!r} on pin {pin} cannot be read ({error}): is its chip gone?") from error

    def stop(self) -> None:
        """Close the pins; no edge is delivered after it returns. May be called twice."""
        self._stopping.set()
        with self._lock:
            self._on_edge = None
            devices = list(self._devices.values())
            self._devices.clear()
        for device in devices:
            device.close()
