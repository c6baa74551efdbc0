"""Another camera of the same agency that begins to record: only its announcement, signed with its own key (R23)."""

from __future__ import annotations

import datetime as dt
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from evidence.cms import sign
from evidence.handover import PeerStart
from evidence.keys import FileSigner
from evidence.statements import Utc, encode_canonical, moment

SERIAL: Final = "SIM-0002"
STEM: Final = "camera-2"
"""Its certificate and key in the agency's directory."""
_DOUBT_NS: Final = 5_000_000


@dataclass
class SecondCamera:
    """Announces one start after the other."""

    pki: Path
    starts: int = 0
    utc_ns: Callable[[], int] = time.time_ns
    """That camera's clock."""

    def announcement(self) -> bytes:
        """The signed announcement of a start at this instant, DER. Raises OSError, `EvidenceError`."""
        self.starts += 1
        now_ns = self.utc_ns()
        utc = Utc(earliest=moment(now_ns - _DOUBT_NS), latest=moment(now_ns + _DOUBT_NS), source="ntp")
        message = PeerStart(
            v=1, serial=SERIAL, incident=f"{SERIAL}-{self.starts:06d}", nonce=secrets.token_hex(16), utc=utc
        )
        signer = FileSigner.load(self.pki / f"{STEM}.key", self.pki / f"{STEM}.pem")
        return sign(encode_canonical(message), signer, dt.datetime.fromtimestamp(now_ns / 10**9, dt.UTC))
