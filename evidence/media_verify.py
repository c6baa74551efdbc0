"""Verifying ONVIF Media Signing of an H.264 stream: a verdict for each group of pictures, and apart from it the key's.

What it can and cannot say: a group is `signed` when every slice is as the camera signed it, `missing` when slices were
taken out or a whole group is gone, `altered` for anything else, `unsigned` when no message speaks of it. A stream whose
end was cut off together with its last message looks complete here: only the evidence file's `close` catches that.
"Signed" says that the key in the stream made the signature. Whose key it is, is the second verdict, from
`certificate_verdict`; both must hold. Source: ONVIF Media Signing Specification; the rules stand in `media_signing`.

Read are streams whose messages stand where `MediaSigner` puts them: a signed one before the slices of the next group,
one without a signature behind that group's key frame. What the latter says counts only once a signed message, directly
or over others, names its hash; until then, and for ever if none does, its group is `unsigned`.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from evidence.errors import MediaError, UntrustedSigner
from evidence.keys import SIGNING_CURVES, UNREADABLE
from evidence.media_sei import HASH_BYTES, GopClaim, SignedMessage, VendorInfo, is_message, read_message
from evidence.nal import IDR_SLICE, SEI, Buffer, is_first_slice, is_slice, nal_type
from evidence.roles import serial_of
from evidence.trust import Trust

GopStatus = Literal["signed", "altered", "missing", "unsigned"]
_Kind = Literal["anchor", "slice", "message"]

MAX_UNPROVEN = 64
"""Longest run of messages without a signature that a signed one can prove (bounded memory)."""


@dataclass(frozen=True, slots=True)
class GopVerdict:
    """One group of pictures, or a run of groups that are gone (`missing`, no pictures)."""

    status: GopStatus
    reason: str
    """Empty for `signed`; else one sentence."""
    first_picture: int
    """Index of the group's first access unit in the stream, from 0."""
    pictures: int
    claim: GopClaim | None = None
    """What the camera signed; None when unsigned, and not to be relied on unless `status` is signed or missing."""


@dataclass(frozen=True, slots=True)
class StreamVerdict:
    """Verdicts on all groups in order, and the chain that the stream names, leaf first (empty without a message)."""

    gops: tuple[GopVerdict, ...]
    chain_pem: bytes
    vendor: VendorInfo | None

    @property
    def all_signed(self) -> bool:
        """True only when there is at least one group and every one is signed."""
        return bool(self.gops) and all(gop.status == "signed" for gop in self.gops)


@dataclass(frozen=True, slots=True)
class CertificateVerdict:
    """Whose key signed the pictures. `reason` is empty when trusted, else one sentence."""

    trusted: bool
    reason: str


@dataclass(slots=True)
class _Group:
    first_picture: int
    pictures: int = 0
    hashed: list[tuple[bytes, _Kind]] = field(default_factory=list)
    """SHA-256 of each slice and of each message without a signature, in order; an IDR's first slice is the anchor."""


@dataclass(frozen=True, slots=True)
class _Unproven:
    """A message without a signature that no signed one has named yet."""

    digest: bytes
    hashes: frozenset[bytes]
    """What it vouches for in its turn."""
    verdict: int
    """Index of its group's verdict, `signed` for the time being."""


def verify_stream(access_units: Iterable[Sequence[Buffer]]) -> StreamVerdict:
    """Judge a whole stream, given as the NAL units of each access unit in order.

    Raises MediaError only for NAL units that are none; damaged messages are verdicts, not errors.
    """
    verifier = MediaVerifier()
    for nals in access_units:
        verifier.feed(nals)
    return verifier.finish()


def certificate_verdict(
    stream: StreamVerdict, trust: Trust, serial: str | None = None, at: dt.datetime | None = None
) -> CertificateVerdict:
    """Whether the chain in the stream is a camera's under the pinned root: chain, role, serial, and time if given.

    With `serial` None the vendor information in the stream must name the certificate's serial. Raises nothing: an
    unreadable chain is untrusted.
    """
    if not stream.chain_pem:
        return CertificateVerdict(False, "the stream names no certificate")
    try:
        chain = x509.load_pem_x509_certificates(stream.chain_pem)
        trust.check_chain(chain)
        trust.check_role(chain, "camera")
        if at is not None:
            trust.check_time(chain, at)
    except UNREADABLE as error:
        return CertificateVerdict(False, f"the certificates in the stream cannot be read: {error}")
    except UntrustedSigner as error:
        return CertificateVerdict(False, str(error))
    expected = serial if serial is not None else (stream.vendor.serial if stream.vendor else None)
    if serial_of(chain[0]) != expected:
        return CertificateVerdict(False, f"the pictures were signed by {serial_of(chain[0])}, not by {expected}")
    return CertificateVerdict(True, "")


class MediaVerifier:
    """The same, fed one access unit at a time, so that a long recording needs no memory of its pictures."""

    def __init__(self) -> None:
        self._verdicts: list[GopVerdict] = []
        self._groups: list[_Group] = []
        self._unproven: list[_Unproven] = []
        self._picture = -1
        self._counter = 0
        self._bad_messages = 0
        self._anchor: bytes | None = None
        self._first_hash_before = bytes(HASH_BYTES)
        self._chain_pem = b""
        self._vendor: VendorInfo | None = None

    def feed(self, nals: Sequence[Buffer]) -> None:
        """Take one access unit."""
        self._picture += 1
        counted = False
        for nal in nals:
            if is_slice(nal):
                anchor = nal_type(nal) == IDR_SLICE and is_first_slice(nal)
                if anchor or not self._groups:
                    self._groups.append(_Group(self._picture))
                group = self._groups[-1]
                group.pictures += not counted
                counted = True
                group.hashed.append((hashlib.sha256(nal).digest(), "anchor" if anchor else "slice"))
            elif nal_type(nal) == SEI and is_message(nal):
                self._take(nal)

    def finish(self) -> StreamVerdict:
        """The verdict; groups after the last message are unsigned."""
        self._leave_unsigned(len(self._groups))
        self._prove(frozenset())
        return StreamVerdict(tuple(self._verdicts), self._chain_pem, self._vendor)

    def _take(self, nal: Buffer) -> None:
        try:
            message = read_message(nal)
        except MediaError as error:
            self._bad_message(str(error), None)
            return
        if not message.signature:
            self._take_unsigned(message)
            return
        if message.chain_pem is not None:
            if self._chain_pem and message.chain_pem != self._chain_pem:
                self._bad_message("the signer's certificate changes inside the stream", message.claim)
                return
            self._chain_pem = message.chain_pem
        self._vendor = message.vendor or self._vendor
        if not _signature_holds(message, self._chain_pem):
            self._bad_message("the message's signature does not hold", message.claim)
            return
        if message.claim is not None:
            covered = self._match(message.claim)
            self._prove(covered)

    def _take_unsigned(self, message: SignedMessage) -> None:
        """It speaks of the group before the one in which it stands, and is one of the hashes of the latter."""
        assert message.claim is not None
        if len(self._unproven) == MAX_UNPROVEN:
            self._prove(frozenset())
        standing = self._groups[-1:]
        self._groups = self._groups[:-1]
        covered = self._match(message.claim)
        self._unproven.append(_Unproven(message.digest, covered, len(self._verdicts) - 1))
        self._groups = standing
        for group in standing:
            group.hashed.append((message.digest, "message"))

    def _prove(self, covered: frozenset[bytes]) -> None:
        """A signed message vouches for `covered`; what the messages before it say holds as far as they are named."""
        for one in reversed(self._unproven):
            if one.digest in covered:
                covered = one.hashes
                continue
            covered = frozenset()
            verdict = replace(self._verdicts[one.verdict], claim=None)
            if verdict.status == "signed":
                reason = "its message has no signature, and no signed one names it"
                verdict = replace(verdict, status="unsigned", reason=reason)
            self._verdicts[one.verdict] = verdict
        self._unproven = []

    def _match(self, claim: GopClaim) -> frozenset[bytes]:
        """A message whose signature holds: account for groups that are gone, then judge its own.

        Gives the hashes that it vouches for.
        """
        if claim.counter <= self._counter:
            self._judge_last("altered", f"message {claim.counter} stands out of order", claim)
            return frozenset()
        # Messages that were altered were judged already; each explains one number that is skipped now.
        skipped = max(claim.counter - self._counter - 1 - self._bad_messages, 0)
        follows = skipped or self._bad_messages or claim.linked_hash == self._first_hash_before
        self._counter, self._bad_messages = claim.counter, 0
        covered = frozenset(claim.hashes)
        unsigned = min(len(self._groups) - 1, skipped)
        if skipped and self._groups and not self._is_group_of(claim, self._groups[-1]):
            unsigned = len(self._groups)  # its message went with the next group, which this message describes
        self._leave_unsigned(unsigned)
        if skipped > max(unsigned, 0):
            where = self._groups[0].first_picture if self._groups else self._picture
            reason = f"{skipped - max(unsigned, 0)} signed group(s) before message {claim.counter} are gone"
            self._verdicts.append(GopVerdict("missing", reason, where, 0))
        if not self._groups:
            reason = f"all pictures of the group of message {claim.counter} are gone"
            self._verdicts.append(GopVerdict("missing", reason, self._picture, 0, claim))
        elif not follows:
            self._judge_last("altered", "the group does not follow the one before it", claim)
        else:
            status, reason = self._compare(claim)
            if status == "signed" and not claim.hashes:  # proven by the group hash
                covered = frozenset(digest for digest, kind in self._groups[-1].hashed if kind == "message")
            self._judge_last(status, reason, claim)
        self._first_hash_before = claim.hashes[0] if claim.hashes else self._first_hash_before
        return covered

    @staticmethod
    def _is_group_of(claim: GopClaim, group: _Group) -> bool:
        """Whether a group begins with the picture that the message names first, or cannot be told by it."""
        digest, kind = group.hashed[0]
        return kind != "anchor" or not claim.hashes or digest == claim.hashes[0]

    def _compare(self, claim: GopClaim) -> tuple[GopStatus, str]:
        group = self._groups[-1]
        if self._anchor is None and claim.hashes and not claim.partial:
            self._anchor = claim.hashes[0]  # cut off before this group: its first hash is known from the message
        found: list[bytes] = []
        for digest, kind in group.hashed:
            if kind == "anchor":
                self._anchor = digest
            if kind != "slice":
                found.append(digest)
            else:
                found.append(hashlib.sha256((self._anchor or bytes(HASH_BYTES)) + digest).digest())
        # The list decides where there is one: the reference framework's last message has a stale group hash.
        if claim.hashes and tuple(found) == claim.hashes:
            return "signed", ""
        if not claim.hashes and hashlib.sha256(b"".join(found)).digest() == claim.gop_hash:
            self._first_hash_before = found[0]  # not in the message, but proven by the group hash
            return "signed", ""
        rest = iter(claim.hashes)
        if len(found) < len(claim.hashes) and all(one in rest for one in found):
            gone = len(claim.hashes) - len(found)
            return "missing", f"{gone} of {len(claim.hashes)} slices or messages of the group are gone"
        return "altered", "the pictures are not those that were signed"

    def _bad_message(self, reason: str, claim: GopClaim | None) -> None:
        self._bad_messages += 1
        self._judge_last("altered", reason, claim)

    def _judge_last(self, status: GopStatus, reason: str, claim: GopClaim | None) -> None:
        """Close all waiting groups: the last gets this verdict, those before it no message speaks of."""
        self._leave_unsigned(len(self._groups) - 1)
        group = self._groups.pop() if self._groups else _Group(self._picture)
        self._verdicts.append(GopVerdict(status, reason, group.first_picture, group.pictures, claim))
        if claim is None or status == "altered":
            self._anchor = next((digest for digest, kind in group.hashed if kind == "anchor"), self._anchor)

    def _leave_unsigned(self, count: int) -> None:
        for group in self._groups[: max(count, 0)]:
            reason = "no message speaks of these pictures"
            self._verdicts.append(GopVerdict("unsigned", reason, group.first_picture, group.pictures))
        del self._groups[: max(count, 0)]


def _signature_holds(message: SignedMessage, chain_pem: bytes) -> bool:
    try:
        key = x509.load_pem_x509_certificates(chain_pem)[0].public_key()
    except UNREADABLE:
        return False
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, SIGNING_CURVES):
        return False
    try:
        key.verify(message.signature, message.digest, ec.ECDSA(Prehashed(hashes.SHA256())))
    except InvalidSignature:
        return False
    return True
