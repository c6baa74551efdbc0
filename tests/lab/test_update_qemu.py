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

pytestmark = [pytest.mark.needs_root, pytest.mark.slow, pytest.mark.timeout(1500)]
EVIDENCE = hashlib.shake_256(b"what an officer recorded").digest(100_000)
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

    def restarts(self, seconds: float = 240) -> None:
        """It restarts by itself; the firmware takes a flag then that stands on the card."""
        self.machine.wait_for_end(seconds=seconds)
        self.after = "reboot"
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
        said = self.machine.ask(f"setpriv --reuid=firsthand-agent --clear-groups --regid=firsthand-agent {program}",
                                seconds=400)  # fmt: skip
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
def camera(whole_lab: None, tmp_path_factory: pytest.TempPathFactory) -> Camera:
    directory = tmp_path_factory.mktemp("updates")
    pki = directory / "pki"
    create_agency(pki, serial="LAB-1", organization="Lab", simulated=True)
    bundles = {}
    for version in ("2.0", "3.0"):
        bundles[version] = directory / f"{version}.raucb"
        key, cert = pki / "release.key", pki / "release.pem"
        make_bundle(releases()[version], board=BOARD, version=version, key=key, cert=cert, out=bundles[version])
    small = directory / "small.raucb"
    make_bundle(images_of(directory, "2.0"), board=BOARD, version="2.0", key=key, cert=cert, out=small)
    bundles["payload"] = tampered(small, directory / "payload.raucb", signature=False)
    bundles["signature"] = tampered(small, directory / "signature.raucb", signature=True)
    manifests = {name: name for name in bundles} | {"payload": "2.0", "signature": "2.0", "older": "0.9"}
    handed = {f"{name}.raucb": path.read_bytes() for name, path in bundles.items()}
    for name, version in manifests.items():
        handed[f"{name}.p7s"] = signed_release(pki, version, bundles.get(name, bundles["2.0"]))
    card = directory / "card.img"
    make_card(card, pki, handed, EVIDENCE, directory)
    return Camera(directory, card)


@pytest.mark.requirement("R38")
def test_a_camera_is_updated_goes_back_and_refuses_what_it_must(camera: Camera) -> None:
    with camera.machine as machine:
        machine.ready(seconds=240)
        machine.until("systemctl is-active firsthand-install.socket", seconds=120)
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
        status, said = machine.ask(f"setpriv --reuid=firsthand-agent --clear-groups --regid=firsthand-agent {bus}")
        assert (status, "denied" in said) == (1, True), said

        status, said = camera.installs("2.0")
        assert (status, "release 2.0 is installed" in said) == (0, True), said
        said = machine.run("systemctl start firsthand-try-update; journalctl -u firsthand-try-update")
        assert "restarting into release 2.0" in said
        camera.restarts()
        assert camera.slot == "B"
        machine.until(f'{STATE} | grep \'"phase":"confirmed"\'', seconds=180)
        assert autoboot.chosen_in(machine.run("cat /boot/firsthand/autoboot.txt").encode().ljust(256, b"\n")) == "B"

        status, said = camera.installs("3.0")
        assert status == 0, said
        machine.run("systemctl start firsthand-try-update")
        camera.machine.wait_for_end(seconds=120)
        camera.after = "reboot"
        machine.start()
        assert camera.slot == "A"  # the bad one is tried
        camera.restarts()
        assert camera.slot == "B"
        state = machine.run(STATE)
        assert '"phase":"rolled_back"' in state
        status, said = camera.installs("3.0")
        assert (status, "was tried and did not prove itself" in said) == (1, True), said
        digest = machine.run("sha256sum </var/lib/firsthand/spool/LAB-1-000001.evidence").split()[0]
        assert digest == hashlib.sha256(EVIDENCE).hexdigest()
        machine.stop()
