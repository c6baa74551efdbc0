"""`firsthand-device probe`: what is there, what is missing, and what to do, on copies of boards and on this machine."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paper_boards import PI_5, ZERO_2_W, paper_board, pty_pair

from device.__main__ import main
from device.board import Board, board_names, load_board
from device.gpio_chips import GpioChip
from device.probe import look
from device.probe_media import cameras
from device.probe_pins import heard, pins
from device.probe_tree import FILE_BYTES, Finding, Tree

ZERO, PI5 = "bodycam-zero2w", "dashcam-pi5"


def by_part(board: str | Board, root: Path) -> dict[str, Finding]:
    found = look(load_board(board) if isinstance(board, str) else board, Tree(root))
    return {one.part: one for one in found}


def test_a_board_that_is_wired_as_it_should_be_lacks_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = paper_board(tmp_path, ZERO_2_W)
    assert main(["probe", "--root", str(root)]) == 0
    text = capsys.readouterr().out
    assert text.startswith("Raspberry Pi Zero 2 W Rev 1.0, looked at as bodycam-zero2w (the nearest")
    assert "MISSING" not in text
    assert "hardware H.264 on /dev/video11" in text
    assert "SD card, SR64G, 63.9 GB, made 05/2025" in text
    assert "cpu-thermal 48 °C" in text
    assert "own lamps   ACT\n" in text
    assert "check    clock" in text  # worth having; the board works without
    assert text.rstrip().endswith("Next: firsthand-device selftest")


def test_a_dash_board_with_two_cameras_and_two_microphones(tmp_path: Path) -> None:
    found = by_part(PI5, paper_board(tmp_path, PI_5))
    assert [part for part, one in found.items() if one.state == "missing"] == []
    assert found["camera cabin"].seen == "sensor imx708 11-001a"
    assert found["microphone"].seen == "USB-Audio - USB PnP Sound Device (card Device)"
    assert found["microphone cabin"].seen.endswith("(card sndrpigooglevoi)")
    assert found["clock"].state == "found"


@pytest.mark.parametrize(
    ("lost", "part", "advice"),
    [
        ("v4l-subdev", "camera", "seat the ribbon cable"),
        ("video11", "encoder", "bcm2835-codec"),
        ("asound", "microphone", "googlevoicehat-soundcard"),
        ("ttyAMA0", "GPS", "disable-bt"),
        ("i2c-1", "battery", "i2c_arm=on"),
        ("iio", "motion", "mpu6050"),
        ("gpiochip", "GPIO pins", "group gpio"),
    ],
)
def test_what_the_board_needs_and_has_not_is_missing_and_says_what_to_do(
    lost: str, part: str, advice: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = paper_board(tmp_path, ZERO_2_W, without=lost)
    assert main(["probe", "--root", str(root), "--json"]) == 1
    shown = json.loads(capsys.readouterr().out)
    missing = {one["part"]: one for one in shown["found"] if one["state"] == "missing"}
    assert list(missing) == [part]
    assert advice in missing[part]["advice"]


def test_a_vehicles_second_camera_may_be_missing_alone(tmp_path: Path) -> None:
    found = by_part(PI5, paper_board(tmp_path, PI_5, without="subdev6"))
    assert found["camera"].state == "found"
    assert (found["camera cabin"].state, found["camera cabin"].seen) == (
        "missing",
        "only 1 sensor answers: imx708 10-001a",
    )


@pytest.mark.parametrize("lost", ["rtc", "watchdog", "pps", "thermal"])
def test_what_is_only_worth_having_is_no_reason_to_fail(lost: str, tmp_path: Path) -> None:
    found = look(load_board(PI5), Tree(paper_board(tmp_path, PI_5, without=lost)))
    assert [one.part for one in found if one.state == "missing"] == []
    assert [one.advice != "" for one in found if one.state == "check"] == [True]


def test_the_wrong_computer_is_said(tmp_path: Path) -> None:
    found = by_part(PI5, paper_board(tmp_path, ZERO_2_W))
    assert found["computer"].seen == "Raspberry Pi Zero 2 W Rev 1.0; this board is a Raspberry Pi 5"
    assert found["memory"].state == "missing"
    assert found["battery"].advice.startswith("add dtoverlay=i2c-sensor,max17040")


def test_a_console_on_the_receivers_port_and_a_weak_supply_are_seen(tmp_path: Path) -> None:
    console = "console=serial0,115200 console=tty1 root=x"
    found = by_part(ZERO, paper_board(tmp_path, ZERO_2_W, cmdline=console, in0_lcrit_alarm="1\n"))
    assert found["GPS"].state == "missing"
    assert "take console=serial0,115200 out of cmdline.txt" in found["GPS"].advice
    assert found["5 V supply"].state == "check"


def test_a_worn_emmc_is_to_check(tmp_path: Path) -> None:
    root = paper_board(tmp_path, {**ZERO_2_W, "sys/block/mmcblk0/device/life_time": "0x02 0x09\n"}, type="MMC\n")
    card = by_part(ZERO, root)["card"]
    assert (card.state, card.seen.split(",")[0]) == ("check", "eMMC")
    assert "80 % worn" in card.seen


def test_a_webcam_is_found_by_what_it_is_and_the_chips_own_nodes_are_none(tmp_path: Path) -> None:
    names = {"sys/class/video4linux/video0/name": "bcm2835-codec-decode\n", "proc/meminfo": "MemTotal: 8000000 kB"}
    found = by_part("dev-webcam", paper_board(tmp_path, names))
    assert found["camera"].seen == "no camera under /dev/video*"
    more = {**names, "sys/class/video4linux/video2/name": "HD Pro Webcam C920\n"}
    found = by_part("dev-webcam", paper_board(tmp_path, more))
    assert found["camera"].seen == "no /dev/video0; there is HD Pro Webcam C920 (/dev/video2)"


def test_without_a_raspberry_pi_the_webcam_is_proposed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["probe", "--root", str(tmp_path), "--json"]) == 1
    shown = json.loads(capsys.readouterr().out)
    assert (shown["machine"], shown["board"], shown["proposed"]) == (None, "dev-webcam", True)


def test_a_camera_that_is_wired_differently_is_looked_at_by_its_device_toml(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "device.toml"
    assert main(["new-config", "--board", ZERO, "--serial", "CAM-1", "--out", str(config)]) == 0
    config.write_text(config.read_text().replace('port = "/dev/ttyAMA0"', 'port = "/dev/ttyUSB3"'))
    root = paper_board(tmp_path / "root", ZERO_2_W)
    capsys.readouterr()
    assert main(["probe", "--config", str(config), "--root", str(root)]) == 1
    text = capsys.readouterr().out
    assert "no serial port /dev/ttyUSB3" in text
    assert text.rstrip().splitlines()[-1].startswith("Missing: GPS.")


def test_on_this_machine_it_ends_with_a_table_and_a_code(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["probe", "--board", "dev-webcam"])
    text = capsys.readouterr().out
    assert code == int("MISSING" in text)
    assert "memory" in text


@pytest.mark.parametrize("board", board_names())
def test_the_page_that_it_names_is_there(board: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["probe", "--board", board, "--root", str(tmp_path)]) == 1
    page = capsys.readouterr().out.split()[-1]
    assert (Path(__file__).parents[2] / page).exists()


@pytest.mark.parametrize(
    ("printed", "state", "seen"),
    [
        (
            "Available cameras\n-----\n0 : imx708 [4608x2592 10-bit RGGB] (/base/soc/i2c0mux/i2c@1/imx708@1a)\n",
            "found",
            "lists imx708",
        ),
        ("Available cameras:\n1: 'imx219' (/base/soc/i2c0mux)\n2: 'imx708' (/base)\n", "found", "lists imx219, imx708"),
        ("No cameras available!\n", "check", "rpicam-hello --list-cameras lists no camera"),
    ],
)
def test_libcameras_own_list_is_asked_on_the_board(
    printed: str, state: str, seen: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "rpicam-hello"
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{printed}END\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    found = {one.part: one for one in cameras(load_board(ZERO), Tree())}
    assert (found["libcamera"].state, found["libcamera"].seen) == (state, seen)


# --- pins -------------------------------------------------------------------------------------------------------------


def test_a_pin_that_an_overlay_holds_is_named_with_its_place(tmp_path: Path, mocker) -> None:  # type: ignore[no-untyped-def]
    """The seam to the kernel's chips: only a board, or the lab, has one."""
    users = {17: "cam1_regulator", 27: "lg", 3: "something else"}
    mocker.patch("device.probe_pins._chips", return_value=[GpioChip("gpiochip0", "pinctrl-bcm2835", 54, users)])
    found = {one.part: one for one in pins(load_board(ZERO), Tree(paper_board(tmp_path, ZERO_2_W)))}
    assert found["GPIO pins"].seen == "gpiochip0 (pinctrl-bcm2835), 10 pins used"
    assert found["record button"].seen == "pin 17 (header 11) is held by cam1_regulator"
    assert list(found) == ["GPIO pins", "record button"]


def test_another_chip_than_the_headers_is_said(tmp_path: Path, mocker) -> None:  # type: ignore[no-untyped-def]
    mocker.patch("device.probe_pins._chips", return_value=[GpioChip("gpiochip0", "gpio-mockup", 8, {})])
    (found,) = pins(load_board(ZERO), Tree(paper_board(tmp_path, ZERO_2_W)))
    assert (found.state, found.advice) == ("missing", "is this the right board?")
    assert "there is gpiochip0 (gpio-mockup)" in found.seen


# --- the receiver: real pyserial on a pseudo-terminal -----------------------------------------------------------------


def listened(sent: bytes, listen_s: float = 2.5) -> Finding:
    far, near, port = pty_pair()
    stop = threading.Event()

    def talk() -> None:
        while not stop.wait(0.05):
            os.write(far, sent)

    talker = threading.Thread(target=talk)
    talker.start()
    try:
        return heard(port, 9600, listen_s)
    finally:
        stop.set()
        talker.join()
        os.close(far)
        os.close(near)


def test_a_receiver_that_talks_is_found() -> None:
    found = listened(b"$GPTXT,01,01,02,hello*4F\r\n$GPGGA,,,,,,0,,,,,,,,*66\r\n", 30)
    assert found.state == "found"
    assert "at 9600 baud: $G" in found.seen


def test_a_receiver_at_another_speed_is_told_from_a_silent_one() -> None:
    noise, silent = listened(b"\xfe\x80\x00\xf8 garbage", 4), listened(b"", 0.3)
    assert "no NMEA among them" in noise.seen
    assert "set baud in device.toml" in noise.advice
    assert "nothing came in" in silent.seen
    assert "header pin 10" in silent.advice


def test_a_port_that_the_recorder_has_is_left_alone() -> None:
    import serial

    far, near, port = pty_pair()
    with serial.Serial(str(port), 9600, exclusive=True):
        found = heard(port, 9600, 1)
    os.close(far)
    os.close(near)
    assert (found.state, "in use" in found.seen) == ("found", True)


# --- copies ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("board", [ZERO, PI5, "dev-webcam"])
def test_a_copy_of_what_was_read_shows_the_same(board: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = paper_board(tmp_path / "board", {**PI_5, **ZERO_2_W})
    told = []
    for command in (["--root", str(root), "--copy", str(tmp_path / "copy")], ["--root", str(tmp_path / "copy")]):
        code = main(["probe", "--board", board, *command])
        told.append((code, capsys.readouterr().out))
    assert told[0] == told[1]


def test_a_copy_overwrites_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["probe", "--copy", str(tmp_path)]) == 1
    assert "is there already: give a new directory" in capsys.readouterr().err


# --- copies that somebody made up -------------------------------------------------------------------------------------


def test_a_copy_shows_no_file_of_the_machine_that_reads_it(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("key")
    root = tmp_path / "root"
    (root / "proc/device-tree").mkdir(parents=True)
    (root / "proc/device-tree/model").symlink_to(secret)
    (root / "sys").symlink_to("/sys")
    tree = Tree(root)
    assert tree.word("/proc/device-tree/model") is None
    assert tree.entries("/sys/class") == []
    assert not tree.exists("/sys/class")


def test_a_pipe_a_directory_and_a_huge_file_do_not_hang_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "directory").mkdir()
    (tmp_path / "huge").write_text("x" * 10**6)
    tree = Tree(tmp_path)
    assert tree.text("/pipe") is None
    assert tree.text("/directory") is None
    assert len(tree.text("/huge") or "") == FILE_BYTES
    assert tree.word("/huge") == "x" * 80


@given(st.dictionaries(st.sampled_from(sorted(ZERO_2_W)), st.binary(max_size=200)), st.sampled_from([ZERO, PI5]))
def test_no_contents_of_a_copy_break_it(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes], board: str
) -> None:
    root = tmp_path_factory.mktemp("copy")
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    for one in look(load_board(board), Tree(root)):
        assert one.seen.isprintable()
        assert one.state != "missing" or one.advice
