"""The transport to the target that agent.toml names: a foreign tus server or a bucket."""

from __future__ import annotations

import datetime as dt
import ssl
from collections.abc import Callable
from urllib.parse import urlsplit

from dock.config import Target
from dock.errors import BadConfig
from dock.transport.credentials import load_access_key, load_tus_pass
from dock.transport.https import StationLink
from dock.transport.s3 import Bucket, PartBook, S3Transport
from dock.transport.transport import Transport
from dock.transport.tus_foreign import ForeignTus


def target_link(target: Target, *, timeout_s: float, interface: str | None = None) -> StationLink:
    """A connection of its own. Raises `BadConfig` for an authority that is no use."""
    return StationLink(target.url, _context(target), timeout_s, interface=interface, who="target")


def open_target(target: Target, link: StationLink, book: PartBook, now: Callable[[], dt.datetime]) -> Transport:
    """The transport over that connection. Raises `BadConfig` for credentials that are no use."""
    if target.kind == "tus":
        return ForeignTus(link, target.url, load_tus_pass(target.credentials) if target.credentials else None)
    if target.bucket is None or target.credentials is None:
        raise BadConfig("target: kind s3 needs bucket and credentials")
    host = urlsplit(target.url).netloc
    bucket = Bucket(host, target.bucket, target.prefix, target.region, load_access_key(target.credentials))
    return S3Transport(link, bucket, book, now)


def _context(target: Target) -> ssl.SSLContext | None:
    """The pinned authority and nothing else, by TLS 1.3 as everywhere here."""
    if target.ca is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        context.load_verify_locations(cafile=target.ca)
    except (OSError, ssl.SSLError) as error:
        raise BadConfig(f"target.ca {target.ca} cannot be used: {error}") from error
    return context
