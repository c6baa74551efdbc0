"""An image whose data partition is encrypted: made at the first boot, opened at the next, and nothing lost between."""

from __future__ import annotations

import subprocess
from importlib import resources
from pathlib import Path

import firmware
import pytest
from machine import CONSOLE, Boot, Disk, Machine
from package import camera_package

from fleet.__main__ import main

pytestmark = [pytest.mark.needs_root, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture
def card(whole_lab: None, tmp_path: Path) -> Path:
    """The lab's image with the key of its data on partition 1, which is the only place that a virtual machine has."""
    text = (resources.files("fleet") / "boards/lab-vm.toml").read_text("utf-8")
    board = tmp_path / "encrypted-vm.toml"
    board.write_text(text.replace('arch = "amd64"', 'arch = "amd64"\ndata = "encrypted"\ndata_key = "card"'))
    words = ["image", "build", "--board", str(board), "--raw", "--deb", str(camera_package()), "--out", str(tmp_path)]
    assert main(words) == 0
    (made,) = tmp_path.glob("firsthand-encrypted-vm-*.img")
    with made.open("r+b") as file:
        file.truncate(3 * 2**30)
    return made


def test_what_was_written_before_a_power_cut_is_there_after_it_and_cannot_be_read_without_the_key(
    card: Path, tmp_path: Path
) -> None:
    def boot() -> Boot:
        chosen = firmware.boot(card, tmp_path / "boot", after="reboot")
        assert chosen.initrd is not None
        return Boot(chosen.kernel, chosen.initrd, f"{chosen.append} {CONSOLE}")

    machine = Machine(tmp_path / "machine", boot, [Disk(card, "card")], reboots=False, memory_mib=768)
    secret = "a word that stands nowhere else, 8c1f"
    with machine:
        machine.ready(seconds=240)
        machine.until("systemctl is-active var-lib-firsthand.mount", seconds=240)
        assert "LUKS2" in machine.run("cryptsetup status firsthand-data")
        machine.run(f"echo '{secret}' > /var/lib/firsthand/spool.kept; sync")
        machine.power_cut()
        assert firmware.read(card, 1, "data.new") is None, "the next boot would make it anew"
        machine.start().ready(seconds=240)
        machine.until("systemctl is-active var-lib-firsthand.mount", seconds=240)
        assert machine.run("cat /var/lib/firsthand/spool.kept").strip() == secret
        machine.stop(seconds=120)
    found = subprocess.run(["grep", "-c", "-a", "-F", secret, str(card)], capture_output=True, text=True, check=False)
    assert found.stdout.strip() == "0"
