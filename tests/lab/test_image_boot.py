"""The image of the lab's board, flashed and started: a camera that has enrolled itself, and that lets nobody in.

By hand and in `make lab`: it takes three minutes. tests/lab/test_image_build.py looks at an image without starting it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import firmware
import pytest
from flashed_camera import SERIAL, Office, image_of_this_checkout
from kernel_modules import LabKernel
from machine import CONSOLE, Boot, Disk, Machine
from virtual_board import VirtualBoard, board_disk, board_units

pytestmark = [pytest.mark.needs_root, pytest.mark.slow, pytest.mark.timeout(1200)]
CARD_MIB = 3072


@dataclass
class Camera:
    """The machine and its card."""

    card: Path
    machine: Machine
    office: Office
    console: str = ""


@pytest.fixture(scope="module")
def camera(whole_lab: None, kernel: LabKernel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Camera]:
    """Flashed, started, through its first boot."""
    directory = tmp_path_factory.mktemp("image")
    with Office(directory / "office") as office:
        image = image_of_this_checkout(directory / "image", "lab-vm", *office.release())
        card = office.flashed(image, "lab-vm", "0.1.0", directory / "card", CARD_MIB)
        image.unlink()

        def boots() -> Boot:
            found = firmware.boot(card, directory / "firmware")
            assert found.initrd is not None
            return Boot(found.kernel, found.initrd, f"{found.append} {CONSOLE}")

        disks = [Disk(card, "card"), board_disk(directory, kernel)]
        machine = Machine(directory / "machine", boots, disks, units=board_units(), network=True, memory_mib=768)
        with machine:
            machine.ready(seconds=180)
            machine.until("systemctl is-active multi-user.target", seconds=240)
            yield Camera(card, machine, office)


@pytest.mark.requirement("R6")
def test_it_makes_its_keys_and_enrols_by_itself(camera: Camera) -> None:
    camera.machine.until("test -s /etc/firsthand/keys/camera.pem && test -s /etc/firsthand/device.toml", seconds=240)
    assert f'serial = "{SERIAL}"' in camera.machine.run("cat /etc/firsthand/device.toml")
    camera.machine.until("! grep -q ^token /boot/firsthand/identity.toml", seconds=60)
    assert SERIAL in camera.machine.run("cat /boot/firsthand/identity.toml")


def test_its_recorder_starts_without_a_hand(camera: Camera) -> None:
    camera.machine.until("systemctl is-active firsthand-device.service", seconds=240)
    assert "firsthand-device" in camera.machine.run("stat -c %U /run/firsthand/device.sock")


@pytest.mark.requirement("R8")
def test_its_self_test_says_that_it_runs_a_released_version(camera: Camera) -> None:
    board = VirtualBoard(camera.machine)
    board.wait_ready(seconds=240)
    rows = {one["name"]: one for one in board.ask("selftest", seconds=120)["checks"]}
    assert rows["firmware"]["result"] == "pass", rows["firmware"]
    assert "as released" in rows["firmware"]["value"]


def test_its_system_cannot_be_written_to(camera: Camera) -> None:
    for place in ("/", "/usr", "/etc", "/boot/firsthand"):
        status, said = camera.machine.ask(f"touch {place}/x")
        assert status != 0
        assert "Read-only file system" in said
    assert "squashfs" in camera.machine.run("findmnt -no FSTYPE /")


def test_its_data_partition_is_as_large_as_the_card(camera: Camera) -> None:
    parts = firmware.partitions(camera.card)
    assert parts[7].start + parts[7].size == CARD_MIB << 20
    assert int(camera.machine.run("stat -fc '%b' /var/lib/firsthand")) * 4096 > 0.9 * parts[7].size
    options = camera.machine.run("findmnt -no OPTIONS /var/lib/firsthand").split(",")
    assert {"nosuid", "nodev", "noexec"} <= set(options)
    assert firmware.read(camera.card, 1, "data.new") is None


@pytest.mark.requirement("R1")
def test_it_offers_nobody_a_login(camera: Camera) -> None:
    assert camera.machine.ask("pgrep -a 'getty|sshd|sulogin|login$'")[0] == 1
    assert "login:" not in camera.machine.console()
    listening = camera.machine.run("ss -Hltn | grep -v 127.0.0 || true")
    assert listening.strip() == ""


def test_no_unit_has_failed(camera: Camera) -> None:
    camera.machine.until("systemctl is-active firsthand-device.service", seconds=240)
    assert camera.machine.run("systemctl --failed --no-legend --plain").strip() == ""


def test_after_a_power_cut_it_is_the_same_camera(camera: Camera) -> None:
    """But for the machine's number: a virtual card has no number of its own that it could be made from."""
    before = camera.machine.run("sha256sum /etc/firsthand/keys/camera.pem /etc/firsthand/device.toml")
    camera.machine.run("sync")
    camera.machine.power_cut()
    camera.machine.start().ready(seconds=180)
    camera.machine.until("systemctl is-active firsthand-device.service", seconds=240)
    after = camera.machine.run("sha256sum /etc/firsthand/keys/camera.pem /etc/firsthand/device.toml")
    assert after == before
    assert "clean" in camera.machine.run("journalctl -b -u firsthand-data --no-pager -o cat")


def test_evidence_is_never_formatted_whatever_lies_on_partition_1(camera: Camera) -> None:
    """And a camera without its data partition says so, starts nothing that would make a key, and goes on trying."""
    kept = "/var/lib/firsthand/spool/KEPT.evidence"
    camera.machine.run(f"echo kept > {kept}; sync")
    camera.machine.power_cut()
    firmware.write(camera.card, 1, "data.new", b"")
    camera.machine.start().ready(seconds=180)
    camera.machine.until("journalctl -b -o cat -u firsthand-data | grep -q 'nothing is formatted'", seconds=180)
    camera.machine.until("systemctl is-active firsthand-data-fault.service", seconds=60)
    assert camera.machine.ask("mountpoint -q /var/lib/firsthand")[0] != 0
    assert camera.machine.ask("systemctl is-active firsthand-device.service firsthand-first-boot.service")[0] != 0
    camera.machine.run(
        "mount -o remount,rw /boot/firsthand; rm /boot/firsthand/data.new; mount -o remount,ro /boot/firsthand"
    )
    camera.machine.until(f"grep -q kept {kept}", seconds=120)
    camera.machine.until("mountpoint -q /var/log", seconds=60)
    boot = camera.machine.run("cat /proc/sys/kernel/random/boot_id").strip().replace("-", "")
    on_card = f"journalctl -D /var/lib/firsthand/log/journal -o cat _BOOT_ID={boot}"
    camera.machine.until(f"{on_card} -u firsthand-data | grep -q 'nothing is formatted'", seconds=60)
    camera.machine.until("systemctl is-active firsthand-device.service", seconds=240)
