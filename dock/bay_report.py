"""What a camera's agent tells the station of the camera: body of POST /report. The agent's word, no evidence (R30)."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from evidence.handover import Status
from evidence.requests import Offloading
from evidence.statements import Count, Moment, Name, Word

REPORT_BYTES: Final = 64 * 1024


class KeptFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file that stays on the camera until somebody does something about it."""

    name: Name
    verdict: Word
    """`rejected`: the station can never store it. `not_valid`, `unproven`: the receipt's verdict. `refused`: the
    recorder does not take its receipt."""
    reason: Annotated[str, Meta(max_length=300)]
    since: Moment
    """By the camera's clock."""


class UpdateReport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far the update of the camera's software is."""

    version: Name
    phase: Literal["downloading", "staged", "installing", "installed", "failed", "confirmed", "rolled_back"]
    """`staged`: whole and verified, and there is no installer; `installed`: it is tried at a restart in the dock;
    `confirmed`: it runs and has proven itself; `rolled_back`: it did not, and the camera runs what it ran before."""
    percent: Annotated[int, Meta(ge=0, le=100)] = 0
    trouble: Annotated[str, Meta(max_length=300)] | None = None


class PowerReport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the recorder says of battery and heat; None is what it does not know."""

    battery_c: Annotated[int, Meta(ge=-100, le=200)] | None = None
    """The battery's temperature, degrees Celsius."""
    board_c: Annotated[int, Meta(ge=-100, le=200)] | None = None
    """The hottest zone of the board, degrees Celsius."""
    health_percent: Annotated[int, Meta(ge=0, le=1000)] | None = None
    """Capacity as a share of the capacity when new."""
    cycles: Count | None = None
    """Charge cycles."""


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
    clock_uncertainty_ms: int | None = None
    """How wrong that may be: half of the way there and back, and the station's own uncertainty."""
    update: UpdateReport | None = None
    """The update in work, if there is one."""
    power: PowerReport = PowerReport()
    """Battery and heat, asked for once a minute."""
    queue: Annotated[tuple[dict[str, Any], ...], Meta(max_length=64)] = ()
    """The newest items of the supervisor's queue, as ``dock.mqtt.messages.QueueItem``."""
    self_test: Annotated[tuple[dict[str, Any], ...], Meta(max_length=64)] = ()
    """The checks of the last self-test that warned or failed: `name`, `result`, `value`, `limit`, `advice`."""
    kept: Annotated[tuple[KeptFile, ...], Meta(max_length=64)] = ()
    """Files that stay on the camera until somebody does something: for the supervisor."""
