"""Who gets in over the network: a technician whose certificate holds, into a started image, by the real ssh.

By hand and in `make lab`: it takes some minutes. docs/image.md says what is promised here.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import firmware
import pytest
from flashed_camera import image_of_this_checkout
from machine import CONSOLE, Boot, Disk, Machine

pytestmark = [pytest.mark.needs_root, pytest.mark.slow, pytest.mark.timeout(1200)]
CARD_MIB = 3072
HERE = "127.0.0.1"


def new_key(path: Path) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return path


@dataclass(frozen=True)
class Door:
    """The camera's port, the agency's authority, and another one."""

    directory: Path
    machine: Machine
    port: int

    def technician(self, name: str, *, authority: str = "technicians", principal: str = "technician",
                   valid: str = "-1d:+1d") -> Path:  # fmt: skip
        """A technician's key with a certificate beside it, by the commands of docs/image.md."""
        key = new_key(self.directory / name)
        subprocess.run(["ssh-keygen", "-q", "-s", str(self.directory / authority), "-I", name, "-n", principal, "-V",
                        valid, f"{key}.pub"], check=True)  # fmt: skip
        return key

    def ssh(
        self, key: Path, *command: str, user: str = "technician", more: tuple[str, ...] = ()
    ) -> subprocess.CompletedProcess[str]:
        """One login; again if sshd does not talk to us for now, as it does after failed ones (PerSourcePenalties)."""
        options = {"BatchMode": "yes", "IdentitiesOnly": "yes", "StrictHostKeyChecking": "accept-new",
                   "UserKnownHostsFile": str(self.directory / "known"), "ConnectTimeout": "60"}  # fmt: skip
        words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        whole = ["ssh", "-F", "none", "-p", str(self.port), "-i", str(key), *words, *more, f"{user}@{HERE}", *command]
        deadline = time.monotonic() + 240
        while True:
            done = subprocess.run(whole, capture_output=True, text=True, check=False, timeout=240)
            if "kex_exchange_identification" not in done.stderr or time.monotonic() > deadline:
                return done
            time.sleep(2)


@pytest.fixture(scope="module")
def door(whole_lab: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """An image that was built with --technician-ca, on a card, started; it is nobody's camera yet."""
    if shutil.which("ssh") is None:
        pytest.fail("ssh is missing; run: sudo apt-get install openssh-client")
    directory = tmp_path_factory.mktemp("ssh")
    for authority in ("technicians", "others"):
        new_key(directory / authority)
    opened = ["--technician-ca", directory / "technicians.pub"]
    card = image_of_this_checkout(directory / "image", "lab-vm", *opened)
    with card.open("r+b") as file:
        file.truncate(CARD_MIB << 20)

    def boots() -> Boot:
        found = firmware.boot(card, directory / "firmware")
        assert found.initrd is not None
        return Boot(found.kernel, found.initrd, f"{found.append} {CONSOLE}")

    with socket.create_server((HERE, 0)) as free:
        port = int(free.getsockname()[1])
    machine = Machine(directory / "machine", boots, [Disk(card, "card")], network=True, forwards={port: 22},
                      memory_mib=768)  # fmt: skip
    with machine:
        machine.ready(seconds=180)
        machine.until("ss -Hltn | grep -q ':22 '", seconds=400)
        machine.until("ip -4 -o address show dock0 | grep -q 10.0.2.15", seconds=120)
        yield Door(directory, machine, port)


@pytest.mark.requirement("R1")
def test_a_technician_with_the_agencys_certificate_gets_in_as_an_ordinary_user(door: Door) -> None:
    done = door.ssh(door.technician("with-certificate"), "id -un; id -Gn; sudo -n true; cat /etc/shadow")
    assert done.stdout.split()[:2] == ["technician", "technician"], done.stderr
    assert {"firsthand-socket", "systemd-journal"} <= set(done.stdout.split())
    assert not {"root", "sudo", "disk", "firsthand-spool", "firsthand-device"} & set(done.stdout.split())
    assert "Permission denied" in done.stderr
    assert "root:" not in done.stdout


@pytest.mark.requirement("R1")
@pytest.mark.parametrize(
    "who", ["a plain key", "an expired certificate", "another authority's certificate", "another name's certificate"]
)
def test_everyone_else_is_refused(door: Door, who: str) -> None:
    name = who.replace(" ", "-").replace("'", "")
    if who == "a plain key":
        key = new_key(door.directory / name)
    elif who == "an expired certificate":
        key = door.technician(name, valid="20250101:20250102")
    elif who == "another authority's certificate":
        key = door.technician(name, authority="others")
    else:
        key = door.technician(name, principal="root")
    done = door.ssh(key, "id")
    assert done.returncode == 255
    assert "Permission denied (publickey)" in done.stderr
    assert done.stdout == ""


@pytest.mark.requirement("R1")
def test_nobody_is_let_in_as_root_and_a_technician_reaches_nothing_through_the_camera(door: Door) -> None:
    as_root = door.ssh(door.technician("for-root", principal="root,technician"), "id", user="root")
    assert (as_root.returncode, as_root.stdout) == (255, "")
    tunnel = ("-R", "9123:127.0.0.1:9", "-o", "ExitOnForwardFailure=yes")
    forwarded = door.ssh(door.technician("forwards"), "true", more=tunnel)
    assert forwarded.returncode == 255
    assert "remote port forwarding failed" in forwarded.stderr
    journal = door.machine.run("journalctl -b -u firsthand-ssh --no-pager -o cat")
    assert "not allowed because not listed in AllowUsers" in journal
