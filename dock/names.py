"""Names of evidence files: ``SERIAL-000123.evidence`` for a recording, ``SERIAL-log-000123.evidence`` for a log."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from dock.errors import BadFileName
from evidence.statements import Stream

_NAME: Final = re.compile(
    r"(?P<serial>[A-Z0-9][A-Z0-9-]{0,31})-(?P<log>log-)?(?P<number>[0-9]{6,12})\.evidence", re.ASCII
)
_ASIDE: Final = re.compile(
    r"(?P<name>.{1,64}\.evidence)\.(unsigned-[0-9]{1,12}\.p7|tail-[0-9]{1,16}-[0-9a-f]{12}|no-open(?:-[0-9a-f]{12})?)",
    re.ASCII,
)
_CONFLICT: Final = re.compile(r"(?P<name>.{1,64}\.evidence)\.conflict-[0-9a-f]{12}", re.ASCII)


@dataclass(frozen=True)
class EvidenceName:
    """The parts of a file name. Serials have capitals only, so that ``-log-`` is never part of one."""

    text: str
    serial: str
    stream: Stream
    number: int


def parse_name(text: str) -> EvidenceName:
    """The parts of an evidence file's name on the camera. Raises `BadFileName`."""
    found = _NAME.fullmatch(text)
    if found is None:
        raise BadFileName(f"{text[:80]!r} is not the name of an evidence file (SERIAL-000001.evidence)")
    stream: Stream = "log" if found["log"] else "recording"
    return EvidenceName(text, found["serial"], stream, int(found["number"]))


def parse_aside(text: str) -> str:
    """The serial in the name of something that a camera laid aside: no evidence, and named after it.

    ``NAME.unsigned-FRAME.p7`` from a key that failed; ``NAME.tail-OFFSET-DIGEST``, ``NAME.no-open`` and
    ``NAME.no-open-DIGEST`` from recovery. Raises `BadFileName`.
    """
    found = _ASIDE.fullmatch(text)
    if found is None:
        raise BadFileName(f"{text[:80]!r} is not the name of an object that a camera laid aside")
    return parse_name(found["name"]).serial


def conflict_name(name: str, sha256: str) -> str:
    """Under which a second file of the same name is stored, beside the first."""
    return f"{name}.conflict-{sha256[:12]}"


def original_name(stored: str) -> str:
    """The name on the camera of what is stored under `stored`. Raises `BadFileName`."""
    found = _CONFLICT.fullmatch(stored)
    return parse_name(found["name"] if found else stored).text
