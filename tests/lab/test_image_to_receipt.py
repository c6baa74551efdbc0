"""From an image to receipted evidence, with no hand in between (the judge of the image, the first boot and the units).

`image build` makes the card, `sign-image` and `flash` bring it to a camera, the virtual machine starts it by what the
card says itself. The camera makes its keys, enrols over the network, tests itself, records when its button is pressed,
and offloads in the dock; what the station then holds is verified here.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import firmware
import pytest
from kernel_modules import LabKernel
from lab_image import BuiltImage, lab_image
from lab_office import HOST, SYSTEM, Office, enrolment, fleet, open_office, station
from machine import CONSOLE, Boot, Disk, Machine
from virtual_board import Receiver, VirtualBoard, board_disk, board_units

from evidence.verify import Report, verify_file

pytestmark = [pytest.mark.needs_root, pytest.mark.slow, pytest.mark.timeout(1500)]
SERIAL = "CAM-0042"
CARD_MIB = 4096
RECORDED_S = 8


@dataclass
class Camera:
    """What was seen of its first day."""

    identity: str = ""
    root: str = ""
    accounts: str = ""
    consoles: str = ""
    data_mib: int = 0
    self_test: dict[str, Any] = field(default_factory=dict)
    network: str = ""
    files: list[dict[str, Any]] = field(default_factory=list)
    reports: dict[str, Report] = field(default_factory=dict)


def flashed(image: BuiltImage, office: Office, enrol_port: int, dock_port: int, directory: Path) -> Path:
    """A card as the technician's two commands leave it."""
    signed = directory / image.card.name
    shutil.copy(image.card, signed)
    shutil.copy(image.card.with_suffix(".bmap"), signed.with_suffix(".bmap"))
    release = ["--board", "lab-vm", "--version", image.version, *office.credential("release")]
    fleet("sign-image", signed, *release)
    card = directory / "card"
    with card.open("wb") as file:
        file.truncate(CARD_MIB * 2**20)
    fleet("flash", signed, card, "--allow-file", "--yes", "--serial", SERIAL, "--board", "lab-vm",
          "--agency", office.papers, "--ca", office.ca, "--system-id", SYSTEM,
          "--enrol-server", f"https://{HOST}:{enrol_port}", "--station", f"https://{HOST}:{dock_port}")  # fmt: skip
    signed.unlink()
    return card


@pytest.fixture(scope="module")
def camera(whole_lab: None, kernel: LabKernel, tmp_path_factory: pytest.TempPathFactory) -> Camera:
    directory = tmp_path_factory.mktemp("whole")
    office, image, seen = open_office(directory / "office"), lab_image(), Camera()
    with enrolment(office) as enrol, station(office) as dock:
        card = flashed(image, office, enrol.port, dock.port, directory)

        def boot() -> Boot:
            chosen = firmware.boot(card, directory / "boot", after="reboot")
            assert chosen.initrd is not None
            return Boot(chosen.kernel, chosen.initrd, f"{chosen.append} {CONSOLE}")

        disks = [Disk(card, "card"), board_disk(directory, kernel)]
        machine = Machine(directory / "machine", boot, disks, units=board_units(), network=True, reboots=False,
                          memory_mib=768)  # fmt: skip
        board = VirtualBoard(machine)
        with machine, Receiver(machine):
            machine.ready(seconds=180)
            board.wait_ready(seconds=400)
            seen.self_test = board.ask("selftest", seconds=120)
            seen.root = machine.run("findmnt -no FSTYPE,OPTIONS /")
            seen.accounts = machine.run("cut -d: -f2 /etc/shadow | sort -u")
            seen.consoles = machine.run(
                "systemctl list-units --plain --no-legend --state=active 'getty@*' 'serial-getty@*' 'ssh*'"
            )
            seen.data_mib = int(machine.run("df -m --output=size /var/lib/firsthand | tail -1"))
            seen.network = machine.run(
                "nsenter -t $(systemctl show -P MainPID firsthand-device) -n cat /proc/net/dev | tail -n +3"
            )
            board.press("record_button", times=2)
            board.wait_lit("red", seconds=60)
            start_s = float(machine.run("cut -d' ' -f1 /proc/uptime"))
            machine.until(f"awk '$1 < {start_s + RECORDED_S} {{ exit 1 }}' /proc/uptime")
            board.hold("record_button")
            board.wait_lit("red", lit=False, seconds=120)
            board.line("dock", active=True)
            receipted = (
                "python3 -ISB /run/lab/ask.py list | python3 -IBc 'import json, sys; "
                'files = json.load(sys.stdin)["files"]; '
                'sys.exit(not any(f["stream"] == "recording" and f["state"] == "receipted" for f in files))\''
            )
            machine.until(receipted, seconds=300, every_s=3.0)
            seen.files = board.ask("list")["files"]
            machine.stop(seconds=120)
    seen.identity = (firmware.read(card, 1, "identity.toml") or b"").decode()
    store = office.directory / "station"
    for path in sorted(store.rglob(f"{SERIAL}-0*.evidence")):
        seen.reports[path.name] = verify_file(path, office.trust())
    return seen


def test_the_camera_enrolled_and_its_token_is_gone(camera: Camera) -> None:
    assert f'serial = "{SERIAL}"' in camera.identity
    assert "token" not in camera.identity


def test_its_self_test_lets_it_work(camera: Camera) -> None:
    assert camera.self_test["verdict"] != "block", camera.self_test


def test_nobody_can_log_in_and_nothing_can_be_changed(camera: Camera) -> None:
    assert camera.root.split()[0] in ("squashfs", "overlay")
    assert all(one.startswith(("!", "*")) for one in camera.accounts.split())
    assert camera.consoles == ""


def test_the_data_partition_is_as_large_as_the_card(camera: Camera) -> None:
    assert camera.data_mib > CARD_MIB * 0.5


def test_the_recorder_has_no_network(camera: Camera) -> None:
    assert [line.split(":")[0].strip() for line in camera.network.splitlines() if line.strip()] in ([], ["lo"])


def test_the_recording_was_offloaded_and_receipted(camera: Camera) -> None:
    states = [one["state"] for one in camera.files if one["stream"] == "recording"]
    assert states.count("receipted") == len(states) >= 1


@pytest.mark.requirement("R38")
def test_what_the_station_holds_is_valid_evidence(camera: Camera) -> None:
    (report,) = [one for name, one in camera.reports.items() if "-log-" not in name]
    assert report.valid, report.findings
    assert report.frames > 0
    assert report.sound_frames > 0
    assert report.gps_fixes > 0
