"""What a valid verdict says beside "valid", and that simulated footage is never evidence (invariants 10 to 12)."""

from __future__ import annotations

from pathlib import Path

from recordings import Agency, Recipe, judge, write_recording

from evidence.cli.verify import exit_code


def test_a_renamed_file_is_valid_with_a_note(agency: Agency, recording: Path) -> None:
    report = judge(agency.trust, recording.read_bytes(), "exhibit-7.evidence")
    assert report.valid
    assert "renamed: by its own words it is SIM-0001-000001.evidence" in report.notes


def test_simulated_footage_under_a_production_root_is_not_evidence(real_agency: Agency, tmp_path: Path) -> None:
    for kind in ("simulated", "clip", "training"):
        path = write_recording(real_agency, tmp_path, Recipe(kind=kind, number=len(kind)))
        report = judge(real_agency.trust, path.read_bytes(), path.name)
        assert exit_code(report) == 1
        assert "item 000000" in report.findings[0]
        assert "its certificate is not a simulated one" in report.findings[0]


def test_a_simulated_certificate_under_a_production_root_is_refused(real_agency: Agency, tmp_path: Path) -> None:
    """Also with sources that call themselves real: someone issued a simulator's certificate by mistake."""
    from fleet.ca import write_credential

    authority = real_agency.authority
    authority.simulated = True
    try:
        credential = authority.signer("camera", "Camera SIM-0001", serial="SIM-0001")
    finally:
        authority.simulated = False
    write_credential(real_agency.directory, "camera-simulated", credential)
    path = write_recording(real_agency, tmp_path, Recipe(kind="real"), "camera-simulated")
    report = judge(real_agency.trust, path.read_bytes())
    assert exit_code(report) == 1
    assert "simulated footage under a production root" in report.findings[0]


def test_real_footage_under_a_production_root_is_valid_without_notes(real_agency: Agency, tmp_path: Path) -> None:
    report = judge(real_agency.trust, write_recording(real_agency, tmp_path, Recipe(kind="real")).read_bytes())
    assert report.valid
    assert report.notes == ()


def test_real_sources_under_a_simulated_certificate_stay_labelled(agency: Agency, tmp_path: Path) -> None:
    report = judge(agency.trust, write_recording(agency, tmp_path, Recipe(kind="real")).read_bytes())
    assert report.valid
    assert any(note.startswith("SIMULATED") for note in report.notes)


def test_a_clock_that_nothing_vouches_for_is_a_note(agency: Agency, tmp_path: Path) -> None:
    path = write_recording(agency, tmp_path, Recipe(time_source="none"))
    report = judge(agency.trust, path.read_bytes())
    assert report.valid
    assert any(note.startswith("time unverified") for note in report.notes)
