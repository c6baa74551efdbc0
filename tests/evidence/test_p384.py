"""P-384 evidence keys: one canonical form for each curve, taken by openssl, and no mixture of the two."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from encoded_media import pictures
from recordings import Agency, write_recording
from test_export import export

from evidence import cms
from evidence.errors import BadKey, BadSignature, EvidenceError, MalformedDer, MalformedStatement
from evidence.keys import P384_ORDER, SIGNING_CURVES, FileSigner, load_certificates, load_private_key, prehashed
from evidence.media_sei import VendorInfo, read_message
from evidence.media_signing import MediaSigner
from evidence.media_verify import _signature_holds
from evidence.nal import split_annexb
from evidence.roles import KeyLevel
from evidence.sealed import Recipient
from evidence.trust import Trust
from evidence.verify import verify_file
from fleet.ca import Credential, create_agency, write_credential

Tool = Callable[[str], str]
SHA256_OID, SHA384_OID = bytes.fromhex("608648016503040201"), bytes.fromhex("608648016503040202")


@pytest.fixture(scope="module")
def strong(tmp_path_factory: pytest.TempPathFactory) -> Agency:
    """An agency all of whose keys are P-384."""
    directory = tmp_path_factory.mktemp("p384")
    authority = create_agency(directory, curve="P-384")
    write_credential(directory, "export", authority.signer("export", "Export desk", serial="DESK-1"))
    recipient = Recipient.of(load_certificates(directory / "vault.pem")[0])
    return Agency(directory, authority, Trust.load(directory / "root.pem"), recipient)


def signed(agency: Agency, payload: bytes = b'{"x":1}') -> bytes:
    return cms.sign(payload, agency.signer(), dt.datetime.now(dt.UTC))


def test_a_p384_message_has_sha384_throughout_and_is_read_back(strong: Agency) -> None:
    data = signed(strong)
    message = cms.parse_signed(data)
    strong.trust.check(message, role="camera", serial="SIM-0001")
    assert message.payload == b'{"x":1}'
    assert hashlib.sha384(b'{"x":1}').digest() in data
    assert hashlib.sha256(b'{"x":1}').digest() not in data


def test_openssl_accepts_a_p384_message_and_refuses_it_changed(strong: Agency, tool: Tool, tmp_path: Path) -> None:
    command = [tool("openssl"), "cms", "-verify", "-binary", "-inform", "DER", "-in", tmp_path / "x.p7s"]
    command += ["-CAfile", strong.file("root.pem")]
    data = signed(strong)
    (tmp_path / "x.p7s").write_bytes(data)
    found = subprocess.run(command, capture_output=True, check=True)
    assert found.stdout == b'{"x":1}'
    shown = subprocess.run([*command[:2], "-cmsout", "-print", *command[4:8]], capture_output=True, check=True).stdout
    assert b"ecdsa-with-SHA384" in shown
    (tmp_path / "x.p7s").write_bytes(data.replace(b'{"x":1}', b'{"x":2}'))
    assert subprocess.run(command, capture_output=True, check=False).returncode != 0


def test_every_signature_has_the_low_s_of_its_own_curve(strong: Agency) -> None:
    for number in range(20):
        message = cms.parse_signed(signed(strong, b"%d" % number))
        assert decode_dss_signature(message.signature)[1] <= P384_ORDER // 2


def test_the_high_s_is_refused(strong: Agency) -> None:
    data = signed(strong)
    signature = cms.parse_signed(data).signature
    r, s = decode_dss_signature(signature)
    other = encode_dss_signature(r, P384_ORDER - s)
    message = cms.parse_signed(data)
    forged = cms.SignedMessage(message.payload, message.chain, message.signed_at, message.signed_attributes, other)
    with pytest.raises(BadSignature, match="high s"):
        cms.check_signature(forged)


class Raw:
    """A signer without our care: any curve, any hash, any s."""

    level: KeyLevel = "file"

    def __init__(self, key: ec.EllipticCurvePrivateKey, chain: tuple[x509.Certificate, ...]) -> None:
        self._key, self.chain, self.certificate = key, chain, chain[0]

    def sign_digest(self, digest: bytes) -> bytes:
        return self._key.sign(digest, prehashed(digest))


@pytest.mark.parametrize("curve", ["P-256", "P-384"])
def test_the_algorithms_of_the_other_curve_are_refused(
    strong: Agency, agency: Agency, curve: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = strong if curve == "P-384" else agency
    other = cms._P256_FORM if curve == "P-384" else cms._P384_FORM
    with monkeypatch.context() as patched:
        patched.setattr(cms, "_form", lambda leaf: other)
        key = load_private_key(one.directory / "camera.key", curves=SIGNING_CURVES)
        data = cms.sign(b"{}", Raw(key, one.signer().chain), dt.datetime.now(dt.UTC))
    with pytest.raises(MalformedStatement, match="another curve"):
        cms.parse_signed(data)


def test_an_exchanged_algorithm_identifier_is_refused(strong: Agency) -> None:
    data = signed(strong)
    at = data.find(SHA384_OID)
    while at >= 0:
        with pytest.raises(EvidenceError):
            cms.parse_signed(data[:at] + SHA256_OID + data[at + len(SHA256_OID) :])
        at = data.find(SHA384_OID, at + 1)


def test_any_flipped_bit_is_refused(strong: Agency) -> None:
    data = signed(strong)
    for place in range(0, len(data), 7):
        changed = data[:place] + bytes((data[place] ^ 1,)) + data[place + 1 :]
        with pytest.raises((MalformedDer, MalformedStatement, EvidenceError)):
            strong.trust.check(cms.parse_signed(changed), role="camera")


@pytest.mark.parametrize("curve", [ec.SECP521R1(), ec.SECP256K1(), ec.BrainpoolP384R1()])
def test_other_curves_are_refused(curve: ec.EllipticCurve, tmp_path: Path) -> None:
    key = ec.generate_private_key(curve)
    name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "other")])
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(7).not_valid_before(now).not_valid_after(now + dt.timedelta(days=1))
    certificate = builder.sign(key, hashes.SHA256())
    with pytest.raises(BadKey, match="P-256 or P-384"):
        FileSigner(key, [certificate])
    data = cms.sign(b"{}", Raw(key, (certificate,)), now)
    with pytest.raises(BadSignature, match="neither P-256 nor P-384"):
        cms.check_signature(cms.parse_signed(data))
    write_credential(tmp_path, "other", Credential(key, (certificate,)))
    with pytest.raises(BadKey, match="not a P-256 or P-384 key"):
        FileSigner.load(tmp_path / "other.key", tmp_path / "other.pem")


def test_a_recording_under_p384_keys_verifies(strong: Agency, tmp_path: Path) -> None:
    report = verify_file(write_recording(strong, tmp_path), strong.trust)
    assert report.valid, report.findings


def test_a_recording_under_p384_keys_is_exported_with_content_credentials(strong: Agency, tmp_path: Path) -> None:
    path = write_recording(strong, tmp_path)
    desk = ["--sign-cert", strong.file("export.pem"), "--sign-key", strong.file("export.key")]
    export(strong, path, tmp_path / "out", *desk)
    values = json.loads(next((tmp_path / "out").glob("*.json")).read_text())
    assert values["c2pa"]["signed"], values["c2pa"]["reason"]


def test_the_picture_is_signed_over_sha256_with_a_p384_key_too(strong: Agency) -> None:
    pem = (strong.directory / "camera.pem").read_bytes()
    signer = MediaSigner(strong.signer().sign_digest, pem, VendorInfo("1", "SIM-0001", "F"))
    units = split_annexb(pictures()[0].data)
    for number in range(8):
        signer.process(units, True, number * 10**9, b"{}")
        message = read_message(signer.end_group())
        assert len(message.digest) == 32
        assert _signature_holds(message, pem)
