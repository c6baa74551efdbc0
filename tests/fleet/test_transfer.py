"""A camera goes to another agency, rehearsed from its last recording to the first one under the new root."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path

import pytest
from agency_on_disk import OPERATING, ROOT, Agency
from enrolment_bench import SERIAL, enrolled

sys.path.append(str(Path(__file__).parents[1] / "dock"))

from dock_camera import Camera, FakeRecorder

from evidence.keys import FileSigner
from evidence.times import TimeProof
from evidence.trust import Trust
from evidence.verify import Report, StreamVerifier
from fleet import enrolment, revoking
from fleet.__main__ import main
from fleet.authority_store import create
from fleet.csr import load_request, make_request
from fleet.errors import RequestRefused

Out = pytest.CaptureFixture[str]


def verdict(path: Path, trust: Trust, *proofs: TimeProof) -> Report:
    verifier = StreamVerifier(trust, path.name)
    verifier.feed(path.read_bytes())
    return verifier.finish(proofs)


def depart(keys: Path, out: Path, *more: str) -> int:
    return main(["transfer", "depart", "--config", str(keys / "enrolment.toml"), "--out", str(out), *more])


def release(agency: Agency, departure: Path) -> int:
    return main(["transfer", "release", str(departure), "--ca", str(agency.ca), "--to", "Bristol PD"])


@pytest.mark.requirement("R38")
def test_a_camera_with_evidence_does_not_leave_unless_somebody_says_why(
    agency: Agency, tmp_path: Path, capsys: Out
) -> None:
    keys, spool, out = enrolled(agency, tmp_path / "keys"), tmp_path / "spool", tmp_path / "departure.p7s"
    spool.mkdir()
    Camera(keys, spool).record(1)
    assert depart(keys, out, "--spool", str(spool)) == 1
    assert "1 files have no receipt yet" in capsys.readouterr().err
    assert not out.exists()
    assert depart(keys, out, "--spool", str(spool), "--evidence-left", "card burnt, see report 17") == 0
    assert release(agency, out) == 0
    ((_, what, owner, details),) = agency.store().register.notes()
    assert (what, owner) == ("transferred", SERIAL)
    assert "card burnt, see report 17" in details


@pytest.mark.requirement("R6", "R11")
def test_the_whole_move(agency: Agency, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys, spool, out = enrolled(agency, tmp_path / "keys"), tmp_path / "spool", tmp_path / "departure.p7s"
    spool.mkdir()
    camera = Camera(keys, spool)
    recorder = FakeRecorder(tmp_path / "run.sock", spool, Trust.load(agency.root))
    recorder.files = [camera.record(1)]
    path = spool / recorder.files[0].name
    before = verdict(path, Trust.load(agency.root))
    assert before.valid
    assert depart(keys, out, "--socket", str(recorder.path)) == 1, "a recording waits"
    receipt = TimeProof(dt.datetime.now(dt.UTC), before.sha256, "receipt of STATION-1")
    recorder.files, recorder.recording = [], f"{SERIAL}-000002"
    assert depart(keys, out, "--socket", str(recorder.path)) == 1, "it is recording"
    recorder.recording = None
    assert depart(keys, out, "--socket", str(recorder.path)) == 0
    recorder.close()
    later = dt.datetime.now(dt.UTC).replace(microsecond=0) + dt.timedelta(minutes=1)
    monkeypatch.setattr(revoking, "now", lambda: later)
    assert release(agency, out) == 0
    assert release(agency, out) == 1, "it is gone already"

    taken = Trust.load(agency.root, [agency.crl])
    assert verdict(path, taken, receipt).valid, "what a station took before stays evidence"
    assert not verdict(path, taken).valid, "what nobody vouches for is unproven from now on"
    tls = FileSigner.load(keys / "camera-tls.key", keys / "camera-tls.pem")
    public = load_request(make_request(SERIAL, tls.certificate.public_key(), tls.sign_digest))  # type: ignore[arg-type]
    with pytest.raises(RequestRefused, match="taken back \\(transferred\\)"):
        enrolment.renew(agency.keys(), tls.certificate, "tls", public)

    directory = tmp_path / "bristol"
    words = {"root_passphrase": ROOT.encode(), "passphrase": OPERATING.encode()}
    create(directory, organization="Bristol PD", simulated=True, curve="P-256", **words)
    other = Agency(directory, agency.passphrases)
    fresh = enrolled(other, tmp_path / "new-keys")
    (tmp_path / "new-spool").mkdir()
    second = Camera(fresh, tmp_path / "new-spool").record(1)
    theirs = tmp_path / "new-spool" / second.name
    assert verdict(theirs, Trust.load(other.root)).valid
    assert not verdict(theirs, Trust.load(agency.root)).valid
    for stem in ("camera", "camera-tls"):
        assert (fresh / f"{stem}.key").read_bytes() != (keys / f"{stem}.key").read_bytes(), "no key goes along"


def test_a_departure_of_another_camera_an_old_or_an_altered_one_releases_nothing(
    agency: Agency, tmp_path: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys, out = enrolled(agency, tmp_path / "keys"), tmp_path / "departure.p7s"
    (tmp_path / "spool").mkdir()
    assert depart(keys, out, "--spool", str(tmp_path / "spool")) == 0
    good = out.read_bytes()
    out.write_bytes(good.replace(b'"SIM-0001"', b'"SIM-0002"'))
    assert release(agency, out) == 1
    out.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    assert release(agency, out) == 1
    out.write_bytes(good)
    tomorrow = dt.datetime.now(dt.UTC) + dt.timedelta(hours=25)
    monkeypatch.setattr("fleet.transfer.now", lambda: tomorrow)
    capsys.readouterr()
    assert release(agency, out) == 1
    assert "may have recorded since" in capsys.readouterr().err
    assert all(row.revoked_s is None for row in agency.store().register.find())
