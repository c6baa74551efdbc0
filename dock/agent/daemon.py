"""The agent as a process: puts the parts together and runs them until a signal. It holds no evidence key."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sqlite3
from collections.abc import Coroutine, Iterator
from typing import Any

from dock.agent.aside_objects import AsideObjects
from dock.agent.backoff import Backoff
from dock.agent.command_relay import CommandRelay
from dock.agent.documents import DocumentCounter
from dock.agent.gate import Gate
from dock.agent.installer import Installer
from dock.agent.ledger import UploadLedger, open_ledger
from dock.agent.missing_proofs import MissingProofs
from dock.agent.offload import Offload
from dock.agent.peer_relay import PeerRelay
from dock.agent.queue_news import QUEUE_NOTICES, QueueNews
from dock.agent.recorder_client import RecorderClient
from dock.agent.report import Reporter
from dock.agent.updates import Updates
from dock.agent.watch import CameraWatch, Teller
from dock.config import AgentConfig
from dock.errors import BadConfig
from dock.mqtt.commands import CommandLine
from dock.mqtt.messages import notice_data
from dock.mqtt.peers import OwnStarts, PeerStarts
from dock.notify import keep_alive, notify
from dock.tls import client_context, own_serial, refuse_open_key
from dock.transport.https import Connect, StationLink
from evidence import durable
from evidence.handover import Notice, Status
from evidence.trust import Trust

log = logging.getLogger(__name__)
Relays = tuple[PeerRelay | CommandRelay, ...]
"""What passes between the broker and the recorder, beside the telemetry."""


class NoTelemetry:
    """`Teller` without a broker."""

    async def event(self, name: str, data: dict[str, Any]) -> None:
        log.debug("event %s %s", name, data)

    async def state(self, status: Status) -> None:
        """Nobody to tell."""


async def run_agent(config: AgentConfig) -> None:
    """Run until SIGTERM or SIGINT. Raises `BadConfig`, `evidence.errors.BadKey`, OSError."""
    refuse_open_key(config.tls.key, "tls.key")
    try:
        durable.make_directory(config.state_directory)
    except OSError as error:
        raise BadConfig(f"state_directory {config.state_directory} cannot be used: {error.strerror}") from error
    durable.clear_temporaries(config.state_directory, config.state_directory / "updates")
    ledger = open_ledger(config.state_directory / "uploads.sqlite")
    with contextlib.closing(ledger), _telemetry(config) as (teller, relays):
        work = asyncio.ensure_future(work_on(config, ledger, teller, relays))
        loop = asyncio.get_running_loop()

        def stop() -> None:
            notify("STOPPING=1")
            work.cancel()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop)
        print(f"firsthand-dock agent ready: {config.recorder_socket} to {config.station.url}", flush=True)
        notify("READY=1")
        alive = asyncio.ensure_future(keep_alive())
        try:
            await work
        except asyncio.CancelledError:
            log.info("stopping")
        finally:
            alive.cancel()


async def work_on(
    config: AgentConfig, ledger: UploadLedger, teller: Teller, relays: Relays = (), connect: Connect = StationLink
) -> None:
    """Watch the recorder and offload, until it is cancelled; `connect` opens connections to the station."""
    options = config.offload
    recorder = RecorderClient(config.recorder_socket, answer_s=options.timeout_s)
    # The status has a connection of its own: no receipt that takes its time may hide a recording that begins.
    eyes = RecorderClient(config.recorder_socket, answer_s=options.timeout_s)
    gate = Gate(options, ledger)
    watch = CameraWatch(eyes, teller, gate.look, poll_s=options.poll_s, backoff=_short_backoff())
    offload = Offload(config, recorder, watch, gate, ledger, teller, connect)
    reporter = Reporter(recorder, watch, offload.backlog, offload.progress)
    updates = _updates(config, eyes, watch)
    reporter.update = lambda: updates.report
    counter = DocumentCounter(recorder, updates.take)
    beside = (reporter, counter, updates, MissingProofs(recorder), AsideObjects(ledger))
    offload.beside = tuple(one.beside for one in beside)

    news = QueueNews(recorder, teller, config.state_directory / "queue_told.json")

    async def told(notice: Notice) -> None:
        if notice.event in QUEUE_NOTICES:
            news.look()
        # A fragment each second would fill the outbox of a camera without a broker in hours: it does not leave.
        data = notice_data(notice)
        if data is not None:
            await teller.event(notice.event, data)

    # Without telemetry nobody would be told, and the queue is kept.
    fleet = [*(relay.run() for relay in relays), *([news.run()] if relays else [])]
    works = (offload.run(), reporter.run(), updates.run(watch, eyes))
    try:
        await all_of(watch.poll(), watch.follow(_short_backoff(), told), *works, *fleet)
    finally:
        await recorder.close()
        await eyes.close()


async def all_of(*works: Coroutine[Any, Any, None]) -> None:
    """All side by side; when the first has ended or it is cancelled, none is left at work. Raises what the first did.

    `asyncio.gather` by itself returns as soon as the first one is cancelled, and an upload takes longer to its end.
    """
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            if not task.cancelling():  # a second time would cut its clearing up short
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _updates(config: AgentConfig, recorder: RecorderClient, watch: CameraWatch) -> Updates:
    options = config.updates
    installer = None
    if options.install is not None:
        installer = Installer(options.install, recorder, watch, most_s=options.install_s)
    updates = Updates(config.state_directory / "updates", Trust.load(config.root), options, installer)
    updates.load()
    return updates


def _short_backoff() -> Backoff:
    return Backoff(0.2, 10.0)


@contextlib.contextmanager
def _telemetry(config: AgentConfig) -> Iterator[tuple[Teller, Relays]]:
    if config.telemetry is None:
        yield NoTelemetry(), ()
        return
    # Only a camera with a broker pays for loading paho.
    from dock.mqtt.outbox import Outbox
    from dock.mqtt.telemetry import MqttTelemetry, read_boot_id

    try:
        outbox = Outbox(config.state_directory / "outbox.sqlite", max_rows=config.telemetry.outbox_rows)
    except sqlite3.Error as error:
        # Evidence goes on without telemetry.
        log.error("telemetry is off, its outbox in %s cannot be used: %s", config.state_directory, error)
        yield NoTelemetry(), ()
        return
    serial, system_id = own_serial(config.tls), config.station.system_id
    relay = PeerRelay(
        config.recorder_socket,
        OwnStarts() if config.peers.send else None,
        PeerStarts(system_id, serial) if config.peers.receive else None,
    )
    commands = CommandRelay(config.recorder_socket, CommandLine(serial))
    telemetry = MqttTelemetry(
        config.telemetry,
        outbox,
        lambda: client_context(config.tls),
        device=serial,
        boot=read_boot_id(),
        system_id=system_id,
        line=relay,
        commands=commands,
    )
    commands.answer = telemetry.answer
    relay.on_announcement = telemetry.wake
    telemetry.start()
    try:
        yield telemetry, (relay, commands)
    finally:
        telemetry.stop()
        outbox.close()
