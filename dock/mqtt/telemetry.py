"""The camera's voice to the fleet: the outbox, and one thread that empties it into the broker.

The thread owns everything about MQTT: paho's callbacks only put a word into its mailbox, so that no lock of ours is
ever held inside one of paho's. Each connection has a client of its own: what was in flight on the last is forgotten,
and its rows, still in the outbox, are sent again. Peers' announcements (R23) share the connection and wait for no
telemetry: what is heard goes straight to the relay, and what is to be sent goes first.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import queue
import sqlite3
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Protocol

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from dock.agent.backoff import Backoff
from dock.config import Telemetry
from dock.mqtt import messages
from dock.mqtt.commands import NAME as COMMAND
from dock.mqtt.outbox import Kind, Outbox
from dock.mqtt.peers import ANNOUNCEMENT_BYTES, OwnStarts, PeerStarts, peers_topic
from dock.mqtt.protocol import Protocol as MqttProtocol
from evidence.handover import Status
from evidence.limits import COMMAND_BYTES as DOCUMENT_BYTES
from evidence.statements import moment
from hal import program_time

log = logging.getLogger(__name__)
IN_FLIGHT: Final = 20
PEERS_IN_FLIGHT: Final = 10
"""Room beside the telemetry, so that no backlog of ours delays a start."""
_FLEETING: Final = frozenset(
    {"uptime_s", "free_bytes", "buffered_s", "storage_minutes_left", "runtime_minutes", "offloading"}
)
"""What changes all the time and is no news."""
_CONNECT_S: Final = 20.0
_WELCOME_S: Final = 20.0
"""A broker that has taken the connection answers within that time, or does not know this MQTT."""
_ANSWERS_WAITING: Final = 20
_MAILBOX: Final = 1000
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


class PeerLine(Protocol):
    """What cameras say to each other, beside the telemetry (`dock.agent.peer_relay`)."""

    own: OwnStarts | None
    peers: PeerStarts | None

    def heard(self, topic: str, payload: bytes, *, retained: bool) -> None:
        """Something came on the peers' topic (paho's thread)."""
        ...


def read_boot_id() -> str:
    """This boot's random id (Linux). Raises OSError."""
    return _BOOT_ID.read_text("ascii").strip()


class Commands(Protocol):
    """Who passes signed commands on (`dock.agent.command_relay`)."""

    def heard(self, document: bytes, reply_to: str | None, correlation: bytes | None, *, retained: bool) -> None:
        """A command came (paho's thread)."""
        ...


class MqttTelemetry:
    """`dock.agent.watch.Teller` over MQTT. Events are durable when `event` returns; delivery comes when it can."""

    def __init__(
        self,
        config: Telemetry,
        outbox: Outbox,
        context: Callable[[], ssl.SSLContext],
        *,
        device: str,
        boot: str,
        system_id: str = "",
        line: PeerLine | None = None,
        commands: Commands | None = None,
    ) -> None:
        self._config = config
        self._outbox = outbox
        self._context = context
        self._device = device
        self._boot = boot
        self._system_id = system_id
        self._line = line
        self._commands = commands
        self._brokers = itertools.cycle(config.brokers)
        self._protocol = MqttProtocol(config.mqtt)
        self._mailbox: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="telemetry", daemon=True)
        self._stopping = threading.Event()
        self._in_flight: dict[int, int] = {}
        self._client: Client | None = None
        self._last_state: tuple[dict[str, Any], float] | None = None
        self._state_now: dict[str, Any] | None = None

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Say that we are off line, and end the thread. Blocks up to a few seconds; rows stay for the next start."""
        self._stopping.set()
        self._post("wake", None)
        self._thread.join(5.0)

    def wake(self) -> None:
        """There is something to send (from any thread)."""
        self._post("wake", None)

    async def event(self, name: str, data: dict[str, Any]) -> None:
        """Keep an event; a name that cannot stand in a topic is dropped. A broken outbox is logged, never raised."""
        if messages.event_name(name) is None:
            log.warning("an event has no usable name: %r", name[:80])
            return
        await asyncio.to_thread(self._put, "evt", name, data)

    async def answer(self, name: str, data: dict[str, Any]) -> None:
        """Keep the answer to a command; dropped if too many wait, for whoever sends so many."""
        if await asyncio.to_thread(self._outbox.count, "rsp") < _ANSWERS_WAITING:
            await asyncio.to_thread(self._put, "rsp", name, data)

    async def state(self, status: Status) -> None:
        """Keep the state if it changed in more than its counters, or the last one is old."""
        data = messages.state_data(status, {})
        lasting = {key: value for key, value in data.items() if key not in _FLEETING}
        now = program_time.monotonic_s()
        if self._last_state and self._last_state[0] == lasting and now - self._last_state[1] < self._config.state_s:
            return
        self._last_state = (lasting, now)
        await asyncio.to_thread(self._put_state, data)

    def _put_state(self, data: dict[str, Any]) -> None:
        try:
            dropped = self._outbox.dropped()
        except sqlite3.Error as error:
            log.error("the outbox cannot be read: %s", error)
            dropped = {}
        self._state_now = {**data, **({"telemetry_dropped": dropped} if dropped else {})}
        self._put("state", "state", self._state_now)

    def _put(self, kind: Kind, name: str, data: dict[str, Any]) -> None:
        try:
            self._outbox.put(self._boot, kind, name, moment(program_time.utc_ns()), data)
        except sqlite3.Error as error:
            # Telemetry is no evidence: the upload goes on without it.
            log.error("telemetry %s %s is lost: %s", kind, name, error)
            return
        self._post("wake", None)

    def _post(self, word: str, value: Any) -> None:
        # What can be had again is dropped when the thread is behind; an acknowledgement never is.
        if word in {"wake", "command"} and self._mailbox.qsize() >= _MAILBOX:
            return
        self._mailbox.put((word, value))

    def _run(self) -> None:
        """Connect, empty the outbox, and again; retries OSError (network, TLS), ValueError (paho) and sqlite3.Error."""
        backoff = Backoff(1.0, self._config.backoff_max_s)
        while not self._stopping.is_set():
            try:
                self._connected_once(backoff)
            except (OSError, ValueError, sqlite3.Error) as error:
                log.warning("telemetry: %s", error)
            self._stopping.wait(backoff.next_s())

    def _connected_once(self, backoff: Backoff) -> None:
        """One client from its connection to its end."""
        client = self._new_client()
        self._client, self._in_flight = client, {}
        if self._line is not None and self._line.own is not None:
            self._line.own.reconnected()
        try:
            host, port = next(self._brokers)
            keepalive_s, session_s = self._config.keepalive_s, self._config.session_s
            self._protocol.connect(client, host, port, keepalive_s=keepalive_s, session_s=session_s)
            self._protocol.reached()
            client.loop_start()
            self._serve(client, backoff)
        finally:
            self._client = None
            self._protocol.ended()
            if self._stopping.is_set() and client.is_connected():
                client.publish(f"{messages.base_topic(self._device)}/state", self._offline("left"), 1, retain=True)
            client.disconnect()
            client.loop_stop()

    def _serve(self, client: Client, backoff: Backoff) -> None:
        connected = False
        deadline = program_time.monotonic_s() + _WELCOME_S
        while not self._stopping.is_set():
            try:
                word, value = self._mailbox.get(timeout=1.0)
            except queue.Empty:
                word, value = "wake", None
            if word == "connected" and value[0] is client:
                if value[1]:
                    raise ConnectionRefusedError(f"the broker refused: {value[1]}")
                connected = True
                self._protocol.welcomed()
                backoff.reset()
                self._greet(client)
            elif word == "gone" and value[0] is client:
                raise ConnectionAbortedError(f"the broker's connection ended: {value[1]}")
            elif word == "acked" and value[0] is client:
                self._acknowledged(value[1])
            elif word == "command":
                self._refuse(*value)
            if connected:
                self._announce(client)
                self._fill(client)
            elif program_time.monotonic_s() > deadline:
                raise TimeoutError("the broker did not answer in time")

    def _acknowledged(self, message_id: int) -> None:
        row = self._in_flight.pop(message_id, None)
        if row is not None:
            self._outbox.delete(row)
        elif self._line is not None and self._line.own is not None:
            self._line.own.acknowledged(message_id)

    def _greet(self, client: Client) -> None:
        client.subscribe(f"{messages.base_topic(self._device)}/cmd/#", 1)
        if self._line is not None and self._line.peers is not None:
            client.subscribe(self._line.peers.topics, 1)
        if self._state_now is not None and self._outbox.count("state") == 0:
            self._put("state", "state", self._state_now)  # our last will may stand there: overwrite it

    def _announce(self, client: Client) -> None:
        """Send this camera's starts to its peers: before everything else, never retained, and only while fresh."""
        own = None if self._line is None else self._line.own
        if own is None:
            return
        for number, announcement in own.to_send(program_time.monotonic_s()):
            topic = peers_topic(self._system_id, self._device)
            told = client.publish(topic, announcement, 1, retain=False)
            if told.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
                raise ConnectionAbortedError(f"the announcement was not taken: {told.rc}")
            own.sent(number, told.mid)

    def _fill(self, client: Client) -> None:
        """Send the oldest rows, at most `IN_FLIGHT` unacknowledged."""
        room = IN_FLIGHT - len(self._in_flight)
        if room <= 0:
            return
        for row in self._outbox.oldest(room, but=self._in_flight.values()):
            topic = messages.topic_of(self._device, row)
            properties = self._protocol.beside(messages.correlation_of(row))
            payload = messages.encode_row(self._device, row)
            told = client.publish(topic, payload, 1, retain=row.kind == "state", properties=properties)
            if told.rc not in {MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_NO_CONN}:
                raise ConnectionAbortedError(f"the message was not taken: {told.rc}")
            self._in_flight[told.mid] = row.row

    def _refuse(self, topic: str, payload: bytes) -> None:
        answer = messages.refusal(self._device, topic, payload)
        if answer is None:
            log.warning("something that is no command came over MQTT (%d bytes)", len(payload))
        elif self._outbox.count("rsp") < _ANSWERS_WAITING:
            self._put("rsp", *answer)

    def _new_client(self) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._device,
            protocol=self._protocol.version,
            reconnect_on_failure=False,
        )
        client.tls_set_context(self._context())
        client.connect_timeout = _CONNECT_S
        client.max_inflight_messages_set(IN_FLIGHT + PEERS_IN_FLIGHT)
        client.will_set(f"{messages.base_topic(self._device)}/state", self._offline("lost"), 1, retain=True)
        client.on_connect = lambda client, _data, _flags, reason, _properties: self._post(
            "connected", (client, str(reason) if reason.is_failure else "")
        )
        client.on_disconnect = lambda client, _data, _flags, reason, _properties: self._post(
            "gone", (client, str(reason))
        )
        client.on_publish = lambda client, _data, mid, _reason, _properties: self._post("acked", (client, mid))
        client.on_message = self._on_message
        return client

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            return  # an exception here would end paho's thread
        if self._line is not None and not topic.startswith(f"{messages.base_topic(self._device)}/"):
            payload = bytes(message.payload[: ANNOUNCEMENT_BYTES + 1])
            self._line.heard(topic, payload, retained=message.retain)
            return
        if self._commands is not None and topic == f"{messages.base_topic(self._device)}/cmd/{COMMAND}":
            asked = message.properties
            self._commands.heard(
                bytes(message.payload[: DOCUMENT_BYTES + 1]),
                getattr(asked, "ResponseTopic", None),
                getattr(asked, "CorrelationData", None),
                retained=message.retain,
            )
            return
        # One byte too many is enough to refuse it by its size.
        self._post("command", (topic, bytes(message.payload[: messages.COMMAND_BYTES + 1])))

    def _offline(self, how: str) -> bytes:
        now = moment(int(program_time.utc_now().timestamp()) * 10**9)
        event_id = f"{self._boot}:{how}:{program_time.monotonic_ns()}"
        return messages.cloud_event(
            self._device, event_id=event_id, kind="state", time=now, data={"online": False, "how": how}
        )
