"""Which devices are refused as cards: everything that holds something of this computer."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fleet.errors import CardRefused
from fleet.flash.card import Kernel, inspect, open_alone

MIB = 2**20


@pytest.fixture
def disk(as_root: None, tool: Callable[[str], str], tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """A new disk of 16 MiB: `disk("-r")`."""
    attached: list[str] = []

    def attach(*more: str) -> Path:
        path = tmp_path / f"disk-{len(attached)}"
        path.write_bytes(bytes(16 * MIB))
        command = [tool("losetup"), "-f", "--show", *more, str(path)]
        attached.append(subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip())
        return Path(attached[-1])

    yield attach
    for one in attached:
        subprocess.run([tool("losetup"), "-d", one], check=True, timeout=60)


@pytest.mark.needs_root
def test_a_blank_card_is_taken(disk: Callable[..., Path]) -> None:
    device = disk()
    card = inspect(device)
    assert (card.path, card.size_bytes, card.size_text) == (device, 16 * MIB, "17 MB")
    os.close(open_alone(card, 16 * MIB))


@pytest.mark.needs_root
def test_a_mounted_card_is_refused(disk: Callable[..., Path], tool: Callable[[str], str], tmp_path: Path) -> None:
    device, place = disk(), tmp_path / "with a blank"
    place.mkdir()
    subprocess.run([tool("mkfs.ext4"), "-q", str(device)], check=True, capture_output=True, timeout=60)
    subprocess.run(["mount", str(device), str(place)], check=True, timeout=60)
    try:
        with pytest.raises(CardRefused, match=f"is mounted at {place}"):
            inspect(device)
        blind = inspect(device, kernel=Kernel(mounts=tmp_path / "none"))  # as from another mount namespace
        with pytest.raises(CardRefused, match="in use by another program"):
            open_alone(blind, MIB)
    finally:
        subprocess.run(["umount", str(place)], check=True, timeout=60)


@pytest.mark.needs_root
def test_a_read_only_card_is_refused(disk: Callable[..., Path]) -> None:
    with pytest.raises(CardRefused, match="little switch"):
        inspect(disk("-r"))


@pytest.mark.needs_root
def test_a_card_that_is_too_small_is_refused(disk: Callable[..., Path]) -> None:
    with pytest.raises(CardRefused, match="too small: it has 17 MB"):
        open_alone(inspect(disk()), 16 * MIB + 512)


@pytest.mark.needs_root
def test_a_card_that_somebody_else_has_open_is_refused(disk: Callable[..., Path]) -> None:
    device = disk()
    descriptor = os.open(device, os.O_RDWR | os.O_EXCL)
    try:
        with pytest.raises(CardRefused, match="in use by another program"):
            open_alone(inspect(device), MIB)
    finally:
        os.close(descriptor)


@pytest.mark.needs_root
def test_swap_space_is_refused(disk: Callable[..., Path], tmp_path: Path) -> None:
    device, swaps = disk(), tmp_path / "swaps"
    swaps.write_text(f"Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n{device}  partition\t1024\t0\t-2\n")
    with pytest.raises(CardRefused, match="swap space"):
        inspect(device, kernel=Kernel(swaps=swaps))


def kernel_of(tmp_path: Path, device: Path, mounts: str = "", **files: str) -> Kernel:
    """A kernel that tells of a disk with one partition, as the real one would."""
    number = device.stat().st_rdev
    disk = tmp_path / "sys" / "dev" / "block" / f"{os.major(number)}:{os.minor(number)}"
    (disk / "part1" / "holders").mkdir(parents=True)
    (disk / "holders").mkdir()
    told = {"size": "32768", "ro": "0", "part1/partition": "1", "part1/dev": "8:17", **files}
    for name, text in told.items():
        (disk / name).parent.mkdir(parents=True, exist_ok=True)
        (disk / name).write_text(text + "\n")
    (tmp_path / "mounts").write_text(mounts)
    return Kernel(tmp_path / "sys", tmp_path / "mounts", tmp_path / "swaps")


@pytest.mark.needs_root
@pytest.mark.parametrize(
    ("target", "told"),
    [("/", "holds / of this computer"), ("/boot/firmware", "holds /boot/firmware"), ("/media/x", "is mounted at")],
)
def test_the_disk_of_a_mounted_partition_is_refused(
    disk: Callable[..., Path], tmp_path: Path, target: str, told: str
) -> None:
    """Disks with partitions do not appear here: the kernel's files are written as it would write them."""
    device = disk()
    line = f"36 35 8:17 / {target} rw,noatime master:1 - ext4 /dev/sdb1 rw\n"
    with pytest.raises(CardRefused, match=told):
        inspect(device, kernel=kernel_of(tmp_path, device, line))


@pytest.mark.needs_root
@pytest.mark.parametrize("holder", ["holders/dm-0", "part1/holders/md127"])
def test_a_part_of_a_volume_or_an_array_is_refused(disk: Callable[..., Path], tmp_path: Path, holder: str) -> None:
    device = disk()
    with pytest.raises(CardRefused, match="LVM, RAID or encryption"):
        inspect(device, kernel=kernel_of(tmp_path, device, **{holder: ""}))


@pytest.mark.needs_root
def test_a_partition_is_refused_and_a_reader_without_a_card(disk: Callable[..., Path], tmp_path: Path) -> None:
    device = disk()
    (tmp_path / "one").mkdir()
    with pytest.raises(CardRefused, match="is a partition: name the whole card"):
        inspect(device, kernel=kernel_of(tmp_path / "one", device, partition="1"))
    (tmp_path / "two").mkdir()
    with pytest.raises(CardRefused, match="holds no card"):
        inspect(device, kernel=kernel_of(tmp_path / "two", device, size="0"))


@pytest.mark.needs_root
def test_model_and_serial_are_the_kernels(disk: Callable[..., Path], tmp_path: Path) -> None:
    device = disk()
    facts = {"device/vendor": "Generic ", "device/model": "MassStorageClass", "device/serial": "0x1a2b\x07"}
    card = inspect(device, kernel=kernel_of(tmp_path, device, **facts))
    assert (card.model, card.serial) == ("Generic MassStorageClass", "0x1a2b")


@pytest.mark.needs_root
@pytest.mark.parametrize(
    ("name", "removable", "on", "built_in"),
    [
        ("sda", "0", "ata1", True),
        ("sdb", "1", "ata2", False),
        ("sdb", "0", "usb1", False),
        ("mmcblk0", "0", "mmc0", False),
        ("nvme0n1", "0", "nvme", True),
    ],
)
def test_a_disk_of_the_computer_looks_like_one(
    disk: Callable[..., Path], tmp_path: Path, name: str, removable: str, on: str, built_in: bool
) -> None:
    number = disk().stat().st_rdev
    os.mknod(tmp_path / name, 0o600 | stat.S_IFBLK, number)
    kernel = kernel_of(tmp_path, tmp_path / name, removable=removable)
    block = tmp_path / "sys" / "dev" / "block"
    real = block.parent.parent / "devices" / on / name
    real.parent.mkdir(parents=True)
    (link,) = block.iterdir()
    link.rename(real)
    link.symlink_to(real)
    assert inspect(tmp_path / name, kernel=kernel).built_in is built_in


def test_what_is_no_device_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CardRefused, match="is not there"):
        inspect(tmp_path / "nothing")
    with pytest.raises(CardRefused, match="no block device"):
        inspect(tmp_path)
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(CardRefused, match="no block device"):
        inspect(tmp_path / "file")
    with pytest.raises(CardRefused, match="no block device"):
        inspect(Path("/dev/null"), allow_file=True)
