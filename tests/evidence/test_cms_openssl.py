"""openssl, which we did not write, takes our CMS and refuses what is not a camera's (requirements on evidence)."""

from __future__ import annotations

import datetime as dt
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from recordings import Agency

from evidence import cms
from evidence.errors import BadSignature, EvidenceError, MalformedDer, UntrustedSigner
from evidence.keys import P256_ORDER, FileSigner
from evidence.sealed import open_sealed, seal

Tool = Callable[[str], str]
Verify = Callable[[bytes], subprocess.CompletedProcess[bytes]]


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@pytest.fixture
def openssl_verify(agency: Agency, tool: Tool, tmp_path: Path) -> Verify:
    def verify(message: bytes) -> subprocess.CompletedProcess[bytes]:
        path = tmp_path / "x.p7s"
        path.write_bytes(message)
        command = [tool("openssl"), "cms", "-verify", "-binary", "-inform", "DER", "-in", path]
        return subprocess.run([*command, "-CAfile", agency.file("root.pem")], capture_output=True, check=False)

    return verify


@pytest.mark.parametrize("role", ["camera", "station-receipt", "profile", "export"])
def test_openssl_accepts_our_signing_roles(agency: Agency, openssl_verify: Verify, role: str) -> None:
    found = openssl_verify(cms.sign(b'{"x":1}', agency.signer(role), now()))
    assert found.returncode == 0
    assert found.stdout == b'{"x":1}'


def test_openssl_refuses_a_tls_certificate_as_signer(agency: Agency, openssl_verify: Verify) -> None:
    found = openssl_verify(cms.sign(b"{}", agency.signer("camera-tls"), now()))
    assert found.returncode != 0
    assert b"unsupported certificate purpose" in found.stderr or b"unsuitable certificate purpose" in found.stderr


def test_our_verifier_tells_the_roles_apart_where_openssl_does_not(agency: Agency) -> None:
    for stem in ("camera-tls", "station-receipt", "profile", "export", "vault"):
        message = cms.parse_signed(cms.sign(b"{}", agency.signer(stem), now()))
        with pytest.raises(UntrustedSigner):
            agency.trust.check(message, role="camera")


@pytest.mark.requirement("R41")
def test_openssl_opens_what_we_seal_to_two_vaults(agency: Agency, tool: Tool, tmp_path: Path) -> None:
    from evidence.sealed import Recipient
    from fleet.ca import write_credential

    second = agency.authority.vault("Second vault")
    write_credential(tmp_path, "second", second)
    sealed = seal([b"one ", b"two"], [agency.recipient, Recipient.of(second.certificate)])
    (tmp_path / "x.p7").write_bytes(sealed)
    for stem in (agency.directory / "vault", tmp_path / "second"):
        command = [tool("openssl"), "cms", "-decrypt", "-binary", "-inform", "DER", "-in", tmp_path / "x.p7"]
        command += ["-recip", f"{stem}.pem", "-inkey", f"{stem}.key"]
        assert subprocess.run(command, capture_output=True, check=True).stdout == b"one two"


@pytest.mark.requirement("R41")
def test_a_flipped_bit_in_an_object_gives_no_plaintext(agency: Agency) -> None:
    from evidence.export.decrypt import Vault

    vault = Vault.load(agency.directory / "vault.pem", agency.directory / "vault.key")
    sealed = bytes(seal([b"content"], [agency.recipient]))
    assert open_sealed(sealed, vault.recipient, vault.key) == b"content"
    for index in range(len(sealed)):
        altered = bytearray(sealed)
        altered[index] ^= 1
        with pytest.raises(EvidenceError):
            open_sealed(bytes(altered), vault.recipient, vault.key)


class HighS(FileSigner):
    """Signs with the second valid form of each signature."""

    def sign_digest(self, digest: bytes) -> bytes:
        from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

        r, s = decode_dss_signature(super().sign_digest(digest))
        return encode_dss_signature(r, P256_ORDER - s)


def test_the_high_s_form_that_openssl_accepts_is_refused(agency: Agency, openssl_verify: Verify) -> None:
    signer = HighS.load(agency.directory / "camera.key", agency.directory / "camera.pem")
    message = cms.sign(b"{}", signer, now())
    assert openssl_verify(message).returncode == 0
    with pytest.raises(BadSignature, match="high s"):
        cms.check_signature(cms.parse_signed(message))


def test_the_same_message_in_another_encoding_is_refused(agency: Agency, openssl_verify: Verify) -> None:
    message = cms.sign(b"{}", agency.signer(), now())
    assert message[:2] == b"\x30\x82"
    longer = b"\x30\x83\x00" + message[2:]  # a length with a leading zero: BER, not DER
    assert openssl_verify(longer).returncode == 0
    with pytest.raises(MalformedDer):
        cms.parse_signed(longer)


def test_a_chain_of_another_root_is_refused(agency: Agency, real_agency: Agency) -> None:
    message = cms.parse_signed(cms.sign(b"{}", real_agency.signer(), now()))
    with pytest.raises(UntrustedSigner, match="does not lead to the root"):
        agency.trust.check(message, role="camera")


def test_a_certificate_that_was_not_valid_then_is_refused(agency: Agency) -> None:
    message = cms.parse_signed(cms.sign(b"{}", agency.signer(), now()))
    for at in (dt.datetime(1970, 1, 1, tzinfo=dt.UTC), now() + dt.timedelta(days=5000)):
        with pytest.raises(UntrustedSigner, match="is valid from"):
            agency.trust.check(message, role="camera", at=at)


def test_the_root_is_self_signed_and_alone(agency: Agency) -> None:
    assert isinstance(agency.trust.root, x509.Certificate)
    assert agency.trust.root.subject == agency.trust.root.issuer
