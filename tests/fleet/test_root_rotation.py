"""A new root, rehearsed: what verifies under which root, before, between and after; judged by openssl."""

from __future__ import annotations

import datetime as dt
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from agency_on_disk import Agency
from enrolment_bench import EnrolServer, renew

from evidence import cms
from evidence.errors import EvidenceError
from evidence.keys import FileSigner
from evidence.trust import Trust
from fleet.__main__ import main
from fleet.authority_store import fingerprint

Openssl = Callable[..., subprocess.CompletedProcess[str]]
Out = pytest.CaptureFixture[str]


def issue(agency: Agency, stem: Path) -> None:
    words = ["ca", "issue", "receipt", "--ca", str(agency.ca), "--serial", "STATION-1", "--out", str(stem)]
    assert main(words) == 0


def holds(agency: Agency, number: int, key: Path, chain: Path) -> bool:
    """Whether what is signed with that key and chain verifies under root `number`, all revocation lists given."""
    trust = Trust.load(agency.ca / str(number) / "root.pem", [agency.crl])
    message = cms.parse_signed(cms.sign(b"{}", FileSigner.load(key, chain), dt.datetime.now(dt.UTC)))
    try:
        trust.check(message, role="receipt", at=dt.datetime.now(dt.UTC))
    except EvidenceError:
        return False
    return True


@pytest.mark.requirement("R6")
def test_a_new_key_is_believed_under_the_old_root_by_its_cross_certificate(
    agency: Agency, tmp_path: Path, openssl: Openssl
) -> None:
    issue(agency, old := tmp_path / "old")
    assert main(["ca", "rotate-root", str(agency.ca)]) == 0
    issue(agency, new := tmp_path / "new")
    crossed = tmp_path / "new-old-root.pem"
    assert holds(agency, 1, old.with_suffix(".key"), old.with_suffix(".pem"))
    assert holds(agency, 2, new.with_suffix(".key"), new.with_suffix(".pem"))
    assert holds(agency, 1, new.with_suffix(".key"), crossed), "who is pinned to the old root believes it too"
    assert not holds(agency, 2, old.with_suffix(".key"), old.with_suffix(".pem")), "the limit: old is under old"
    for number, chain, good in ((1, old.with_suffix(".pem"), 0), (2, new.with_suffix(".pem"), 0), (1, crossed, 0)):
        root = agency.ca / str(number) / "root.pem"
        assert openssl("verify", "-x509_strict", "-CAfile", root, "-untrusted", chain, chain).returncode == good
    assert agency.root.read_bytes() == (agency.ca / "2" / "root.pem").read_bytes()


def test_the_old_root_goes_on_taking_back_what_it_issued(agency: Agency, tmp_path: Path) -> None:
    issue(agency, old := tmp_path / "old")
    assert main(["ca", "rotate-root", str(agency.ca)]) == 0
    issue(agency, new := tmp_path / "new")
    assert main(["ca", "revoke", "STATION-1", "--ca", str(agency.ca), "--reason", "key_compromise"]) == 0
    assert not holds(agency, 1, old.with_suffix(".key"), old.with_suffix(".pem"))
    assert not holds(agency, 2, new.with_suffix(".key"), new.with_suffix(".pem"))
    assert not holds(agency, 1, new.with_suffix(".key"), tmp_path / "new-old-root.pem")


def test_a_longer_life_of_the_same_key_verifies_what_was_signed_before(agency: Agency, tmp_path: Path) -> None:
    issue(agency, old := tmp_path / "old")
    assert main(["ca", "rotate-root", str(agency.ca), "--same-key"]) == 0
    issue(agency, new := tmp_path / "new")
    for number in (1, 2):
        assert holds(agency, number, old.with_suffix(".key"), old.with_suffix(".pem"))
        assert holds(agency, number, new.with_suffix(".key"), new.with_suffix(".pem"))
    assert not (tmp_path / "new-old-root.pem").exists()


def test_without_the_right_passphrases_nothing_is_made(agency: Agency, tmp_path: Path, capsys: Out) -> None:
    swapped = ["--root-passphrase-file", str(agency.passphrases / "operating")]
    assert main(["ca", "rotate-root", str(agency.ca), *swapped]) == 1
    assert "does not open" in capsys.readouterr().err
    (agency.ca / "1" / "root.key").rename(tmp_path / "in the safe")
    assert main(["ca", "rotate-root", str(agency.ca)]) == 1
    assert "bring it from the safe" in capsys.readouterr().err
    assert len(agency.store().generations) == 1
    assert not (agency.ca / "next").exists()


@pytest.mark.requirement("R6", "R11")
def test_an_enrolled_camera_goes_through_the_whole_change(agency: Agency, tmp_path: Path, openssl: Openssl) -> None:
    """Pinned to the old root it renews under the cross certificate; told the new fingerprint, it goes over."""
    server, keys = EnrolServer(agency, tmp_path / "log").start(), tmp_path / "keys"
    try:
        assert server.enrol("CAM-1", server.token("CAM-1", tmp_path), keys) == 0
    finally:
        server.stop()
    assert main(["ca", "rotate-root", str(agency.ca)]) == 0
    port = server.url.rpartition(":")[2]
    server.start()
    config = keys / "enrolment.toml"
    config.write_text(config.read_text().replace(port, server.url.rpartition(":")[2]))
    try:
        assert renew(keys, "--force") == 0
        assert fingerprint_of(keys) == fingerprint(agency.store().generations[0].root)
        judged = openssl("verify", "-CAfile", keys / "root.pem", "-untrusted", keys / "camera.pem", keys / "camera.pem")
        assert judged.returncode == 0
        assert renew(keys, "--new-root", "0" * 64) == 77
        assert renew(keys, "--new-root", agency.fingerprint) == 0
        assert fingerprint_of(keys) == agency.fingerprint
        judged = openssl("verify", "-CAfile", agency.root, "-untrusted", keys / "camera.pem", keys / "camera.pem")
        assert judged.returncode == 0
        assert renew(keys, "--force") == 0
        assert server.enrol("CAM-2", server.token("CAM-2", tmp_path), tmp_path / "second") == 0
    finally:
        assert server.stop() == 0


def fingerprint_of(keys: Path) -> str:
    return fingerprint(Trust.load(keys / "root.pem").root)
