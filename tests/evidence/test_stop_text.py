"""Why it was stopped, ready to be quoted (R27); what was appended later, beside it and never in its place (R5, R31)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from recordings import SECOND, Agency, Ticks
from test_export import export

from evidence.durable import AppendFile
from evidence.evidence_file import EvidenceWriter
from evidence.export.stop_text import stop_text
from evidence.statements import CameraFacts, FileFacts, ProfileRef, Source, moment_ns
from evidence.verify import file_name, verify_file

Record = Callable[..., Path]
OPENING = {"part": "opening", "officer": "4711", "officer_name": "Ann Example", "badge": "B-77",
           "officer_identified_by": "rfid"}  # fmt: skip


def closing(**told: Any) -> dict[str, Any]:
    missing = told.pop("missing", False)
    return {"part": "closing", "stop_reason": told, "stop_reason_missing": missing}


@pytest.mark.requirement("R27", "R26")
@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        (
            [OPENING, closing(code="telephone", spoken=True, supervisor="consulted")],
            (
                "Officer Ann Example, B-77, 4711 (identified by: rfid) stopped this recording. Reason given: "
                "telephone (D.3.a.(8)). It was also spoken on the recording. A supervisor was consulted."
            ),
        ),
        (
            [OPENING, closing(code=None, spoken=True)],
            (
                "Officer Ann Example, B-77, 4711 (identified by: rfid) stopped this recording. The reason was spoken "
                "on the recording, just before its end. Whether a supervisor was consulted is not stated."
            ),
        ),
        (
            [{"part": "opening"}, closing(code=None, spoken=False, supervisor="not_possible", missing=True)],
            (
                "The person who wore the camera (nobody was signed in) stopped this recording. No reason was given "
                "before the stop; the policy asks for one on the recording and in the report. It was not possible to "
                "consult a supervisor."
            ),
        ),
    ],
)
def test_the_stop_is_told_in_sentences(metadata: list[dict[str, Any]], expected: str) -> None:
    assert stop_text("record_button", metadata, None) == expected


@pytest.mark.requirement("R27")
def test_an_end_that_no_officer_brought_about_is_not_put_on_one() -> None:
    assert "not stopped by the officer. It ended because: storage full" in stop_text("storage_full", [OPENING], None)
    assert "No end of this recording is signed" in stop_text(None, [OPENING], None)


def test_garbage_in_the_metadata_is_no_reason() -> None:
    odd = {"part": "closing", "stop_reason": ["x"], "stop_reason_missing": "no"}
    assert "No reason was given" in stop_text("record_button", [odd], None)


def segment(agency: Agency, path: Path, number: int, *, signer: str = "camera", other: bool = False) -> Path:
    """A log segment with two labels of the recording, and one of another recording between them."""
    report = verify_file(path, agency.trust)
    assert report.opened is not None
    assert report.close_hash is not None
    target = path.with_name(file_name("SIM-0001", "log", number))
    ticks = Ticks(3800 * SECOND, moment_ns(report.opened.utc.earliest) + 200 * SECOND)
    close_hash = "0" * 64 if other else report.close_hash
    facts = FileFacts(name=path.name, bytes=report.bytes, sha256=report.sha256, close_hash=close_hash)
    with AppendFile.create(target) as out:
        writer = EvidenceWriter(
            out, agency.signer(signer), [agency.recipient], ticks, serial="SIM-0001", stream="log", number=number
        )
        writer.open(
            camera=CameraFacts(model="m", firmware="1", firmware_sha256="0" * 64),
            sources=(Source(role="camera", driver="d", sensor="s", kind="simulated"),),
            profile=ProfileRef(name="p", version=1, sha256="0" * 64),
            upload_class="log", retention_class="standard", hold=False,
        )  # fmt: skip
        writer.event("labelled", recording=1, word="use_of_force", file=facts)
        writer.event("labelled", recording=2, word="prudent", details={"text": "another's"})
        writer.event("labelled", recording=1, word="case", file=facts, details={"text": "26-0815 <b>"})
        writer.close("docked")
        writer.commit()
    return target


@pytest.mark.requirement("R5", "R31", "R40")
def test_labels_of_the_device_log_stand_in_the_report_beside_the_recording(
    agency: Agency, record: Record, tmp_path: Path
) -> None:
    path = record()
    segment(agency, path, 1)
    segment(agency, path, 2, signer="camera-2")  # another camera's key: it appends nothing
    segment(agency, path, 3, other=True)  # it names a file with another close hash
    assert export(agency, path, tmp_path / "out") == 0
    values = json.loads(next((tmp_path / "out").glob("*.json")).read_text())
    told = [(one["log"], one["seq"], one["word"], one["details"]) for one in values["appended"]]
    log = "SIM-0001-log-000001.evidence"
    assert told == [(log, 1, "use_of_force", {}), (log, 4, "case", {"text": "26-0815 <b>"})]
    page = next((tmp_path / "out").glob("*.html")).read_text()
    assert "use of force; " in page
    assert "26-0815 &lt;b&gt;" in page
    assert values["stop_text"] in page
