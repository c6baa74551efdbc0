"""A signature predates a revocation only if a timestamp or a witness from before it covers it (invariant 12)."""

from __future__ import annotations

import datetime as dt
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID
from recordings import Agency, Recipe, make_agency, write_recording
from test_timestamp import DAY, Tool, make_authority, receipt_for

from evidence.__main__ import main
from evidence.cms import parse_signed
from evidence.errors import BadKey, UntrustedSigner
from evidence.revocation import CRL_BYTES
from evidence.trust import Trust
from fleet.ca import Authority, Validity

Out = pytest.CaptureFixture[str]


@pytest.fixture
def own(tmp_path: Path) -> Agency:
    """An agency of this test's own, since it takes certificates back."""
    return make_agency(tmp_path / "agency")


@pytest.fixture
def path(own: Agency, tmp_path: Path) -> Path:
    return write_recording(own, tmp_path, Recipe(seconds=1))


def revoke(agency: Agency, stem: str, at: dt.datetime) -> Path:
    """Take a certificate back; the list as a file."""
    file = agency.directory / f"{stem}.crl"
    file.write_bytes(agency.authority.revoke(agency.signer(stem).certificate, at))
    return file


def verify(agency: Agency, path: Path, *crls: Path) -> int:
    lists = [text for crl in crls for text in ("--crl", str(crl))]
    return main(["verify", str(path), "--root", agency.file("root.pem"), *lists])


@pytest.mark.requirement("R11")
def test_a_signature_by_a_revoked_certificate_is_unproven(own: Agency, path: Path, capsys: Out) -> None:
    """Also if the camera claims to have signed long before: that is the word of a key that leaked."""
    crl = revoke(own, "camera", dt.datetime.now(dt.UTC) + DAY)
    assert verify(own, path, crl) == 1
    assert "unproven: certificate 2.5.4.5=SIM-0001" in capsys.readouterr().out
    assert verify(own, path) == 0


def test_a_receipt_from_before_the_revocation_keeps_it_valid(own: Agency, path: Path, capsys: Out) -> None:
    now = dt.datetime.now(dt.UTC)
    receipt_for(own, path, now)
    assert verify(own, path, revoke(own, "camera", now + DAY)) == 0
    assert "so its signatures stand" in capsys.readouterr().out


def test_a_timestamp_from_before_the_revocation_keeps_it_valid_too(own: Agency, path: Path, tool: Tool) -> None:
    tsa = make_authority(own.directory / "tsa", tool("openssl"), ExtendedKeyUsageOID.TIME_STAMPING)
    tsa.stamp(path)
    root, now = ("--tsa-root", str(tsa.root)), dt.datetime.now(dt.UTC)
    before = revoke(own, "camera", now + DAY)
    command = ["verify", str(path), "--root", own.file("root.pem"), "--crl"]
    assert main([*command, str(before), *root]) == 0
    assert main([*command, str(before)]) == 1, "a timestamp without a pinned authority proves nothing"


def test_a_receipt_from_after_the_revocation_proves_nothing(own: Agency, path: Path) -> None:
    now = dt.datetime.now(dt.UTC)
    receipt_for(own, path, now)
    assert verify(own, path, revoke(own, "camera", now - dt.timedelta(hours=1))) == 1


def test_a_receipt_by_a_revoked_station_is_no_witness(own: Agency, path: Path, capsys: Out) -> None:
    now = dt.datetime.now(dt.UTC)
    receipt_for(own, path, now)
    lists = revoke(own, "camera", now + DAY), revoke(own, "station-receipt", now + 2 * DAY)
    assert verify(own, path, *lists) == 1
    assert "the receipt beside the file does not count" in capsys.readouterr().out


def test_a_revoked_authority_takes_its_leaves_with_it(own: Agency, path: Path) -> None:
    file = own.directory / "authority.crl"
    file.write_bytes(own.authority.revoke(own.authority.intermediate("camera").certificate, dt.datetime.now(dt.UTC)))
    assert verify(own, path, file) == 1


def test_another_cameras_revocation_changes_nothing(own: Agency, path: Path) -> None:
    assert verify(own, path, revoke(own, "camera-2", dt.datetime.now(dt.UTC))) == 0


def test_a_list_that_its_issuer_did_not_sign_is_refused(own: Agency, path: Path, capsys: Out) -> None:
    """One flipped bit, or an authority that only has the name."""
    data = revoke(own, "camera-2", dt.datetime.now(dt.UTC))
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    der = bytearray(x509.load_pem_x509_crl(data.read_bytes()).public_bytes(Encoding.DER))
    der[-1] ^= 1
    data.write_bytes(der)
    assert verify(own, path, data) == 1
    assert "is not signed by it" in capsys.readouterr().out
    stranger = Authority(
        "Simulated Police Department", simulated=True, validity=Validity.years(1, own.authority.validity.start)
    )
    camera = stranger.signer("camera", "Camera SIM-0001", serial="SIM-0001")
    data.write_bytes(stranger.revoke(camera.certificate, dt.datetime.now(dt.UTC)))
    assert verify(own, path, data) == 0, "a list by another key of an authority of that name says nothing about ours"


@pytest.mark.parametrize(
    "content", [b"", b"no list", b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n", None]
)
def test_what_is_no_list_is_wrong_usage(own: Agency, path: Path, content: bytes | None) -> None:
    file = own.directory / "bad.crl"
    file.write_bytes(bytes(CRL_BYTES + 1) if content is None else content)
    assert verify(own, path, file) == 64
    with pytest.raises(BadKey):
        Trust.load(own.directory / "root.pem", [file])


def test_documents_of_a_revoked_signer_are_refused(own: Agency, path: Path) -> None:
    """Receipts, contacts and profiles: the time they name is the signer's own word."""
    now = dt.datetime.now(dt.UTC)
    receipt = parse_signed(receipt_for(own, path, now).read_bytes())
    trust = Trust.load(own.directory / "root.pem", [revoke(own, "station-receipt", now + DAY)])
    with pytest.raises(UntrustedSigner, match="was revoked"):
        trust.check(receipt, role="receipt", at=now)


def test_openssl_reads_the_list_and_refuses_the_same_certificate(
    own: Agency, tool: Callable[[str], str], tmp_path: Path
) -> None:
    crl = revoke(own, "camera", dt.datetime.now(dt.UTC) - dt.timedelta(hours=1))
    command = [
        tool("openssl"),
        "verify",
        "-crl_check",
        "-CAfile",
        own.file("root.pem"),
        "-untrusted",
        own.file("camera.pem"),
    ]
    done = subprocess.run([*command, "-CRLfile", crl, own.file("camera.pem")], capture_output=True, text=True)
    assert "certificate revoked" in done.stderr
    done = subprocess.run([*command, "-CRLfile", crl, own.file("camera-2.pem")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
