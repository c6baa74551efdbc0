"""The self-test's rows `signing_key` and `vault`: what signs and what is sealed to, for how many days (R8, R41)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from device.policy import Profile
from device.profile import vault_faults
from device.selftest import Seen
from evidence import cms
from evidence.errors import EvidenceError
from evidence.key_files import exposure
from evidence.keys import Signer
from evidence.sealed import Recipient
from evidence.trust import Trust
from hal.clock import UtcClaim

WARN_DAYS: Final = 30
"""Certificates that end sooner are told: renewing takes an agency weeks."""


def now_of(claim: UtcClaim) -> dt.datetime:
    """The middle of a clock's claim; never before 1970."""
    return dt.datetime.fromtimestamp(max(0, claim.middle_ns) // 10**9, dt.UTC)


def judge_key(signer: Signer, trust: Trust, serial: str, claim: UtcClaim, file: Path | None = None) -> Seen:
    """The key signs, and its certificate is this camera's, under the agency's root, and valid for a while.

    A clock that nobody vouches for judges no validity (invariant 10). Nobody else may get at the key's `file`: who can
    read it can sign as this camera.
    """
    limit, now = f"signs and verifies, {WARN_DAYS} days left", now_of(claim)
    try:
        message = cms.parse_signed(cms.sign(b"self-test", signer, now))
        trust.check(message, role="camera", serial=serial, at=None if claim.source == "none" else now)
    except EvidenceError as error:
        return Seen("fail", str(error), limit, "enrol the camera again")
    # A warning, not a failure, which would take the camera out of service: somebody's chmod must not cost a shift.
    open_to = exposure(file) if file is not None else None
    if open_to is not None:
        advice = "have a technician close the file, and enrol the camera again if the key may have leaked"
        return Seen("warn", open_to.sentence, "nobody else can read the key", advice)
    value = f"{signer.level} key signs, {serial}"
    if claim.source == "none":
        return Seen("pass", f"{value}; days left unknown: nobody vouches for the clock", limit)
    days = min((one.not_valid_after_utc - now).days for one in signer.chain)
    value += f", certificate good for {days} days"
    if days < WARN_DAYS:
        return Seen("warn", value, limit, "renew the camera's certificate")
    return Seen("pass", value, limit)


def judge_vault(profile: Profile, recipients: Sequence[Recipient], claim: UtcClaim) -> Seen:
    """The vault certificates are those of the policy and valid; sealing goes on with them all the same."""
    limit = f"as the policy names them, {WARN_DAYS} days left"
    if claim.source == "none":
        return Seen("pass", f"{len(recipients)} certificates; days left unknown: nobody vouches for the clock", limit)
    now = now_of(claim)
    days = min((one.certificate.not_valid_after_utc - now).days for one in recipients)
    value = f"{len(recipients)} certificate{'s' if len(recipients) > 1 else ''}, the first ends in {days} days"
    faults = vault_faults(profile, recipients, now)
    if faults:
        return Seen("fail", faults[0], limit, "have the vault certificates of this camera corrected")
    if days < WARN_DAYS:
        return Seen("warn", value, limit, "have new vault certificates installed")
    return Seen("pass", value, limit)
