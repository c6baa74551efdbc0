"""A camera's enrolment and renewals against a real server process, judged by openssl and curl (EST, RFC 7030)."""

from __future__ import annotations

import base64
import datetime as dt
import os
import re
import shutil
import stat
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from agency_on_disk import Agency
from cryptography.hazmat.primitives.asymmetric import ec
from enrolment_bench import EnrolServer, renew

from evidence import cms
from evidence.keys import FileSigner, load_certificates, load_signer
from evidence.roles import key_level_of, serial_of
from evidence.trust import Trust
from fleet import enrol_camera
from fleet.__main__ import main
from fleet.csr import Request, load_request, make_request
from fleet.enrolment_settings import load_enrolment
from fleet.errors import RequestRefused, WrongServer
from fleet.est_client import Server
from fleet.issued import number_of

sys.path.append(str(Path(__file__).parents[1] / "evidence"))

Openssl = Callable[..., subprocess.CompletedProcess[str]]
Out = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def server(_made: Agency, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EnrolServer]:
    """One server for all tests of this file, each of which brings serials of its own."""
    directory = tmp_path_factory.mktemp("enrolment")
    started = EnrolServer(_made.copy(directory / "ca"), directory / "server.log").start()
    yield started
    assert started.stop() == 0


@pytest.fixture
def enrolled(server: EnrolServer, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """The keys of a camera that was enrolled just now."""
    serial = f"CAM-{zlib.crc32(request.node.name.encode())}"
    out = tmp_path / "keys"
    assert server.enrol(serial, server.token(serial, tmp_path), out) == 0
    return out


def signed_by(keys: Path) -> cms.SignedMessage:
    signer = FileSigner.load(keys / "camera.key", keys / "camera.pem")
    return cms.parse_signed(cms.sign(b"{}", signer, dt.datetime.now(dt.UTC)))


@pytest.mark.requirement("R6")
def test_a_camera_makes_its_keys_itself_and_gets_certificates_that_verify(
    server: EnrolServer, enrolled: Path, openssl: Openssl
) -> None:
    serial = load_enrolment(enrolled / "enrolment.toml").serial
    Trust.load(enrolled / "root.pem").check(signed_by(enrolled), role="camera", serial=serial)
    for stem, purpose in (("camera", "smimesign"), ("camera-tls", "sslclient")):
        pem = enrolled / f"{stem}.pem"
        chain = ["-CAfile", enrolled / "root.pem", "-untrusted", pem, "-purpose", purpose, "-crl_check"]
        assert openssl("verify", "-x509_strict", *chain, "-CRLfile", server.agency.crl, pem).returncode == 0
        assert stat.S_IMODE((enrolled / f"{stem}.key").stat().st_mode) == 0o600
    tls = enrolled / "camera-tls.pem"
    assert "urn:dev:serial:" in openssl("x509", "-in", tls, "-noout", "-ext", "subjectAltName").stdout
    assert openssl("verify", "-CAfile", enrolled / "tls-ca.pem", tls).returncode == 0


def test_the_key_level_is_the_operators_word_not_the_cameras(server: EnrolServer, tmp_path: Path) -> None:
    for serial, more, level in (("CAM-F", (), "file"), ("CAM-N", ("--key-level", "non_exportable"), "non_exportable")):
        assert server.enrol(serial, server.token(serial, tmp_path, *more), tmp_path / serial) == 0
        assert key_level_of(load_certificates(tmp_path / serial / "camera.pem")[0]) == level


def test_a_token_enrols_one_camera_once(server: EnrolServer, tmp_path: Path, capsys: Out) -> None:
    token = server.token("CAM-1", tmp_path)
    assert server.enrol("CAM-2", token, tmp_path / "other") == 1
    assert "no such token for this serial" in capsys.readouterr().err
    assert server.enrol("CAM-1", token, tmp_path / "first") == 0
    assert server.enrol("CAM-1", token, tmp_path / "second") == 1
    assert "used already" in capsys.readouterr().err
    assert not list((tmp_path / "second").glob("*.toml"))


def test_an_enrolment_that_was_cut_off_goes_on_with_the_same_keys(server: EnrolServer, tmp_path: Path) -> None:
    """The answer was lost: the same request again brings the same certificate, not a second one."""
    token, out = server.token("CAM-3", tmp_path), tmp_path / "keys"
    assert server.enrol("CAM-3", token, out) == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    for name in ("enrolment.toml", "camera-tls.pem", "tls-ca.pem"):
        (out / name).unlink()
    assert server.enrol("CAM-3", token, out) == 0
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_an_old_token_is_refused(server: EnrolServer, tmp_path: Path, capsys: Out) -> None:
    token = server.token("CAM-4", tmp_path)
    with server.agency.store().register.alone() as database:
        database.execute("UPDATE token SET until_s = 1 WHERE serial = 'CAM-4'")
    assert server.enrol("CAM-4", token, tmp_path / "keys") == 1
    assert "has run out" in capsys.readouterr().err


def test_the_register_keeps_no_token_in_the_clear(server: EnrolServer, tmp_path: Path) -> None:
    token = server.token("CAM-5", tmp_path).read_bytes().strip()
    files = [path.read_bytes() for path in server.agency.ca.glob("issued.sqlite*")]
    assert files
    assert not any(token in data for data in files)


@pytest.mark.requirement("R6")
def test_a_server_with_another_root_gets_no_token(
    server: EnrolServer, tmp_path: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    call = Server._call
    monkeypatch.setattr(Server, "_call", lambda self, *words: sent.append(words[2]) or call(self, *words))
    words = ["enrol", "--server", server.url, "--ca-fingerprint", "0" * 64, "--serial", "CAM-6"]
    token = server.token("CAM-6", tmp_path)
    assert main([*words, "--token-file", str(token), "--out", str(tmp_path / "keys")]) == 1
    assert "compare the fingerprint" in capsys.readouterr().err
    assert sent == ["/cacerts"]


def test_a_server_under_another_name_is_refused(server: EnrolServer, tmp_path: Path, capsys: Out) -> None:
    token = server.token("CAM-7", tmp_path)
    elsewhere = EnrolServer(server.agency, server.log)
    elsewhere.url = server.url.replace("localhost", "127.0.0.1")
    assert elsewhere.enrol("CAM-7", token, tmp_path / "keys") == 1
    assert "not one of ours" in capsys.readouterr().err


def test_nothing_is_due_just_after_an_enrolment(enrolled: Path, capsys: Out) -> None:
    before = (enrolled / "camera-tls.pem").read_bytes()
    assert renew(enrolled) == 0
    assert "nothing is due" in capsys.readouterr().out
    assert (enrolled / "camera-tls.pem").read_bytes() == before


def test_a_renewal_changes_the_tls_key_and_keeps_the_evidence_key(enrolled: Path) -> None:
    before = {path.name: path.read_bytes() for path in enrolled.iterdir()}
    assert renew(enrolled, "--force") == 0
    after = {path.name: path.read_bytes() for path in enrolled.iterdir()}
    assert before.keys() == after.keys()
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"camera.pem", "camera-tls.pem", "camera-tls.key"}
    FileSigner.load(enrolled / "camera.key", enrolled / "camera.pem")
    FileSigner.load(enrolled / "camera-tls.key", enrolled / "camera-tls.pem")
    assert renew(enrolled, "--force") == 0


def test_certificates_are_renewed_before_they_end(enrolled: Path) -> None:
    settings = load_enrolment(enrolled / "enrolment.toml")
    leaf = load_certificates(enrolled / "camera-tls.pem")[0]
    end = leaf.not_valid_after_utc
    assert not enrol_camera.is_due(leaf, settings, end - dt.timedelta(days=61))
    assert enrol_camera.is_due(leaf, settings, end - dt.timedelta(days=59))
    assert enrol_camera.renew(enrolled / "enrolment.toml", now=end - dt.timedelta(days=59)) == ["tls"]


@pytest.mark.parametrize("done", ["nothing", "key"])
def test_a_renewal_that_was_cut_off_between_its_renames_is_finished(enrolled: Path, done: str) -> None:
    """As a power cut leaves it: the next key and certificate are there, and nothing or only the key is in place."""
    old = {name: (enrolled / name).read_bytes() for name in ("camera-tls.pem", "camera-tls.key")}
    assert renew(enrolled, "--force") == 0
    shutil.move(enrolled / "camera-tls.pem", enrolled / "camera-tls.next.pem")
    (enrolled / "camera-tls.pem").write_bytes(old["camera-tls.pem"])
    if done == "nothing":
        shutil.move(enrolled / "camera-tls.key", enrolled / "camera-tls.next.key")
        (enrolled / "camera-tls.key").write_bytes(old["camera-tls.key"])
        (enrolled / "camera-tls.key").chmod(0o600)
    assert renew(enrolled) == 0
    FileSigner.load(enrolled / "camera-tls.key", enrolled / "camera-tls.pem")
    assert not list(enrolled.glob("*.next.*"))


@pytest.mark.requirement("R11")
def test_a_camera_that_was_taken_back_cannot_renew(server: EnrolServer, enrolled: Path, capsys: Out) -> None:
    serial = load_enrolment(enrolled / "enrolment.toml").serial
    assert main(["ca", "revoke", serial, "--ca", str(server.agency.ca), "--reason", "stolen"]) == 0
    before = (enrolled / "camera.pem").read_bytes()
    assert renew(enrolled, "--force") == 77
    assert "taken back (stolen)" in capsys.readouterr().err
    assert (enrolled / "camera.pem").read_bytes() == before


def test_the_timer_tries_later_when_the_server_is_away(enrolled: Path, capsys: Out) -> None:
    path = enrolled / "enrolment.toml"
    path.write_text(re.sub(r"localhost:\d+", "localhost:1", path.read_text()))
    assert renew(enrolled, "--force") == 75
    assert "cannot be asked now" in capsys.readouterr().err


@pytest.mark.requirement("R1")
def test_the_network_side_cannot_bring_an_evidence_key_of_its_own(server: EnrolServer, enrolled: Path) -> None:
    """It holds the TLS key, which renews; a second evidence key would let it forge (invariant 7)."""
    serial, mine = load_enrolment(enrolled / "enrolment.toml").serial, ec.generate_private_key(ec.SECP256R1())
    root = load_certificates(enrolled / "root.pem")[0]
    session = Server(server.url).trusted(root, (enrolled / "camera-tls.pem", enrolled / "camera-tls.key"))
    forged = make_request(serial, mine.public_key(), enrol_camera.FileKey(mine).sign_digest)
    with pytest.raises(RequestRefused, match="keeps the evidence key"):
        session.certificate("camera/simplereenroll", forged)
    evidence = FileSigner.load(enrolled / "camera.key", enrolled / "camera.pem")
    crossed = make_request(serial, evidence.certificate.public_key(), evidence.sign_digest)  # type: ignore[arg-type]
    with pytest.raises(RequestRefused, match="another purpose"):
        session.certificate("tls/simplereenroll", crossed)


def test_a_renewal_without_a_certificate_of_a_camera_is_refused(server: EnrolServer, enrolled: Path) -> None:
    root = load_certificates(enrolled / "root.pem")[0]
    key = enrol_camera.FileKey(ec.generate_private_key(ec.SECP256R1()))
    request = make_request("CAM-8", key.public_key, key.sign_digest)
    with pytest.raises(RequestRefused, match="needs the camera's present TLS certificate"):
        Server(server.url).trusted(root).certificate("tls/simplereenroll", request)


def test_what_the_server_sends_must_be_what_was_asked_for(enrolled: Path) -> None:
    trust = Trust.load(enrolled / "root.pem")
    camera, tls = (load_certificates(enrolled / f"{stem}.pem") for stem in ("camera", "camera-tls"))
    key = camera[0].public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    serial = serial_of(camera[0])
    assert serial is not None
    assert enrol_camera.checked(trust, camera[0], camera, "camera", serial, key) == tuple(camera)
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    for leaf, chain, name, public, sentence in (
        (camera[0], camera, "CAM-999", key, "not for CAM-999"),
        (camera[0], camera, serial, other, "for another key"),
        (tls[0], tls, serial, key, "not the certificate that was asked for"),
        (camera[0], tls, serial, key, "does not lead to the pinned root"),
    ):
        with pytest.raises(WrongServer, match=sentence):
            enrol_camera.checked(trust, leaf, chain, "camera", name, public)


def test_curl_and_openssl_enrol_without_our_client(
    server: EnrolServer, tmp_path: Path, openssl: Openssl, tool: Callable[[str], str]
) -> None:
    """As RFC 7030 has it: what the request claims of its sender is not looked at."""
    made = ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-outform", "DER"]
    made += ["-subj", "/O=Another agency/CN=root/serialNumber=ADMIN"]
    assert openssl(*made, "-keyout", tmp_path / "k.pem", "-out", tmp_path / "r.der").returncode == 0
    (tmp_path / "r.b64").write_bytes(base64.encodebytes((tmp_path / "r.der").read_bytes()))
    token = server.token("CAM-9", tmp_path).read_text().strip()
    curl = [tool("curl"), "-sS", "--fail-with-body", "--tlsv1.3", "--cacert", str(server.agency.root), "-o"]
    sent = ["-H", "Content-Type: application/pkcs10", "--data-binary", f"@{tmp_path / 'r.b64'}"]
    url = f"{server.url}/.well-known/est/tls/simpleenroll"
    answer = [*curl, str(tmp_path / "a.b64"), "-u", f"CAM-9:{token}", *sent, "-D", str(tmp_path / "head"), url]
    subprocess.run(answer, check=True, timeout=60, capture_output=True)
    assert "smime-type=certs-only" in (tmp_path / "head").read_text()
    (tmp_path / "a.p7").write_bytes(base64.b64decode((tmp_path / "a.b64").read_bytes()))
    shown = openssl("pkcs7", "-inform", "DER", "-in", tmp_path / "a.p7", "-print_certs", "-out", tmp_path / "a.pem")
    assert shown.returncode == 0
    chain = ["-CAfile", server.agency.ca / "tls-ca.pem", "-purpose", "sslclient"]
    assert openssl("verify", *chain, tmp_path / "a.pem").returncode == 0
    subject = openssl("x509", "-in", tmp_path / "a.pem", "-noout", "-subject").stdout
    assert "CAM-9" in subject
    assert "ADMIN" not in subject


HOSTILE = (
    ("tls/simpleenroll", {}, b"!!!!", 400, "in base64"),
    ("tls/simpleenroll", {}, base64.b64encode(b"\x30\x03\x02\x01\x00"), 400, "no certificate request"),
    ("tls/simpleenroll", {}, b"A" * 20_000, 413, "at most"),
    ("tls/simpleenroll", {}, b"", 400, "empty"),
    ("tls/simpleenroll", {"Content-Type": "text/plain"}, b"AAAA", 415, "application/pkcs10"),
    ("tls/simpleenroll", {"Authorization": "Basic !"}, b"AAAA", 401, "HTTP Basic"),
    ("tls/simpleenroll", {"Authorization": "Bearer x"}, b"AAAA", 401, "HTTP Basic"),
    ("tls/simpleenroll", {"Authorization": "Basic " + "A" * 600}, b"AAAA", 401, "one-time token"),
    ("vault/simpleenroll", {}, None, 404, "not for 'vault'"),
)


@pytest.mark.parametrize(("path", "headers", "body", "status", "sentence"), HOSTILE)
def test_a_hostile_request_gets_one_sentence(
    server: EnrolServer, path: str, headers: dict[str, str], body: bytes | None, status: int, sentence: str
) -> None:
    key = enrol_camera.FileKey(ec.generate_private_key(ec.SECP256R1()))
    good = base64.b64encode(make_request("CAM-1", key.public_key, key.sign_digest))
    root = load_certificates(server.agency.root)[0]
    context = Server(server.url).trusted(root).context
    basic = base64.b64encode(b"CAM-1:x").decode()
    sent = {"Content-Type": "application/pkcs10", "Authorization": f"Basic {basic}", **headers}
    with pytest.raises(RequestRefused, match=sentence) as caught:
        Server(server.url)._call(context, "POST", f"/{path}", sent, good if body is None else body)
    assert caught.value.status == status


def test_requests_are_judged_by_their_signature_and_key(openssl: Openssl, tmp_path: Path) -> None:
    key = enrol_camera.FileKey(ec.generate_private_key(ec.SECP384R1()))
    good = make_request("CAM-1", key.public_key, key.sign_digest)
    (tmp_path / "good.der").write_bytes(good)
    assert openssl("req", "-inform", "DER", "-in", tmp_path / "good.der", "-verify", "-noout").returncode == 0
    assert isinstance(load_request(good), Request)
    with pytest.raises(RequestRefused, match="lacks the private key"):
        load_request(good[:-1] + bytes([good[-1] ^ 1]))
    with pytest.raises(RequestRefused):
        load_request(good + b"\0")
    for options in (["rsa:2048"], ["ec", "-pkeyopt", "ec_paramgen_curve:secp256k1"], ["ed25519"]):
        made = ["req", "-new", "-newkey", *options, "-nodes", "-subj", "/CN=x", "-keyout", tmp_path / "k"]
        assert openssl(*made, "-out", tmp_path / "r.pem").returncode == 0
        with pytest.raises(RequestRefused, match=r"neither P-256 nor P-384|no certificate request"):
            load_request((tmp_path / "r.pem").read_bytes())


def test_a_key_serves_one_purpose_and_never_returns(server: EnrolServer, enrolled: Path, tmp_path: Path) -> None:
    """Also not under a new token: the files of a camera that was taken back are worth nothing."""
    serial = load_enrolment(enrolled / "enrolment.toml").serial
    assert main(["ca", "revoke", serial, "--ca", str(server.agency.ca), "--reason", "lost"]) == 0
    again = tmp_path / "again"
    again.mkdir()
    shutil.copy(enrolled / "camera.key", again)
    assert server.enrol(serial, server.token(serial, tmp_path), again) == 1
    (again / "camera.key").unlink()
    assert server.enrol(serial, server.token(serial, tmp_path), again) == 0
    live = server.agency.store().register.find("owner = ? AND revoked_s IS NULL", serial)
    assert {row.number for row in live} == {
        number_of(load_certificates(again / f"{stem}.pem")[0]) for stem in ("camera", "camera-tls")
    }


def test_an_evidence_key_made_in_a_token_never_leaves_it(
    server: EnrolServer, tmp_path: Path, tool: Callable[[str], str]
) -> None:
    pytest.importorskip("pkcs11")
    from soft_token import SoftToken

    token = SoftToken.create(tmp_path / "token", tool("softhsm2-util"))
    uri, out = token.uri("evidence"), tmp_path / "keys"
    ticket = server.token("CAM-HSM", tmp_path, "--key-level", "non_exportable")
    assert server.enrol("CAM-HSM", ticket, out, "--evidence-key", uri) == 0
    assert not (out / "camera.key").exists()
    signer = load_signer(uri, out / "camera.pem")
    signed = cms.parse_signed(cms.sign(b"{}", signer, dt.datetime.now(dt.UTC)))
    Trust.load(out / "root.pem").check(signed, role="camera", serial="CAM-HSM")
    assert signer.level == "non_exportable"
    before = load_certificates(out / "camera.pem")[0]
    assert renew(out, "--force") == 0
    after = load_certificates(out / "camera.pem")[0]
    assert after.public_key() == before.public_key()
    assert after.serial_number != before.serial_number
    assert key_level_of(after) == "non_exportable"
    os.environ.pop("SOFTHSM2_CONF", None)
