"""How the evidence key behaves: one in hardware may be slow, or away for a while (docs/design/keys.md)."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable
from typing import Final

from cryptography import x509

from evidence.errors import BadKey, SigningFailed
from evidence.keys import Signer
from evidence.roles import KeyLevel

SLOW_NS: Final = 100_000_000
"""Two signatures a second must leave time for everything else."""

PATIENCE_NS: Final = 8_000_000_000
"""A key that is away is waited for this long, once; meanwhile the writer's bounded queue holds the pictures."""
RETRY_S: Final = 0.5


class KeyFailed(OSError):
    """The evidence key does not sign, and was waited for long enough."""


class PacedSigner:
    """A signer that notes how long its last signature took, and waits for a token that is away.

    A key that fails for longer is an OSError like a card that fails: the writer gives the job up, and the loss is owed
    as a `gap`, to be signed when the key works again. Until then each signature is tried once, without waiting.
    """

    def __init__(
        self, signer: Signer, now_ns: Callable[[], int] = time.monotonic_ns, *, patience_ns: int = PATIENCE_NS
    ) -> None:
        self._signer = signer
        self._patience_ns = patience_ns
        self._gave_up = False
        self._now_ns = now_ns
        self.last_ns = 0
        self.away = False
        """The last attempt failed: told at once, long before the key counts as failed. Read from any thread."""

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
        """Raises `KeyFailed` if the key does not sign, now and for as long as it is waited for."""
        until_ns = self._now_ns() + (0 if self._gave_up else self._patience_ns)
        while True:
            began_ns = self._now_ns()
            try:
                signature = self._signer.sign_digest(digest)
            except (SigningFailed, BadKey) as error:
                self.away = True
                if self._now_ns() >= until_ns:
                    self._gave_up = True
                    raise KeyFailed(errno.EIO, f"the evidence key does not sign: {error}") from error
                threading.Event().wait(RETRY_S)
                continue
            self._gave_up = self.away = False
            self.last_ns = self._now_ns() - began_ns
            return signature
