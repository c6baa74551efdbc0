"""An image as `firsthand-fleet image build` makes it, looked at from outside: no door, no secret, nothing missing."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import firmware
import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from image_bench import VERSION, Image, build, taken_out

from device.firmware_check import MANIFEST, judge_firmware
from evidence.release import code_sha256
from evidence.statements import CameraFacts
from evidence.trust import Trust
from fleet.__main__ import main
from fleet.ca import create_agency
from fleet.image.debian_root import CannotBuild
from fleet.image.initramfs import make_initramfs
from fleet.image.layout import MIB
from fleet.image.root import open_ssh

pytestmark = [pytest.mark.needs_root, pytest.mark.slow]
TOOLS = {"mmdebstrap": "mmdebstrap", "mksquashfs": "squashfs-tools", "mcopy": "mtools", "mkfs.vfat": "dosfstools",
         "zstd": "zstd", "sfdisk": "fdisk", "bmaptool": "bmap-tools", "dpkg-deb": "dpkg"}  # fmt: skip
SECRET = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----\s[A-Za-z0-9+/=\s]{64}")


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An agency's keys."""
    return tmp_path_factory.mktemp("pki")


@pytest.fixture(scope="module")
def image(pki: Path, tmp_path_factory: pytest.TempPathFactory) -> Image:
    missing = [f"{tool} (package {package})" for tool, package in TOOLS.items() if shutil.which(tool) is None]
    missing += ["root"] if os.geteuid() != 0 else []
    if missing:
        reason = f"an image needs {', '.join(missing)}: run `make test` as root once"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    create_agency(pki)
    return build(tmp_path_factory.mktemp("image"),
                 "--release-key", str(pki / "release.key"), "--release-cert", str(pki / "release.pem"))  # fmt: skip


@pytest.fixture(scope="module")
def root(image: Image, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The system of the image, unpacked."""
    into = tmp_path_factory.mktemp("root") / "root"
    subprocess.run(["unsquashfs", "-no-progress", "-q", "-d", str(into), str(image.file(".rootfs.squashfs"))],
                   check=True, capture_output=True)  # fmt: skip
    return into


def test_what_it_leaves_is_whole_by_its_sums(image: Image) -> None:
    done = subprocess.run(["sha256sum", "-c", image.file(".SHA256SUMS").name], cwd=image.directory,
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert done.stdout.count(": OK") == 5


def test_the_card_holds_what_an_update_is_made_of(image: Image, tmp_path: Path) -> None:
    for number, ending in ((2, ".boot.vfat"), (5, ".rootfs.squashfs")):
        part = taken_out(image.card, number, tmp_path / "part").read_bytes()
        file = image.file(ending).read_bytes()
        assert part[: len(file)] == file
        assert not part[len(file) :].strip(b"\0")


def test_the_firmware_starts_it_silently_from_slot_a(image: Image, tmp_path: Path) -> None:
    boot = firmware.boot(image.card, tmp_path)
    words = boot.append.split()
    assert "root=PARTUUID=46485354-05" in words
    assert "rauc.slot=A" in words
    assert not [word for word in words if word.startswith("console=")]
    assert "systemd.getty_auto=no" in words
    assert boot.kernel.stat().st_size > MIB
    assert boot.initrd is not None
    assert boot.initrd.read_bytes()[:4] == b"\x28\xb5\x2f\xfd"


def test_a_flashed_card_holds_no_identity_and_an_empty_data_partition(image: Image, tmp_path: Path) -> None:
    listed = subprocess.run(["mdir", "-b", "-i", str(taken_out(image.card, 1, tmp_path / "1"))],
                            capture_output=True, text=True, check=True).stdout.split()  # fmt: skip
    assert sorted(listed) == ["::/autoboot.txt", "::/data.new"]
    assert not taken_out(image.card, 7, tmp_path / "7").read_bytes().strip(b"\0")


def test_bmaptool_copies_it(image: Image, tmp_path: Path) -> None:
    card = tmp_path / "card"
    done = subprocess.run(["bmaptool", "copy", "--bmap", str(image.file(".bmap")), str(image.card), str(card)],
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert firmware.boot(card, tmp_path / "boot").slot == "A"


def test_the_list_of_contents_is_cyclonedx_and_names_every_package(image: Image, root: Path) -> None:
    text = image.file(".cdx.json").read_text("utf-8")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bill = json.loads(text)
    listed = subprocess.run(["dpkg-query", f"--admindir={root}/var/lib/dpkg", "-W", "-f=${Package}\n"],
                            capture_output=True, text=True, check=True)  # fmt: skip
    installed = set(listed.stdout.split())
    assert len(installed) > 60
    assert {each["name"] for each in bill["components"] if each["purl"].startswith("pkg:deb/")} == installed
    ours = next(each for each in bill["components"] if each["name"] == "firsthand")
    assert ours["version"] == f"{VERSION}-1"
    library = next(each for each in bill["components"] if each["purl"] == "pkg:pypi/example@4.5")
    assert library["licenses"] == [{"license": {"name": "MIT"}}]


@pytest.mark.requirement("R8")
def test_its_code_is_the_release_that_it_was_signed_as(root: Path, pki: Path) -> None:
    site = root / "usr/lib/firsthand/site"
    facts = CameraFacts(model="any", firmware=VERSION, firmware_sha256=code_sha256(site))
    row = judge_firmware(facts, [site / MANIFEST], Trust.load(pki / "root.pem"))
    assert row.outcome == "pass", row
    assert oct((site / MANIFEST).stat().st_mode)[-3:] == "644"


@pytest.mark.requirement("R1")
def test_every_account_is_locked(root: Path) -> None:
    accounts = [line.split(":") for line in (root / "etc/shadow").read_text("utf-8").splitlines()]
    assert len(accounts) > 15
    assert {account[1] for account in accounts} == {"*"}
    assert not [line for line in (root / "etc/passwd").read_text("utf-8").splitlines() if line.split(":")[1] != "x"]


@pytest.mark.requirement("R1")
def test_no_console_asks_for_a_name(root: Path) -> None:
    units = root / "etc/systemd/system"
    for name in ("getty@.service", "serial-getty@.service", "debug-shell.service", "ssh.service", "ssh.socket"):
        assert str((units / name).readlink()) == "/dev/null"
    assert not [path for path in units.rglob("*") if "getty" in path.name and str(path.readlink()) != "/dev/null"]
    assert not (units / "multi-user.target.wants/firsthand-ssh.service").is_symlink()


@pytest.mark.requirement("R1")
def test_what_is_plugged_in_is_no_disk(root: Path) -> None:
    """Asked of the system's own modprobe: what it would do for a stick."""
    for driver in ("usb_storage", "uas"):
        release = next((root / "usr/lib/modules").iterdir()).name
        told = subprocess.run(["chroot", str(root), "modprobe", "-S", release, "--show-depends", driver],
                              capture_output=True, text=True, check=False)  # fmt: skip
        assert told.stdout.strip().splitlines()[-1:] in ([], ["install /bin/false"]), told.stdout


def test_it_looks_for_the_docks_network(root: Path) -> None:
    assert (root / "etc/systemd/system/multi-user.target.wants/systemd-networkd.service").is_symlink()


def test_no_key_and_no_number_is_in_it(root: Path) -> None:
    assert (root / "etc/machine-id").read_bytes() == b""
    assert not list(root.glob("etc/ssh/ssh_host_*"))
    assert not (root / "var/lib/systemd/random-seed").exists()
    keys = [path for directory, _, names in os.walk(root) for name in names
            if (path := Path(directory, name)).is_file() and not path.is_symlink() and path.stat().st_size < MIB
            and SECRET.search(path.read_bytes())]  # fmt: skip
    assert not keys


@pytest.mark.requirement("R1")
def test_ssh_takes_only_certificates_of_the_technicians_authority(root: Path, tmp_path: Path) -> None:
    """What an image with --technician-ca has more."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "ca")], check=True)
    open_ssh(tmp_path / "ca.pub", root)
    host = root / "run/host_key"
    host.write_bytes((tmp_path / "ca").read_bytes())
    host.chmod(0o600)
    (root / "run/sshd").mkdir(exist_ok=True)
    os.mknod(root / "dev/null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    said = subprocess.run(["chroot", str(root), "/usr/sbin/sshd", "-T", "-h", "/run/host_key"],
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert said.returncode == 0, said.stderr
    settings = set(said.stdout.lower().splitlines())
    assert {"trustedusercakeys /etc/ssh/technician-ca.pub", "authorizedkeysfile none", "passwordauthentication no",
            "kbdinteractiveauthentication no", "permitrootlogin no", "allowusers technician", "allowtcpforwarding no",
            "pubkeyauthentication yes", "usepam no"} <= settings  # fmt: skip
    assert (root / "etc/systemd/system/multi-user.target.wants/firsthand-ssh.service").is_symlink()
    assert "\ntechnician:*:" in (root / "etc/shadow").read_text("utf-8")


def test_a_private_key_in_place_of_the_authority_is_refused(root: Path, tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "ca")], check=True)
    with pytest.raises(CannotBuild, match=r"no public key of OpenSSH: give the \.pub file"):
        open_ssh(tmp_path / "ca", root)


def test_settings_are_the_data_partitions_and_begin_with_the_packages(root: Path) -> None:
    assert str((root / "etc/firsthand").readlink()) == "/var/lib/firsthand/etc"
    assert (root / "usr/share/firsthand/etc/site.toml").read_text("utf-8") == "v = 1\n"


def test_users_have_the_same_numbers_in_every_image(root: Path) -> None:
    numbers = {fields[0]: int(fields[2]) for line in (root / "etc/passwd").read_text("utf-8").splitlines()
               if (fields := line.split(":"))[0].startswith("firsthand-")}  # fmt: skip
    assert numbers == {"firsthand-device": 960, "firsthand-agent": 961, "firsthand-station": 962}


def test_systemd_has_nothing_to_say_against_its_units(root: Path) -> None:
    units = ["firsthand-data.service", "firsthand-data-fault.service", "var-lib-firsthand.mount", "var-log.mount",
             "firsthand-ssh.service"]  # fmt: skip
    said = subprocess.run(["chroot", str(root), "systemd-analyze", "verify", "--man=no", "--recursive-errors=no",
                           *(f"/etc/systemd/system/{unit}" for unit in units)],
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert said.stdout + said.stderr == ""


def test_the_system_knows_which_image_it_is(root: Path) -> None:
    release = (root / "usr/lib/os-release").read_text("utf-8")
    assert f'IMAGE_ID=firsthand-small-vm\nIMAGE_VERSION="{VERSION}"\n' in release
    assert "compatible=firsthand-small-vm" in (root / "etc/rauc/system.conf").read_text("utf-8")
    assert "device=/dev/disk/by-partuuid/46485354-06" in (root / "etc/rauc/system.conf").read_text("utf-8")


def test_the_same_root_gives_the_same_initial_ram_disk(image: Image, root: Path) -> None:
    release = next((root / "usr/lib/modules").iterdir()).name
    squashfs = image.file(".rootfs.squashfs")
    made = [make_initramfs(root, release, ["virtio_blk", "squashfs"], squashfs) for _ in range(2)]
    assert made[0] == made[1]
    assert firmware.read(image.card, 2, "initrd.img") != made[0]  # other drivers


def test_a_driver_that_the_kernel_does_not_have_is_refused(image: Image, root: Path) -> None:
    release = next((root / "usr/lib/modules").iterdir()).name
    with pytest.raises(CannotBuild, match="has no driver warp_drive: correct `modules`"):
        make_initramfs(root, release, ["warp_drive"], image.file(".rootfs.squashfs"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--board", "lab-wm"], "no board 'lab-wm'; there are: "),
        (["--board", "lab-vm", "--base", "raspberry-pi-os"], "no base 'raspberry-pi-os' for this board"),
        (["--board", "lab-vm"], "give --deb FILE"),
        (["--board", "lab-vm", "--version", "../1"], "is no version"),
    ],
)
def test_wrong_wishes_are_refused_with_what_to_do(
    tmp_path: Path, options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    deb = [] if said.startswith("give") else ["--deb", str(tmp_path / "x.deb")]
    assert main(["image", "build", *options, *deb, "--out", str(tmp_path / "out")]) == 1
    assert said in capsys.readouterr().err


def test_what_is_no_package_is_refused(
    tmp_path: Path, tool: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    tool("dpkg-deb")
    wrong = tmp_path / "x.deb"
    wrong.write_bytes(b"no deb")
    assert main(["image", "build", "--board", "lab-vm", "--deb", str(wrong), "--out", str(tmp_path / "out")]) == 1
    assert "is no Debian package" in capsys.readouterr().err


def test_every_board_of_ours_can_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["image", "boards"]) == 0
    listed = {line.split()[0] for line in capsys.readouterr().out.splitlines()}
    assert listed == {"bodycam-zero2w", "dashcam-cm4", "dashcam-pi5", "dev-webcam", "lab-vm"}
