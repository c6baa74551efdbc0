"""The signed policy profile: what the agency decided (R7). CMS of the profile role around canonical JSON."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from device.errors import ProfileRefused
from device.policy import CHECKS, DEFAULT_SEVERITY, SEAMS, Profile, Severity
from evidence import durable
from evidence.cms import parse_signed
from evidence.errors import EvidenceError
from evidence.limits import SIGNED_DOCUMENT_BYTES
from evidence.roles import serial_of
from evidence.sealed import Recipient
from evidence.settings import explain, nearest
from evidence.statements import ProfileRef, encode_canonical
from evidence.trust import Trust

DEFAULT: Final = Profile(v=1, name="firsthand-default", version=0)
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
    for fault in name_faults(profile):
        raise ProfileRefused(f"the policy profile is refused: {fault}")
    return AcceptedProfile(profile, hashlib.sha256(document).hexdigest())


def name_faults(profile: Profile) -> list[str]:
    """Names in a profile that nothing here has, a sentence each."""
    found = [
        f"it rates unknown checks {one}{nearest(one, list(CHECKS))}"
        for one in sorted(set(profile.severity) - set(CHECKS))
    ]
    found += [
        f"it names a driver for the unknown seam {one}{nearest(one, list(SEAMS))}"
        for one in sorted(set(profile.drivers) - set(SEAMS))
    ]
    return found


def payload_of(offered: Path, trust: Trust) -> dict[str, Any] | None:
    """What a signed profile says, key by key, whether or not it is acceptable; None if nobody signed it so."""
    try:
        message = parse_signed(_read(offered) or b"")
        trust.check(message, role="profile")
        said = msgspec.json.decode(message.payload)
    except (EvidenceError, ProfileRefused, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return said if isinstance(said, dict) else None


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


def accept(document: bytes, offered: Path, state: Path) -> None:
    """Keep a profile that the dock brought where `load_profile` looks first. Durable when it returns. Raises OSError.

    What lies at `offered` is noted as outdone, so that each start from now on does not complain that it is older.
    """
    durable.make_directory(state)
    older = offered.read_bytes() if offered.exists() else b""
    durable.replace(_outdone_path(state / "profile.p7s"), hashlib.sha256(older).hexdigest().encode())
    durable.replace(state / "profile.p7s", document)


def _outdone_path(accepted: Path) -> Path:
    return accepted.with_suffix(".outdone")


def _outdone(accepted: Path, document: bytes) -> bool:
    """Whether a profile from the dock has taken this one's place."""
    try:
        return _outdone_path(accepted).read_text("ascii") == hashlib.sha256(document).hexdigest()
    except (OSError, UnicodeDecodeError):
        return False


def load_profile(
    offered: Path, accepted: Path, trust: Trust, *, keep: bool = True
) -> tuple[AcceptedProfile, list[str]]:
    """The profile to follow, and what was wrong with others, in sentences to be logged.

    A good and not older profile at `offered` is kept at `accepted`; else the last accepted one rules; else the
    built-in. A bad profile never keeps a camera from recording (invariant 1). With `keep` False this only looks.
    Raises nothing for bad profiles.
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
            if path == offered and current is not None and _outdone(accepted, document):
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
            if new and keep:
                durable.make_directory(accepted.parent)
                durable.replace(accepted, document)
        except (ProfileRefused, OSError) as error:
            complaints.append(str(error))
    return current or BUILT_IN, complaints
