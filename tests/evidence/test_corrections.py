"""Later corrections of a recording's time: verified first, bound to the very file, told beside the camera's claim."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from recordings import BOOT, SECOND, Agency, Ticks

from evidence.__main__ import main
from evidence.corrections import correction_of, utc_at
from evidence.durable import AppendFile
from evidence.evidence_file import EvidenceWriter
from evidence.statements import (
    CameraFacts,
    Correction,
    FileFacts,
    ProfileRef,
    Source,
    Utc,
    moment,
    moment_ns,
)
from evidence.verify import Report, file_name, verify_file

Record = Callable[..., Path]
TOLD_NS = 1_900_000_000 * SECOND
AT_NS = 3700 * SECOND


@pytest.fixture
def recorded(agency: Agency, record: Record) -> tuple[Path, Report]:
    path = record(time_source="none")
    return path, verify_file(path, agency.trust)


def right(report: Report) -> Correction:
    """What a camera would sign after the station told it the time at AT_NS."""
    assert report.opened is not None
    utc = Utc(earliest=moment(TOLD_NS - SECOND), latest=moment(TOLD_NS + SECOND), source="dock")
    return correction_of(report.opened, AT_NS, utc)


def facts(path: Path, report: Report) -> FileFacts:
    assert report.close_hash is not None
    return FileFacts(name=path.name, bytes=report.bytes, sha256=report.sha256, close_hash=report.close_hash)


def segment(
    agency: Agency, path: Path, report: Report, *, signer: str = "camera", serial: str = "SIM-0001", boot: str = BOOT,
    file: FileFacts | None = None, correction: Correction | None = None, close: bool = True, number: int = 1,
) -> Path:  # fmt: skip
    """A log segment beside the recording, with one correction in it."""
    target = path.with_name(file_name(serial, "log", number))
    opened = report.opened
    assert opened is not None
    ticks = Ticks(3800 * SECOND, moment_ns(opened.utc.earliest) + 200 * SECOND, boot=boot, source="none")
    with AppendFile.create(target) as out:
        writer = EvidenceWriter(
            out, agency.signer(signer), [agency.recipient], ticks, serial=serial, stream="log", number=number
        )
        writer.open(
            camera=CameraFacts(model="m", firmware="1", firmware_sha256="0" * 64),
            sources=(Source(role="camera", driver="d", sensor="s", kind="simulated"),),
            profile=ProfileRef(name="p", version=1, sha256="0" * 64),
            upload_class="log", retention_class="standard", hold=False,
        )  # fmt: skip
        told = correction or right(report)
        writer.event(
            "time_correction", recording=1, word="station", file=file or facts(path, report), correction=told,
            object_sha256="a" * 64, details={"station": "S-1"},
        )  # fmt: skip
        if close:
            writer.close("docked")
        writer.commit()
    return target


def verified(agency: Agency, path: Path, capsys: pytest.CaptureFixture[str], *more: str) -> dict[str, Any]:
    capsys.readouterr()
    main(["verify", str(path), "--root", agency.file("root.pem"), "--json", *more])
    found: dict[str, Any] = json.loads(capsys.readouterr().out)["files"][0]["corrections"]
    return found


@pytest.mark.requirement("R40")
def test_a_correction_shifts_every_instant_of_the_recording(recorded: tuple[Path, Report]) -> None:
    report = recorded[1]
    correction = right(report)
    assert utc_at(correction, AT_NS) == (TOLD_NS - SECOND, TOLD_NS + SECOND)
    earlier = utc_at(correction, AT_NS - 100 * SECOND)
    drift = 100 * SECOND * 500 // 10**6
    assert earlier == (TOLD_NS - 101 * SECOND - drift, TOLD_NS - 99 * SECOND + drift)


@pytest.mark.requirement("R40")
def test_a_segment_beside_the_recording_corrects_it_and_the_claim_stays(
    agency: Agency, recorded: tuple[Path, Report], capsys: pytest.CaptureFixture[str]
) -> None:
    path, report = recorded
    log = segment(agency, path, report)
    (one,) = verified(agency, path, capsys)["counted"]
    assert (one["log"], one["seq"], one["by"]) == (log.name, 1, "station")
    first = report.opened.mono_ns if report.opened else 0
    assert moment_ns(one["began_utc"][0]) < TOLD_NS - (AT_NS - first) < moment_ns(one["ended_utc"][1])
    main(["verify", str(path), "--root", agency.file("root.pem")])
    said = capsys.readouterr().out
    assert "clock source: none" in said
    assert "a later correction, told by the station" in said


def test_a_segment_elsewhere_is_named(
    agency: Agency, recorded: tuple[Path, Report], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path, report = recorded
    away = tmp_path / "away"
    away.mkdir()
    log = segment(agency, path, report).rename(away / "renamed.evidence")
    assert not verified(agency, path, capsys)["counted"]
    assert len(verified(agency, path, capsys, "--log", str(log))["counted"]) == 1


def test_a_recording_whose_clock_was_vouched_for_looks_at_no_log_beside_it(
    agency: Agency, record: Record, capsys: pytest.CaptureFixture[str]
) -> None:
    path = record()
    segment(agency, path, verify_file(path, agency.trust))
    assert verified(agency, path, capsys) == {"counted": [], "notes": []}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"file": "close_hash"}, "other content"),
        ({"file": "sha256"}, "other content"),
        ({"boot": "00000000-1111-4222-8333-5a1e5d9b2e66"}, "another boot"),
        ({"shift_us": 1}, "does not follow"),
        ({"uncertainty_us": 0}, "does not follow"),
        ({"mono_ns": 3900 * SECOND}, "outside of what it can know"),
        ({"source": "none"}, "nobody told"),
        ({"signer": "camera-2"}, "not valid"),
        ({"signer": "camera-2", "serial": "SIM-0002"}, "no device log of SIM-0001"),
        ({"close": False}, "not valid"),
    ],
)
def test_a_correction_that_is_not_exactly_right_does_not_count(
    agency: Agency, recorded: tuple[Path, Report], capsys: pytest.CaptureFixture[str], change: dict[str, Any], why: str
) -> None:
    path, report = recorded
    wanted = dict(change)
    if "file" in wanted:
        wanted["file"] = msgspec.structs.replace(facts(path, report), **{wanted["file"]: "9" * 64})
    told = right(report)
    for name in ("shift_us", "uncertainty_us", "mono_ns"):
        if name in wanted:
            told = msgspec.structs.replace(told, **{name: wanted.pop(name)})
    if "source" in wanted:
        told = msgspec.structs.replace(told, utc=msgspec.structs.replace(told.utc, source=wanted.pop("source")))
    log = segment(agency, path, report, correction=told, **wanted)
    found = verified(agency, path, capsys, "--log", str(log))
    assert not found["counted"]
    assert len(found["notes"]) == 1
    assert why in found["notes"][0]


def test_a_flipped_bit_in_the_segment_costs_the_correction_and_not_the_recording(
    agency: Agency, recorded: tuple[Path, Report], capsys: pytest.CaptureFixture[str]
) -> None:
    path, report = recorded
    log = segment(agency, path, report)
    data = bytearray(log.read_bytes())
    for place in range(50, len(data), len(data) // 12):
        changed = bytes(data[:place]) + bytes((data[place] ^ 1,)) + bytes(data[place + 1 :])
        log.write_bytes(changed)
        found = verified(agency, path, capsys)
        assert not found["counted"], place
        assert found["notes"]
    assert main(["verify", str(path), "--root", agency.file("root.pem")]) == 0


def test_a_recording_that_does_not_verify_is_not_corrected(
    agency: Agency, recorded: tuple[Path, Report], capsys: pytest.CaptureFixture[str]
) -> None:
    path, report = recorded
    segment(agency, path, report)
    path.write_bytes(path.read_bytes()[:-10])
    assert verified(agency, path, capsys) == {"counted": [], "notes": []}
