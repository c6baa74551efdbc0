"""The camera daemon in this process, on virtual time: the same `Daemon`, on drivers that the loop steps (R29).

Its power can be cut: from that instant it writes nothing, and its next start finds what is on the card. While virtual
time stands still the writer has nothing left to do, so a cut falls between two durable writes; cuts within one are the
simulated card's (`simulator.card`), which forgets in every cut what nobody synced.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import queue
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from device.beside import Beside, T
from device.config import load_settings
from device.daemon import Daemon
from device.hardware import load_hardware
from device.identity import load_identity
from device.profile import load_profile, vault_faults
from evidence.handover import Answer, Notice, Refused, Spool, Status
from evidence.requests import ListRequest, Request, StatusRequest
from simulator.card.card import SimulatedCard
from simulator.card.storage import CardStorage
from simulator.drivers.board import Board
from simulator.drivers.hardware_messages import OpRefused, PinOp, PinsOp, decode_request
from simulator.pin_watch import Change
from simulator.run_errors import CameraRefused, ProcessDied, WorldRefused
from simulator.virtual_time import VirtualTime

START_S: Final = 20.0
"""How long, in virtual time, a camera may take until it answers."""
EXIT_POWER_OFF: Final = 20


class _Inline(Beside):
    """Done at once: nothing hangs here, and a thread would not know virtual time."""

    def start(self) -> None:
        self._work()

    def ask(self) -> None:
        self._work()

    def stop(self) -> None:
        """Nothing runs."""

    @staticmethod
    async def once(ask: Callable[[], T]) -> T:
        return ask()


class _CutOffDaemon(Daemon):
    """A daemon whose power can go away."""

    cut = False

    async def _finish(self) -> None:
        if not self.cut:
            await super()._finish()
            return
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.to_thread(self.sources.stop)
        await asyncio.to_thread(self.writer.stop)
        await self.control.stop()
        self.signals.stop()


class VirtualCamera:
    """`simulator.camera_end.CameraEnd`."""

    def __init__(
        self,
        virtual: VirtualTime,
        board: Board,
        card: SimulatedCard,
        device_toml: Path,
        *,
        on_power_off: Callable[[], None] = lambda: None,
    ) -> None:
        self._virtual = virtual
        self.board = board
        self.card = card
        self._device_toml = device_toml
        self._on_power_off = on_power_off
        self._levels: dict[int, int] = {}
        self._notices: queue.SimpleQueue[Notice] = queue.SimpleQueue()
        self._following: asyncio.Task[None] | None = None
        self._running: asyncio.Task[None] | None = None
        self.daemon: _CutOffDaemon | None = None
        self.starts = 0
        self.exit_code: int | None = None
        """Of the last orderly end."""
        self.on_notice: Callable[[Notice], None] = lambda _: None
        self._changes: queue.SimpleQueue[Change] = queue.SimpleQueue()
        board.watchers.append(lambda event: self._changes.put(Change(event.pin, event.level, event.at_ns)))

    # --- life ---------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the daemon as its command line does. Raises `device.errors.DeviceError`, `EvidenceError`."""
        settings = load_settings(self._device_toml)
        identity = load_identity(settings, allow_simulated=True)
        accepted, complaints = load_profile(
            Path(settings.profile), Path(settings.state) / "profile.p7s", identity.trust
        )
        hardware = load_hardware(settings, allow_simulated=True, wanted=accepted.profile.drivers)
        hardware.storage = CardStorage(self.card)
        self.daemon = daemon = _CutOffDaemon(settings, identity, accepted, hardware, beside=_Inline)
        for complaint in complaints:
            daemon.log("profile_refused", details={"why": complaint[:500]})
        now = dt.datetime.fromtimestamp(max(0, hardware.clock.utc().middle_ns) // 10**9, dt.UTC)
        for fault in vault_faults(accepted.profile, identity.recipients, now):
            daemon.log("fault", word="vault", details={"text": fault[:500]})
        loop = self._virtual.loop
        self._running = loop.create_task(daemon.run())
        self._following = loop.create_task(self._follow(daemon.control.follow()))
        for pin, level in self._levels.items():
            self._drive(pin, level)
        self._until(lambda: daemon.machine.state.value != "boot", START_S)
        self.starts += 1

    def cut_power(self) -> None:
        """At this instant; and back again."""
        self.power_off()
        self.start()

    def power_off(self) -> None:
        """Take the power away at this instant."""
        daemon, running = self.daemon, self._running
        assert daemon is not None
        assert running is not None
        daemon.cut = True
        self.card.cut()  # what was not synced is gone; and who writes from now on, dies of it
        running.cancel()
        self._virtual.loop.run_until_complete(asyncio.wait([running]))
        self._unfollow()
        self.daemon = self._running = None
        self.card.power_on()

    def shut_down(self) -> int:
        """Ask it to end in order; its exit code."""
        if self.daemon is not None and self._running is not None:
            self.daemon.shut_down()
            self._ended()
        return self.exit_code or 0

    def _ended(self) -> None:
        assert self.daemon is not None
        assert self._running is not None
        self._virtual.loop.run_until_complete(self._running)
        self.exit_code = self.daemon.exit_code
        self._unfollow()
        self.daemon = self._running = None

    def _unfollow(self) -> None:
        if self._following is not None:
            self._following.cancel()
            self._virtual.loop.run_until_complete(asyncio.wait([self._following]))
            self._following = None

    async def _follow(self, notices: asyncio.Queue[Notice | None]) -> None:
        while (notice := await notices.get()) is not None:
            self._notices.put(notice)
            self.on_notice(notice)

    def _until(self, condition: Callable[[], bool], within_s: float) -> None:
        loop = self._virtual.loop
        end_s = loop.time() + within_s
        while not condition():
            self._check()
            if loop.time() > end_s:
                raise ProcessDied(f"the camera does not answer within {within_s:g} s of virtual time")
            loop.run_until_complete(asyncio.sleep(0.05))

    def _check(self) -> None:
        """A daemon that ended by itself: with an empty battery it is charged and started again, else that is an error.

        Raises `ProcessDied`.
        """
        if self._running is None or not self._running.done():
            return
        running, daemon = self._running, self.daemon
        error = running.exception()
        if error is not None:
            raise ProcessDied(f"the camera has died: {type(error).__name__}: {error}") from error
        self._ended()
        if daemon is not None and daemon.exit_code == EXIT_POWER_OFF:
            self._on_power_off()
            self.start()
        else:
            raise ProcessDied(f"the camera has ended with code {self.exit_code}")

    # --- `CameraEnd` --------------------------------------------------------------------------------------------------

    def look(self) -> tuple[Status, list[Notice]]:
        self._check()
        status = self._ask(StatusRequest())
        assert isinstance(status, Status)
        found = []
        while not self._notices.empty():
            found.append(self._notices.get_nowait())
        return status, found

    def spool(self) -> Spool:
        page = self._ask(ListRequest())
        assert isinstance(page, Spool)
        return page

    def drive(self, pin: int, level: int) -> None:
        self._levels[pin] = level
        self._drive(pin, level)

    def level(self, pin: int) -> int | None:
        return self._levels.get(pin)

    def world(self, operation: dict[str, Any]) -> None:
        try:
            self.board.answer(decode_request(msgspec.json.encode(operation)))
        except OpRefused as error:
            raise WorldRefused(f"the simulated board refuses {operation}: {error}") from error

    def ask(self, request: Request) -> None:
        self._ask(request)

    def outputs(self) -> dict[int, float]:
        return {one.pin: one.level for one in self.board.answer(PinsOp()).pins or () if one.function == "output"}

    def changes(self) -> list[Change]:
        """`simulator.pin_watch.TellsChanges`."""
        return [self._changes.get_nowait() for _ in range(self._changes.qsize())]

    def close(self) -> None:
        """Nothing to hang up."""

    def _drive(self, pin: int, level: int) -> None:
        try:
            self.board.answer(PinOp(pin, 1 if level else 0))
        except OpRefused as error:
            raise WorldRefused(str(error)) from error

    def _ask(self, request: Request) -> Answer:
        daemon = self.daemon
        if daemon is None:
            raise WorldRefused("the camera has no power")
        answer = self._virtual.loop.run_until_complete(daemon.desk.answer(request))
        if isinstance(answer, Refused):
            raise CameraRefused(f"the recorder refuses: {answer.error}")
        return answer
