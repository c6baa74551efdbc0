"""The public part of the device log for a support bundle: kinds, words, numbers and times, as signed (R39).

What is sealed (officer, positions, texts) is not touched: it could not be opened here anyway (invariant 4).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from evidence.cms import parse_signed
from evidence.errors import EvidenceError
from evidence.limits import STATEMENT_BYTES
from evidence.splitter import Splitter, StatementBytes
from evidence.statements import AnyStatement, Close, Event, Gap, Open, Recovered, decode
from evidence.verify import READ_BYTES

SEGMENTS: Final = 16
"""The newest ones: a bundle is to be sent by mail."""


def public_lines(spool: Path) -> Iterator[str]:
    """One JSON line for each statement of the newest log segments, oldest first; of a bad file up to the bad place."""
    for path in sorted(spool.glob("*-log-*.evidence"))[-SEGMENTS:]:
        try:
            for statement in _statements(path):
                yield json.dumps({"segment": path.name, **_public(statement)}, sort_keys=True)
        except (OSError, EvidenceError) as error:
            yield json.dumps({"segment": path.name, "unreadable": str(error)})


def _statements(path: Path) -> Iterator[AnyStatement]:
    splitter = Splitter()
    with path.open("rb") as file:
        while chunk := file.read(READ_BYTES):
            for item in splitter.feed(chunk):
                if isinstance(item, StatementBytes):
                    yield decode(parse_signed(item.data, limit=STATEMENT_BYTES).payload)


def _public(statement: AnyStatement) -> dict[str, Any]:
    told: dict[str, Any] = {
        "kind": statement.kind,
        "seq": statement.seq,
        "mono_ms": statement.mono_ns // 1_000_000,
        "utc": statement.utc.latest,
        "source": statement.utc.source,
    }
    if isinstance(statement, Event):
        told |= {"event": statement.event, "word": statement.word, "recording": statement.recording}
    elif isinstance(statement, Open):
        told |= {"boot": statement.boot, "firmware": statement.camera.firmware, "profile": statement.profile.version}
    elif isinstance(statement, Gap):
        told |= {"cause": statement.cause, "ms": (statement.end_ns - statement.start_ns) // 1_000_000}
    elif isinstance(statement, Recovered):
        told |= {"cut_bytes": statement.cut_bytes}
    elif isinstance(statement, Close):
        told |= {"reason": statement.reason}
    return {key: value for key, value in told.items() if value is not None}
