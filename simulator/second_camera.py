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
from evidence.keys import FileSigner, Signer
from evidence.statements import Utc, encode_canonical, moment
from fleet.ca import Authority, Validity

SERIAL: Final = "SIM-0002"
STEM: Final = "camera-2"
"""Its certificate and key in the agency's directory."""
_DOUBT_NS: Final = 5_000_000
OLD_NS: Final = 300 * 10**9
"""An announcement of so long ago is of no minute that any camera takes for now."""


@dataclass
class SecondCamera:
    """Announces one start after the other."""

    pki: Path
    starts: int = 0
    utc_ns: Callable[[], int] = time.time_ns
    """That camera's clock."""
    sent: bytes | None = None
    """The newest announcement, DER."""

    def announcement(self) -> bytes:
        """The signed announcement of a start at this instant, DER. Raises OSError, `EvidenceError`."""
        self.sent = self._announced(self.utc_ns(), FileSigner.load(self.pki / f"{STEM}.key", self.pki / f"{STEM}.pem"))
        return self.sent

    def replayed(self) -> bytes:
        """An announcement that somebody kept and sends once more: the newest one, or one of some minutes ago."""
        if self.sent is None:
            old_ns = self.utc_ns() - OLD_NS
            self.sent = self._announced(old_ns, FileSigner.load(self.pki / f"{STEM}.key", self.pki / f"{STEM}.pem"))
        return self.sent

    def forged(self) -> bytes:
        """As `announcement`, but signed by a camera of that serial whom another agency certified."""
        foreign = Authority("Somebody else", simulated=True, validity=Validity.years(1, self._now() - dt.timedelta(1)))
        credential = foreign.signer("camera", f"Camera {SERIAL}", serial=SERIAL)
        return self._announced(self.utc_ns(), FileSigner(credential.key, credential.chain))

    def _now(self) -> dt.datetime:
        return dt.datetime.fromtimestamp(self.utc_ns() // 10**9, dt.UTC)

    def _announced(self, now_ns: int, signer: Signer) -> bytes:
        self.starts += 1
        utc = Utc(earliest=moment(now_ns - _DOUBT_NS), latest=moment(now_ns + _DOUBT_NS), source="ntp")
        message = PeerStart(
            v=1, serial=SERIAL, incident=f"{SERIAL}-{self.starts:06d}", nonce=secrets.token_hex(16), utc=utc
        )
        return sign(encode_canonical(message), signer, dt.datetime.fromtimestamp(now_ns / 10**9, dt.UTC))
