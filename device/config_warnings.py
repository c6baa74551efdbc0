"""What is allowed in device.toml and the profile, and yet probably not meant: a sentence for each. Pure.

A mistake that makes a file unusable is not here but an error of its own (`device.check_config`).
"""

from __future__ import annotations

import zoneinfo
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Final

from device.config import DeviceSettings
from device.driver_choice import configured
from device.policy import Profile

EVIDENCE_SEAMS: Final = ("camera", "microphone", "gps")
RING_BYTES_PER_S: Final = 1_000_000
"""1080p30 at 8 Mbit/s."""


def warnings(settings: DeviceSettings, policy: Profile, *, simulated: bool) -> list[str]:
    """Everything that a technician should look at before the camera goes out."""
    return [
        *_pins(settings),
        *_inputs(settings),
        *_needs(settings, policy),
        *_policy(policy),
        *_approved(settings, policy, simulated=simulated),
    ]


def _table(options: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = options.get(name)
    return found if isinstance(found, Mapping) else {}


def pins(settings: DeviceSettings) -> dict[int, list[str]]:
    """Which lines and channels use each GPIO pin."""
    used: dict[int, list[str]] = defaultdict(list)
    for name, line in _table(settings.switches.options, "lines").items():
        pin = line.get("pin") if isinstance(line, Mapping) else None
        if isinstance(pin, int):
            used[pin].append(f"line {name}")
    for name, pin in _table(settings.indicators.options, "channels").items():
        if isinstance(pin, int):
            used[pin].append(f"channel {name}")
    return used


def _pins(settings: DeviceSettings) -> Iterator[str]:
    for pin, users in sorted(pins(settings).items()):
        if len(users) > 1:
            yield f"pin {pin} is used by {' and '.join(users)}: only one of them will work"


def _inputs(settings: DeviceSettings) -> Iterator[str]:
    lines = _table(settings.switches.options, "lines")
    for name, one in sorted(settings.inputs.items()):
        if one.source == "line" and lines and name not in lines:
            yield f"input {name} has no pin: add switches.options.lines.{name}, or name another `source`"
    for name in sorted(set(lines) - set(settings.inputs)):
        yield f"line {name} has a pin and no meaning: add [inputs.{name}]"
    kinds = {one.kind for one in settings.inputs.values()}
    if "dock" not in kinds:
        yield "no input is the dock: the camera will not know when it is docked, and offloads only when it is told"
    if "emergency_button" not in kinds:
        yield "no input is an emergency button: one press must start a recording (R18)"


def _needs(settings: DeviceSettings, policy: Profile) -> Iterator[str]:
    """Inputs and policy that need something which is not there."""
    known = {one.name for one in policy.all_categories}
    for name, one in sorted(settings.inputs.items()):
        if one.category is not None and one.category not in known:
            yield f"input {name} presets the category {one.category!r}, which the profile does not have"
        if one.kind == "speed" and (settings.gps is None or not policy.speed_trigger_kmh):
            yield f"input {name} never starts: a speed trigger needs [gps] and a profile with speed_trigger_kmh"
        if one.kind == "crash" and one.source == "sensor" and (settings.motion is None or not policy.crash_trigger_mg):
            yield f"input {name} never starts: a crash trigger needs [motion] and a profile with crash_trigger_mg"
    if policy.mute != "off" and not any(one.kind == "function_button" for one in settings.inputs.values()):
        yield "the profile lets an officer mute, and no input is a function button"
    if settings.role == "dash" and settings.vehicle is None:
        yield "a dash camera should name its vehicle: it stands in each recording's metadata (R2)"
    if settings.microphone is None:
        yield "no microphone: recordings have no sound (R3)"
    if settings.battery is None and policy.shift_h:
        yield f"the battery must last {policy.shift_h} h by the profile, and there is no [battery] to ask"


def _policy(policy: Profile) -> Iterator[str]:
    if policy.critical_battery_min >= policy.low_battery_min:
        yield "critical_battery_min is not below low_battery_min: the officer is told only once"
    if policy.pre_event_s * RING_BYTES_PER_S > policy.ring_mib * 2**20:
        held = policy.ring_mib * 2**20 // RING_BYTES_PER_S
        yield f"pre_event_s is {policy.pre_event_s}, and ring_mib holds {held} s at 8 Mbit/s"
    if not policy.stop_reason_s:
        yield "stop_reason_s is 0: no reason is recorded before a stop, which D.3.b.(2) asks for (R26)"
    if not policy.vault_proof:
        yield (
            "vault_proof is false: recordings are deleted by receipt although nobody has shown that the vault's key "
            "opens them; if that key is lost, so are they"
        )
    if policy.zone not in zoneinfo.available_timezones():
        yield f"zone {policy.zone!r} is no time zone that this machine knows: lamps are dimmed by UTC"
    names = [one.name for one in policy.categories]
    for name in sorted({one for one in names if names.count(one) > 1}):
        yield f"the category {name!r} stands twice in the profile: the last one counts"


def _approved(settings: DeviceSettings, policy: Profile, *, simulated: bool) -> Iterator[str]:
    """On a real camera the signed profile, not a file on its card, says which devices make evidence (C.5)."""
    if simulated:
        return
    for seam in EVIDENCE_SEAMS:
        if seam in configured(settings) and seam not in policy.drivers:
            yield f"the profile names no {seam} driver: it should say which one a real camera is approved for"
