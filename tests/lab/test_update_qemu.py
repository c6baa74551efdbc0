"""Updates in the lab's virtual machine: the image's own system, dm-verity, FAT, systemd's units and their sandboxes.

By hand and in `make lab`: it takes minutes. tests/lab/test_update_install.py has the rules one by one.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

import firmware
import msgspec
import pytest
from machine import CONSOLE, Boot, Disk, Machine
from update_bench import images_of, signed_release
from update_card import BOARD, make_card, releases

from evidence.requests import UpdateRequest
from fleet.ca import create_agency
from fleet.update import autoboot
from fleet.update.bundle import make_bundle
from fleet.update.health import WITHIN_S

pytestmark = [pytest.mark.needs_root, pytest.mark.slow, pytest.mark.timeout(3000)]
EVIDENCE = hashlib.shake_256(b"what an officer recorded").digest(100_000)
AS_AGENT = "setpriv --reuid=firsthand-agent --regid=firsthand-agent --clear-groups"
STATE = "cat /var/lib/firsthand/update/state.json"
ASK = 'python3 -c \'import socket; s = socket.socket(socket.AF_UNIX); s.connect("/run/firsthand/device.sock"); '


class Camera:
    """The machine and its card; a restart asks the firmware again."""

    def __init__(self, directory: Path, card: Path) -> None:
        self.card, self._out = card, directory / "out"
        self.after: firmware.After = "power-on"
        self.slot = "?"
        self.machine = Machine(directory / "machine", self._boots, [Disk(card, "card")], reboots=False)

    def _boots(self) -> Boot:
        found = firmware.boot(self.card, self._out, after=self.after)
        assert found.initrd is not None
        self.slot = found.slot
        return Boot(found.kernel, found.initrd, f"{found.append} {CONSOLE}")

    def goes_off(self, seconds: float = 240) -> None:
        """A restart ends the machine: the firmware is asked again."""
        self.machine.wait_for_end(seconds=seconds)
        self.after = "reboot"

    def restarts(self, seconds: float = 240) -> None:
        """It restarts by itself; the firmware takes a flag then that stands on the card."""
        self.goes_off(seconds)
        self.machine.start().ready(seconds=240)
        self.machine.until("systemctl is-active firsthand-device.service", seconds=120)

    def asks(self, phase: Literal["began", "ended"]) -> None:
        request = msgspec.json.encode(UpdateRequest(phase=phase)).decode()
        script = f'{ASK}s.sendall(b"""{request}\n"""); print(s.recv(99))\''
        assert "done" in self.machine.until(script, seconds=90)

    def installs(self, version: str, bundle: str = "") -> tuple[int, str]:
        """As the agent does it: as its user, between `began` and `ended`."""
        self.asks("began")
        place = "/var/lib/firsthand/agent/updates"
        program = f"/usr/lib/firsthand/install-update {place}/{bundle or version}.raucb {place}/{bundle or version}.p7s"
        said = self.machine.ask(f"{AS_AGENT} {program}", seconds=400)
        self.asks("ended")
        return said


def tampered(bundle: Path, out: Path, *, signature: bool) -> Path:
    """One bit of a bundle turned, in its payload or in its signature (the last bytes, before their length)."""
    data = bytearray(bundle.read_bytes())
    place = len(data) - 8 - 40 if signature else len(data) // 2
    data[place] ^= 1
    out.write_bytes(data)
    return out


@pytest.fixture(scope="module")
def pki(whole_lab: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("agency") / "pki"
    create_agency(directory, serial="LAB-1", organization="Lab", simulated=True)
    return directory


def camera_with(directory: Path, pki: Path, version: str) -> Camera:
    """A camera that runs release 1.0, whose agent has fetched `version`, and three more that must be refused."""
    key, cert = pki / "release.key", pki / "release.pem"
    whole, small = directory / f"{version}.raucb", directory / "small.raucb"
    make_bundle(releases()[version], board=BOARD, version=version, key=key, cert=cert, out=whole)
    make_bundle(images_of(directory, "2.0"), board=BOARD, version="2.0", key=key, cert=cert, out=small)
    payload = tampered(small, directory / "payload.raucb", signature=False)
    signature = tampered(small, directory / "signature.raucb", signature=True)
    handed = {}
    for name, claims, bundle in (
        (version, version, whole),
        ("older", "0.9", small),
        ("payload", "2.0", payload),
        ("signature", "2.0", signature),
    ):
        handed[f"{name}.raucb"] = bundle.read_bytes()
        handed[f"{name}.p7s"] = signed_release(pki, claims, bundle)
    card = directory / "card.img"
    make_card(card, pki, handed, EVIDENCE, directory)
    whole.unlink()
    return Camera(directory, card)


def is_up(camera: Camera) -> None:
    for unit in ("firsthand-install.socket", "firsthand-device.service", "firsthand-agent.service"):
        camera.machine.until(f"systemctl is-active {unit}", seconds=120)


def keeps_its_evidence(machine: Machine) -> bool:
    said = machine.run("sha256sum </var/lib/firsthand/spool/LAB-1-000001.evidence")
    return said.split()[0] == hashlib.sha256(EVIDENCE).hexdigest()


@pytest.mark.requirement("R38")
def test_a_release_is_installed_tried_and_confirmed_and_tampered_ones_are_refused(tmp_path: Path, pki: Path) -> None:
    camera = camera_with(tmp_path, pki, "2.0")
    with camera.machine as machine:
        machine.ready(seconds=240)
        is_up(camera)
        assert camera.slot == "A"
        for name, why in (
            ("older", "release 0.9 is not newer than 1.0"),
            ("signature", "rauc does not install it"),
            ("payload", "rauc does not install it"),
        ):
            status, said = camera.installs(name)
            assert (status, why in said) == (1, True), said
            assert '"phase":"installed"' not in machine.ask(STATE)[1]
        bus = "busctl call de.pengutronix.rauc / de.pengutronix.rauc.Installer GetPrimary"
        status, said = machine.ask(f"{AS_AGENT} {bus}", seconds=60)
        assert (status, "denied" in said.lower()) == (1, True), said

        status, said = camera.installs("2.0")
        assert (status, "release 2.0 is installed" in said) == (0, True), said
        machine.run("systemctl --no-block start firsthand-try-update")
        camera.restarts()
        assert camera.slot == "B"
        machine.until(f'{STATE} | grep \'"phase":"confirmed"\'', seconds=180)
        assert autoboot.chosen_in(machine.run("cat /boot/firsthand/autoboot.txt").encode()) == "B"
        assert keeps_its_evidence(machine)


@pytest.mark.requirement("R38")
def test_a_release_whose_recorder_does_not_start_takes_itself_back(tmp_path: Path, pki: Path) -> None:
    camera = camera_with(tmp_path, pki, "3.0")
    with camera.machine as machine:
        machine.ready(seconds=240)
        is_up(camera)
        status, said = camera.installs("3.0")
        assert (status, "release 3.0 is installed" in said) == (0, True), said
        machine.run("systemctl --no-block start firsthand-try-update")
        camera.goes_off()
        machine.start()
        assert camera.slot == "B"
        camera.restarts(WITHIN_S + 600)  # it decides by itself, once the new release has had its time
        assert camera.slot == "A"
        is_up(camera)
        assert '"phase":"rolled_back"' in machine.run(STATE)
        status, said = camera.installs("3.0")
        assert (status, "was tried and did not prove itself" in said) == (1, True), said
        assert keeps_its_evidence(machine)
