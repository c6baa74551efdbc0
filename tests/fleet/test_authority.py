"""The agency's certificate authority on disk: what it issues, what it takes back, and what it refuses."""

from __future__ import annotations

import datetime as dt
import io
import json
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from agency_on_disk import OPERATING, ROOT, Agency

from evidence import cms
from evidence.errors import UntrustedSigner
from evidence.keys import FileSigner, load_certificates
from evidence.trust import Trust
from fleet.__main__ import main

Openssl = Callable[..., subprocess.CompletedProcess[str]]
Out = pytest.CaptureFixture[str]


def issue(agency: Agency, kind: str, out: Path, *more: str) -> int:
    return main(["ca", "issue", kind, "--ca", str(agency.ca), "--out", str(out), *more])


def test_no_private_key_of_the_authority_lies_unencrypted(agency: Agency) -> None:
    keys = list(agency.ca.rglob("*.key"))
    assert len(keys) == 10
    assert all(path.read_bytes().startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----") for path in keys)
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in keys)


def test_in_service_a_passphrase_is_stretched_as_owasp_wants_it_and_openssl_still_opens_the_key(
    tmp_path: Path, openssl: Openssl
) -> None:
    """scrypt N=2^14, r=8, p=5: in a process of its own, since the tests' own keys are made quicker."""
    code = (
        "from cryptography.hazmat.primitives.asymmetric import ec; from fleet.encrypted_key import encrypted_pem; "
        "print(encrypted_pem(ec.generate_private_key(ec.SECP384R1()), b'secret words').decode(), end='')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    (tmp_path / "key").write_text(done.stdout)
    shown = openssl("asn1parse", "-in", tmp_path / "key").stdout
    assert [f"INTEGER           :{value}" in shown for value in ("4000", "08", "05", "20")] == [True] * 4
    assert openssl("pkey", "-in", tmp_path / "key", "-passin", "pass:secret words", "-noout").returncode == 0


def test_openssl_opens_the_root_key_with_its_own_passphrase_only(agency: Agency, openssl: Openssl) -> None:
    key = agency.ca / "1" / "root.key"
    assert openssl("pkey", "-in", key, "-passin", f"pass:{ROOT}", "-noout").returncode == 0
    assert openssl("pkey", "-in", key, "-passin", f"pass:{OPERATING}", "-noout").returncode != 0
    assert "scrypt" in openssl("asn1parse", "-in", key).stdout


@pytest.mark.requirement("R6")
def test_openssl_and_our_trust_accept_what_is_issued_under_the_root(
    agency: Agency, tmp_path: Path, openssl: Openssl
) -> None:
    assert issue(agency, "receipt", tmp_path / "receipt", "--serial", "STATION-1", "--name", "Station 1") == 0
    assert issue(agency, "tls-server", tmp_path / "tls", "--host", "dock.example", "--address", "10.0.0.1") == 0
    signer = FileSigner.load(tmp_path / "receipt.key", tmp_path / "receipt.pem")
    trust = Trust.load(agency.root, [agency.crl])
    trust.check(cms.parse_signed(cms.sign(b"{}", signer, dt.datetime.now(dt.UTC))), role="receipt", serial="STATION-1")
    server = ["-CAfile", agency.root, "-untrusted", tmp_path / "tls.pem", "-purpose", "sslserver"]
    names = ["-verify_hostname", "dock.example"]
    assert openssl("verify", "-x509_strict", *server, *names, tmp_path / "tls.pem").returncode == 0
    assert openssl("verify", *server, "-verify_hostname", "other.example", tmp_path / "tls.pem").returncode != 0


@pytest.mark.requirement("R11")
def test_a_lost_camera_is_taken_back_by_its_serial_for_openssl_and_for_us(
    agency: Agency, tmp_path: Path, openssl: Openssl, capsys: Out
) -> None:
    for kind, stem in (("camera", "camera"), ("tls-client", "tls")):
        assert issue(agency, kind, tmp_path / stem, "--serial", "CAM-0042") == 0
    chain = ["-CAfile", agency.root, "-untrusted", tmp_path / "tls.pem", "-crl_check", "-CRLfile", agency.crl]
    assert openssl("verify", *chain, tmp_path / "tls.pem").returncode == 0
    taken = ["ca", "revoke", "CAM-0042", "--ca", str(agency.ca), "--reason", "lost", "--since", "2026-01-02T03:04Z"]
    assert main(taken) == 0
    assert capsys.readouterr().out.count("taken back:") == 2
    assert "certificate revoked" in openssl("verify", *chain, tmp_path / "tls.pem").stderr
    trust = Trust.load(agency.root, [agency.crl])
    found = trust.revoked(load_certificates(tmp_path / "camera.pem"))
    assert found is not None
    assert found.at == dt.datetime(2026, 1, 2, 3, 4, tzinfo=dt.UTC)
    signed = cms.sign(b"{}", FileSigner.load(tmp_path / "camera.key", tmp_path / "camera.pem"), dt.datetime.now(dt.UTC))
    with pytest.raises(UntrustedSigner, match=r"revoked|taken back"):
        trust.check(cms.parse_signed(signed), role="camera")


def test_every_list_is_signed_by_the_authority_it_speaks_for(agency: Agency, tmp_path: Path, openssl: Openssl) -> None:
    for path in (agency.ca / "lists").glob("1-*.crl"):
        authority = agency.ca / "1" / f"{path.stem.removeprefix('1-')}.pem"
        assert "verify OK" in openssl("crl", "-in", path, "-CAfile", authority, "-noout").stderr
    assert agency.crl.read_text().count("BEGIN X509 CRL") == 10


def test_a_list_that_is_signed_anew_has_a_larger_number(agency: Agency, openssl: Openssl) -> None:
    path = agency.ca / "lists" / "1-camera.crl"
    before = openssl("crl", "-in", path, "-crlnumber", "-noout").stdout
    assert main(["ca", "crl", str(agency.ca), "--root"]) == 0
    after = openssl("crl", "-in", path, "-crlnumber", "-noout").stdout
    number = [int(text.strip().removeprefix("crlNumber=").removeprefix("0x"), 16) for text in (before, after)]
    assert number[1] == number[0] + 1


def test_the_register_knows_every_certificate_and_what_became_of_it(
    agency: Agency, tmp_path: Path, capsys: Out
) -> None:
    assert issue(agency, "profile", tmp_path / "profile", "--serial", "POLICY-1") == 0
    assert issue(agency, "command", tmp_path / "sup", "--serial", "SUP-1", "--power", "supervise") == 0
    assert main(["ca", "revoke", str(tmp_path / "sup.pem"), "--ca", str(agency.ca), "--reason", "retired"]) == 0
    capsys.readouterr()
    assert main(["ca", "list", str(agency.ca), "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["role"], row["owner"], row["state"]) for row in rows] == [
        ("profile", "POLICY-1", "live"),
        ("command", "SUP-1", "retired"),
    ]
    assert main(["ca", "show", str(agency.ca)]) == 0
    assert agency.fingerprint in capsys.readouterr().out


def test_a_key_can_stay_where_it_was_made(agency: Agency, tmp_path: Path, openssl: Openssl) -> None:
    request = tmp_path / "request.pem"
    made = ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=whoever"]
    assert openssl(*made, "-keyout", tmp_path / "own.key", "-out", request).returncode == 0
    assert issue(agency, "receipt", tmp_path / "own", "--serial", "STATION-2", "--csr", str(request)) == 0
    (tmp_path / "own.key").chmod(0o600)
    assert FileSigner.load(tmp_path / "own.key", tmp_path / "own.pem").certificate.subject.rfc4514_string() == (
        "2.5.4.5=STATION-2,CN=STATION-2,O=Hartford PD"
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["receipt"], "needs --serial"),
        (["tls-server"], "needs --host or --address"),
        (["command", "--serial", "SUP-1"], "needs --power"),
        (["receipt", "--serial", "S", "--power", "supervise"], "--power is for a command"),
        (["receipt", "--serial", "S", "--name", "x" * 65], "cannot stand in a certificate"),
        (["tls-server", "--address", "10.0.0.999"], "cannot stand in a certificate"),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused_in_a_sentence(
    agency: Agency, tmp_path: Path, capsys: Out, words: list[str], sentence: str
) -> None:
    assert issue(agency, words[0], tmp_path / "out", *words[1:]) == 1
    assert sentence in capsys.readouterr().err
    assert not list(tmp_path.glob("out.*"))
    assert agency.store().register.find() == []


def test_keys_are_never_overwritten(agency: Agency, tmp_path: Path, capsys: Out) -> None:
    assert issue(agency, "receipt", tmp_path / "one", "--serial", "STATION-1") == 0
    before = (tmp_path / "one.key").read_bytes()
    assert issue(agency, "receipt", tmp_path / "one", "--serial", "STATION-1") == 1
    assert main(["ca", "init", str(agency.ca), "--organization", "Other"]) == 1
    assert "never overwritten" in capsys.readouterr().err
    assert (tmp_path / "one.key").read_bytes() == before


def test_passphrases_are_not_short_not_shared_and_not_for_all_eyes(
    tmp_path: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = ["ca", "init", str(tmp_path / "ca"), "--organization", "PD", "--passphrase-file"]
    monkeypatch.setattr("sys.stdin", io.StringIO("too short\n"))
    assert main([*begin, "-"]) == 1
    assert "at least 12 characters" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{ROOT}\n"))
    assert main([*begin, "-"]) == 1
    assert "must be another one" in capsys.readouterr().err
    (tmp_path / "open").write_text("legible to everybody\n")
    (tmp_path / "open").chmod(0o644)
    assert main([*begin, str(tmp_path / "open")]) == 1
    assert "chmod 600" in capsys.readouterr().err
    assert not (tmp_path / "ca").exists()


def test_a_wrong_passphrase_issues_nothing(agency: Agency, tmp_path: Path, capsys: Out) -> None:
    wrong = tmp_path / "wrong"
    wrong.touch(mode=0o600)
    wrong.write_text("not the operating words\n")
    assert issue(agency, "receipt", tmp_path / "x", "--serial", "S", "--passphrase-file", str(wrong)) == 1
    assert "does not open" in capsys.readouterr().err
    assert not (tmp_path / "x.pem").exists()


def test_p384_goes_all_the_way_down(tmp_path: Path, capsys: Out, openssl: Openssl) -> None:
    directory = tmp_path / "ca"
    assert main(["ca", "init", str(directory), "--organization", 'The "384" PD', "--curve", "P-384"]) == 0
    strong = Agency(directory, tmp_path)
    assert issue(strong, "camera", tmp_path / "camera", "--serial", "CAM-1") == 0
    text = openssl("x509", "-in", tmp_path / "camera.pem", "-noout", "-text").stdout
    assert "P-384" in text
    assert "ecdsa-with-SHA384" in text
    assert "SIMULATED" not in capsys.readouterr().out
    trust = Trust.load(strong.root)
    trust.check_role(load_certificates(tmp_path / "camera.pem"), "camera")
    assert not trust.simulated
