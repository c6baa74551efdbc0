"""The opening metadata of a recording (R5): what was known when it began. Sealed, so it may say more than `open`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from device.hardware import Hardware
from device.policy import Profile
from device.selftest import SelfTest
from device.triggers import Start

if TYPE_CHECKING:
    from device.daemon import Daemon


def opening_of(daemon: Daemon, start: Start) -> dict[str, Any]:
    """The opening metadata of a recording, or of the file in which one goes on, that begins now."""
    return opening_metadata(
        start,
        daemon.profile.profile,
        daemon.hardware,
        power_on_ns=daemon.power_on_ns,
        lines=daemon.inputs.levels,
        timeline=daemon.inputs.timeline,
        self_test=daemon.examination.last,
        self_test_id=daemon.examination.id,
        parts=daemon.gather("opening"),
    )


def opening_metadata(
    start: Start,
    policy: Profile,
    hardware: Hardware,
    *,
    power_on_ns: int,
    lines: Mapping[str, bool],
    timeline: Sequence[Sequence[Any]],
    self_test: SelfTest | None,
    self_test_id: str | None,
    parts: Mapping[str, Any],
) -> dict[str, Any]:
    """Times are CLOCK_BOOTTIME nanoseconds; `timeline` holds rows of (ns, line, level) as far back as the ring."""
    since_ns = start.at_ns - policy.pre_event_s * 10**9
    blocked = self_test is not None and self_test.verdict == "block"
    return {
        "recording": None,
        "profile": msgspec.to_builtins(policy),
        "power_on_ns": power_on_ns,
        "pre_event_audio": policy.pre_event_audio,
        "sound_absent_because": None if policy.pre_event_audio else "the profile keeps no sound before a trigger",
        "microphone": hardware.microphone is not None,
        "lines": dict(lines),
        "timeline": [row for row in timeline if row[0] >= since_ns],
        "officer": None,
        "officer_identified_by": "none",
        "self_test": {"id": self_test_id, "verdict": self_test.verdict if self_test else None},
        "degraded": [*(self_test.failed if self_test is not None and blocked else ()), *hardware.missing],
        **parts,
    }
