"""From the dock contact to receipts: the camera in the virtual machine offloads to a real station on this host."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from copied_spool import copied
from kernel_modules import LabKernel
from lab_root import SERIAL, SYSTEM, Agency, camera_card, installed_root, lab_agency
from machine import CONSOLE, Boot, Disk, Machine
from virtual_board import Receiver, VirtualBoard, board_disk, board_units

pytestmark = [pytest.mark.needs_root, pytest.mark.slow, pytest.mark.timeout(900)]
STATION = """\
system_id = "{system}"
station = "station-1"
listen_host = "127.0.0.1"
listen_port = 0
directory = "station"
root = "{pki}/root.pem"
tls = {{certificate = "{pki}/station-tls.pem", key = "{pki}/station-tls.key", ca = "{pki}/tls-ca.pem"}}
receipts = {{certificate = "{pki}/station-receipt.pem", key = "{pki}/station-receipt.key"}}
[limits]
reserve_bytes = 1000000
"""


@pytest.fixture
def agency(tmp_path: Path) -> Agency:
    return lab_agency(tmp_path / "pki")


@pytest.fixture
def station_port(agency: Agency, tmp_path: Path) -> Iterator[int]:
    """A station's program on this host; qemu's network shows it to the camera as 10.0.2.2."""
    config = tmp_path / "station.toml"
    config.write_text(STATION.format(system=SYSTEM, pki=agency.pki))
    command = [sys.executable, "-m", "dock", "station", "--config", str(config)]
    with (tmp_path / "station.log").open("w") as log:
        station = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    assert station.stdout is not None
    ready = station.stdout.readline()
    assert "ready" in ready, (tmp_path / "station.log").read_text()
    yield int(ready.split(" (")[0].rpartition(":")[2])
    station.terminate()
    station.wait(20)
    station.stdout.close()


@pytest.mark.requirement("R38")
def test_a_docked_camera_offloads_and_its_files_get_receipts(
    whole_lab: None, kernel: LabKernel, initrd: Path, agency: Agency, station_port: int, tmp_path: Path
) -> None:
    card = camera_card(tmp_path, agency, station_port=station_port)
    boot = Boot(kernel.image, initrd, f"root=/dev/vda {CONSOLE}")
    disks = [Disk(installed_root(), "root", forgets=True), Disk(card, "data"), board_disk(tmp_path, kernel)]
    machine = Machine(tmp_path / "machine", boot, disks, units=board_units(), network=True)
    board = VirtualBoard(machine)
    with machine, Receiver(machine):
        machine.ready()
        board.wait_ready()
        board.press("record_button", times=2)
        board.wait_state("recording")
        machine.until("awk -v from=$(cat /run/lab-from 2>/dev/null || cut -d. -f1 /proc/uptime | tee /run/lab-from) "
                      "'$1 < from + 8 { exit 1 }' /proc/uptime")  # fmt: skip
        board.hold("record_button")
        board.wait_state("ready")
        board.cell(percent=80, charging=True)
        board.line("dock", active=True)
        machine.run("systemctl start systemd-networkd")  # the cable of the dock
        receipts = "ls /var/lib/firsthand/device/receipts/*.receipt.p7s"
        machine.until(receipts, seconds=240, every_s=2.0)
        docked = board.ask("status")["docked"]
        machine.stop(seconds=120)
    assert docked
    spool = copied(card, tmp_path / "after", agency.root)
    (recording,) = spool.recordings()
    stored = list((tmp_path / "station").rglob(recording.name))
    assert stored, SERIAL
    assert stored[0].read_bytes() == recording.read_bytes()
