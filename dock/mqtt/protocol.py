"""Which MQTT a broker speaks: 5 first, and 3.1.1 for one that does not know it.

Without MQTT 5 a command has no Response Topic and no Correlation Data: its answer goes to ``rsp/command``, and nothing
is kept for a camera that is off line.
"""

from __future__ import annotations

from typing import Final, Literal

from paho.mqtt.client import Client
from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

MODERN: Final = MQTTProtocolVersion.MQTTv5
PLAIN: Final = MQTTProtocolVersion.MQTTv311


class Protocol:
    """The version for the next connection, of one camera's connections to its brokers."""

    def __init__(self, chosen: Literal["auto", "5", "3.1.1"] = "auto") -> None:
        self._chosen = chosen
        self.version = PLAIN if chosen == "3.1.1" else MODERN
        self._reached = False

    def reached(self) -> None:
        """TCP and TLS stand: what fails from here on may be the version."""
        self._reached = True

    def welcomed(self) -> None:
        """The broker took the connection."""
        self._reached = False

    def ended(self) -> None:
        """The connection is over: after a broker that let us in, or that nobody reached, version 5 is tried again."""
        if self._chosen == "auto":
            self.version = PLAIN if self._reached and self.version is MODERN else MODERN
        self._reached = False

    def connect(self, client: Client, host: str, port: int, *, keepalive_s: int, session_s: int) -> None:
        """Begin a connection in this version. Raises OSError, ValueError."""
        if self.version is PLAIN:
            client.connect(host, port, keepalive=keepalive_s)
            return
        lasting = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        lasting.SessionExpiryInterval = session_s
        client.connect(host, port, keepalive=keepalive_s, clean_start=session_s == 0, properties=lasting)

    def beside(self, correlation: bytes | None) -> Properties | None:
        """What is published beside a message."""
        if correlation is None or self.version is PLAIN:
            return None
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.CorrelationData = correlation
        return properties
