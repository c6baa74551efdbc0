"""What cameras tell the fleet's broker of their logs, remembered as a claim (invariant 9; docs/design/log.md).

A camera that is on the street for weeks is witnessed all the same: a card that comes back with another past than the
one that was told is found out. It is a claim of the camera's network side, signed by nobody: it raises an alarm, and
never proves anything. The broker binds a topic to the certificate of the camera that writes it.

1. Nothing of a message is believed but a log head of the right form; a larger or other message is dropped.
2. Only the newest head of each camera is kept, in memory until it is written, once in `WRITE_EVERY_S` at the most.
3. A head that lies before one already claimed changes nothing: retained and late messages come in any order.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import re
import ssl
import threading
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from msgspec import Meta

from dock.agent.backoff import Backoff
from dock.config_broker import BrokerSettings
from dock.station.part import StationPart
from dock.tls import client_context
from evidence.statements import LogHead
from hal import program_time

if TYPE_CHECKING:
    from paho.mqtt.client import Client, MQTTMessage

    from dock.mqtt.protocol import Protocol
    from dock.station.station import Station

log = logging.getLogger(__name__)
TOPIC: Final = "fleet/v1/+/state"
MESSAGE_BYTES: Final = 64 * 1024
WRITE_EVERY_S: Final = 1.0
_CAMERAS: Final = 20_000
"""Most cameras whose heads wait to be written at one time."""
_SERIAL: Final = re.compile(r"fleet/v1/([A-Z0-9][A-Z0-9-]{0,31})/state", re.ASCII)
_WELCOME_S: Final = 20.0


class _State(msgspec.Struct, frozen=True):
    """Of `dock.mqtt.messages.state_data`, the only thing that is read here."""

    log_head: LogHead | None = None


class _Message(msgspec.Struct, frozen=True):
    """A CloudEvent that tells a camera's state."""

    specversion: Annotated[str, Meta(pattern=r"^1\.0\Z")]
    type: Annotated[str, Meta(pattern=r"^firsthand\.state\Z")]
    data: _State


_DECODER: Final = msgspec.json.Decoder(_Message)


def head_in(topic: str, payload: bytes) -> tuple[str, LogHead] | None:
    """Whose log stands where, by one message; None if it does not say so. Pure."""
    serial = _SERIAL.fullmatch(topic)
    if serial is None or len(payload) > MESSAGE_BYTES:
        return None
    try:
        head = _DECODER.decode(payload).data.log_head
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    return (serial[1], head) if head is not None else None


class BrokerWitness(StationPart):
    """Listens to the broker for as long as the station runs."""

    name = "broker-witness"

    def __init__(self, station: Station) -> None:
        super().__init__(station)
        self._heads: dict[str, LogHead] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()

    async def begin(self) -> None:
        broker = self.station.config.broker
        if broker is not None:
            client_context(broker.tls)  # told at the start, not at the first connection

    async def run(self) -> None:
        broker = self.station.config.broker
        if broker is None:
            return
        listening = threading.Thread(target=self._listen, args=(broker,), name="broker-witness", daemon=True)
        listening.start()
        try:
            while True:
                await asyncio.sleep(WRITE_EVERY_S)
                await asyncio.to_thread(self.write)
        finally:
            self._stopping.set()

    def take(self, topic: str, payload: bytes) -> None:
        """One message of the broker (any thread)."""
        told = head_in(topic, payload)
        if told is None:
            return
        serial, head = told
        with self._lock:
            known = self._heads.get(serial)
            if (known is not None and _later(head, known)) or (known is None and len(self._heads) < _CAMERAS):
                self._heads[serial] = head

    def write(self) -> None:
        """Make durable what was told since. Blocks. A disk that fails costs claims, which are told again."""
        with self._lock:
            heads, self._heads = self._heads, {}
        witnesses = self.station.desk.witnesses
        for serial, head in heads.items():
            try:
                claimed = witnesses.look(serial).claimed
                if claimed is None or _later(head, claimed):
                    witnesses.claim(serial, head, self.station.desk.now())
            except OSError as error:
                log.error("the claim of %s cannot be kept: %s", serial, error)

    def _listen(self, broker: BrokerSettings) -> None:
        """Connect, listen, and again with a longer wait; retries OSError (network, TLS) and ValueError (paho)."""
        from dock.mqtt import protocol as mqtt  # paho is loaded only where a broker is configured

        protocol, backoff = mqtt.Protocol(broker.mqtt), Backoff(1.0, broker.backoff_max_s)
        while not self._stopping.is_set():
            try:
                self._connected_once(broker, client_context(broker.tls), protocol, backoff)
            except (OSError, ValueError) as error:
                log.warning("no witness by the broker %s:%d: %s", broker.host, broker.port, error)
            protocol.ended()
            self._stopping.wait(backoff.next_s())

    def _connected_once(
        self, broker: BrokerSettings, context: ssl.SSLContext, protocol: Protocol, backoff: Backoff
    ) -> None:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion

        words: queue.SimpleQueue[str] = queue.SimpleQueue()
        client = Client(CallbackAPIVersion.VERSION2, protocol=protocol.version, reconnect_on_failure=False)
        client.tls_set_context(context)
        client.connect_timeout = _WELCOME_S
        client.on_connect = lambda _c, _d, _f, reason, _p: words.put(str(reason) if reason.is_failure else "")
        client.on_disconnect = lambda _c, _d, _f, reason, _p: words.put(f"the connection ended: {reason}")
        client.on_message = self._on_message
        try:
            protocol.connect(client, broker.host, broker.port, keepalive_s=60, session_s=0)
            protocol.reached()
            client.loop_start()
            deadline, welcome = program_time.monotonic_s() + _WELCOME_S, False
            while not self._stopping.is_set():
                try:
                    word = words.get(timeout=0.5)
                except queue.Empty:
                    if not welcome and program_time.monotonic_s() > deadline:
                        raise TimeoutError("it did not answer in time") from None
                    continue
                if word:
                    raise ConnectionAbortedError(word)
                welcome = True
                protocol.welcomed()
                backoff.reset()
                client.subscribe(TOPIC, 1)
                log.info("the broker %s:%d tells where the cameras' logs stand", broker.host, broker.port)
        finally:
            client.disconnect()
            client.loop_stop()

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            return  # an exception here would end paho's thread
        self.take(topic, bytes(message.payload[: MESSAGE_BYTES + 1]))


def _later(one: LogHead, other: LogHead) -> bool:
    return (one.segment, one.seq) > (other.segment, other.seq)
