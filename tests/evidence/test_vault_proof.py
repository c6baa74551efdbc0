"""Vault proofs: what the vault's holder signs, and what is refused (invariant 8, R40)."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from recordings import Agency, Recipe, make_agency, write_recording

from evidence import cms
from evidence.__main__ import main
from evidence.errors import EvidenceError
from evidence.export.items import ObjectItem, walk
from evidence.keys import FileSigner
from evidence.statements import NO_HASH, encode_canonical
from evidence.trust import Trust
from evidence.vault_proof import ProofsWanted, VaultProof, WantedProof, check_vault_proof
from evidence.verify import verify_file
from fleet.ca import Validity, write_credential

Out = pytest.CaptureFixture[str]
Tool = Callable[[str], str]
NOW = dt.datetime.now(dt.UTC)


def prove(agency: Agency, out: Path, *files: str | Path, vault_key: str | None = None, **changed: str) -> int:
    """`prove-open` with the agency's vault and holder."""
    options = {
        "root": agency.file("root.pem"),
        "vault-cert": agency.file("vault.pem"),
        "vault-key": vault_key or agency.file("vault.key"),
        "cert": agency.file("proof.pem"),
        "key": agency.file("proof.key"),
        "out": str(out),
        **changed,
    }
    return main(["prove-open", *map(str, files), *(text for name in options for text in (f"--{name}", options[name]))])


@pytest.mark.requirement("R40")
def test_a_proof_binds_camera_file_vault_and_firmware_and_openssl_verifies_it(
    agency: Agency, recording: Path, tmp_path: Path, tool: Tool, capsys: Out
) -> None:
    assert prove(agency, tmp_path, recording) == 0
    path = tmp_path / f"{recording.name}.proof.p7s"
    assert "opened as committed" in capsys.readouterr().out
    proof = check_vault_proof(path.read_bytes(), agency.trust)
    report = verify_file(recording, agency.trust)
    with recording.open("rb") as file:
        objects = [item.sha256 for item in walk(file) if isinstance(item, ObjectItem)]
    assert (proof.serial, proof.stream, proof.number, proof.name) == ("SIM-0001", "recording", 1, recording.name)
    assert (proof.sha256, proof.close_hash, proof.bytes) == (report.sha256, report.close_hash, report.bytes)
    assert proof.pair == (agency.recipient.sha256, NO_HASH)
    assert (proof.objects, proof.first_object, proof.last_object) == (len(objects), objects[0], objects[-1])
    assert proof.holder == "VAULT-1"
    command = [tool("openssl"), "cms", "-verify", "-binary", "-inform", "DER", "-in", path]
    shown = subprocess.run([*command, "-CAfile", agency.file("root.pem")], capture_output=True, check=True)
    assert json.loads(shown.stdout)["kind"] == "vault_proof"


def test_nothing_that_was_opened_is_written_beside_the_proof(agency: Agency, recording: Path, tmp_path: Path) -> None:
    assert prove(agency, tmp_path, recording) == 0
    assert [path.name for path in tmp_path.iterdir()] == [f"{recording.name}.proof.p7s"]


@pytest.mark.requirement("R40")
def test_a_key_that_does_not_open_proves_nothing(agency: Agency, recording: Path, tmp_path: Path, capsys: Out) -> None:
    """The certificate that cameras seal to names a key that nobody has: the one thing this is all about."""
    lost = agency.authority.vault("A vault of another key")
    write_credential(tmp_path, "other", lost)
    assert prove(agency, tmp_path / "out", recording, vault_key=str(tmp_path / "other.key")) == 64
    assert "does not belong to the vault certificate" in capsys.readouterr().err
    changed = {"vault-cert": str(tmp_path / "other.pem")}
    assert prove(agency, tmp_path / "out", recording, vault_key=str(tmp_path / "other.key"), **changed) == 1
    assert "is not sealed to this vault certificate" in capsys.readouterr().err
    assert not list((tmp_path / "out").glob("*.p7s"))


@pytest.mark.requirement("R40")
def test_an_object_that_is_not_what_its_statement_committed_to_proves_nothing(
    agency: Agency, record: Callable[..., Path], tmp_path: Path, capsys: Out
) -> None:
    """Signatures, hashes and rules of this file hold: only who opens it can see that its camera lied."""
    path = record(wrong_commitment=True)
    assert verify_file(path, agency.trust).valid
    assert prove(agency, tmp_path / "out", path) == 1
    assert "is not what statement seq" in capsys.readouterr().err
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize("damage", ["not closed", "one bit", "not evidence", "not there"])
def test_a_file_that_does_not_verify_proves_nothing(
    agency: Agency, record: Callable[..., Path], tmp_path: Path, capsys: Out, damage: str
) -> None:
    path = record(close=damage != "not closed")
    if damage == "one bit":
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    elif damage == "not evidence":
        path.write_bytes(b"picture")
    elif damage == "not there":
        path.unlink()
    assert prove(agency, tmp_path / "out", path) == (1 if damage in ("not closed", "one bit") else 2)
    assert len(capsys.readouterr().err.strip().splitlines()) == 2, "the warning about a key in a file, and one sentence"
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize("stem", ["camera", "export", "station-receipt", "supervisor"])
def test_only_the_proof_role_can_prove(agency: Agency, recording: Path, tmp_path: Path, capsys: Out, stem: str) -> None:
    signer = {"cert": agency.file(f"{stem}.pem"), "key": agency.file(f"{stem}.key")}
    assert prove(agency, tmp_path / "out", recording, **signer) == 64
    assert "must be a certificate of the proof role" in capsys.readouterr().err


@pytest.fixture(scope="module")
def good(agency: Agency, recording: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    out = tmp_path_factory.mktemp("good")
    assert prove(agency, out, recording) == 0
    return (out / f"{recording.name}.proof.p7s").read_bytes()


def signed(good: bytes, signer: FileSigner, **changes: Any) -> bytes:
    """The same proof with other words, well signed."""
    values = json.loads(cms.parse_signed(good).payload) | changes
    return cms.sign(encode_canonical(values), signer, NOW)


@pytest.mark.requirement("R40")
@pytest.mark.parametrize(
    ("changes", "stem"),
    [
        ({}, "camera"), ({}, "export"), ({}, "station-receipt"), ({}, "supervisor"), ({}, "profile"),
        ({"holder": "VAULT-2"}, "proof"), ({"objects": 0}, "proof"), ({"v": 2}, "proof"),
        ({"name": "SIM-0001-000002.evidence"}, "proof"), ({"stream": "log"}, "proof"), ({"more": 1}, "proof"),
        ({"issued": "2019-01-01T00:00:00.000000Z"}, "proof"), ({"kind": "receipt"}, "proof"),
        ({"holder": "V" * 200}, "proof"), ({"sha256": "A" * 64}, "proof"),
    ],
)  # fmt: skip
def test_what_is_no_proof_is_refused(agency: Agency, good: bytes, changes: dict[str, Any], stem: str) -> None:
    with pytest.raises(EvidenceError):
        check_vault_proof(signed(good, agency.signer(stem), **changes), agency.trust)


def test_a_tampered_foreign_or_torn_proof_is_refused(agency: Agency, good: bytes, tmp_path: Path) -> None:
    other = make_agency(tmp_path)
    with pytest.raises(EvidenceError):
        check_vault_proof(good, other.trust)
    with pytest.raises(EvidenceError):
        check_vault_proof(signed(good, other.signer("proof")), agency.trust)
    edited = good.replace(b'"number":1', b'"number":2')
    for document in (b"", good[:-1], good + b"\0", edited, b"\x30\x80", bytes(40_000)):
        with pytest.raises(EvidenceError):
            check_vault_proof(document, agency.trust)


def test_a_holder_who_was_revoked_or_whose_certificate_had_ended_proves_nothing(
    agency: Agency, good: bytes, tmp_path: Path
) -> None:
    holder = agency.authority.signer("proof", "Former holder", serial="VAULT-9")
    write_credential(tmp_path, "former", holder)
    former = FileSigner.load(tmp_path / "former.key", tmp_path / "former.pem")
    document = signed(good, former, holder="VAULT-9")
    assert check_vault_proof(document, agency.trust).holder == "VAULT-9"
    (tmp_path / "proof.crl").write_bytes(agency.authority.revoke(holder.certificate, NOW))
    told = Trust.load(agency.directory / "root.pem", [tmp_path / "proof.crl"])
    with pytest.raises(EvidenceError, match="was revoked"):
        check_vault_proof(document, told)
    short = Validity(NOW - dt.timedelta(hours=2), NOW - dt.timedelta(hours=1))
    ended = agency.authority.signer("proof", "Ended", serial="VAULT-8", validity=short)
    write_credential(tmp_path, "ended", ended)
    late = signed(good, FileSigner.load(tmp_path / "ended.key", tmp_path / "ended.pem"), holder="VAULT-8")
    with pytest.raises(EvidenceError, match="is valid from"):
        check_vault_proof(late, agency.trust)


# --- a station's work list --------------------------------------------------------------------------------------------


def listed(agency: Agency, *paths: Path, **changes: Any) -> bytes:
    files = []
    for path in paths:
        fields: dict[str, Any] = {
            "path": f"/srv/station/store/{path.name}", "name": path.name, "bytes": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "why": "first",
            "vaults": (agency.recipient.sha256,),
        }  # fmt: skip
        files.append(WantedProof(**{**fields, **changes}))
    return encode_canonical(ProofsWanted(v=1, files=tuple(files)))


@pytest.mark.requirement("R40")
def test_a_work_list_proves_many_and_what_fails_stops_no_other(agency: Agency, tmp_path: Path, capsys: Out) -> None:
    store = tmp_path / "copy"
    store.mkdir()
    recipes = (Recipe(number=1, seconds=1), Recipe(number=2, seconds=1, wrong_commitment=True), Recipe(number=3))
    paths = [write_recording(agency, store, recipe) for recipe in recipes]
    (tmp_path / "wanted.json").write_bytes(listed(agency, *paths))
    options = {"list": str(tmp_path / "wanted.json"), "store": str(store)}
    assert prove(agency, tmp_path / "out", **options) == 1
    assert sorted(path.name[9:15] for path in (tmp_path / "out").iterdir()) == ["000001", "000003"]
    assert "000002.evidence: NOT proven" in capsys.readouterr().err
    assert prove(agency, tmp_path / "out", **options) == 1
    assert capsys.readouterr().out.count("is there already") == 2, "a second run does only what is left"


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({"sha256": "1" * 64}, 1, "is not the file on the work list"),
        ({"vaults": ("1" * 64,)}, 0, "is sealed to another vault certificate"),
    ],
)
def test_a_list_that_does_not_fit_proves_nothing(
    agency: Agency, recording: Path, tmp_path: Path, capsys: Out, changes: dict[str, Any], code: int, said: str
) -> None:
    (tmp_path / "wanted.json").write_bytes(listed(agency, recording, **changes))
    options = {"list": str(tmp_path / "wanted.json"), "store": str(recording.parent)}
    assert prove(agency, tmp_path / "out", **options) == code
    assert said in capsys.readouterr().err
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"v":1,"kind":"proofs_wanted","files":[{}]}', b"\xff"])
def test_what_is_no_work_list_is_told(agency: Agency, tmp_path: Path, capsys: Out, data: bytes) -> None:
    (tmp_path / "wanted.json").write_bytes(data)
    assert prove(agency, tmp_path / "out", list=str(tmp_path / "wanted.json")) == 1
    assert "not a station's work list" in capsys.readouterr().err


def test_files_and_a_list_together_are_wrong_usage(agency: Agency, recording: Path, tmp_path: Path) -> None:
    assert prove(agency, tmp_path, recording, list="x.json") == 64
    assert prove(agency, tmp_path) == 64


def test_a_type_of_the_proof_is_kept_by_its_canonical_form(good: bytes) -> None:
    payload = cms.parse_signed(good).payload
    assert encode_canonical(VaultProof(**{k: v for k, v in json.loads(payload).items() if k != "kind"})) == payload
