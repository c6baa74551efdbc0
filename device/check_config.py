"""`firsthand-device check-config`: what is wrong with device.toml and the profile, what looks wrong, what will rule.

Nothing is changed: a profile that is looked at here is not thereby accepted. Errors are what the daemon would refuse or
do without; warnings (`device.config_warnings`) are allowed and probably not meant.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec

from device.config import DeviceSettings, load_settings
from device.config_warnings import warnings
from device.driver_choice import choose, configured
from device.errors import CannotStart
from device.hardware import channel_drivers, driver_fault, simulated_drivers
from device.identity import Identity, load_identity
from device.policy import Profile
from device.profile import DEFAULT, load_profile, name_faults, payload_of
from device.socket_users import unknown
from evidence.errors import EvidenceError
from evidence.settings import mistakes, read_toml
from hal.errors import HalError
from hal.registry import check_options

WIDTH: Final = 28


@dataclass
class Findings:
    """What a check has found."""

    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    facts: list[str] = field(default_factory=list)
    """Whose camera, which profile, in lines."""
    policy: Profile | None = None
    """What would rule."""

    def differences(self) -> dict[str, tuple[Any, Any]]:
        """Keys of the policy that are not as by default: (value, default)."""
        if self.policy is None:
            return {}
        mine, plain = _whole(self.policy), _whole(DEFAULT)
        named = ("v", "name", "version")
        return {key: (mine[key], plain[key]) for key in plain if key not in named and mine[key] != plain[key]}


def _whole(policy: Profile) -> dict[str, Any]:
    """All keys of a policy with their values, also those that are as by default."""
    return {name: msgspec.to_builtins(getattr(policy, name)) for name in policy.__struct_fields__}


def check_config(config: Path, *, allow_simulated: bool, draft: Path | None = None, as_json: bool = False) -> int:
    """Check, print, and give the exit code: 0 usable, 1 not."""
    found = examine(config, allow_simulated=allow_simulated, draft=draft)
    print(as_text(found) if not as_json else _as_json(found))
    for error in found.errors:
        print(f"error: {error}", file=sys.stderr)
    return int(bool(found.errors))


def examine(config: Path, *, allow_simulated: bool, draft: Path | None = None) -> Findings:
    """Look at everything, as far as it can be read. Raises nothing for what the files hold."""
    found = Findings()
    settings = _settings(config, found)
    if draft is not None:
        found.policy = _draft(draft, found)
    identity: Identity | None = None
    if settings is not None:
        try:
            identity = load_identity(settings, allow_simulated=allow_simulated)
            found.facts.append(f"camera {settings.serial} ({settings.model}), {identity.signer.level} key")
        except CannotStart as error:
            found.errors.append(str(error))
    if settings is not None and identity is not None and draft is None:
        found.policy = _accepted(settings, identity, found)
    if settings is not None:
        _drivers(settings, found, allow_simulated=allow_simulated)
        for key, names in (("peer_users", settings.peer_users), ("trigger_users", settings.trigger_users)):
            found.warnings += [f"{key}: this machine has no user {name!r}" for name in unknown(names)]
        found.warnings += warnings(settings, found.policy or DEFAULT, simulated=allow_simulated)
    return found


def _settings(config: Path, found: Findings) -> DeviceSettings | None:
    try:
        wrong = [f"{config.name}: {one}" for one in mistakes(read_toml(config), DeviceSettings)]
        if wrong:
            found.errors += wrong
            return None
        return load_settings(config)
    except EvidenceError as error:
        found.errors.append(str(error))
        return None


def _draft(draft: Path, found: Findings) -> Profile | None:
    """An unsigned profile in TOML, as `firsthand-fleet sign-profile` would sign it."""
    try:
        values = {"v": 1, **read_toml(draft)}
    except EvidenceError as error:
        found.errors.append(str(error))
        return None
    return _profile(values, draft.name, found)


def _profile(values: dict[str, Any], where: str, found: Findings) -> Profile | None:
    wrong = [f"{where}: {one}" for one in mistakes(values, Profile)]
    if not wrong:
        try:
            policy = msgspec.convert(values, Profile)
        except msgspec.ValidationError as error:
            wrong.append(f"{where}: {error}")
        else:
            wrong += [f"{where}: {one}" for one in name_faults(policy)]
    found.errors += wrong
    if wrong:
        return None
    found.facts.append(f"draft of profile {policy.name} version {policy.version}, not signed")
    return policy


def _accepted(settings: DeviceSettings, identity: Identity, found: Findings) -> Profile:
    """The profile that the daemon would follow; why another is refused, key by key if it can be read."""
    offered, kept = Path(settings.profile), Path(settings.state) / "profile.p7s"
    accepted, complaints = load_profile(offered, kept, identity.trust, keep=False)
    wrong: list[str] = []
    if complaints:
        payload = payload_of(offered, identity.trust)
        wrong = [f"{offered.name}: {one}" for one in mistakes(payload, Profile)] if payload is not None else []
    found.errors += wrong or [f"profile: {one}" for one in complaints]
    policy = accepted.profile
    found.facts.append(f"profile {policy.name} version {policy.version}, SHA-256 {accepted.sha256}")
    return policy


def _drivers(settings: DeviceSettings, found: Findings, *, allow_simulated: bool) -> None:
    simulated = simulated_drivers(settings)
    if simulated:
        found.facts.append(f"simulated drivers: {', '.join(simulated)}")
        if not allow_simulated:
            found.errors.append(f"simulated drivers ({', '.join(simulated)}) need --allow-simulated")
    fault = partial(driver_fault, allow_simulated=True)
    wanted = found.policy.drivers if found.policy is not None else {}
    chosen, overruled = choose(configured(settings), wanted, fault)
    found.warnings += [one.sentence for one in overruled]
    for seam, driver in [*sorted(chosen.items()), *channel_drivers(settings)]:
        try:
            check_options(seam, driver.driver, driver.options)
        except HalError as error:
            found.errors.append(f"{seam}: {error}")
        except ImportError as error:
            found.warnings.append(f"{seam}: driver {driver.driver!r} cannot be loaded here: {error}")


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def as_text(found: Findings) -> str:
    """The findings for a person; errors are printed apart."""
    lines = [*found.facts, *(f"warning: {one}" for one in found.warnings)]
    if found.policy is not None:
        differs = found.differences()
        lines += ["", "The policy that rules (* = not as by default):"]
        for key, value in _whole(found.policy).items():
            if key in ("v", "name", "version"):
                continue
            mark, was = ("*", f"  (default {_shown(differs[key][1])})") if key in differs else (" ", "")
            lines.append(f"{mark} {key:<{WIDTH}} {_shown(value)}{was}")
    return "\n".join(lines)


def _as_json(found: Findings) -> str:
    differs = {key: {"value": value, "default": plain} for key, (value, plain) in found.differences().items()}
    whole = _whole(found.policy) if found.policy is not None else None
    shown = {"errors": found.errors, "warnings": found.warnings, "facts": found.facts}
    return json.dumps({**shown, "policy": whole, "differs": differs}, ensure_ascii=False, indent=2)
