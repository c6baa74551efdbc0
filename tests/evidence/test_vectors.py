"""The frozen test vectors: every release reads them and gives the same verdicts (issue 3, item 8)."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evidence.cms import parse_signed
from evidence.errors import EvidenceError
from evidence.export.decrypt import Vault, read_metadata
from evidence.export.items import ObjectItem, walk
from evidence.fmp4 import GPS_TRACK_ID, VIDEO_TRACK_ID
from evidence.fmp4_read import parse_fragment, parse_init
from evidence.gpmf import parse_gps_sample
from evidence.handover import decode_contact, decode_receipt
from evidence.media_verify import certificate_verdict, verify_stream
from evidence.nal import split_avcc
from evidence.recovery import examine
from evidence.trust import Trust
from evidence.verify import StreamVerifier

VECTORS = Path(__file__).parents[1] / "vectors"
SCRIPT = Path(__file__).parents[2] / "docs" / "verify-with-openssl.sh"
EXPECTED: dict[str, dict[str, Any]] = json.loads((VECTORS / "expected.json").read_text())
PLAIN: dict[str, dict[str, str]] = json.loads((VECTORS / "plain.json").read_text())
FILES = [name for name in EXPECTED if name.endswith(".evidence")]
VALID = [name for name in FILES if EXPECTED[name]["verdict"] == "valid"]
DOCUMENTS = [name for name in EXPECTED if name.endswith(".p7s")]
WHOLE = "SIM-0001-000001.evidence"
LATER = dt.datetime(2090, 1, 1, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def trust() -> Trust:
    return Trust.load(VECTORS / "pki" / "root.pem")


@pytest.fixture(scope="module")
def vault_key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The vault key as our tools want it: git keeps no mode 0600."""
    path = tmp_path_factory.mktemp("vault") / "vault.key"
    path.write_bytes((VECTORS / "pki" / "TEST-ONLY-vault.key").read_bytes())
    path.chmod(0o600)
    return path


@pytest.fixture(scope="module")
def plain(vault_key: Path) -> Callable[[str], list[tuple[ObjectItem, bytes]]]:
    """All objects of a vector, decrypted and held against their commitments."""
    vault = Vault.load(VECTORS / "pki" / "vault.pem", vault_key)

    def objects(name: str) -> list[tuple[ObjectItem, bytes]]:
        with (VECTORS / name).open("rb") as file:
            return [(item, vault.plaintext(file, item)) for item in walk(file) if isinstance(item, ObjectItem)]

    return objects


def test_the_vectors_are_the_frozen_ones() -> None:
    for name, row in EXPECTED.items():
        assert hashlib.sha256((VECTORS / name).read_bytes()).hexdigest() == row["sha256"], f"{name} was changed"
    there = {str(path.relative_to(VECTORS)) for path in VECTORS.rglob("*") if path.suffix in (".evidence", ".p7s")}
    assert there == set(EXPECTED)
    kept = [path for path in VECTORS.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert sum(path.stat().st_size for path in kept) < 320_000


@pytest.mark.parametrize("name", FILES)
def test_the_verdict_is_the_one_that_was_written_down(trust: Trust, name: str) -> None:
    expected = EXPECTED[name]
    verifier = StreamVerifier(trust, name, LATER)
    verifier.feed((VECTORS / name).read_bytes())
    report = verifier.finish()
    assert report.valid == (expected["verdict"] == "valid"), report.findings
    if not report.valid:
        item = expected["item"]
        assert report.findings[0].startswith("not closed" if item is None else f"item {item:06d} ")
        return
    assert (report.recovered is not None) == expected["recovered"]
    assert any(note.startswith("SIMULATED") for note in report.notes)
    for count in ("close_hash", "statements", "objects", "frames", "sound_frames", "gps_fixes"):
        assert getattr(report, count) == expected[count], count


@pytest.mark.parametrize("name", VALID)
def test_nothing_holds_under_another_agencys_production_root(name: str) -> None:
    verifier = StreamVerifier(Trust.load(VECTORS / "pki" / "production-root.pem"), name, LATER)
    verifier.feed((VECTORS / name).read_bytes())
    assert "simulated footage under a production root" in verifier.finish().findings[0]


@pytest.mark.parametrize("name", VALID)
def test_every_object_opens_and_is_what_was_committed_to(
    plain: Callable[[str], list[tuple[ObjectItem, bytes]]], name: str
) -> None:
    found = {f"{item.number:06d}": hashlib.sha256(data).hexdigest() for item, data in plain(name)}
    assert found == PLAIN[name]


def test_pictures_positions_and_metadata_are_read(
    plain: Callable[[str], list[tuple[ObjectItem, bytes]]], trust: Trust
) -> None:
    init, pictures, points, parts = None, [], [], []
    for item, data in plain(WHOLE):
        assert item.announced is not None
        if item.announced.object == "init":
            init = parse_init(data)
        elif item.announced.object == "media":
            fragment = parse_fragment(data, init)
            for track in fragment.tracks:
                samples = [data[one.offset : one.offset + one.size] for one in track.samples]
                if track.track_id == VIDEO_TRACK_ID:
                    pictures += [split_avcc(one) for one in samples]
                elif track.track_id == GPS_TRACK_ID:
                    points += [point for one in samples for point in parse_gps_sample(one)[0]]
        else:
            parts.append(read_metadata(data))
    assert [(point.latitude_nd, point.longitude_nd) for point in points] == [(47_123_456_789, -8_000_000_001)]
    assert [one.get("part") or one["event"] for one in parts] == ["opening", "marker", "closing"]
    stream = verify_stream(pictures)
    assert stream.all_signed
    assert [gop.pictures for gop in stream.gops] == [5, 5]
    assert json.loads(stream.gops[0].claim.arbitrary)["recording"] == "SIM-0001-000001"  # type: ignore[union-attr]
    assert certificate_verdict(stream, trust).trusted


@pytest.mark.parametrize("name", DOCUMENTS)
def test_receipts_and_contacts_are_read_or_refused(trust: Trust, name: str) -> None:
    try:
        message = parse_signed((VECTORS / name).read_bytes())
        trust.check(message, role="receipt", at=message.signed_at)
        decode = decode_contact if "contact" in name else decode_receipt
        assert decode(message.payload).serial == "SIM-0001"
        verdict = "valid"
    except EvidenceError:
        verdict = "not_valid"
    assert verdict == EXPECTED[name]["verdict"]


def test_the_torn_recording_is_whole_up_to_where_its_recovery_cut_it(trust: Trust) -> None:
    found = examine(VECTORS / "torn" / "SIM-0001-000002.evidence", trust)
    recovered = (VECTORS / "SIM-0001-000002.evidence").read_bytes()
    torn = (VECTORS / "torn" / "SIM-0001-000002.evidence").read_bytes()
    assert recovered.startswith(torn[: found.whole_bytes])
    assert not recovered.startswith(torn[: found.whole_bytes + 20])


@pytest.mark.parametrize("name", FILES)
def test_openssl_alone_comes_to_the_same_verdict(
    name: str, tool: Callable[[str], str], vault_key: Path, tmp_path: Path
) -> None:
    tool("openssl")
    tool("ffmpeg")
    pki = VECTORS / "pki"
    command = ["sh", SCRIPT, VECTORS / name, pki / "root.pem", pki / "vault.pem", vault_key, tmp_path / "out"]
    done = subprocess.run(
        command, capture_output=True, text=True, env={"ATTIME": "1780315200", "PATH": "/usr/bin:/bin"}
    )
    told = done.stdout + done.stderr
    assert done.returncode == (0 if name in VALID else 1), told
    assert told.startswith("VALID: " if name in VALID else "INVALID: message "), told
    if name in VALID:
        assert "SIMULATED" in told
        assert ("plays:" in told) == ("-log-" not in name)
