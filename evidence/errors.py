"""The error tree of `evidence/`. Each message is one sentence that a person can act on."""

from __future__ import annotations


class EvidenceError(Exception):
    """Base of everything this package raises for bad input or a broken file."""


class MalformedDer(EvidenceError, ValueError):
    """Bytes that are not the strict DER we write."""


class MalformedStatement(EvidenceError, ValueError):
    """A statement whose JSON or CMS form is not the canonical one."""


class MediaError(EvidenceError, ValueError):
    """Malformed H.264, MP4 or GPMF bytes."""


class BadSignature(EvidenceError):
    """A signature that does not hold, or a low-S rule that is broken."""


class UntrustedSigner(EvidenceError):
    """A certificate of another root, another role, another time or another camera."""


class BadKey(EvidenceError):
    """A key or certificate file that cannot be used; says why and what to do."""


class CannotDecrypt(EvidenceError):
    """A sealed object that this vault key does not open, or that was altered."""


class BrokenChain(EvidenceError):
    """A rule of the evidence file is broken; the message names the object and the rule."""


class NotEvidence(EvidenceError):
    """The file is empty, unreadable, or holds no statement at all."""


class RecordingClosed(EvidenceError):
    """Something was to be appended after `close`."""


class BadSelection(EvidenceError, ValueError):
    """What was asked to be disclosed is not in the file, or is no number or time."""


class SigningFailed(EvidenceError):
    """A key in hardware that does not sign now; it may do so again."""
