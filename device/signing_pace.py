"""How fast the evidence key signs: a key in hardware may take a third of a second (docs/design/keys.md)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from cryptography import x509

from evidence.keys import Signer
from evidence.roles import KeyLevel

SLOW_NS: Final = 100_000_000
"""Two signatures a second must leave time for everything else."""


class PacedSigner:
    """A signer that notes how long its last signature took."""

    def __init__(self, signer: Signer, now_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._signer = signer
        self._now_ns = now_ns
        self.last_ns = 0

    @property
    def certificate(self) -> x509.Certificate:
        return self._signer.certificate

    @property
    def chain(self) -> tuple[x509.Certificate, ...]:
        return self._signer.chain

    @property
    def level(self) -> KeyLevel:
        return self._signer.level

    @property
    def slow(self) -> bool:
        """True if statements should cover several fragments where several wait."""
        return self.last_ns > SLOW_NS

    def sign_digest(self, digest: bytes) -> bytes:
        began_ns = self._now_ns()
        signature = self._signer.sign_digest(digest)
        self.last_ns = self._now_ns() - began_ns
        return signature
