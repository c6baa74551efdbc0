"""Fuzz target of a whole enrolment server (EST, RFC 7030) in this process, with an authority and tokens of its own."""

from __future__ import annotations

import asyncio
import base64
import functools
import time
from typing import Any, Final
from unittest import mock

from asgi import Answered, ask, request_of
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from target import Target, scratch

from fleet import est
from fleet.authority_store import Keys, create
from fleet.csr import make_request
from fleet.enrol_server import build_app
from fleet.tokens import make_token

SERIAL: Final = "SIM-0001"


class EnrolmentServer:
    """The application, and a camera that it has enrolled."""

    def __init__(self) -> None:
        with mock.patch("fleet.encrypted_key._P", 1):  # stretched once: nobody guesses here
            made = create(
                scratch() / "authority",
                organization="Test",
                simulated=True,
                curve="P-256",
                root_passphrase=b"five words for the root",
                passphrase=b"four operating words drawn",
            )
        self.keys: Keys = made[0]
        self.app = build_app(self.keys)
        self.runner = asyncio.Runner()
        key = ec.generate_private_key(ec.SECP256R1())

        def sign(digest: bytes) -> bytes:
            return key.sign(digest, ec.ECDSA(utils.Prehashed(hashes.SHA256())))

        self.request = base64.b64encode(make_request(SERIAL, key.public_key(), sign))
        self.peer: bytes | None = None
        enrolled = self.ask(b"POST /.well-known/est/tls/simpleenroll\nauthorization: AUTH\n" + _TYPES + b"\n\nREQUEST")
        assert enrolled.status == 200, enrolled
        (certificate,) = est.decode_answer(enrolled.body)
        self.peer = certificate.public_bytes(serialization.Encoding.DER)

    def ask(self, data: bytes) -> Answered:
        """A request in which a fresh token and a good request for a certificate may stand by name."""
        if b"AUTH" in data:
            token = make_token(self.keys.store.register, SERIAL, "file", 3600, int(time.time()))
            data = data.replace(b"AUTH", b"Basic " + base64.b64encode(f"{SERIAL}:{token}".encode()))
        asked = request_of(data.replace(b"REQUEST", self.request))
        state: dict[str, Any] = {"peer": self.peer}
        return self.runner.run(ask(self.app, asked, state))


_TYPES: Final = b"content-type: application/pkcs10\ncontent-transfer-encoding: base64"


@functools.cache
def server() -> EnrolmentServer:
    return EnrolmentServer()


def read_enrolment_request(data: bytes) -> None:
    """Whatever is asked: a certificate, or one sentence, and never a certificate for another serial."""
    answered = server().ask(data)
    assert answered.status < 500, answered
    if answered.status == 200 and b"cacerts" not in data:
        for one in est.decode_answer(answered.body):
            assert SERIAL in one.subject.rfc4514_string()


TARGETS: Final = (Target("enrolment-server", read_enrolment_request, ()),)
