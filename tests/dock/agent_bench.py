"""An agent on a thread of the test: real connections, its events in a list. Cheaper than a process for each lie."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from pathlib import Path
from typing import Any

from dock.agent.backoff import Backoff
from dock.agent.daemon import all_of
from dock.agent.documents import DocumentCounter
from dock.agent.gate import Gate
from dock.agent.ledger import open_ledger
from dock.agent.offload import Offload
from dock.agent.recorder_client import RecorderClient
from dock.agent.report import Reporter
from dock.agent.watch import CameraWatch
from dock.config import load_agent
from evidence.handover import Notice, Status


class Events:
    """`dock.agent.watch.Teller`: keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, Any]]] = []

    async def event(self, name: str, data: dict[str, Any]) -> None:
        self.told.append((name, data))

    async def state(self, status: Status) -> None:
        """Not looked at."""

    def of(self, name: str) -> list[dict[str, Any]]:
        return [data for told, data in self.told if told == name]


class RunningAgent:
    """Runs from `with` to its end."""

    def __init__(self, config: Path, *, net: Path | None = None) -> None:
        self.config = load_agent(config)
        self.events = Events()
        self.ended_well = False
        self._net = net or config.parent / "no-net"
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.watch: CameraWatch | None = None

    def __enter__(self) -> RunningAgent:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(lambda: self._task and self._task.cancel())
        self._thread.join(60)
        assert not self._thread.is_alive()
        assert self.ended_well, "the agent died: see the warning of its thread"

    def _run(self) -> None:
        async def whole() -> None:
            self._task = asyncio.current_task()
            with contextlib.suppress(asyncio.CancelledError):
                await self._work()
            self.ended_well = True

        self._loop.run_until_complete(whole())
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    async def _work(self) -> None:
        config, options = self.config, self.config.offload
        config.state_directory.mkdir(exist_ok=True)
        ledger = open_ledger(config.state_directory / "uploads.sqlite")
        recorder, eyes = RecorderClient(config.recorder_socket), RecorderClient(config.recorder_socket)
        gate = Gate(options, ledger, net=self._net)
        watch = self.watch = CameraWatch(eyes, self.events, gate.look, poll_s=options.poll_s, backoff=Backoff(0.1, 0.2))
        offload = Offload(config, recorder, watch, gate, ledger, self.events)
        reporter = Reporter(recorder, watch, offload.backlog, offload.progress)
        offload.beside = (reporter.beside, DocumentCounter(recorder).beside)

        async def told(notice: Notice) -> None:
            await self.events.event(f"notice_{notice.event}", {})

        work = (watch.poll(), watch.follow(Backoff(0.1, 0.2), told), offload.run(), reporter.run())
        try:
            await all_of(*work)
        finally:
            await recorder.close()
            await eyes.close()
            ledger.close()
