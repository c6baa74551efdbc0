"""What a camera's agent tells the station of the camera: body of POST /report. The agent's word, no evidence (R30)."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from evidence.handover import Status
from evidence.requests import Offloading
from evidence.statements import Name

REPORT_BYTES: Final = 64 * 1024


class BayReport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a camera in the dock is, every few seconds and whenever something changes."""

    status: Status
    """The recorder's own status."""
    offloading: Offloading | None = None
    """How far the offload is."""
    agent: Name
    """Version of the agent."""
    clock_offset_ms: int | None = None
    """The camera's clock minus the station's, measured at the last greeting, in milliseconds."""
    queue: Annotated[tuple[dict[str, Any], ...], Meta(max_length=64)] = ()
    """The newest items of the supervisor's queue, as ``dock.mqtt.messages.QueueItem``."""
    self_test: Annotated[tuple[dict[str, Any], ...], Meta(max_length=64)] = ()
    """The checks of the last self-test that did not pass: `check`, `result`, `value`, `limit`."""
