"""C2PA on the exported MP4: Trusted only under the agency's root, and void after any change (layer E)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from recordings import Agency
from test_export import decode_errors, export, packets
from test_media_cli import signed_units, write_mp4

from evidence.__main__ import main
from evidence.export import content_credentials

Tool = Callable[[str], str]
Record = Callable[..., Path]
pytest.importorskip("c2pa")


def signing(agency: Agency) -> list[str]:
    return ["--sign-cert", agency.file("export.pem"), "--sign-key", agency.file("export.key")]


@pytest.fixture(scope="module")
def signed(agency: Agency, recording: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("c2pa")
    assert export(agency, recording, out, *signing(agency)) == 0
    return out / "SIM-0001-000001.mp4"


def state(path: Path, agency: Agency | None) -> str:
    return content_credentials.state(path, agency.trust.root if agency else None)[0]


def test_the_mp4_is_trusted_under_the_agencys_root(signed: Path, agency: Agency) -> None:
    assert state(signed, agency) == "Trusted"


def test_without_a_root_and_under_another_it_is_only_valid(signed: Path, real_agency: Agency) -> None:
    assert state(signed, None) == "Valid"
    assert state(signed, real_agency) == "Valid"


@pytest.mark.parametrize("box", [b"moov", b"mdat"])
@pytest.mark.parametrize("place", [16, 3000, 8000])
def test_a_changed_byte_of_index_or_media_makes_it_invalid(
    signed: Path, agency: Agency, tmp_path: Path, box: bytes, place: int
) -> None:
    """C2PA leaves out only its own box (with its padding), `ftyp` and `mfra`."""
    data = bytearray(signed.read_bytes())
    data[data.index(box) + place] ^= 1
    changed = tmp_path / "changed.mp4"
    changed.write_bytes(data)
    assert state(changed, agency) == "Invalid"


def test_free_space_is_covered_too(signed: Path, agency: Agency) -> None:
    store = content_credentials.state(signed, agency.trust.root)[1]
    hashed = next(
        one["data"]
        for one in store["manifests"][store["active_manifest"]]["assertions"]
        if one["label"].startswith("c2pa.hash.bmff")
    )
    assert {one["xpath"] for one in hashed["exclusions"]} == {"/uuid", "/ftyp", "/mfra"}


def test_the_evidence_file_is_its_ingredient(signed: Path, agency: Agency) -> None:
    store = content_credentials.state(signed, agency.trust.root)[1]
    manifest = store["manifests"][store["active_manifest"]]
    report = json.loads(signed.with_suffix(".json").read_text())
    assert manifest["ingredients"][0]["title"] == "SIM-0001-000001.evidence"
    assert manifest["ingredients"][0]["relationship"] == "parentOf"
    said = next(one["data"] for one in manifest["assertions"] if one["label"] == content_credentials.ASSERTION)
    assert said["source"]["sha256"] == report["source"]["sha256"]
    assert said["source"]["close_hash"] == report["source"]["close_hash"]
    assert said["re_encoded"] is False
    assert "SIMULATED" in said["label"]
    assert "SIMULATED" in manifest["title"]


def test_the_signed_mp4_plays_and_holds_every_sample(signed: Path, tool: Tool) -> None:
    assert decode_errors(tool, signed) == ""
    found = packets(tool, signed)
    assert {tag: len(found[tag]) for tag in ("avc1", "mp4a", "gpmd")} == {"avc1": 50, "mp4a": 94, "gpmd": 2}


def test_the_cameras_own_signatures_in_the_picture_are_still_there(
    agency: Agency, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Layer A survives layer E: both verdicts on one file."""
    plain, both = write_mp4(tmp_path / "plain.mp4", signed_units(agency)), tmp_path / "both.mp4"
    source = content_credentials.SourceFacts("x.evidence", 1, "0" * 64, None, "x", None, None)
    content_credentials.sign_mp4(plain, both, agency.signer("export"), source, "both.mp4")
    assert state(both, agency) == "Trusted"
    assert main(["media", str(both), "--root", agency.file("root.pem")]) == 0
    assert "4 signed" in capsys.readouterr().out


def test_the_report_hashes_the_signed_file(signed: Path) -> None:
    import hashlib

    report = json.loads(signed.with_suffix(".json").read_text())
    assert report["c2pa"] == {"signed": True, "reason": None}
    said = {one["name"]: one["sha256"] for one in report["outputs"]}
    assert said[signed.name] == hashlib.sha256(signed.read_bytes()).hexdigest()


def test_a_desk_whose_certificate_is_not_for_c2pa_still_exports_and_says_so(
    agency: Agency,
    recording: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from cryptography import x509

    monkeypatch.setattr(content_credentials, "CLAIM_SIGNING_OID", x509.ObjectIdentifier("1.2.3.4"))
    assert export(agency, recording, tmp_path, *signing(agency)) == 0
    assert "carries no C2PA manifest: the export desk's certificate lacks" in capsys.readouterr().err
    assert json.loads((tmp_path / "SIM-0001-000001.json").read_text())["c2pa"]["signed"] is False
