"""The signed policy profile: what the agency decided (R7). CMS of the profile role around canonical JSON."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from device.errors import ProfileRefused
from evidence import durable
from evidence.cms import parse_signed
from evidence.errors import EvidenceError
from evidence.limits import SIGNED_DOCUMENT_BYTES
from evidence.roles import serial_of
from evidence.sealed import Recipient
from evidence.settings import explain
from evidence.statements import Count, Frozen, Hash, Name, ProfileRef, Word, encode_canonical
from evidence.trust import Trust

Severity = Literal["block", "warn", "note"]
CHECKS: Final = (
    "sensor", "encoder", "storage", "battery", "signing_key", "gps", "microphone", "indicators", "clock", "inputs",
)  # fmt: skip


class Profile(Frozen, frozen=True, kw_only=True):
    """All policy that a camera follows, with the defaults of this project."""

    v: Literal[1]
    name: Name
    version: Count
    """An older version than the accepted one is refused."""
    pre_event_s: Annotated[int, Meta(ge=0, le=120)] = 30
    """Seconds of pre-event ring."""
    pre_event_audio: bool = False
    """Whether the ring holds sound (settled: off)."""
    ring_mib: Annotated[int, Meta(ge=1, le=512)] = 48
    """Most memory of the ring, MiB."""
    debounce_ms: Annotated[int, Meta(ge=0, le=5000)] = 200
    """How long a vehicle line must hold a level to count."""
    double_press_ms: Annotated[int, Meta(ge=100, le=2000)] = 700
    """Two presses of the record button within this time start a recording."""
    hold_to_stop_ms: Annotated[int, Meta(ge=500, le=10000)] = 3000
    """Holding the record button this long stops a recording."""
    keep_after_receipt_h: Annotated[int, Meta(ge=0, le=8760)] = 72
    """Hours of running camera time that a receipted file is kept."""
    retention_class: Word = "standard"
    min_battery_percent: Annotated[int, Meta(ge=0, le=100)] = 30
    """Below this the battery check does not pass."""
    min_free_mib: Annotated[int, Meta(ge=1, le=1048576)] = 512
    """Below this the storage check does not pass."""
    triggers_when_out_of_service: bool = True
    """Whether vehicle lines start recordings on a camera that failed its self-test. Buttons always do (R9, R21)."""
    vault: Annotated[tuple[Hash, ...], Meta(max_length=8)] = ()
    """SHA-256 of the vault certificates to seal to, as a promise to be checked; a change needs a second signature."""
    severity: dict[Word, Severity] = msgspec.field(default_factory=dict)
    """What a failed check does, where it differs from the default table."""


DEFAULT: Final = Profile(v=1, name="firsthand-default", version=0)
DEFAULT_SEVERITY: Final[dict[str, Severity]] = {
    "sensor": "block",
    "encoder": "block",
    "storage": "block",
    "battery": "block",
    "signing_key": "block",
    "gps": "note",
    "microphone": "warn",
    "indicators": "warn",
    "clock": "note",
    "inputs": "warn",
}
_DECODER: Final = msgspec.json.Decoder(Profile)


@dataclass(frozen=True, slots=True)
class AcceptedProfile:
    """A profile with the document it came from."""

    profile: Profile
    sha256: str

    @property
    def reference(self) -> ProfileRef:
        return ProfileRef(name=self.profile.name, version=self.profile.version, sha256=self.sha256)

    def severity(self, check: str) -> Severity:
        """What a failed check does."""
        return self.profile.severity.get(check, DEFAULT_SEVERITY.get(check, "warn"))


BUILT_IN: Final = AcceptedProfile(DEFAULT, hashlib.sha256(encode_canonical(DEFAULT)).hexdigest())


def parse_profile(document: bytes, trust: Trust) -> AcceptedProfile:
    """Check signature, role and every key. Raises `ProfileRefused` with one sentence."""
    try:
        message = parse_signed(document)
        trust.check(message, role="profile")
    except EvidenceError as error:
        raise ProfileRefused(f"the policy profile is refused: {error}") from error
    try:
        profile = _DECODER.decode(message.payload)
    except msgspec.ValidationError as error:
        raise ProfileRefused(f"the policy profile is refused: {explain(error, Profile)}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProfileRefused(f"the policy profile is refused: not JSON: {error}") from error
    unknown = set(profile.severity) - set(CHECKS)
    if unknown:
        raise ProfileRefused(f"the policy profile is refused: it rates unknown checks {', '.join(sorted(unknown))}")
    return AcceptedProfile(profile, hashlib.sha256(document).hexdigest())


def check_second(document: bytes, second: bytes | None, trust: Trust) -> None:
    """Two people for another vault: the same payload, signed again by the profile role under another serial.

    Raises `ProfileRefused`.
    """
    if second is None:
        raise ProfileRefused(
            "the policy profile is refused: it names other vault certificates, which needs a second signature"
        )
    try:
        messages = [parse_signed(one) for one in (document, second)]
        trust.check(messages[1], role="profile")
    except EvidenceError as error:
        raise ProfileRefused(f"the policy profile's second signature is refused: {error}") from error
    serials = {serial_of(one.certificate) for one in messages}
    if messages[0].payload != messages[1].payload or len(serials) != 2 or None in serials:
        raise ProfileRefused(
            "the policy profile's second signature is refused: it must be another person's, over the same profile"
        )


def second_path(offered: Path) -> Path:
    """Where the second signature of an offered profile lies: ``profile.second.p7s`` beside ``profile.p7s``."""
    return offered.with_name(f"{offered.stem}.second{offered.suffix}")


def vault_faults(profile: Profile, recipients: Sequence[Recipient], now: dt.datetime) -> list[str]:
    """What is wrong with the vault certificates, in sentences. Sealing goes on with them (invariant 1)."""
    found: list[str] = []
    if profile.vault and set(profile.vault) != {one.sha256 for one in recipients}:
        found.append("device.toml seals to other vault certificates than the policy profile names: have it corrected")
    for one in recipients:
        certificate = one.certificate
        if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
            name = certificate.subject.rfc4514_string()
            ended = f"{certificate.not_valid_after_utc:%Y-%m-%d}"
            found.append(f"the vault certificate {name} is not valid now (it ends {ended}): it is still sealed to")
    return found


def _read(path: Path) -> bytes | None:
    try:
        if path.stat().st_size > SIGNED_DOCUMENT_BYTES:
            raise ProfileRefused(f"the policy profile {path.name} is refused: too large")
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ProfileRefused(f"the policy profile cannot be read: {error.strerror}") from error


def load_profile(offered: Path, accepted: Path, trust: Trust) -> tuple[AcceptedProfile, list[str]]:
    """The profile to follow, and what was wrong with others, in sentences to be logged.

    A good and not older profile at `offered` is kept at `accepted`; else the last accepted one rules; else the
    built-in. A bad profile never keeps a camera from recording (invariant 1). Raises nothing for bad profiles.
    """
    complaints: list[str] = []
    current: AcceptedProfile | None = None
    for path in (accepted, offered):
        try:
            document = _read(path)
            if document is None:
                if path == offered:
                    complaints.append(f"there is no policy profile at {path}")
                continue
            candidate = parse_profile(document, trust)
            if current is not None and candidate.profile.version < current.profile.version:
                raise ProfileRefused(
                    f"the policy profile is refused: version {candidate.profile.version} is older than the "
                    f"accepted {current.profile.version}"
                )
            if path == offered and candidate.profile.vault != (current.profile.vault if current is not None else ()):
                check_second(document, _read(second_path(offered)), trust)
            new = path == offered and (current is None or candidate.sha256 != current.sha256)
            current = candidate  # it rules, even if the card does not take the copy
            if new:
                accepted.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
                durable.replace(accepted, document)
        except (ProfileRefused, OSError) as error:
            complaints.append(str(error))
    return current or BUILT_IN, complaints
