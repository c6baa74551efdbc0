"""The authority's directory is lost and comes back, with its root, its register and its word on what was taken back."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import pytest
from agency_on_disk import Agency
from cryptography import x509

from evidence.keys import load_certificates
from evidence.revocation import load_crls
from evidence.trust import Trust
from fleet.__main__ import main
from fleet.ca import create_agency

Out = pytest.CaptureFixture[str]


def back_up(agency: Agency, *copies: Path) -> int:
    to = [text for copy in copies for text in ("--to", str(copy))]
    root = ["--root-passphrase-file", str(agency.passphrases / "root")]
    return main(["ca", "backup", str(agency.ca), *to, *root])


def restore(copy: Path, out: Path, *more: str) -> int:
    return main(["ca", "restore", str(copy), "--out", str(out), *(more or ("--nothing-taken-back-since",))])


def camera_list_number(path: Path) -> int:
    (crl,) = (one for one in load_crls(path) if "camera authority" in one.issuer.rfc4514_string())
    return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


@pytest.mark.requirement("R11")
def test_what_was_taken_back_after_the_backup_stays_taken_back(agency: Agency, tmp_path: Path, capsys: Out) -> None:
    issue = ["ca", "issue", "camera", "--ca", str(agency.ca), "--serial", "CAM-1", "--out"]
    assert main([*issue, str(tmp_path / "before")]) == 0
    assert back_up(agency, tmp_path / "copy") == 0
    assert main([*issue, str(tmp_path / "after")]) == 0
    assert main(["ca", "revoke", "CAM-1", "--ca", str(agency.ca), "--reason", "stolen"]) == 0
    published = Path(shutil.copy(agency.crl, tmp_path / "at-the-station.crl"))
    shutil.rmtree(agency.ca)
    with pytest.raises(SystemExit) as caught:
        main(["ca", "restore", str(tmp_path / "copy"), "--out", str(tmp_path / "again")])
    assert caught.value.code == 64, "it asks what was taken back since"
    other = create_agency(tmp_path / "other", organization="Bristol PD")
    strange = tmp_path / "strange.crl"
    strange.write_bytes(other.revoke(other.tls_client("CAM-1").certificate, dt.datetime.now(dt.UTC)))
    assert restore(tmp_path / "copy", tmp_path / "first try", "--crl", str(strange)) == 1
    assert "no list of this authority" in capsys.readouterr().err
    again = Agency(tmp_path / "again", agency.passphrases)
    assert restore(tmp_path / "copy", again.ca, "--crl", str(published)) == 0
    assert "of 2 that were taken back since" in capsys.readouterr().out
    assert main(["ca", "crl", str(again.ca)]) == 0
    trust = Trust.load(again.root, [again.crl])
    for stem in ("before", "after"):
        assert trust.revoked(load_certificates(tmp_path / f"{stem}.pem")) is not None
    assert camera_list_number(again.crl) > camera_list_number(published)


@pytest.mark.requirement("R11")
def test_a_restored_authority_goes_on_issuing_and_taking_back(agency: Agency, tmp_path: Path, capsys: Out) -> None:
    issue = ["--ca", str(agency.ca), "--serial", "CAM-1", "--out"]
    assert main(["ca", "issue", "camera", *issue, str(tmp_path / "one")]) == 0
    assert main(["ca", "revoke", "CAM-1", "--ca", str(agency.ca), "--reason", "retired"]) == 0
    assert main(["ca", "issue", "camera", *issue, str(tmp_path / "two")]) == 0
    before = agency.fingerprint
    assert back_up(agency, tmp_path / "a", tmp_path / "b") == 0
    assert "two different media" in capsys.readouterr().out
    shutil.rmtree(agency.ca)
    again = Agency(tmp_path / "again", agency.passphrases)
    assert restore(tmp_path / "b", again.ca) == 0
    assert again.fingerprint == before
    assert main(["ca", "revoke", str(tmp_path / "two.pem"), "--ca", str(again.ca), "--reason", "lost"]) == 0
    trust = Trust.load(again.root, [again.crl])
    for stem in ("one", "two"):
        assert trust.revoked(load_certificates(tmp_path / f"{stem}.pem")) is not None
    assert main(["ca", "crl", str(again.ca), "--root"]) == 0, "the root's key came back too"


def test_a_damaged_or_false_copy_is_told_and_leaves_nothing(agency: Agency, tmp_path: Path, capsys: Out) -> None:
    copy, out = tmp_path / "copy", tmp_path / "again"
    assert back_up(agency, copy) == 0
    good = copy.read_bytes()
    spot = good.index(b"-----BEGIN CERTIFICATE") + 100
    for data, sentence in (
        (good[:spot] + bytes([good[spot] ^ 1]) + good[spot + 1 :], "is damaged"),
        (good[: len(good) // 2], "damaged"),
        (b"no tar", "no backup of an authority"),
    ):
        copy.write_bytes(data)
        assert restore(copy, out) == 1
        assert sentence in capsys.readouterr().err
        assert not out.exists()


def test_a_backup_that_the_passphrase_does_not_open_is_none(agency: Agency, tmp_path: Path, capsys: Out) -> None:
    wrong = ["--passphrase-file", str(agency.passphrases / "root")]
    assert main(["ca", "backup", str(agency.ca), "--to", str(tmp_path / "copy"), *wrong]) == 1
    assert "does not open" in capsys.readouterr().err
    assert not (tmp_path / "copy").exists()
    assert restore(agency.ca / "root.pem", agency.ca) == 1
    assert "nothing is overwritten" in capsys.readouterr().err
