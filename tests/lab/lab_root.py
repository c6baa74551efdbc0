"""The root of the lab's camera: Debian with our package installed in it as a technician would, and an agency's files.

Built anew when the package's contents change (half a minute), else out of the cache.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import hashlib
import inspect
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kernel_modules import cache_directory
from package import camera_package
from plain_root import ext4_of

from evidence.cms import sign
from evidence.keys import FileSigner
from evidence.statements import encode_canonical
from fleet.ca import create_agency, write_credential
from fleet.image.debian_root import CannotBuild, DebianRoot, unpacked

BASE: Final = Path(__file__).resolve().parents[2]
SERIAL: Final = "LAB-0001"
SYSTEM: Final = "lab-police-department"
HOST: Final = "10.0.2.2"
"""This machine, as qemu's network shows it to the camera."""
DEBIAN: Final = DebianRoot(
    packages=("systemd", "systemd-sysv", "dbus", "udev", "kmod", "python3", "libasound2t64", "iproute2"),
)
POLICY: Final[dict[str, Any]] = {
    "v": 1,
    "name": "lab",
    "version": 1,
    "pre_event_s": 4,
    "confirm_stop_s": 0,
    "stop_reason_s": 0,
    "double_press_ms": 2000,
}
NEEDLESS: Final = ("getty@tty1.service", "serial-getty@ttyS0.service", "getty.target", "apt-daily.timer",
                   "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "fstrim.timer", "e2scrub_all.timer",
                   "e2scrub_reap.service", "systemd-ask-password-console.path", "systemd-ask-password-wall.path",
                   "systemd-logind.service", "modprobe@efi_pstore.service", "modprobe@drm.service",
                   "modprobe@fuse.service", "modprobe@dm_mod.service")  # fmt: skip
"""Of a Debian that people log in to. Each costs a start in an emulated processor."""
AGENT: Final = """\
recorder_socket = "/run/firsthand/device.sock"
state_directory = "/var/lib/firsthand/agent"
root = "/etc/firsthand/keys/root.pem"
[station]
url = "https://{host}:{port}"
system_id = "{system}"
[tls]
certificate = "/etc/firsthand/keys/camera-tls.pem"
key = "/etc/firsthand/keys/camera-tls.key"
ca = "/etc/firsthand/keys/tls-ca.pem"
[offload]
poll_s = 2.0
timeout_s = 60.0
backoff_first_s = 0.5
backoff_max_s = 5.0
"""


@dataclass(frozen=True, slots=True)
class Agency:
    """An agency with one camera: keys of everybody side by side, as only a laboratory may have them."""

    pki: Path

    @property
    def root(self) -> Path:
        return self.pki / "root.pem"


def lab_agency(directory: Path) -> Agency:
    """A new agency. Nothing of it is simulated but the agency itself: real drivers need no such certificate."""
    authority = create_agency(directory, serial=SERIAL, organization="Lab Police Department", simulated=False)
    station = authority.tls_server("localhost", ("127.0.0.1", HOST))
    write_credential(directory, "station-tls", station)
    return Agency(directory)


def installed_root() -> Path:
    """The disk, our package installed, without any agency: a camera's own things lie on its card. Never written to."""
    package = camera_package()
    words = (DEBIAN.name(), hashlib.sha256(package.read_bytes()).hexdigest(), *NEEDLESS, inspect.getsource(_install))
    digest = hashlib.sha256("\n".join(words).encode())
    image = cache_directory() / f"lab-root-{digest.hexdigest()[:16]}.ext4"
    image.parent.mkdir(parents=True, exist_ok=True)
    with Path(f"{cache_directory()}/lab-root.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not image.exists():
            for old in image.parent.glob("lab-root-*.ext4"):
                old.unlink()
            with tempfile.TemporaryDirectory(dir=image.parent) as scratch:
                _install(package, Path(scratch)).rename(image)
    return image


def _install(package: Path, scratch: Path) -> Path:
    root = unpacked(DEBIAN.tar(), scratch / "root")
    shutil.copy(package, root / "root" / package.name)
    # In a mount namespace of its own: systemd-tmpfiles, which makes the package's directories, wants /proc.
    install = f"mount -t proc proc /proc && dpkg --install /root/{package.name}"
    run("unshare", "--mount", "chroot", str(root), "sh", "-c", install)
    (root / "root" / package.name).unlink()
    for unit in NEEDLESS:
        (root / "etc/systemd/system" / unit).unlink(missing_ok=True)
        (root / "etc/systemd/system" / unit).symlink_to("/dev/null")
    (root / "etc/fstab").write_text("LABEL=firsthand-data /var/lib/firsthand ext4 noatime 0 2\n")
    (root / "etc/hostname").write_text("lab\n")
    shutil.rmtree(root / "etc/firsthand")
    (root / "etc/firsthand").symlink_to("/var/lib/firsthand/etc")
    return ext4_of(root, scratch / "root.ext4", label="lab-root", mib=1200)


def camera_card(directory: Path, agency: Agency, *, station_port: int | None = None, mib: int = 2048) -> Path:
    """The data partition of this agency's camera, with the settings that `firsthand-device new-config` writes."""
    tree = directory / "card"
    etc, keys = tree / "etc", tree / "etc/keys"
    keys.mkdir(parents=True)
    tree.chmod(0o755)
    for name in ("root.pem", "camera.pem", "camera.key", "camera-tls.pem", "camera-tls.key", "tls-ca.pem"):
        shutil.copy(agency.pki / name, keys / name)
    shutil.copy(agency.pki / "vault.pem", etc / "vault-1.pem")
    office = FileSigner.load(agency.pki / "profile.key", agency.pki / "profile.pem")
    (etc / "profile.p7s").write_bytes(sign(encode_canonical(POLICY), office, dt.datetime.now(dt.UTC)))
    run(sys.executable, "-m", "device", "new-config", "--board", "lab-vm", "--serial", SERIAL,
        "--out", str(etc / "device.toml"))  # fmt: skip
    if station_port is not None:
        (etc / "agent.toml").write_text(AGENT.format(host=HOST, port=station_port, system=SYSTEM))
    return ext4_of(tree, directory / "data.ext4", label="firsthand-data", mib=mib)


def run(*command: str) -> str:
    """A tool's output. Raises `CannotBuild` with its last words."""
    environment = {**os.environ, "PYTHONPATH": str(BASE), "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment,
                          stdin=subprocess.DEVNULL)  # fmt: skip
    if done.returncode != 0:
        raise CannotBuild(f"{' '.join(command[:5])}…: {(done.stdout + done.stderr).strip()[-800:]}")
    return done.stdout
