"""Our lines to the camera daemon: its own socket, and the board's. Both come back when the daemon is started again."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Final

from evidence.handover import Notice, Spool, Status
from evidence.requests import Request
from simulator.card.mounted import NoCard
from simulator.card.orders import CardOrders
from simulator.pin_watch import Change, PinWatch
from simulator.processes import Child, Children
from simulator.run_errors import ProcessDied, WorldRefused
from simulator.socket_lines import LineSocket, Recorder, connected, drive_pin, outputs, tell_hardware

AGAIN_WITHIN_S: Final = 120.0
"""How long a camera that was killed may take to answer again."""


class CameraLink:
    """Talks to one camera. A killed daemon is waited for, and finds every line at the level it had."""

    def __init__(self, children: Children, recorder: Recorder, hardware_socket: Path, device: Child) -> None:
        self._children = children
        self._recorder = recorder
        self._hardware_socket = hardware_socket
        self._device = device
        self._board: LineSocket | None = None
        self._pins: PinWatch | None = None
        self._levels: dict[int, int] = {}
        self.card: CardOrders = NoCard()
        """Loses its power with the camera."""
        self.also: tuple[Child, ...] = ()
        """What else runs on the camera, and loses its power with it."""
        self.starts = 0
        """How often the camera was connected to: it goes up when a killed daemon is back."""

    def connect(self, within_s: float) -> None:
        """Connect as soon as the camera answers, and set the lines. Raises `ProcessDied`."""
        deadline_s = time.monotonic() + within_s
        while True:
            self._children.check()
            try:
                self._recorder.status()
                self._recorder.watch()
                self._board = connected(self._hardware_socket, within_s=5.0)
                if self._board is not None:
                    self._pins = PinWatch(self._hardware_socket)
                    for pin, level in self._levels.items():
                        drive_pin(self._board, pin, level)
                    self.starts += 1
                    return
                why = "the simulated board does not answer"
            except WorldRefused as error:
                why = str(error)
            if time.monotonic() > deadline_s:
                raise ProcessDied(f"the camera does not answer: {why}; its log:\n{self._device.tail()}")
            time.sleep(0.1)

    def look(self) -> tuple[Status, list[Notice]]:
        """Are all processes alive, what is the camera's state, and what did it tell. Raises `ProcessDied`."""
        self._children.check()
        try:
            status = self._recorder.status()
        except WorldRefused:
            self._again()
            status = self._recorder.status()
        return status, self._recorder.notices()

    def spool(self) -> Spool:
        """Closed files that wait on the camera."""
        try:
            return self._recorder.spool()
        except WorldRefused:
            self._again()
            return self._recorder.spool()

    def drive(self, pin: int, level: int) -> None:
        """Put a level on an input pin, now and after each new start of the camera."""
        self._levels[pin] = level
        assert self._board is not None, "connect first"
        try:
            drive_pin(self._board, pin, level)
        except WorldRefused:
            self._again()

    def world(self, operation: dict[str, Any]) -> None:
        """One operation on the simulated sensors (see `simulator.drivers.hardware`). Raises `WorldRefused`."""
        if self._board is None:
            raise WorldRefused("the simulated board does not answer: the camera is away")
        tell_hardware(self._board, operation)

    def ask(self, request: Request) -> None:
        """One request to the recorder, as a radio or a technician makes it. Raises `WorldRefused` if it is refused."""
        self._recorder.request(request)

    def cut_power(self) -> None:
        """Take the power away at this instant, and give it back. Raises `ProcessDied` if the camera stays away.

        The card forgets what nobody synced; then everything that runs on the camera loses what it had in mind.
        """
        self.card.cut()
        dead = (self._device, *self.also)
        for one in dead:
            one.process.kill()
        self.card.power_on()  # what the dead still wait for is answered, else they could not end
        for one in dead:
            one.process.wait()
        self._again()

    def outputs(self) -> dict[int, float]:
        """Level of every output pin: lamps, vibration, tone. Empty while the board does not answer."""
        try:
            return outputs(self._board) if self._board is not None else {}
        except WorldRefused:
            return {}  # the next look finds out why

    def changes(self) -> list[Change]:
        """Every change of an output since the last call."""
        return self._pins.changes() if self._pins is not None else []

    def level(self, pin: int) -> int | None:
        """What we last drove a pin to; None if never."""
        return self._levels.get(pin)

    def _again(self) -> None:
        self._recorder.close()
        self.close()
        self.connect(AGAIN_WITHIN_S)

    def close(self) -> None:
        """End the line to the board. May be called twice."""
        if self._board is not None:
            self._board.close()
            self._board = None
        if self._pins is not None:
            self._pins.close()
            self._pins = None
