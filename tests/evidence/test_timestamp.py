"""RFC 3161 timestamps and the two verdicts on time (R5, invariant 10), with openssl as the authority and the judge."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from recordings import Agency, Recipe, make_agency, write_recording

from evidence.__main__ import main
from evidence.cms import sign
from evidence.handover import Receipt
from evidence.statements import NO_HASH, encode_canonical, moment
from evidence.timestamp import BadTimestamp, TimestampTrust, check_form, timestamp_request
from evidence.verify import verify_file
from fleet.ca import write_credential

Tool = Callable[[str], str]
Out = pytest.CaptureFixture[str]
DAY = dt.timedelta(days=1)


@dataclass
class Authority:
    """A timestamp authority made of openssl, with a root of its own."""

    directory: Path
    openssl: str

    @property
    def root(self) -> Path:
        return self.directory / "tsa-root.pem"

    def answer(self, request: bytes) -> bytes:
        (self.directory / "request.tsq").write_bytes(request)
        command = [
            self.openssl,
            "ts",
            "-reply",
            "-config",
            "tsa.cnf",
            "-queryfile",
            "request.tsq",
            "-out",
            "answer.tsr",
        ]
        subprocess.run(command, cwd=self.directory, check=True, capture_output=True)
        return (self.directory / "answer.tsr").read_bytes()

    def stamp(self, path: Path) -> Path:
        """Put FILE.tsr beside a file."""
        token = path.with_name(path.name + ".tsr")
        token.write_bytes(self.answer(timestamp_request(hashlib.sha256(path.read_bytes()).hexdigest(), 7)))
        return token


def make_authority(directory: Path, openssl: str, purpose: x509.ObjectIdentifier) -> Authority:
    directory.mkdir()
    now, pem = dt.datetime.now(dt.UTC), serialization.Encoding.PEM
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root_name, name = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in ("TSA root", "Test TSA"))
    base = x509.CertificateBuilder().not_valid_before(now - DAY).not_valid_after(now + 9 * DAY).issuer_name(root_name)
    root = base.subject_name(root_name).public_key(root_key.public_key()).serial_number(1)
    root = root.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    leaf = base.subject_name(name).public_key(key.public_key()).serial_number(2)
    leaf = leaf.add_extension(x509.ExtendedKeyUsage([purpose]), critical=True)
    (directory / "tsa-root.pem").write_bytes(root.sign(root_key, hashes.SHA256()).public_bytes(pem))
    (directory / "tsa.pem").write_bytes(leaf.sign(root_key, hashes.SHA256()).public_bytes(pem))
    form = (pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (directory / "tsa.key").write_bytes(key.private_bytes(*form))
    (directory / "tsa.cnf").write_text(
        "[tsa]\ndefault_tsa = one\n[one]\nserial = serial\ndefault_policy = 1.2.3.4.1\ndigests = sha256\n"
        "signer_digest = sha256\naccuracy = secs:2\ness_cert_id_alg = sha256\nsigner_cert = tsa.pem\n"
        "signer_key = tsa.key\n"
    )
    return Authority(directory, openssl)


@pytest.fixture
def tsa(tool: Tool, tmp_path: Path) -> Authority:
    return make_authority(tmp_path / "tsa", tool("openssl"), ExtendedKeyUsageOID.TIME_STAMPING)


@pytest.fixture
def stamped(recording: Path, tsa: Authority, tmp_path: Path) -> Path:
    """A recording with its token beside it."""
    path = tmp_path / recording.name
    path.write_bytes(recording.read_bytes())
    tsa.stamp(path)
    return path


def verify(agency: Agency, path: Path, *more: object) -> int:
    return main(["verify", str(path), "--root", agency.file("root.pem"), *map(str, more)])


def receipt_for(agency: Agency, path: Path, at: dt.datetime, stem: str = "station-receipt") -> Path:
    """A station's receipt beside a file."""
    data = path.read_bytes()
    receipt = Receipt(
        v=1,
        serial="SIM-0001",
        stream="recording",
        number=1,
        name=path.name,
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        close_hash=NO_HASH,
        nonce="0" * 32,
        store="directory:test",
        object_version="1",
        retention_class="standard",
        verdict="valid",
        station="station-1",
        system_id="test",
        issued=moment(int(at.timestamp()) * 10**9),
    )
    beside = path.with_name(path.name + ".receipt.p7s")
    beside.write_bytes(sign(encode_canonical(receipt), agency.signer(stem), at))
    return beside


@pytest.mark.requirement("R5")
def test_the_token_beside_a_file_says_not_later_than(
    agency: Agency, stamped: Path, tsa: Authority, capsys: Out
) -> None:
    assert verify(agency, stamped, "--tsa-root", tsa.root) == 0
    shown = capsys.readouterr().out
    assert "claim      holds" in shown
    assert "others     not later than" in shown
    assert "by the timestamp of CN=Test TSA; the certificates were valid then" in shown


def test_openssl_accepts_the_same_token_over_the_same_file(stamped: Path, tsa: Authority) -> None:
    command = [tsa.openssl, "ts", "-verify", "-data", stamped, "-in", f"{stamped}.tsr", "-CAfile", tsa.root]
    assert subprocess.run(command, capture_output=True).returncode == 0
    stamped.write_bytes(stamped.read_bytes()[:-1])
    assert subprocess.run(command, capture_output=True).returncode != 0


def test_a_token_of_other_bytes_is_told_and_is_1(agency: Agency, record: Callable[..., Path], tsa: Authority) -> None:
    path = record(seconds=1)
    other = path.with_name("other")
    other.write_bytes(b"other")
    assert verify(agency, path, "--tsa-root", tsa.root, "--timestamp", tsa.stamp(other)) == 1


def test_a_token_counts_only_under_its_authority(agency: Agency, stamped: Path, tsa: Authority, capsys: Out) -> None:
    """The agency's own root is no timestamp authority, nor is a certificate that may not timestamp."""
    assert verify(agency, stamped, "--tsa-root", agency.file("root.pem")) == 1
    assert "timestamp  NOT VALID" in capsys.readouterr().out
    wrong = make_authority(stamped.parent / "wrong", tsa.openssl, ExtendedKeyUsageOID.EMAIL_PROTECTION)
    stranger = make_authority(stamped.parent / "stranger", tsa.openssl, ExtendedKeyUsageOID.TIME_STAMPING)
    token = stamped.with_name(stamped.name + ".tsr").read_bytes()
    for root in (wrong.root, stranger.root):
        with pytest.raises(BadTimestamp):
            TimestampTrust.load(root).check(token)


def test_every_flipped_byte_of_a_token_is_refused_or_leaves_its_word_unchanged(stamped: Path, tsa: Authority) -> None:
    trust = TimestampTrust.load(tsa.root)
    token = bytearray(stamped.with_name(stamped.name + ".tsr").read_bytes())
    good, refused = trust.check(bytes(token)), 0
    for place in range(0, len(token), 3):
        token[place] ^= 1
        try:
            found = trust.check(bytes(token))
            assert (found.at, found.sha256) == (good.at, good.sha256)
        except BadTimestamp:
            refused += 1
        token[place] ^= 1
    assert refused > len(token) // 3 * 0.8
    with pytest.raises(BadTimestamp, match="over the limit"):
        trust.check(bytes(100_000))


def test_a_station_notices_an_answer_to_another_request(tsa: Authority) -> None:
    answer = tsa.answer(timestamp_request("ab" * 32, 5))
    check_form(answer, "ab" * 32, 5)
    for digest, nonce in (("ab" * 32, 6), ("cd" * 32, 5)):
        with pytest.raises(BadTimestamp, match="another request"):
            check_form(answer, digest, nonce)
    with pytest.raises(BadTimestamp):
        TimestampTrust.load(tsa.root).check(answer, nonce=6)


def test_a_token_without_a_pinned_authority_is_only_named(agency: Agency, stamped: Path, capsys: Out) -> None:
    assert verify(agency, stamped) == 0
    assert "name its authority with --tsa-root" in capsys.readouterr().out
    assert verify(agency, stamped, "--timestamp", f"{stamped}.tsr") == 64


# --- wrong clocks -----------------------------------------------------------------------------------------------------


def test_a_camera_without_time_is_judged_at_the_time_of_its_receipt(
    agency: Agency, record: Callable[..., Path]
) -> None:
    """1970: both verdicts are told, and the one from outside decides."""
    path = record(seconds=1, time_source="none")
    now = dt.datetime.now(dt.UTC)
    receipt_for(agency, path, now)
    from evidence.cli.proofs import gather

    proofs = gather(path, agency.trust, None, None)
    late = dt.datetime(2090, 1, 1, tzinfo=dt.UTC)
    report = verify_file(path, agency.trust, now=late, proofs=proofs.found)
    assert report.valid
    assert report.times is not None
    assert report.times.claim.startswith("none: ")
    assert "by the receipt of station-1; the certificates were valid then" in report.times.independent
    alone = verify_file(path, agency.trust, now=late)
    assert not alone.valid
    assert "is valid from" in alone.findings[0]


def test_a_claim_after_the_certificates_end_is_judged_at_the_timestamp(
    tsa: Authority, tmp_path: Path, capsys: Out
) -> None:
    """The camera's clock runs in the future: the chain was valid when the authority saw the file."""
    agency = make_agency(tmp_path / "agency")
    authority = agency.authority
    start = dt.datetime.now(dt.UTC).replace(microsecond=0)
    short = type(authority.validity)(start - 10 * DAY, start + DAY)
    credential = authority.signer("camera", "Camera SIM-0001", serial="SIM-0001", validity=short)
    write_credential(agency.directory, "camera-short", credential)
    authority.validity = type(authority.validity)(start + 5 * DAY, start + 90 * DAY)  # where the test's clock begins
    path = write_recording(agency, tmp_path, Recipe(seconds=1), "camera-short")
    assert verify(agency, path, "--at", (start + 6 * DAY).isoformat()) == 1
    tsa.stamp(path)
    capsys.readouterr()
    assert verify(agency, path, "--tsa-root", tsa.root, "--at", (start + 6 * DAY).isoformat(), "--json") == 0
    times = json.loads(capsys.readouterr().out)["files"][0]["times"]
    assert times["claim"].startswith(("does not hold", "wrong"))
    assert "the certificates were valid then" in times["independent"]


def test_a_claim_after_its_own_receipt_is_called_wrong(agency: Agency, record: Callable[..., Path]) -> None:
    from evidence.cli.proofs import gather

    path = record(seconds=1)
    receipt_for(agency, path, agency.authority.validity.start + dt.timedelta(minutes=1))
    report = verify_file(path, agency.trust, proofs=gather(path, agency.trust, None, None).found)
    assert report.valid
    assert report.times is not None
    assert not report.times.claim_holds
    assert "the camera claims" in report.times.claim
    assert any(note.startswith("the camera's own claim of time is wrong") for note in report.notes)


def test_a_receipt_of_another_role_is_no_proof(agency: Agency, record: Callable[..., Path], capsys: Out) -> None:
    path = record(seconds=1)
    receipt_for(agency, path, dt.datetime.now(dt.UTC), "export")
    assert verify(agency, path) == 0
    shown = capsys.readouterr().out
    assert "the receipt beside the file does not count" in shown
    assert "nothing from outside the camera covers this file" in shown
