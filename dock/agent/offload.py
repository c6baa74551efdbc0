"""One visit at a station after the other: which, when, and after which wait (R30). Nothing here deletes."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from dock.agent.backlog import Backlog
from dock.agent.backoff import Backoff
from dock.agent.gate import Gate
from dock.agent.ledger import UploadLedger
from dock.agent.progress import Progress
from dock.agent.queue import UploadQueue
from dock.agent.recorder_client import RecorderClient
from dock.agent.session import Beside, Session
from dock.agent.stations import Stations
from dock.agent.watch import RECORDER_TROUBLE, CameraWatch, Teller
from dock.config import AgentConfig
from dock.errors import StationBusy, StationFull, TransportError, UploadStopped, WrongStation
from dock.tls import client_context, own_start
from dock.transport.https import Connect, StationLink
from evidence.trust import Trust
from hal import program_time

log = logging.getLogger(__name__)
_STOPPED: Final = "offload_stopped"


class Offload:
    """Runs for ever beside `CameraWatch`."""

    def __init__(
        self,
        config: AgentConfig,
        recorder: RecorderClient,
        watch: CameraWatch,
        gate: Gate,
        ledger: UploadLedger,
        teller: Teller,
        connect: Connect = StationLink,
    ) -> None:
        self._config = config
        self._recorder = recorder
        self._watch = watch
        self._gate = gate
        self._ledger = ledger
        self._teller = teller
        self._connect = connect
        self.beside: tuple[Beside, ...] = ()
        """Work beside the uploads of each session."""
        self._trust = Trust.load(config.root, config.revocation_lists)
        self._clock_from = own_start(config.tls)
        target = config.target
        self._foreign = None
        if target is not None:
            from dock.agent.foreign import ForeignTarget  # loaded by need: cameras have little memory

            self._foreign = ForeignTarget(target, config.state_directory, config.offload)
        options, station = config.offload, config.station
        self._stations = Stations((station.url, *station.fallback_urls), self._new_backoff)
        self.backlog = Backlog(recorder, ledger, UploadQueue(self._new_backoff), ask_again_s=options.ask_again_s)
        self.progress = Progress()

    def _new_backoff(self) -> Backoff:
        return Backoff(self._config.offload.backoff_first_s, self._config.offload.backoff_max_s)

    async def run(self) -> None:
        """One session after the other; retries `TransportError`, `WrongStation` and `RECORDER_TROUBLE`."""
        while True:
            await self._watch.until(lambda: self._watch.permission.granted)
            url, wait_s = self._stations.next()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
                continue
            try:
                if self._watch.permission.over != "dock" and not await self._anything():
                    await asyncio.sleep(self._config.offload.poll_s)
                    continue
                await self._session(url)
            except UploadStopped as stopped:
                log.info("%s", stopped)
                await self._teller.event(_STOPPED, {"reason": str(stopped)})
                await self._watch.reconsider()  # a budget that is used up ends the permission, too
            except (TransportError, WrongStation, *RECORDER_TROUBLE) as error:
                await self._failed(url, error)

    async def _anything(self) -> bool:
        """Whether a visit is worth its battery and its megabytes: something waits that may go."""
        await self.backlog.refresh(self._config.offload.poll_s)
        self.progress.listed(self.backlog.files)
        return self.backlog.wanted(self._watch.permission.classes)

    async def _failed(self, url: str, error: Exception) -> None:
        least_s = 0.0
        if isinstance(error, StationBusy):
            least_s = error.retry_after_s
        elif isinstance(error, StationFull):
            least_s = self._config.offload.full_wait_s
        wait_s = self._stations.failed(url, least_s)
        self.progress.trouble = str(error)
        self.progress.on_file()
        log.warning("offload failed, %s again in %.1f s: %s", url, wait_s, error)
        await self._teller.event(
            "offload_failed", {"error": type(error).__name__, "reason": str(error), "again_s": round(wait_s)}
        )

    async def _session(self, url: str) -> None:
        now = program_time.utc_now()
        clock_good = now >= self._clock_from
        session = Session(
            self._config,
            url,
            client_context(self._config.tls, check_time=clock_good),
            recorder=self._recorder,
            watch=self._watch,
            gate=self._gate,
            ledger=self._ledger,
            backlog=self.backlog,
            progress=self.progress,
            teller=self._teller,
            on_stored=lambda: self._stations.worked(url),
            beside=self.beside,
            foreign=self._foreign,
            connect=self._connect,
        )
        await session.run(self._trust, now if clock_good else None)
