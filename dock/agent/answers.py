"""What a station's answer means for the file and for the rest of the offload: one table (R30, R38; field report, X1).

No answer of any kind deletes anything, and none but the right one is a success: whatever is not in the table is a
failure (invariant 13). What is wrong with one file holds up no other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from dock.errors import (
    BadFileName,
    BadReceipt,
    ReceiptNotReady,
    RecorderConfused,
    RecorderRefused,
    RecorderUnreachable,
    SpoolMismatch,
    StationBusy,
    StationFull,
    StationRefused,
    StationRejects,
    StationUnreachable,
    UploadStopped,
)

File = Literal["reject", "refuse", "keep", "same"]
"""`reject`: never storable, told, asked about after a long time. `refuse`: the recorder does not take its receipt.
`keep`: put back with a wait of its own. `same`: nothing is wrong with it, it stays first in line."""
Rest = Literal["go_on", "pause", "leave"]
"""`go_on`: other files follow at once. `pause`: this connection waits. `leave`: the session ends, the station waits."""


@dataclass(frozen=True)
class Course:
    """What follows."""

    file: File
    rest: Rest


LEAVING: Final = frozenset({401, 402, 403, 404})
"""Said of one file, but most likely meant for the whole camera: it is kept, and the session ends."""
STRIKES: Final = 3
"""A 400 in the middle of an upload may be a torn connection, a receipt refused may be a full card; so many mean the
file."""

_TABLE: Final[tuple[tuple[type[Exception], Course], ...]] = (
    (StationRejects, Course("reject", "go_on")),
    (StationBusy, Course("same", "pause")),
    (StationFull, Course("same", "leave")),
    (StationUnreachable, Course("same", "leave")),
    (BadReceipt, Course("keep", "go_on")),
    (ReceiptNotReady, Course("keep", "go_on")),
    (SpoolMismatch, Course("keep", "go_on")),
    (BadFileName, Course("keep", "go_on")),
    (RecorderUnreachable, Course("same", "leave")),
    (RecorderConfused, Course("same", "leave")),
    (UploadStopped, Course("same", "leave")),
)
"""The first that fits counts."""


def course_of(error: Exception, strikes: int = 0) -> Course:
    """What follows from that error; `strikes` counts those of this file that may pass, this one too. Pure."""
    if isinstance(error, RecorderRefused):
        return Course("refuse" if strikes >= STRIKES else "keep", "go_on")
    for kind, course in _TABLE:
        if isinstance(error, kind):
            return course
    if isinstance(error, StationRefused):
        if error.status == 400 and strikes >= STRIKES:
            return Course("reject", "go_on")
        return Course("keep", "leave" if error.status in LEAVING else "go_on")
    if isinstance(error, OSError):  # the spool cannot be read
        return Course("keep", "go_on")
    return Course("keep", "leave")
