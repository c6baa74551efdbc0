"""Several vaults: each opens every object, each is named in `open`, and openssl agrees (issue 3, CMS layer)."""

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
from recordings import Agency, Ticks

from device.profile import load_profile, vault_faults
from evidence import cms
from evidence.durable import AppendFile
from evidence.errors import CannotDecrypt
from evidence.evidence_file import EvidenceWriter
from evidence.keys import FileSigner, load_vault_key
from evidence.sealed import Recipient, open_sealed, seal
from evidence.statements import NO_HASH, CameraFacts, ProfileRef, Source, encode_canonical
from fleet.ca import Credential

Tool = Callable[[str], str]
SECOND = 10**9


@pytest.fixture(scope="module")
def oversight(agency: Agency) -> Credential:
    return agency.authority.vault("Oversight board")


def test_openssl_opens_an_object_with_either_vault(
    agency: Agency, oversight: Credential, tool: Tool, tmp_path: Path
) -> None:
    sealed = tmp_path / "object.p7"
    sealed.write_bytes(seal([b"for two"], [agency.recipient, Recipient.of(oversight.certificate)]))
    (tmp_path / "oversight.pem").write_bytes(oversight.chain_pem())
    (tmp_path / "oversight.key").write_bytes(oversight.key_pem())
    for certificate, key in (
        (agency.file("vault.pem"), agency.file("vault.key")),
        (str(tmp_path / "oversight.pem"), str(tmp_path / "oversight.key")),
    ):
        command = [tool("openssl"), "cms", "-decrypt", "-binary", "-inform", "DER", "-in", str(sealed)]
        shown = subprocess.run([*command, "-recip", certificate, "-inkey", key], capture_output=True, check=True)
        assert shown.stdout == b"for two"


@pytest.mark.requirement("R1", "R41")
def test_a_third_vault_opens_nothing(agency: Agency, oversight: Credential) -> None:
    third = agency.authority.vault("Somebody else")
    sealed = seal([b"x"], [agency.recipient, Recipient.of(oversight.certificate)])
    with pytest.raises(CannotDecrypt):
        open_sealed(sealed, Recipient.of(third.certificate), third.key)


def test_open_names_every_vault(agency: Agency, oversight: Credential, tmp_path: Path) -> None:
    recipients = [agency.recipient, Recipient.of(oversight.certificate)]
    with AppendFile.create(tmp_path / "x.evidence") as file:
        writer = EvidenceWriter(
            file,
            agency.signer(),
            recipients,
            Ticks(1, 1_790_000_000 * SECOND),
            serial="SIM-0001",
            stream="recording",
            number=1,
        )
        writer.open(
            camera=CameraFacts(model="Test", firmware="0.1", firmware_sha256=NO_HASH),
            sources=(Source(role="camera", driver="t", sensor="n", kind="simulated"),),
            profile=ProfileRef(name="test", version=1, sha256=NO_HASH),
            upload_class="normal",
            retention_class="standard",
            hold=False,
        )
        writer.commit()
    assert writer.chain.opened is not None
    assert writer.chain.opened.recipients == tuple(one.sha256 for one in recipients)


def test_an_expired_vault_certificate_still_seals_and_is_told(agency: Agency) -> None:
    late = agency.recipient.certificate.not_valid_after_utc + dt.timedelta(days=1)
    profile = load_profile(Path("/nowhere/a"), Path("/nowhere/b"), agency.trust)[0].profile
    assert vault_faults(profile, [agency.recipient], late - dt.timedelta(days=2)) == []
    assert "is still sealed to" in vault_faults(profile, [agency.recipient], late)[0]
    assert seal([b"x"], [agency.recipient])  # `seal` does not look at the time


class Office:
    """Signs profiles with one or two people."""

    def __init__(self, agency: Agency, directory: Path) -> None:
        self.agency, self.directory = agency, directory
        second = agency.authority.signer("profile", "Second policy office", serial="POLICY-2")
        self.signers = (agency.signer("profile"), FileSigner(second.key, second.chain))

    def offer(self, version: int, vault: list[str], *signers: int) -> tuple[int, list[str]]:
        """Offer a profile; the version that rules then, and the complaints."""
        values = {"v": 1, "name": "p", "version": version, **({"vault": vault} if vault else {})}
        (self.directory / "profile.second.p7s").unlink(missing_ok=True)
        for name, signer in zip(("profile.p7s", "profile.second.p7s"), signers, strict=False):
            signed = cms.sign(encode_canonical(values), self.signers[signer], dt.datetime.now(dt.UTC))
            (self.directory / name).write_bytes(signed)
        return self.load()

    def load(self) -> tuple[int, list[str]]:
        kept = self.directory / "state" / "profile.p7s"
        profile, complaints = load_profile(self.directory / "profile.p7s", kept, self.agency.trust)
        return profile.profile.version, complaints


@pytest.mark.requirement("R6", "R7")
def test_a_profile_that_swaps_the_vault_needs_two_people(agency: Agency, tmp_path: Path) -> None:
    office = Office(agency, tmp_path)
    vault = [hashlib.sha256(b"another vault").hexdigest()]
    assert office.offer(1, [], 0) == (1, [])
    assert office.offer(2, vault, 0)[0] == 1, "one signature"
    assert office.offer(2, vault, 0, 0)[0] == 1, "the same person twice"
    assert office.offer(2, vault, 0, 1) == (2, [])
    assert office.offer(3, vault, 0) == (3, []), "nothing changes about the vault"
    refused, complaints = office.offer(4, [], 0)
    assert refused == 3, "taking the list away is a change too"
    assert "second signature" in complaints[0]


def test_a_second_signature_over_another_profile_counts_nothing(agency: Agency, tmp_path: Path) -> None:
    office = Office(agency, tmp_path)
    vault = [hashlib.sha256(b"another vault").hexdigest()]
    office.offer(2, vault, 0, 1)
    second = (tmp_path / "profile.second.p7s").read_bytes()
    (tmp_path / "state" / "profile.p7s").unlink()
    office.offer(3, vault, 0)
    (tmp_path / "profile.second.p7s").write_bytes(second)
    version, complaints = office.load()
    assert version == 0
    assert "over the same profile" in complaints[0]
    assert json.dumps(complaints)


def p384_vault(agency: Agency) -> Credential:
    """A vault certificate for P-384, issued by the agency's vault authority."""
    issuer = agency.authority.intermediate("vault")
    key = ec.generate_private_key(ec.SECP384R1())
    validity = agency.authority.validity
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Strong vault")]))
        .issuer_name(issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(validity.start)
        .not_valid_after(validity.end)
    )
    return Credential(key, (builder.sign(issuer.key, hashes.SHA256()), *issuer.chain))


def test_a_p384_vault_beside_a_p256_one_opens_with_openssl(agency: Agency, tool: Tool, tmp_path: Path) -> None:
    strong = p384_vault(agency)
    recipient = Recipient.of(strong.certificate)
    sealed = seal([b"for both"], [agency.recipient, recipient])
    assert open_sealed(sealed, recipient, strong.key) == b"for both"
    (tmp_path / "object.p7").write_bytes(sealed)
    (tmp_path / "strong.pem").write_bytes(strong.chain_pem())
    (tmp_path / "strong.key").write_bytes(strong.key_pem())
    (tmp_path / "strong.key").chmod(0o600)
    assert load_vault_key(str(tmp_path / "strong.key"), strong.certificate)
    for certificate, key in (
        (str(tmp_path / "strong.pem"), str(tmp_path / "strong.key")),
        (agency.file("vault.pem"), agency.file("vault.key")),
    ):
        command = [tool("openssl"), "cms", "-decrypt", "-binary", "-inform", "DER", "-in", str(tmp_path / "object.p7")]
        shown = subprocess.run([*command, "-recip", certificate, "-inkey", key], capture_output=True, check=True)
        assert shown.stdout == b"for both"
