"""The board's watchdog: a system manager that hangs, and a cell that is empty, on a real kernel (docs/lab.md)."""

from __future__ import annotations

from pathlib import Path

import pytest
from copied_spool import copied, file_system_state
from kernel_modules import LabKernel
from lab_root import camera_card, installed_root, lab_agency
from machine import CONSOLE, Boot, Disk, Machine
from virtual_board import VirtualBoard, board_disk, board_units

pytestmark = [pytest.mark.needs_root, pytest.mark.slow, pytest.mark.timeout(900)]


def test_a_hung_system_restarts_by_itself_and_an_empty_cell_ends_it_in_order(
    whole_lab: None, kernel: LabKernel, initrd: Path, tmp_path: Path
) -> None:
    agency = lab_agency(tmp_path / "pki")
    card = camera_card(tmp_path, agency)
    boot = Boot(kernel.image, initrd, f"root=/dev/vda {CONSOLE}")
    disks = [Disk(installed_root(), "root", forgets=True), Disk(card, "data"), board_disk(tmp_path, kernel)]
    machine = Machine(tmp_path / "machine", boot, disks, units=board_units())
    board = VirtualBoard(machine)
    with machine:
        machine.ready()
        board.wait_ready()
        board.press("record_button", times=2)
        board.wait_state("recording")
        # PID 1 takes no signal that would stop it, but its control group can be frozen: nobody feeds the watchdog.
        machine.run("echo 1 >/sys/fs/cgroup/init.scope/cgroup.freeze")
        machine.wait_for(r"^.*Linux version ", count=2, seconds=120)
        machine.ready(seconds=180)
        board.wait_ready()
        board.wait_state("recording")
        board.cell(percent=1)
        machine.wait_for_end(seconds=240)
    assert file_system_state(card) == ""
    spool = copied(card, tmp_path / "after", agency.root)
    first, second = (spool.verify(path) for path in spool.recordings())
    assert first.valid, first.findings
    assert first.recovered is not None
    assert second.valid, second.findings
    assert second.recovered is None
    assert second.closed is not None
