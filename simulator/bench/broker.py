"""The fleet's broker of a real world, as a test listens to it: MQTT over TLS, with a client of our own."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from simulator.bench.hand import Hand
from simulator.broker import HOST, READY
from simulator.run_errors import WorldRefused
from simulator.running import READY_WITHIN_S, Running

_NAME: Final = "localhost"
"""As its certificate has it."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message."""

    topic: str
    payload: bytes

    def json(self) -> Any:
        """Its payload as JSON. Raises ValueError."""
        return json.loads(self.payload)


@dataclass
class Broker:
    """The broker, and all that came over it since the world began."""

    host: str
    port: int
    ca: Path
    """The authority of its certificate, PEM; it asks for no client certificate."""
    _hand: Hand
    _client: mqtt.Client
    _heard: list[Message] = field(default_factory=list)
    _subscribed: threading.Event = field(default_factory=threading.Event)

    @property
    def messages(self) -> list[Message]:
        """All that came so far, oldest first."""
        return list(self._heard)

    def wait_for(
        self, topic: str, where: Callable[[Message], object] = lambda _: True, within_s: float | None = None
    ) -> Message:
        """The first message whose topic fits (MQTT's + and #) and for which `where` holds; it may have come already.

        Raises AssertionError.
        """
        __tracebackhide__ = True

        def found() -> list[Message]:
            return [one for one in self._heard if mqtt.topic_matches_sub(topic, one.topic) and where(one)]

        self._hand.until(lambda: bool(found()), f"no message came on {topic}", within_s)
        return found()[0]

    def publish(self, topic: str, payload: bytes | str, *, retain: bool = False) -> None:
        """Publish with QoS 1; it is with the broker when this returns. Raises AssertionError."""
        self._hand.note(f"broker: publish {topic}")
        sent = self._client.publish(topic, payload, qos=1, retain=retain)
        self._hand.until(sent.is_published, "the broker has not taken the message", None)


@contextlib.contextmanager
def connected(run: Running, hand: Hand) -> Iterator[Broker]:
    """A client that hears everything, connected until the end of the block. Raises `WorldRefused`, `RunError`."""
    ready = run.children.wait_for_text(run.programs.broker, READY, READY_WITHIN_S)
    port, ca = int(ready.rpartition(" ")[2]), run.layout.pki / "tls-ca.pem"
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="pytest-firsthand")
    broker = Broker(_NAME, port, ca, hand, client)
    context = ssl.create_default_context(cafile=str(ca))
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    client.tls_set_context(context)
    client.on_connect = lambda *_: client.subscribe("#", qos=1) and None
    client.on_subscribe = lambda *_: broker._subscribed.set()
    client.on_message = lambda _client, _data, one: broker._heard.append(Message(one.topic, bytes(one.payload)))
    try:
        client.connect(_NAME, port)
    except OSError as error:
        raise WorldRefused(f"the broker at {HOST}:{port} does not answer: {error}") from error
    client.loop_start()
    try:
        if not broker._subscribed.wait(READY_WITHIN_S):
            raise WorldRefused(f"the broker at {HOST}:{port} does not answer: nobody could subscribe")
        yield broker
    finally:
        client.disconnect()
        client.loop_stop()
