"""agent.toml, table of the offload away from the dock: cars that go home, cameras that see no dock for weeks."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from dock.config_base import Table
from evidence.statements import UploadClass

Interfaces = tuple[Annotated[str, Meta(pattern=r"^[A-Za-z0-9*?_.\-]{1,15}\Z")], ...]
"""Names of network interfaces; ``*`` and ``?`` stand for others."""
Kbit = Annotated[int, Meta(ge=8, le=100_000_000)]


class Away(Table, frozen=True, kw_only=True):
    """What is uploaded while the camera is not docked. Without this table: nothing."""

    links: tuple[Literal["wifi", "lte"], ...] = ("wifi",)
    """Over which kinds of link, the better one first."""
    wifi: Interfaces = ("wlan*",)
    """Interfaces that are Wi-Fi."""
    lte: Interfaces = ("wwan*", "ppp*")
    """Interfaces that are LTE, or cost money otherwise."""
    min_battery_percent: Annotated[int, Meta(ge=0, le=100)] = 40
    """Below it, or if the charge is unknown, nothing is uploaded: the shift needs it for recording."""
    classes: Annotated[tuple[UploadClass, ...], Meta(min_length=1)] = ("critical",)
    """Which files."""
    kbit_s: Kbit | None = None
    """Most kilobits of evidence in a second, away from the dock; absent: that of ``[offload]``."""
    lte_mb_day: Annotated[int, Meta(ge=1, le=10_000_000)] | None = 500
    """Most megabytes (10^6 bytes) of evidence in a day (UTC) over LTE. It is counted over restarts."""
