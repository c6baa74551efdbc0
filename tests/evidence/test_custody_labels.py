"""Labels that were given at the dock stand in the exported report, with who and when (R5, R31, R40)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from recordings import Agency, make_agency
from test_export import export

from dock.station.custody import Custody
from evidence.verify import verify_file

Record = Callable[..., Path]


def ledger(directory: Path, agency: Agency, name: str, close_hash: str) -> Path:
    custody = Custody(directory, agency.signer("station-receipt"), utc_ns=time.time_ns)
    serial = "SIM-0001"
    custody.enter("received", who=f"camera {serial}", serial=serial, name=name)
    labels = (
        ("category", "use_of_force", close_hash),
        ("case", "26-0815 <b>", close_hash),
        ("note", "another file's", "0" * 64),
    )
    for what, value, of in labels:
        details = {"what": what, "value": value, "close_hash": of}
        custody.enter("labelled", who="Det. Poe (user poe)", serial=serial, name=name, details=details)
    custody.close()
    return directory


@pytest.mark.requirement("R5", "R31", "R40")
def test_labels_of_the_custody_ledger_stand_in_the_report(agency: Agency, record: Record, tmp_path: Path) -> None:
    path = record()
    report = verify_file(path, agency.trust)
    place = ledger(tmp_path / "custody", agency, path.name, report.close_hash or "")
    assert export(agency, path, tmp_path / "out", "--custody", str(place)) == 0
    values = json.loads(next((tmp_path / "out").glob("*.json")).read_text())
    assert [(one["word"], one["details"]) for one in values["appended"]] == [
        ("use_of_force", {"by": "Det. Poe (user poe)"}),
        ("case", {"text": "26-0815 <b>", "by": "Det. Poe (user poe)"}),
    ]
    page = next((tmp_path / "out").glob("*.html")).read_text()
    assert "use of force (by: Det. Poe (user poe))" in page
    assert "26-0815 &lt;b&gt;" in page
    assert "signed in the custody ledger of the dock, statement 1" in page


def test_a_ledger_of_another_agency_or_a_changed_one_labels_nothing(
    agency: Agency, record: Record, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = record()
    close_hash = verify_file(path, agency.trust).close_hash or ""
    (tmp_path / "pki").mkdir()
    foreign = ledger(tmp_path / "foreign", make_agency(tmp_path / "pki"), path.name, close_hash)
    assert export(agency, path, tmp_path / "out", "--custody", str(foreign)) == 2
    assert "leave --custody out" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    changed = ledger(tmp_path / "changed", agency, path.name, close_hash)
    file = changed / "ledger-000001.custody"
    file.write_bytes(file.read_bytes().replace(b"use_of_force", b"use_of_farce"))
    assert export(agency, path, tmp_path / "out", "--custody", str(changed)) == 2
