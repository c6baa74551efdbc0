"""Keys in a token sign and open like keys in files, judged by openssl; a token that is away comes back (issue 3)."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

pytest.importorskip("pkcs11")

import pkcs11
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from pkcs11 import Attribute
from recordings import Agency, judge, make_agency, write_recording
from soft_token import PIN, SoftToken

from evidence import cms
from evidence.__main__ import main
from evidence.errors import BadKey, SigningFailed
from evidence.keys import P256_ORDER, P384_ORDER, Signer, load_certificates, load_signer
from evidence.keys_pkcs11 import Pkcs11Signer, Pkcs11VaultKey, TokenKey
from evidence.pkcs11_uri import TokenUri
from evidence.sealed import Recipient, open_sealed, seal
from evidence.unwrap_ledger import read_ledger
from evidence.vault_proof import check_vault_proof
from fleet.ca import Authority, write_credential

Tool = Callable[[str], str]
WHEN = dt.datetime(2026, 11, 22, 6, 0, tzinfo=dt.UTC)


@dataclass(frozen=True)
class TokenAgency(Agency):
    """The agency whose camera keeps its key in the token."""

    camera_uri: str = ""
    vault_uri: str = ""
    strong_uri: str = ""
    """A P-384 key of another agency's camera."""

    def signer(self, stem: str = "camera") -> Signer:  # type: ignore[override]
        if stem != "camera":
            return super().signer(stem)
        return load_signer(self.camera_uri, self.directory / "camera.pem")


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> SoftToken:
    import shutil

    softhsm = shutil.which("softhsm2-util")
    if softhsm is None:
        pytest.skip("softhsm2 is not installed: run `make test` as root once")
    return SoftToken.create(tmp_path_factory.mktemp("token"), softhsm)


@pytest.fixture(scope="module")
def bench(token: SoftToken, tmp_path_factory: pytest.TempPathFactory) -> TokenAgency:
    """An agency with a camera and a vault whose keys are only in the token."""
    made = make_agency(tmp_path_factory.mktemp("token-agency"))
    camera = made.authority.signer("camera", "Camera SIM-0001", serial="SIM-0001", level="non_exportable")
    vault = made.authority.vault("Vault in a token")
    other = Authority("P-384 Police", simulated=True, validity=made.authority.validity, curve="P-384")
    strong = other.signer("camera", "Camera SIM-0001", serial="SIM-0001", level="non_exportable")
    for stem, credential in (("camera", camera), ("vault", vault), ("strong", strong)):
        write_credential(made.directory, stem, credential)
        (made.directory / f"{stem}.key").unlink()
    return TokenAgency(
        made.directory,
        made.authority,
        made.trust,
        Recipient.of(vault.certificate),
        camera_uri=token.put("evidence", camera.key),
        strong_uri=token.put("strong", strong.key),
        vault_uri=token.put("vault", vault.key),
    )


@pytest.fixture(scope="module")
def recording(bench: TokenAgency, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_recording(bench, tmp_path_factory.mktemp("token-recording"))


@pytest.mark.requirement("R41")
def test_the_key_cannot_be_read_out_of_its_token(bench: TokenAgency) -> None:
    key = TokenKey(TokenUri.parse(bench.camera_uri))
    with pytest.raises((SigningFailed, pkcs11.AttributeSensitive)):
        key.use(lambda one: one[Attribute.VALUE])


def test_every_signature_has_the_low_s(bench: TokenAgency) -> None:
    signer = bench.signer()
    for number in range(40):
        _, s = decode_dss_signature(signer.sign_digest(bytes([number]) * 32))
        assert s <= P256_ORDER // 2


def test_openssl_verifies_every_statement_of_a_recording_signed_in_the_token(
    bench: TokenAgency, recording: Path, tool: Tool, tmp_path: Path
) -> None:
    report = judge(bench.trust, recording.read_bytes())
    assert (report.valid, report.key_level) == (True, "non_exportable")
    assert main(["unpack", str(recording), "--out", str(tmp_path / "parts")]) == 0
    statements = sorted((tmp_path / "parts").glob("*.p7s"))
    assert len(statements) == 8
    for path in statements:
        command = [tool("openssl"), "cms", "-verify", "-binary", "-inform", "DER", "-in", path]
        shown = subprocess.run([*command, "-CAfile", bench.file("root.pem")], capture_output=True, check=True)
        assert json.loads(shown.stdout)["serial"] == "SIM-0001"


def test_a_vault_key_in_a_token_opens_what_was_sealed_to_it(bench: TokenAgency) -> None:
    key = Pkcs11VaultKey.load(bench.vault_uri, bench.recipient.certificate)
    assert open_sealed(seal([b"a secret"], [bench.recipient]), bench.recipient, key) == b"a secret"


def test_a_token_that_was_away_is_used_again_when_it_is_back(bench: TokenAgency, token: SoftToken) -> None:
    signer = bench.signer()
    token.pull_out()
    try:
        for _ in range(2):
            # SoftHSM notices only when it looks: a real token fails at the first signature
            pkcs11.lib(token.module).reinitialize()
            with pytest.raises(SigningFailed, match="the token does not do its work now"):
                signer.sign_digest(bytes(32))
    finally:
        token.put_back()
    assert cms.check_signature(cms.parse_signed(cms.sign(b"x", signer, WHEN))) is None


def test_several_threads_share_one_token(bench: TokenAgency) -> None:
    signer = bench.signer()
    failed: list[Exception] = []

    def work() -> None:
        try:
            for _ in range(25):
                cms.check_signature(cms.parse_signed(cms.sign(b"x", signer, WHEN)))
        except Exception as error:  # noqa: BLE001 - told to the test
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert not failed


def test_a_certificate_of_another_key_is_refused(bench: TokenAgency) -> None:
    with pytest.raises(BadKey, match="does not belong"):
        Pkcs11Signer(TokenKey(TokenUri.parse(bench.vault_uri)), load_certificates(bench.directory / "camera.pem"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("object=evidence", "object=none"), "no such private key"),
        (("token=Cam", "token=Other"), "there is no such token"),
        (("libsofthsm2.so", "nothing.so"), "cannot be loaded"),
        (("&pin-source=", "&pin-source=/nowhere"), "cannot read the PIN"),
    ],
)
def test_what_is_not_there_is_told_in_one_sentence(bench: TokenAgency, change: tuple[str, str], said: str) -> None:
    with pytest.raises(BadKey, match=said):
        load_signer(bench.camera_uri.replace(*change), bench.directory / "camera.pem")


def test_a_wrong_pin_is_tried_once_and_shown_nowhere(bench: TokenAgency, token: SoftToken, tmp_path: Path) -> None:
    pkcs11.lib(token.module).reinitialize()  # nobody is logged in
    pin = tmp_path / "pin"
    pin.write_text("99887766")
    pin.chmod(0o600)
    key = TokenKey(replace(TokenUri.parse(bench.camera_uri), pin_source=pin))
    for _ in range(2):
        with pytest.raises(BadKey, match="refuses the PIN") as refused:
            key.use(lambda one: one)
        assert "99887766" not in str(refused.value)


def test_a_pin_that_others_can_read_is_refused(token: SoftToken, tmp_path: Path) -> None:
    pin = tmp_path / "pin"
    pin.write_text(PIN)
    pin.chmod(0o644)
    with pytest.raises(BadKey, match="chmod 600"):
        replace(TokenUri.parse(token.uri("evidence")), pin_source=pin).pin()


@pytest.mark.parametrize(
    "uri",
    [
        "pkcs11:",
        "pkcs11:token=A",
        "pkcs11:object=k",
        "pkcs11:token=A;token=B;object=k",
        "pkcs11:token=A;object=k;type=public",
        "pkcs11:token=A;object=k?pin-value=1234&module-path=/m",
        "pkcs11:token=A;object=k?module-path=/m&pin-source=|sh",
        "pkcs11:token=A;object=k?module-path=/m&pin-source=https:%2F%2Fx",
        "pkcs11:token=%FF;object=k?module-path=/m",
        "pkcs11:token=A;object=k?modul=/m",
        "pkcs11:token=A;object=k",
    ],
)
def test_a_uri_is_read_strictly(uri: str) -> None:
    with pytest.raises(BadKey) as refused:
        TokenUri.parse(uri, {})
    assert "1234" not in str(refused.value)


def test_a_uri_says_all_that_rfc_7512_lets_it_say() -> None:
    text = "pkcs11:token=The%20Vault;id=%01%ff;type=private?module-path=%2Flib%2Fx.so&pin-source=file:%2Fetc%2Fpin"
    uri = TokenUri.parse(text, {})
    assert (uri.token, uri.identifier, uri.module, uri.pin_source) == (
        "The Vault",
        b"\x01\xff",
        Path("/lib/x.so"),
        Path("/etc/pin"),
    )
    named = TokenUri.parse("pkcs11:token=A;object=k", {"FIRSTHAND_PKCS11_MODULE": "/m.so"})
    assert named.pin({"FIRSTHAND_PKCS11_PIN": "1"}) == "1"


def test_a_p256_key_is_demanded(bench: TokenAgency, token: SoftToken) -> None:
    uri = token.put("other", ec.generate_private_key(ec.SECP384R1()))
    with pytest.raises((BadKey, SigningFailed)):
        load_signer(uri, bench.directory / "camera.pem")


# --- the vault key on the command line, and the ledger ------------------------------------------------------


@pytest.fixture
def vault_options(bench: TokenAgency, tmp_path: Path) -> list[str]:
    desk = ["--ledger", str(tmp_path / "unwraps.ledger"), "--ledger-cert", bench.file("export.pem")]
    desk += ["--ledger-key", bench.file("export.key")]
    return ["--vault-cert", bench.file("vault.pem"), "--vault-key", bench.vault_uri, *desk]


@pytest.mark.requirement("R1")
def test_every_object_that_a_token_opens_stands_in_the_signed_ledger(
    bench: TokenAgency,
    recording: Path,
    vault_options: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    tool: Tool,
) -> None:
    root = ["--root", bench.file("root.pem")]
    package = tmp_path / "package"
    assert main(["disclose", str(recording), *root, *vault_options, "--objects", "4", "--out", str(package)]) == 0
    assert main(["inspect", str(recording), *vault_options]) == 0
    assert main(["verify", str(package), *root]) == 0
    capsys.readouterr()
    ledger = tmp_path / "unwraps.ledger"
    assert main(["ledger", str(ledger), *root]) == 0
    shown = capsys.readouterr().out
    assert "disclose SIM-0001-000001.evidence: 2 objects, done" in shown
    assert "inspect SIM-0001-000001.evidence: 2 objects, done" in shown
    first = next(iter(read_ledger(ledger, bench.trust)))
    assert first[0].phase == "begin"
    size = int.from_bytes(ledger.read_bytes()[2:4], "big") + 4
    (tmp_path / "one.p7s").write_bytes(ledger.read_bytes()[:size])
    command = [tool("openssl"), "cms", "-verify", "-binary", "-inform", "DER", "-in", str(tmp_path / "one.p7s")]
    said = subprocess.run([*command, "-CAfile", bench.file("root.pem")], capture_output=True, check=True).stdout
    assert json.loads(said)["phase"] == "begin"


@pytest.mark.requirement("R40", "R41")
def test_a_vault_key_in_a_token_proves_that_it_opens_and_the_ledger_says_so(
    bench: TokenAgency, recording: Path, vault_options: list[str], tmp_path: Path
) -> None:
    signer = ["--cert", bench.file("proof.pem"), "--key", bench.file("proof.key")]
    command = ["prove-open", str(recording), "--root", bench.file("root.pem"), *signer, "--out", str(tmp_path)]
    assert main([*command, "--vault-cert", bench.file("vault.pem"), "--vault-key", bench.vault_uri]) == 64
    assert main([*command, *vault_options]) == 0
    proof = check_vault_proof((tmp_path / f"{recording.name}.proof.p7s").read_bytes(), bench.trust)
    assert proof.vault_sha256 == bench.recipient.sha256
    told = [statement for statement, _, _ in read_ledger(tmp_path / "unwraps.ledger", bench.trust)]
    assert {one.verb for one in told} == {"prove_open"}
    assert [len(one.objects) for one in told if one.phase == "opened"] == [proof.objects]


def test_a_ledger_with_a_missing_or_edited_statement_opens_nothing_more(
    bench: TokenAgency, recording: Path, vault_options: list[str], tmp_path: Path
) -> None:
    ledger = tmp_path / "unwraps.ledger"
    assert main(["inspect", str(recording), *vault_options]) == 0
    data = ledger.read_bytes()
    size = int.from_bytes(data[2:4], "big") + 4
    for damaged in (data[size:], data[:300] + bytes([data[300] ^ 1]) + data[301:]):
        ledger.write_bytes(damaged)
        assert main(["ledger", str(ledger), "--root", bench.file("root.pem")]) == 1
        assert main(["inspect", str(recording), *vault_options]) == 1
        assert ledger.read_bytes() == damaged


def test_a_statement_that_a_power_cut_tore_is_a_finding_until_the_next_run_sets_it_aside(
    bench: TokenAgency, recording: Path, vault_options: list[str], tmp_path: Path
) -> None:
    ledger = tmp_path / "unwraps.ledger"
    assert main(["inspect", str(recording), *vault_options]) == 0
    torn = ledger.read_bytes()[:-1]
    ledger.write_bytes(torn)
    assert main(["ledger", str(ledger), "--root", bench.file("root.pem")]) == 1
    assert main(["inspect", str(recording), *vault_options]) == 0
    (kept,) = tmp_path.glob("unwraps.ledger.cut-*")
    assert torn.endswith(kept.read_bytes())
    assert ledger.read_bytes().startswith(torn[: -len(kept.read_bytes())])
    assert main(["ledger", str(ledger), "--root", bench.file("root.pem")]) == 1  # the run that was cut off has no end


def test_a_run_that_was_killed_is_seen(
    bench: TokenAgency, recording: Path, vault_options: list[str], tmp_path: Path
) -> None:
    ledger = tmp_path / "unwraps.ledger"
    assert main(["inspect", str(recording), *vault_options]) == 0
    data = ledger.read_bytes()
    ledger.write_bytes(data[: int.from_bytes(data[2:4], "big") + 4])
    assert main(["ledger", str(ledger), "--root", bench.file("root.pem")]) == 1


def test_a_token_opens_nothing_without_a_ledger(bench: TokenAgency, recording: Path) -> None:
    assert (
        main(["inspect", str(recording), "--vault-cert", bench.file("vault.pem"), "--vault-key", bench.vault_uri]) == 64
    )


def test_a_ledger_needs_the_export_role(bench: TokenAgency, recording: Path, vault_options: list[str]) -> None:
    options = [one.replace("export.", "profile.") for one in vault_options]
    assert main(["inspect", str(recording), *options]) == 64


def test_a_key_file_is_said_to_be_for_tests_and_small_agencies(
    agency: Agency, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_recording(agency, tmp_path)
    options = ["--vault-cert", agency.file("vault.pem"), "--vault-key", f"file:{agency.file('vault.key')}"]
    assert main(["inspect", str(path), *options]) == 0
    assert capsys.readouterr().err.count("for tests and small agencies") == 1


def test_a_p384_key_in_the_token_signs_like_one_in_a_file(bench: TokenAgency) -> None:
    signer = load_signer(bench.strong_uri, bench.directory / "strong.pem")
    for number in range(10):
        message = cms.parse_signed(cms.sign(b"%d" % number, signer, WHEN))
        cms.check_signature(message)
        assert decode_dss_signature(message.signature)[1] <= P384_ORDER // 2
