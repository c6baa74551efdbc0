"""The report believes only signed evidence, and says what is wrong in sentences."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from evidence.cms import sign
from evidence.durable import AppendFile
from evidence.evidence_file import EvidenceWriter
from evidence.export.decrypt import Vault
from evidence.handover import Receipt
from evidence.keys import FileSigner
from evidence.statements import (
    CameraFacts,
    FileFacts,
    MediaFacts,
    ProfileRef,
    Source,
    Stamp,
    Utc,
    encode_canonical,
    moment,
)
from evidence.trust import Trust
from evidence.verify import verify_file
from fleet.ca import create_agency
from simulator.measured import RECEIPT_SUFFIX, Measured, measure
from simulator.progress import Progress
from simulator.report import ExportedVideo, build_report, missing_frames
from simulator.table import closing_words, recordings_table

SECOND = 1_000_000_000
NOON_NS = int(dt.datetime.now(dt.UTC).timestamp()) * SECOND
STEM = "SIM-0001-000001"


@dataclass
class Station:
    """A store and a spool with one recording and one log segment, written as the camera writes them."""

    root: Path
    mono_ns: int = 100 * SECOND
    facts: dict[str, FileFacts] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.pki, self.store, self.spool = (self.root / name for name in ("pki", "store", "spool"))
        create_agency(self.pki)
        self.store.mkdir()
        self.spool.mkdir()
        self.trust = Trust.load(self.pki / "root.pem")
        self.vault = Vault.load(self.pki / "vault.pem", self.pki / "vault.key")
        self.signer = FileSigner.load(self.pki / "camera.key", self.pki / "camera.pem")

    def stamp(self) -> Stamp:
        self.mono_ns += 1000
        utc = moment(NOON_NS + self.mono_ns)
        boot = "00000000-0000-4000-8000-000000000000"
        return Stamp(boot=boot, mono_ns=self.mono_ns, utc=Utc(earliest=utc, latest=utc, source="ntp"))

    def write(self, name: str, stream: Any, fill: Callable[[EvidenceWriter], None]) -> FileFacts:
        """One closed file in the store."""
        file = AppendFile.create(self.store / name)
        writer = EvidenceWriter(
            file, self.signer, [self.vault.recipient], self.stamp, serial="SIM-0001", stream=stream, number=1
        )
        writer.open(
            camera=CameraFacts(model="m", firmware="f", firmware_sha256="0" * 64),
            sources=(Source(role="camera", driver="d", sensor="s", kind="simulated"),),
            profile=ProfileRef(name="p", version=1, sha256="0" * 64),
            upload_class="normal",
            retention_class="standard",
            hold=False,
        )
        fill(writer)
        writer.close("stopped")
        writer.commit()
        return writer.facts()

    def recording(self, *, lost_frames: int = 0, seconds: int = 40) -> FileFacts:
        def fill(writer: EvidenceWriter) -> None:
            trigger = {"name": "lightbar", "line": "lightbar", "at_ns": 130 * SECOND}
            writer.seal_metadata({"part": "opening", "triggers": [trigger]})
            writer.seal_mp4("init", [b"init"])
            for second in range(seconds):
                facts = MediaFacts(
                    start_ns=(100 + second) * SECOND,
                    duration_ns=SECOND,
                    frames=30,
                    first_frame=30 * second,
                    gps_fixes=1,
                )
                writer.seal_mp4("media", [b"media"], facts)
            if lost_frames:
                writer.gap(cause="frames_lost", start_ns=139 * SECOND, end_ns=140 * SECOND, frames=lost_frames)
            later = {"name": "record_button", "line": "record_button", "at_ns": 135 * SECOND}
            writer.event("trigger", details={"trigger": later})

        return self.write(f"{STEM}.evidence", "recording", fill)

    def log(self, *tombstones: FileFacts) -> FileFacts:
        def fill(writer: EvidenceWriter) -> None:
            writer.event("self_test", word="pass", details={"checks": [{"name": "sensor", "result": "pass"}]})
            for one in tombstones:
                writer.event("tombstone", recording=1, file=one)

        return self.write("SIM-0001-log-000001.evidence", "log", fill)

    def receipt(self, facts: FileFacts, *, signer: str = "station-receipt", **changes: Any) -> None:
        values: dict[str, Any] = {
            "v": 1,
            "serial": "SIM-0001",
            "stream": "recording",
            "number": 1,
            "name": facts.name,
            "bytes": facts.bytes,
            "sha256": facts.sha256,
            "close_hash": facts.close_hash,
            "nonce": "0" * 32,
            "store": "directory:station-1",
            "object_version": "1",
            "retention_class": "standard",
            "verdict": "valid",
            "station": "STATION-1",
            "system_id": "s",
            "issued": moment(NOON_NS),
        }
        key = FileSigner.load(self.pki / f"{signer}.key", self.pki / f"{signer}.pem")
        document = sign(encode_canonical(Receipt(**(values | changes))), key, dt.datetime.now(dt.UTC))
        (self.store / (facts.name + RECEIPT_SUFFIX)).write_bytes(document)

    def measure(self) -> Measured:
        return measure((self.store,), self.spool, self.trust, self.vault)


@pytest.fixture
def station(tmp_path: Path) -> Station:
    return Station(tmp_path)


GOOD = {STEM: ExportedVideo(f"export/{STEM}.mp4", f"export/{STEM}.gpx", 1200, 0, 0)}


def test_a_good_run_is_measured_from_the_evidence(station: Station) -> None:
    facts = station.recording()
    station.log(facts)
    station.receipt(facts)
    report = build_report(station.measure(), GOOD, ["lightbar", "record_button"], {})
    assert report["problems"] == []
    assert report["ok"] is True
    assert report["self_test"] == {"verdict": "pass", "checks": [{"name": "sensor", "result": "pass"}]}
    (recording,) = report["recordings"]
    wanted = {
        "id": STEM,
        "triggers": ["lightbar", "record_button"],
        "pre_event_s": 30.0,
        "duration_s": 40.0,
        "fragments": 40,
        "video_frames": 1200,
        "gps_fixes": 40,
        "verified": True,
        "receipt": True,
        "deleted_on_camera": True,
    }
    assert {key: recording[key] for key in wanted} == wanted


def problems_of(station: Station) -> str:
    report = build_report(station.measure(), GOOD, ["lightbar"], {})
    assert report["ok"] is False
    return "\n".join(report["problems"])


def test_a_missing_receipt_is_a_problem(station: Station) -> None:
    station.log(station.recording())
    assert "has no receipt" in problems_of(station)


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"sha256": "1" * 64}, "about another file"),
        ({"bytes": 1}, "about another file"),
        ({"close_hash": "1" * 64}, "another close hash"),
        ({"verdict": "not_valid", "findings": ("a flipped bit",)}, "a flipped bit"),
        ({"signer": "profile"}, "role"),
    ],
)
def test_a_receipt_that_does_not_fit_is_a_problem(station: Station, changes: dict[str, Any], wanted: str) -> None:
    facts = station.recording()
    station.log(facts)
    station.receipt(facts, **changes)
    assert wanted in problems_of(station)


def test_a_recording_that_is_gone_without_a_tombstone_does_not_count_as_deleted(station: Station) -> None:
    facts = station.recording()
    station.log()
    station.receipt(facts)
    assert "no signed tombstone" in problems_of(station)


def test_a_recording_with_a_tombstone_that_is_still_there_does_not_count_as_deleted(station: Station) -> None:
    facts = station.recording()
    station.log(facts)
    station.receipt(facts)
    (station.spool / facts.name).write_bytes((station.store / facts.name).read_bytes())
    assert "still on the camera" in problems_of(station)


def test_a_flipped_bit_is_a_problem_and_a_broken_log_proves_nothing(station: Station) -> None:
    facts = station.recording()
    log = station.log(facts)
    station.receipt(facts)
    path = station.store / log.name
    data = bytearray(path.read_bytes())
    data[-40] ^= 1
    path.write_bytes(data)
    said = problems_of(station)
    assert "holds no self-test" in said
    assert "no signed tombstone" in said
    assert not verify_file(path, station.trust).valid


@pytest.mark.parametrize(
    ("video", "wanted"),
    [
        (ExportedVideo("a.mp4", "a.gpx", 1199, 0, 0), "decodes to 1199 frames"),
        (ExportedVideo("a.mp4", "a.gpx", 1200, 2, 0), "2 frames whose strip"),
        (ExportedVideo("a.mp4", "a.gpx", 1200, 0, 3), "3 frame numbers are missing"),
        (ExportedVideo("a.mp4", "a.gpx", 0, 0, 0, "export ended"), "export ended"),
    ],
)
def test_a_bad_video_is_a_problem(station: Station, video: ExportedVideo, wanted: str) -> None:
    facts = station.recording()
    station.log(facts)
    station.receipt(facts)
    report = build_report(station.measure(), {STEM: video}, [], {})
    assert wanted in "\n".join(report["problems"])


@pytest.mark.parametrize(("missing", "ok"), [(3, True), (4, False)])
def test_frames_that_a_signed_gap_tells_of_are_no_problem_and_one_more_is(
    station: Station, missing: int, ok: bool
) -> None:
    facts = station.recording(lost_frames=3)
    station.log(facts)
    station.receipt(facts)
    video = ExportedVideo("a.mp4", "a.gpx", 1200, 0, missing)
    report = build_report(station.measure(), {STEM: video}, [], {})
    assert report["ok"] is ok
    assert ok or "4 frame numbers are missing, and its signed gaps tell of 3" in "\n".join(report["problems"])


def test_a_recording_that_was_cut_off_before_its_first_picture_needs_no_video(station: Station) -> None:
    facts = station.recording(seconds=0)
    station.log(facts)
    station.receipt(facts)
    video = ExportedVideo("a.mp4", "a.gpx", 0, 0, 0, "export wrote no MP4 or no GPX")
    assert build_report(station.measure(), {STEM: video}, [], {})["problems"] == []


def test_an_empty_run_is_not_ok(station: Station) -> None:
    report = build_report(station.measure(), {}, ["pursuit"], {})
    assert report["ok"] is False
    assert "the scenario pulled pursuit, and no recording names it" in report["problems"]


@pytest.mark.parametrize(
    ("numbers", "wanted"),
    [
        ([], 0),
        ([7, 8, 9], 0),
        ([7, 9, 12], 3),
        ([7, None, 9], 0),
        ([7, None, 10], 1),
        ([2**21 - 1, 0, 1], 0),
        ([7, 7], 1),
        ([9, 8], 1),
    ],
)
def test_holes_in_frame_numbers_are_counted(numbers: list[int | None], wanted: int) -> None:
    assert missing_frames(numbers) == wanted


def test_the_table_and_the_closing_words_say_what_counts(station: Station) -> None:
    facts = station.recording()
    station.log(facts)
    report = build_report(station.measure(), GOOD, [], {})
    head, row = recordings_table(report)
    assert " ".join(head.split()).endswith("duration fragments GPS points verified receipt deleted")
    assert row.split()[-3:] == ["yes", "NO", "yes"]
    words = "\n".join(closing_words(report, Path("run")))
    assert "PROBLEM" in words
    assert "NOT OK: 1 problem." in words
    assert f"run/export/{STEM}.mp4" in words
    assert "openssl cms -verify" in words
    assert "firsthand-evidence log run/station/store" in words


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_live_line_and_a_file_does_not() -> None:
    terminal, file = Terminal(), io.StringIO()
    for out in (terminal, file):
        progress = Progress(out, lambda: 0.0)
        progress.live("ready")
        progress.event("the light bar")
    assert "\r\x1b[K[   0.0 s] ready\r\x1b[K[   0.0 s] the light bar\n" in terminal.getvalue()
    assert file.getvalue() == "[   0.0 s] the light bar\n"
