"""The harness of the virtual machine: it boots, obeys, and loses what a power cut loses."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from kernel_modules import LabKernel
from machine import CONSOLE, Boot, Disk, Machine, MachineFault
from plain_root import ext4_of, plain_root

pytestmark = [pytest.mark.needs_root, pytest.mark.slow]


def dumped(image: Path, name: str) -> str:
    """A file of an image, read without mounting it."""
    done = subprocess.run(["debugfs", "-R", f"cat {name}", str(image)], capture_output=True, text=True, check=True)
    return done.stdout


def test_a_power_cut_takes_what_was_not_written_through(kernel: LabKernel, initrd: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    card = ext4_of(tmp_path / "empty", tmp_path / "card.ext4", label="card", mib=64)
    boot = Boot(kernel.image, initrd, f"root=/dev/vda {CONSOLE}")
    disks = [Disk(plain_root(), "root", forgets=True), Disk(card, "card")]
    with Machine(tmp_path / "machine", boot, disks) as machine:
        machine.ready()
        assert machine.run("uname -r").strip() == kernel.version
        assert machine.ask("exit 7")[0] == 7
        with pytest.raises(MachineFault, match=r"exit status 1 of: false"):
            machine.run("false")
        machine.run("mount /dev/disk/by-id/virtio-card /mnt")
        machine.run("echo kept >/mnt/synced && sync /mnt/synced && echo lost >/mnt/not-synced")
        machine.power_cut()
        assert not machine.on
    subprocess.run(["e2fsck", "-fp", str(card)], capture_output=True, check=False)
    assert dumped(card, "/synced") == "kept\n"
    assert "lost" not in dumped(card, "/not-synced")
    assert subprocess.run(["e2fsck", "-fn", str(card)], capture_output=True, check=False).returncode == 0
