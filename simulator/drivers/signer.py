"""A simulated secure element: the evidence key of the simulated camera, which the world can take away and give back.

Behind `evidence.keys.Signer`, as a driver of group ``firsthand.hal``. The key itself lies in a file: nothing of this is
a level of protection, and the certificate says so.
"""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

from cryptography import x509

from evidence.errors import SigningFailed
from evidence.keys import FileSigner
from evidence.roles import KeyLevel
from hal.errors import BadDriverOption
from simulator.drivers.hardware import HardwareSocket
from simulator.drivers.hardware_messages import Answer, KeyOp


class SimulatedSigner:
    """Signs with the key in the file `key`, unless it is away. Raises `evidence.errors.BadKey`."""

    def __init__(self, key: str, chain: str, hardware_socket: str | None = None) -> None:
        self._signer = FileSigner.load(Path(key), Path(chain))
        self._away = threading.Event()
        if hardware_socket is not None:
            # A second process of the same camera (a check of its settings) has no hardware to play.
            with contextlib.suppress(BadDriverOption):
                HardwareSocket.open(hardware_socket).register(KeyOp, self._put)

    @property
    def certificate(self) -> x509.Certificate:
        return self._signer.certificate

    @property
    def chain(self) -> tuple[x509.Certificate, ...]:
        return self._signer.chain

    @property
    def level(self) -> KeyLevel:
        return self._signer.level

    def sign_digest(self, digest: bytes) -> bytes:
        """As `FileSigner`. Raises `SigningFailed` while the element is away."""
        if self._away.is_set():
            raise SigningFailed("the simulated secure element is away")
        return self._signer.sign_digest(digest)

    def _put(self, request: KeyOp) -> Answer:
        (self._away.set if request.away else self._away.clear)()
        return Answer(ok=True)
