"""agent.toml, tables of the broker: telemetry and peers."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta

from dock.config_base import Table, Text

BROKER: Final = r"^[A-Za-z0-9.\-]{1,253}(:[0-9]{1,5})?\Z"


class Telemetry(Table, frozen=True, kw_only=True):
    """The broker. Without this table telemetry is off."""

    host: Text
    """Broker's host name, as in its certificate."""
    port: Annotated[int, Meta(ge=1, le=65535)] = 8883
    """Broker's TLS port."""
    fallback: Annotated[tuple[Annotated[str, Meta(pattern=BROKER)], ...], Meta(max_length=8)] = ()
    """Further brokers of the same cluster or site, ``HOST`` or ``HOST:PORT``, tried in turn when one is not reached."""
    session_s: Annotated[int, Meta(ge=0, le=604_800)] = 3600
    """How long the broker keeps commands for a camera that is off line, in seconds (MQTT 5 session expiry)."""
    mqtt: Literal["auto", "5", "3.1.1"] = "auto"
    """Which MQTT the broker speaks; `auto` tries 5 first, and 3.1.1 when a broker does not answer to that."""
    keepalive_s: Annotated[int, Meta(ge=5, le=3600)] = 60
    """MQTT keep-alive; after 1.5 of it without a word the broker publishes our last will."""
    state_s: Annotated[float, Meta(ge=0.1, le=86400)] = 300.0
    """The state is published when it changes, and at least this often, in seconds."""
    outbox_rows: Annotated[int, Meta(ge=100, le=10_000_000)] = 20_000
    """Most rows kept while there is no broker. Full: answers go first, then states, then the oldest events."""
    backoff_max_s: Annotated[float, Meta(gt=0, le=3600)] = 60.0
    """Longest wait between attempts to connect, in seconds."""

    @property
    def brokers(self) -> tuple[tuple[str, int], ...]:
        """(host, port) of each, the first one first."""
        split = [one.partition(":") for one in self.fallback]
        return ((self.host, self.port), *((host, int(port or self.port)) for host, _, port in split))


class Peers(Table, frozen=True, kw_only=True):
    """Starts of several cameras as one incident (R23), through the broker of `[telemetry]`."""

    send: bool = True
    """Pass this camera's signed announcements of its starts on to its peers."""
    receive: bool = True
    """Pass peers' announcements on to the recorder, which checks them and follows its own policy."""
