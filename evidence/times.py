"""Two verdicts about time: what the camera claims, and what others vouch for (invariants 10 and 12; design, "Time").

1. The camera's claim holds if every certificate was valid at every time that it claims, it named a source for each, and
   no proof from outside is older than the claim.
2. A proof (an RFC 3161 timestamp, a station's receipt) says that the file existed not later than its time. It counts
   only if it is over the SHA-256 of this very file.
3. Where the claim does not hold, the chain must be valid at the time of the earliest proof; without proof, at now.
4. A signature by a certificate that was revoked is unproven, unless a proof from before the revocation covers the file.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from cryptography import x509

from evidence.cms import SignedMessage, parse_signed
from evidence.errors import UntrustedSigner
from evidence.handover import Receipt, decode_receipt
from evidence.statements import AnyStatement, moment_ns
from evidence.trust import Trust

EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def when(moment: str) -> dt.datetime:
    """A `Moment` as a datetime. Raises `MalformedStatement`."""
    return EPOCH + dt.timedelta(microseconds=moment_ns(moment) // 1000)


def words(at: dt.datetime) -> str:
    """A time as people read it, to the second."""
    return f"{at.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S} UTC"


@dataclass(frozen=True, slots=True)
class TimeProof:
    """Someone outside the camera vouches that bytes with this SHA-256 existed not later than `at`."""

    at: dt.datetime
    sha256: str
    by: str
    """Who says so, e.g. ``receipt of STATION-1``."""


@dataclass(frozen=True, slots=True)
class TimeVerdict:
    """Both verdicts in words, and what follows from them."""

    claim_holds: bool
    claim: str
    """What the camera's own claim is worth."""
    independent: str
    """What others vouch for."""
    not_later_than: dt.datetime | None = None
    findings: tuple[str, ...] = ()
    """Why the file is not valid for its times; empty if it is."""
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Signed:
    item: int
    first: dt.datetime | None = None
    last: dt.datetime | None = None
    surely_after: dt.datetime = EPOCH
    unknown: bool = False


@dataclass
class SigningTimes:
    """Which chains signed, and at which times by the camera's claim. A few lines of memory for any file."""

    _by_chain: dict[tuple[x509.Certificate, ...], _Signed] = field(default_factory=dict)

    def note(self, statement: AnyStatement, message: SignedMessage, item: int) -> None:
        """Remember one verified statement; `item` is its number in the file."""
        one = self._by_chain.setdefault(message.chain, _Signed(item))
        if statement.utc.source == "none":
            one.unknown = True
            return
        one.first = min(one.first or message.signed_at, message.signed_at)
        one.last = max(one.last or message.signed_at, message.signed_at)
        one.surely_after = max(one.surely_after, when(statement.utc.earliest))

    def judge(self, trust: Trust, sha256: str, proofs: Sequence[TimeProof], now: dt.datetime) -> TimeVerdict:
        """Both verdicts on a file with that SHA-256. `now` counts only where there is no proof."""
        covering = sorted((one for one in proofs if one.sha256 == sha256), key=lambda one: one.at)
        notes = [f"the {one.by} is for other bytes than these" for one in proofs if one.sha256 != sha256]
        best = covering[0] if covering else None
        wrong = self._claim_problem(trust, best)
        claim = wrong or "holds: the certificates were valid at the times that the camera claims"
        at, findings = best.at if best is not None else now, list[str]()
        problem = self._problem_at(trust, at)
        if best is not None:
            independent = f"not later than {words(best.at)}, by the {best.by}; "
            independent += f"but {problem}" if problem else "the certificates were valid then"
        else:
            independent = "nothing from outside the camera covers this file"
            if wrong is not None:
                independent += f"; at {words(now)} " + (problem or "the certificates are valid")
        if wrong is not None and problem is not None:
            findings.append(f"item {self._first_item:06d}: {problem}")
        if wrong is not None and not wrong.startswith("none"):
            notes.append(f"the camera's own claim of time {'is ' * wrong.startswith('wrong')}{wrong}")
        for chain, one in self._by_chain.items():
            self._weigh_revocation(trust, chain, one, covering, findings, notes)
        notes += trust.revocations.stale(now)
        return TimeVerdict(
            wrong is None, claim, independent, best.at if best is not None else None, tuple(findings), tuple(notes)
        )

    @property
    def _first_item(self) -> int:
        return min((one.item for one in self._by_chain.values()), default=0)

    def _claim_problem(self, trust: Trust, best: TimeProof | None) -> str | None:
        for chain, one in self._by_chain.items():
            if one.unknown:
                return "none: at some point nothing vouched for the camera's clock"
            if best is not None and one.surely_after > best.at:
                return f"wrong: the camera claims {words(one.surely_after)}, after the {best.by} ({words(best.at)})"
            for at in (one.first, one.last):
                try:
                    trust.check_time(chain, at or EPOCH)
                except UntrustedSigner as error:
                    return f"does not hold: {error}"
        return None

    def _problem_at(self, trust: Trust, at: dt.datetime) -> str | None:
        for chain in self._by_chain:
            try:
                trust.check_time(chain, at)
            except UntrustedSigner as error:
                return str(error)
        return None

    @staticmethod
    def _weigh_revocation(
        trust: Trust,
        chain: tuple[x509.Certificate, ...],
        one: _Signed,
        covering: Sequence[TimeProof],
        findings: list[str],
        notes: list[str],
    ) -> None:
        try:
            revoked = trust.revoked(chain)
        except UntrustedSigner as error:
            findings.append(f"item {one.item:06d}: {error}")
            return
        if revoked is None:
            return
        said = f"certificate {revoked.name} was revoked on {words(revoked.at)} ({revoked.reason})"
        before = [proof for proof in covering if proof.at < revoked.at]
        if before:
            notes.append(f"{said}; the {before[0].by} from before that covers this file, so its signatures stand")
        else:
            findings.append(
                f"item {one.item:06d}: unproven: {said}, and no timestamp or receipt from before that covers this file"
            )


def receipt_proof(signed: bytes, trust: Trust) -> tuple[Receipt, TimeProof]:
    """A station's receipt (DER) as a proof, judged under the same root. Raises `EvidenceError`."""
    message = parse_signed(signed)
    receipt = decode_receipt(message.payload)
    at = when(receipt.issued)
    trust.check(message, role="receipt", at=at)
    return receipt, TimeProof(at, receipt.sha256, f"receipt of {receipt.station}")
