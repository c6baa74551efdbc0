"""The boards in the package, and device.toml that is made of them (docs/design/board.md)."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from camera_bench import POLICY, sign_profile

from device.__main__ import main
from device.board import WITHOUT_MODEL, board_names, faults, load_board, nearest_board
from device.check_config import examine
from device.config import load_settings
from device.config_warnings import pins
from device.errors import UnknownBoard

BOARDS = board_names()
SERIAL = "SIM-0001"


def written(board: str, out: Path, pki: Path | None = None, *more: str) -> Path:
    command = ["new-config", "--board", board, "--serial", SERIAL, "--out", str(out), *more]
    if pki is not None:
        profile = out.with_name("profile.p7s")
        profile.write_bytes(sign_profile(pki, POLICY))
        command += ["--keys", str(pki), "--vault", str(pki / "vault.pem"), "--profile", str(profile)]
    assert main(command) == 0
    return out


def test_the_boards_of_the_contract_are_here() -> None:
    assert BOARDS == ["bodycam-zero2w", "dashcam-cm4", "dashcam-pi5", "dev-webcam", "lab-vm"]


@pytest.mark.parametrize("board", BOARDS)
def test_a_boards_wiring_has_no_key_that_device_toml_does_not_know(board: str) -> None:
    assert faults(load_board(board)) == []


@pytest.mark.parametrize("board", BOARDS)
def test_what_new_config_writes_passes_check_config(board: str, pki: Path, tmp_path: Path) -> None:
    found = examine(written(board, tmp_path / "device.toml", pki), allow_simulated=True)
    assert found.errors == []
    assert [one for one in found.warnings if "pin" in one] == []


@pytest.mark.parametrize("board", BOARDS)
def test_a_new_camera_has_the_paths_that_package_and_image_agree_on(board: str, tmp_path: Path) -> None:
    settings = load_settings(written(board, tmp_path / "device.toml"))
    assert (settings.serial, settings.spool, settings.state) == (
        SERIAL,
        "/var/lib/firsthand/spool",
        "/var/lib/firsthand/device",
    )
    assert settings.socket == "/run/firsthand/device.sock"
    assert settings.profile == "/etc/firsthand/profile.p7s"
    assert settings.keys.evidence_key == "/etc/firsthand/keys/camera.key"
    assert settings.keys.vault == ["/etc/firsthand/vault-1.pem"]
    assert settings.peer_users == ("firsthand-agent",)


def test_a_technician_may_test_the_camera_where_the_image_lets_one_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("device.new_config.SSH_USERS", ("root", "nobody-has-this-name"))
    settings = load_settings(written(BOARDS[0], tmp_path / "device.toml"))
    assert settings.peer_users == ("firsthand-agent", "root")


@pytest.mark.parametrize("board", BOARDS)
def test_no_pin_has_two_users_and_none_is_one_of_a_bus(board: str, tmp_path: Path) -> None:
    used = pins(load_settings(written(board, tmp_path / "device.toml")))
    assert [pin for pin, users in used.items() if len(users) > 1] == []
    assert used.keys().isdisjoint({0, 1, 2, 3, 14, 15, 18, 19, 20, 21})
    facts = load_board(board).facts
    assert used.keys().isdisjoint({int(pin) for pin in facts.taken} | ({4} if "pps" in facts.buses else set()))


@pytest.mark.parametrize("board", ["bodycam-zero2w", "dashcam-cm4", "dashcam-pi5"])
def test_each_pin_of_the_header_says_why_it_is_there(board: str) -> None:
    """Comments are what a technician reads when a wire has to go elsewhere."""
    text = load_board(board).text
    first = text[: text.index("record_button = { pin")].splitlines()[-1]
    assert first.startswith("#")
    assert text[: text.index("[indicators.options.channels]")].splitlines()[-1].startswith("#")


@pytest.mark.requirement("R18")
@pytest.mark.parametrize("board", ["bodycam-zero2w", "dashcam-cm4", "dashcam-pi5"])
def test_a_board_for_duty_has_an_emergency_button_and_a_dock_line(board: str) -> None:
    kinds = {one["kind"]: one for one in load_board(board).wiring["inputs"].values()}
    assert kinds["emergency_button"]["starts"] == "peers"
    assert {"record_button", "function_button", "dock"} <= kinds.keys()


@pytest.mark.requirement("R14")
@pytest.mark.requirement("R15")
@pytest.mark.requirement("R17")
@pytest.mark.parametrize("board", ["dashcam-cm4", "dashcam-pi5"])
def test_a_dash_board_has_the_vehicles_lines_and_a_cabin_camera(board: str, tmp_path: Path) -> None:
    settings = load_settings(written(board, tmp_path / "device.toml", None, "--vehicle", "Unit 12"))
    assert (settings.role, settings.vehicle, list(settings.cameras)) == ("dash", "Unit 12", ["cabin"])
    kinds = {one.kind for one in settings.inputs.values()}
    assert {"light_bar", "siren", "pursuit", "door", "gun_rack", "ignition", "speed", "crash"} <= kinds
    lines = load_board(board).lines
    assert not any(one["active_high"] for one in lines.values()), "a cut wire must read as off"


def test_the_serial_is_burned_into_the_picture(tmp_path: Path) -> None:
    settings = load_settings(written("bodycam-zero2w", tmp_path / "device.toml"))
    assert settings.camera.options["label"] == SERIAL


def test_a_key_in_a_secure_element_and_paths_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    token = "pkcs11:token=camera;object=evidence?module-path=/usr/lib/x.so"
    (tmp_path / "etc").mkdir()
    out = written("dev-webcam", Path("etc/device.toml"), None, "--evidence-key", token, "--vault", "v.pem")
    settings = load_settings(out)
    assert settings.keys.evidence_key == token
    assert settings.keys.vault == [str(tmp_path / "v.pem")]


def test_comments_of_the_board_stay_in_the_file(tmp_path: Path) -> None:
    text = written("bodycam-zero2w", tmp_path / "device.toml").read_text()
    assert "# Over a transistor" in text
    assert "[board" not in text


# --- what a person gets wrong -----------------------------------------------------------------------------------------


def test_a_file_that_is_there_is_not_replaced_without_force(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "device.toml"
    out.write_text("mine")
    command = ["new-config", "--board", "dev-webcam", "--serial", SERIAL, "--out", str(out)]
    assert main(command) == 1
    assert "is there already: give another --out, or --force" in capsys.readouterr().err
    assert out.read_text() == "mine"
    assert main([*command, "--force"]) == 0
    assert out.stat().st_mode & 0o777 == 0o644  # root writes it, and the recorder reads it
    assert tomllib.loads(out.read_text())["serial"] == SERIAL


@pytest.mark.parametrize("serial", ["", "a b", 'x"\nspool = "/tmp', "x" * 100, "CAM\x07"])
def test_a_serial_that_is_none_writes_no_file(serial: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "device.toml"
    assert main(["new-config", "--board", "dev-webcam", "--serial", serial, "--out", str(out)]) == 1
    assert "device.toml" in capsys.readouterr().err
    assert not out.exists()


def test_an_unknown_board_names_the_nearest(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(UnknownBoard, match="did you mean 'bodycam-zero2w'"):
        load_board("bodycam-zero2")
    for name in ("../profiles/default", "", "dev-webcam.toml"):
        command = ["new-config", "--board", name, "--serial", SERIAL, "--out", str(tmp_path / "x")]
        assert main(command) == 1
        assert "no board is called" in capsys.readouterr().err


def test_a_directory_that_is_not_there_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "no" / "device.toml"
    assert main(["new-config", "--board", "dev-webcam", "--serial", SERIAL, "--out", str(out)]) == 1
    assert "cannot be written: No such file or directory" in capsys.readouterr().err


# --- which board ------------------------------------------------------------------------------------------------------


def test_boards_are_listed_with_a_sentence_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["boards"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == BOARDS
    assert main(["boards", "--json"]) == 0
    assert list(json.loads(capsys.readouterr().out)) == BOARDS


@pytest.mark.parametrize(
    ("model", "board"),
    [
        ("Raspberry Pi Zero 2 W Rev 1.0", "bodycam-zero2w"),
        ("Raspberry Pi Compute Module 4 Rev 1.1", "dashcam-cm4"),
        ("Raspberry Pi 5 Model B Rev 1.0", "dashcam-pi5"),
        ("Raspberry Pi Compute Module 5 Rev 1.0", "dashcam-pi5"),
        ("Raspberry Pi Zero W Rev 1.1", WITHOUT_MODEL),
        (None, WITHOUT_MODEL),
    ],
)
def test_the_nearest_board_is_found_by_the_device_trees_model(model: str | None, board: str) -> None:
    assert nearest_board(model) == board
