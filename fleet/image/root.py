"""The root file system of an image: a Debian, our package, the files of `tree/`; nothing that is a secret or a door.

1. Nobody can log in: every account is locked, no console asks for a name, and SSH runs only if a technicians' authority
   was given, and takes only its certificates.
2. No key, no machine number and no seed is in it: two cameras of one image have nothing secret in common.
3. It is never written to: what changes lies in memory (below /var) or on the data partition.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

from fleet.deb_contents import SITE
from fleet.image.board import Base, Board
from fleet.image.debian_root import CannotBuild, DebianRoot, unpacked
from fleet.image.layout import partuuid
from fleet.image.wired import write_rules
from fleet.installed_release import ReleaseGiven, install_manifest

PACKAGES: Final = (
    "systemd", "systemd-sysv", "systemd-resolved", "dbus", "udev", "kmod", "python3", "chrony", "rauc", "rauc-service",
    "openssh-server", "busybox-static", "tiny-initramfs", "e2fsprogs", "dosfstools", "fdisk", "cryptsetup-bin",
    "iproute2", "libasound2t64",
)  # fmt: skip
"""In every image. tiny-initramfs only keeps a larger one away: images have their own initial RAM disk."""
MASKED: Final = (
    "getty@.service", "serial-getty@.service", "autovt@.service", "console-getty.service", "container-getty@.service",
    "debug-shell.service", "emergency.service", "rescue.service", "ctrl-alt-del.target", "systemd-firstboot.service",
    "systemd-machine-id-commit.service", "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer",
    "e2scrub_all.timer", "e2scrub_reap.service", "ssh.service", "ssh.socket", "sshd-keygen.service", "fstrim.timer",
)  # fmt: skip
EPOCH: Final = 1_767_225_600
"""2026-01-01: the time of every file, unless SOURCE_DATE_EPOCH says otherwise."""
USERS: Final = {"firsthand-device": 960, "firsthand-agent": 961, "firsthand-station": 962}
GROUPS: Final = {"firsthand-spool": 970, "firsthand-socket": 971}
ENABLED: Final = ("var-lib-firsthand.mount", "var-log.mount", "systemd-networkd.service")
_GENERATORS: Final = ("systemd-getty-generator", "systemd-ssh-generator", "systemd-gpt-auto-generator")
"""They would open consoles, SSH over virtual sockets, or mount what somebody plugged in."""
_EMPTIED: Final = ("dev", "proc", "run", "sys", "tmp", "var/log", "var/tmp", "var/cache", "var/lib/apt/lists",
                   "usr/share/doc-base", "usr/share/man", "usr/share/info", "usr/share/locale",
                   "usr/share/lintian")  # fmt: skip
_REMOVED: Final = ("etc/ssh/ssh_host_*", "etc/machine-id", "var/lib/dbus/machine-id", "var/lib/systemd/random-seed",
                   "etc/*-", "var/lib/dpkg/*-old", "usr/lib/firsthand/image/data-key.*",
                   "etc/systemd/system/ssh*.wants", "etc/systemd/system/sshd*.service", "etc/ssh/sshd_config.d/*",
                   "etc/systemd/system/getty.target.wants", "var/lib/chrony/*", "etc/hostname")  # fmt: skip


def epoch() -> int:
    """The time of every file, in seconds. Raises `CannotBuild`."""
    text = os.environ.get("SOURCE_DATE_EPOCH", str(EPOCH))
    if not text.isdecimal() or int(text) >= 1 << 32:
        raise CannotBuild(f"SOURCE_DATE_EPOCH={text[:20]!r} is no time in seconds")
    return int(text)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What one image is to have."""

    name: str
    """The board's."""
    board: Board
    base: Base
    version: str
    debs: tuple[Path, ...] = ()
    overlays: tuple[Path, ...] = ()
    """Directories whose files are put over the root, an agency's own."""
    technician_ca: Path | None = None
    rauc_config: str | None = None
    """/etc/rauc/system.conf; without it the system takes no updates."""
    release: ReleaseGiven | None = None


def debian(wishes: Wishes) -> DebianRoot:
    """The Debian below it, as it is kept in the cache."""
    return DebianRoot(
        suite=wishes.base.suite,
        arch=wishes.board.arch,
        packages=(*PACKAGES, *wishes.base.packages),
        mirror="\n".join(wishes.base.sources),
    )


def make_root(wishes: Wishes, into: Path, say: Callable[[str], None] = lambda _line: None) -> None:
    """Make it in the new directory `into`. Needs root. Raises `CannotBuild`, `EvidenceError`, OSError."""
    if os.geteuid() != 0:
        raise CannotBuild("an image holds files of several users: run as root")
    unpacked(debian(wishes).tar(), into)
    _users(into)
    _install(wishes.debs, into)
    _overlay([Path(str(resources.files("fleet") / "image/tree")), *wishes.overlays], into)
    install_manifest(wishes.release, into / SITE, say)
    write_rules(into, wishes.name)
    _data_partition(wishes.board, into)
    if wishes.technician_ca is not None:
        open_ssh(wishes.technician_ca, into)
    _close(into)
    _move_settings(into)
    _name_it(wishes, into)


def _users(root: Path) -> None:
    """The same numbers in every image: what lies on the data partition belongs to numbers, and outlives updates."""
    lines = [f"g {group} {number}" for group, number in GROUPS.items()]
    lines += [f'u {user} {number} "{user}" /var/lib/firsthand /usr/sbin/nologin' for user, number in USERS.items()]
    _chroot(root, "systemd-sysusers", "--inline", *lines)


def _install(debs: Iterable[Path], root: Path) -> None:
    """Our packages, by the root's own dpkg, so that their scripts run and what they need is really there."""
    for deb in debs:
        copy = root / "tmp" / deb.name
        shutil.copyfile(deb, copy)
        _chroot(root, "dpkg", "--install", f"/tmp/{deb.name}")  # noqa: S108 (the root's own, which nobody else sees)
        copy.unlink()


def _overlay(trees: Iterable[Path], root: Path) -> None:
    """All files and links of these directories, root's, readable by all: what a checkout says of modes is not asked."""
    for tree in trees:
        if not tree.is_dir():
            raise CannotBuild(f"{tree} is no directory")
        for directory, names, leaves in os.walk(tree):
            inside = root / Path(directory).relative_to(tree)
            inside.mkdir(parents=True, exist_ok=True)
            for leaf in [*leaves, *(name for name in names if Path(directory, name).is_symlink())]:
                source, target = Path(directory, leaf), inside / leaf
                if target.is_symlink() or target.is_file():
                    target.unlink()
                shutil.copyfile(source, target, follow_symlinks=False)
                if not target.is_symlink():
                    with source.open("rb") as file:
                        runs = os.access(source, os.X_OK) or file.read(2) == b"#!"
                    target.chmod(0o755 if runs else 0o644)


def _data_partition(board: Board, root: Path) -> None:
    device = f"/dev/disk/by-partuuid/{partuuid(7)}"
    if board.data == "encrypted":
        device = "/dev/mapper/firsthand-data"
        programs = root / "usr/lib/firsthand/image"
        shutil.copy(programs / f"data-key.{board.data_key}", programs / "data-key")
    unit = root / "etc/systemd/system/var-lib-firsthand.mount"
    unit.write_text(unit.read_text("utf-8").replace("@DEVICE@", device), "utf-8")
    for name in ("var/lib/firsthand", "boot/firsthand"):
        (root / name).mkdir(parents=True, exist_ok=True)


def open_ssh(authority: Path, root: Path) -> None:
    """Let technicians in who have a certificate of this authority (a public key of OpenSSH). Raises `CannotBuild`."""
    text = authority.read_text("utf-8")
    if not text.startswith(("ssh-ed25519 ", "ecdsa-sha2-nistp", "sk-ssh-ed25519@openssh.com ", "ssh-rsa ")):
        raise CannotBuild(f"{authority} is no public key of OpenSSH: give the .pub file of the technicians' authority")
    (root / "etc/ssh/technician-ca.pub").write_text(text, "utf-8")
    groups = [name for name in ("firsthand-socket", "systemd-journal") if f"\n{name}:" in _read(root, "etc/group")]
    _chroot(root, "useradd", "--no-create-home", "--home-dir", "/run", "--shell", "/bin/bash",
            *(["--groups", ",".join(groups)] if groups else []), "--password", "*", "technician")  # fmt: skip
    _chroot(root, "systemctl", "enable", "firsthand-ssh.service")


def _close(root: Path) -> None:
    """Rules 1 and 2."""
    units = root / "etc/systemd/system"
    for pattern in _REMOVED:
        for path in root.glob(pattern):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    for name in MASKED:
        (units / name).unlink(missing_ok=True)
        (units / name).symlink_to("/dev/null")
    generators = root / "etc/systemd/system-generators"
    generators.mkdir(parents=True, exist_ok=True)
    for name in _GENERATORS:
        (generators / name).symlink_to("/dev/null")
    for unit in ENABLED:
        _chroot(root, "systemctl", "enable", unit)
    shadow = root / "etc/shadow"
    today = str(epoch() // 86_400)
    lines = [line.split(":") for line in shadow.read_text("utf-8").splitlines()]
    shadow.write_text("".join(":".join([user, "*", today, *rest]) + "\n" for user, _, _, *rest in lines), "utf-8")
    (root / "etc/machine-id").write_bytes(b"")
    (root / "etc/hostname").write_text("firsthand\n", "ascii")
    (root / "etc/resolv.conf").unlink(missing_ok=True)
    (root / "etc/resolv.conf").symlink_to("../run/systemd/resolve/stub-resolv.conf")
    for name in _EMPTIED:
        directory = root / name
        if directory.is_dir() and not directory.is_symlink():
            for path in directory.iterdir():
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _move_settings(root: Path) -> None:
    """/etc/firsthand is a link to the data partition; what the package put there is copied at the first boot."""
    settings, kept = root / "etc/firsthand", root / "usr/share/firsthand/etc"
    kept.mkdir(parents=True, exist_ok=True)
    if settings.is_dir() and not settings.is_symlink():
        shutil.copytree(settings, kept, dirs_exist_ok=True)
        shutil.rmtree(settings)
    settings.unlink(missing_ok=True)
    settings.symlink_to("/var/lib/firsthand/etc")
    (root / "boot/firsthand").mkdir(parents=True, exist_ok=True)


def _name_it(wishes: Wishes, root: Path) -> None:
    path = root / "usr/lib/os-release"
    path.write_text(
        f'{path.read_text("utf-8")}IMAGE_ID=firsthand-{wishes.name}\nIMAGE_VERSION="{wishes.version}"\n', "utf-8"
    )
    if wishes.rauc_config is not None:
        (root / "etc/rauc").mkdir(parents=True, exist_ok=True)
        (root / "etc/rauc/system.conf").write_text(wishes.rauc_config, "ascii")


def _read(root: Path, name: str) -> str:
    return (root / name).read_text("utf-8")


def _chroot(root: Path, *command: str) -> None:
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive",
                   "SYSTEMD_OFFLINE": "1", "SOURCE_DATE_EPOCH": str(epoch())}  # fmt: skip
    done = subprocess.run(["chroot", str(root), *command], capture_output=True, text=True, check=False,
                          env=environment, stdin=subprocess.DEVNULL)  # fmt: skip
    if done.returncode != 0:
        raise CannotBuild(f"{command[0]} in the root fails: {(done.stderr or done.stdout).strip()[-400:]}")


def squash(root: Path, out: Path, epoch: int) -> None:
    """The read-only file system of a root, the same bytes for the same root. Raises `CannotBuild`."""
    if shutil.which("mksquashfs") is None:
        raise CannotBuild("mksquashfs is missing; run: sudo apt-get install squashfs-tools")
    out.unlink(missing_ok=True)
    environment = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    command = ["mksquashfs", str(root), str(out), "-noappend", "-comp", "zstd", "-Xcompression-level", "6", "-b",
               "256K", "-all-time", str(epoch), "-mkfs-time", str(epoch), "-no-progress", "-quiet"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False,
                          env=environment)  # fmt: skip
    if done.returncode != 0:
        raise CannotBuild(f"mksquashfs: {(done.stderr or done.stdout).strip()[-300:]}")
