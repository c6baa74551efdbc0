"""agent.toml, tables of the broker: telemetry and peers."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from dock.config_base import Table, Text


class Telemetry(Table, frozen=True, kw_only=True):
    """The broker. Without this table telemetry is off."""

    host: Text
    """Broker's host name, as in its certificate."""
    port: Annotated[int, Meta(ge=1, le=65535)] = 8883
    """Broker's TLS port."""
    keepalive_s: Annotated[int, Meta(ge=5, le=3600)] = 60
    """MQTT keep-alive; after 1.5 of it without a word the broker publishes our last will."""
    state_s: Annotated[float, Meta(ge=0.1, le=86400)] = 300.0
    """The state is published when it changes, and at least this often, in seconds."""
    outbox_rows: Annotated[int, Meta(ge=100, le=10_000_000)] = 20_000
    """Most rows kept while there is no broker. Full: answers go first, then states, then the oldest events."""
    backoff_max_s: Annotated[float, Meta(gt=0, le=3600)] = 60.0
    """Longest wait between attempts to connect, in seconds."""


class Peers(Table, frozen=True, kw_only=True):
    """Starts of several cameras as one incident (R23), through the broker of `[telemetry]`."""

    send: bool = True
    """Pass this camera's signed announcements of its starts on to its peers."""
    receive: bool = True
    """Pass peers' announcements on to the recorder, which checks them and follows its own policy."""
