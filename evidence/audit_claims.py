"""Where a camera said that its log stands, to a broker or a station, held against the log that is here (pure).

A claim is signed by nobody: it may be forged by whoever holds the camera's network side. So it proves nothing, and its
absence means nothing. But a log that has another statement there, or has ended before it, is not the log that the
camera spoke of then.
"""

from __future__ import annotations

from dataclasses import dataclass

from evidence.audit_facts import CameraAudit
from evidence.audit_log import LogView
from evidence.statements import LogHead


@dataclass(frozen=True, slots=True)
class Claim:
    """The newest word of one camera."""

    serial: str
    head: LogHead
    at: str | None = None
    """When it was heard, a `Moment`."""


def hold_claim(result: CameraAudit, log: LogView, claim: Claim) -> None:
    """A finding if the log contradicts it; what lies beyond the log is unknown."""
    head, newest = claim.head, max(log.segments, default=0)
    told = "the camera told the broker or a station" + (f" at {claim.at[:19]}Z" if claim.at else "")
    file = log.segments.get(head.segment)
    if file is None:
        if head.segment > newest:
            result.unknown.append(f"{told} that its log goes on to segment {head.segment}: it is not here")
        return
    # What was not durable yet when the power went is lost, and recovery goes on in its place.
    if not file.ended and head.seq > file.last.seq:
        result.unknown.append(f"{told} that log segment {head.segment} goes on to statement {head.seq}")
    elif (wrong := log.holds(head.segment, head.seq, head.hash)) is not None:
        result.found("rolled_back", f"log segment {head.segment}", f"{wrong} of which {told}")
