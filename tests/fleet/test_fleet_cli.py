"""firsthand-fleet: an agency for a trial, signed profiles, certificates explained."""

from __future__ import annotations

from pathlib import Path

import pytest

from device.firmware_check import judge_firmware
from device.identity import firmware_sha256
from device.profile import parse_profile
from evidence.statements import CameraFacts
from evidence.trust import Trust
from fleet.__main__ import main


@pytest.fixture
def agency(tmp_path: Path) -> Path:
    directory = tmp_path / "pki"
    assert main(["new-agency", str(directory), "--serial", "CAM-0042", "--organization", "Trial", "--simulated"]) == 0
    return directory


def test_new_agency_never_overwrites_keys(agency: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (agency / "camera.key").read_bytes()
    assert main(["new-agency", str(agency)]) == 1
    assert "never overwritten" in capsys.readouterr().err
    assert (agency / "camera.key").read_bytes() == before


def test_private_keys_are_readable_by_their_owner_only(agency: Path) -> None:
    keys = list(agency.glob("*.key"))
    assert keys
    assert all(path.stat().st_mode & 0o077 == 0 for path in keys)


def test_a_signed_profile_is_accepted_by_the_camera_code_r7(agency: Path, tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text('name = "Trial policy"\nversion = 3\npre_event_s = 45\n')
    arguments = ["sign-profile", str(tmp_path / "policy.toml"), "--key", str(agency / "profile.key")]
    out = tmp_path / "profile.p7s"
    assert main([*arguments, "--cert", str(agency / "profile.pem"), "--out", str(out)]) == 0
    accepted = parse_profile(out.read_bytes(), Trust.load(agency / "root.pem"))
    assert (accepted.profile.name, accepted.profile.version, accepted.profile.pre_event_s) == ("Trial policy", 3, 45)


@pytest.mark.requirement("R7")
def test_a_profile_is_not_signed_with_a_camera_certificate(
    agency: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "policy.toml").write_text('name = "x"\nversion = 1\n')
    arguments = ["sign-profile", str(tmp_path / "policy.toml"), "--key", str(agency / "camera.key")]
    assert main([*arguments, "--cert", str(agency / "camera.pem"), "--out", str(tmp_path / "p")]) == 1
    assert "not a certificate of the profile role" in capsys.readouterr().err
    assert not (tmp_path / "p").exists()


def test_bad_toml_is_one_sentence(agency: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "policy.toml").write_text("name = \n")
    arguments = ["sign-profile", str(tmp_path / "policy.toml"), "--key", str(agency / "profile.key")]
    assert main([*arguments, "--cert", str(agency / "profile.pem"), "--out", str(tmp_path / "p")]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "not valid TOML" in error


def test_show_names_role_serial_and_key_level(agency: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", str(agency / "camera.pem")]) == 0
    shown = capsys.readouterr().out
    assert "role       camera" in shown
    assert "serial     CAM-0042" in shown
    assert "key level  file" in shown
    assert "simulated  yes" in shown


def test_wrong_usage_exits_64() -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["no-such-verb"])
    assert stopped.value.code == 64


@pytest.mark.requirement("R8")
def test_a_signed_release_is_what_the_camera_tests_its_code_by(
    agency: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, trust = Path(__file__).resolve().parents[2], tmp_path / "release.p7s", Trust.load(agency / "root.pem")
    arguments = ["sign-release", str(code), "--version", "1.2.3", "--out", str(out)]
    assert main([*arguments, "--key", str(agency / "release.key"), "--cert", str(agency / "release.pem")]) == 0
    running = CameraFacts(model="bench", firmware="1.2.3", firmware_sha256=firmware_sha256())
    assert judge_firmware(running, [out], trust).outcome == "pass"
    assert main([*arguments, "--key", str(agency / "camera.key"), "--cert", str(agency / "camera.pem")]) == 1
    assert "release role" in capsys.readouterr().err
    assert main(["sign-release", str(tmp_path), *arguments[2:], "--key", "x", "--cert", "y"]) == 1
    assert "holds no device/" in capsys.readouterr().err


def test_the_help_lists_every_verb_under_those_who_need_it(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    assert "On a camera (systemd runs these):" in text
    assert "Other:" not in text, "a verb has no place in fleet.__main__.GROUPS"
    assert max(len(line) for line in text.splitlines()) <= 100
