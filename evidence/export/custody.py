"""Custody steps that can be shown from what lies beside an evidence file: the station's receipt."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from evidence.cms import parse_signed
from evidence.errors import EvidenceError
from evidence.handover import decode_receipt
from evidence.limits import STATEMENT_BYTES
from evidence.trust import Trust
from evidence.verify import Report

SUFFIX: Final = ".receipt.p7s"


def receipt_beside(path: Path, trust: Trust, verdict: Report) -> dict[str, Any] | None:
    """What the receipt beside an evidence file says and whether it holds; None if there is none.

    `holds` is true only for a receipt that a station under the same root signed for exactly these octets.
    """
    beside = path.with_name(path.name + SUFFIX)
    try:
        data = beside.read_bytes() if beside.stat().st_size <= STATEMENT_BYTES else b""
    except OSError:
        return None
    found: dict[str, Any] = {"name": beside.name, "holds": False}
    try:
        message = parse_signed(data, limit=STATEMENT_BYTES)
        trust.check(message, role="receipt")
        receipt = decode_receipt(message.payload)
    except EvidenceError as error:
        return found | {"problem": str(error)}
    found |= {
        "store": receipt.store,
        "station": receipt.station,
        "issued": receipt.issued,
        "verdict": receipt.verdict,
        "retention_class": receipt.retention_class,
        "signer": message.certificate.subject.rfc4514_string(),
    }
    if receipt.sha256 != verdict.sha256:
        return found | {"problem": "the receipt speaks of a file with another SHA-256"}
    return found | {"holds": True}
