"""The card of an image: what a firmware starts from it, and that others' tools read it as we meant it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import firmware
import pytest

from fleet.image.bmap import block_map
from fleet.image.card import write_card
from fleet.image.debian_root import CannotBuild
from fleet.image.fat import make_fat
from fleet.image.layout import MIB, Sizes, partitions, partuuid
from fleet.update import autoboot

SIZES = Sizes(boot=64 * MIB, root=8 * MIB)
EPOCH = 1_790_000_000
AUTOBOOT = autoboot.text_of("A")


@pytest.fixture(autouse=True)
def tools(tool: Callable[[str], str]) -> None:
    for name in ("mcopy", "mkfs.vfat", "sfdisk"):
        tool(name)


def a_card(directory: Path) -> Path:
    """A small one with a stand-in for each part."""
    selector, boot = directory / "selector", directory / "boot"
    (boot / "overlays").mkdir(parents=True)
    selector.mkdir()
    (selector / "autoboot.txt").write_bytes(AUTOBOOT)
    (boot / "config.txt").write_text(
        "[pi5]\nkernel=other\n[all]\nkernel=vmlinuz\ninitramfs initrd.img followkernel\n"
        "[boot_partition=2]\ncmdline=cmdline-a.txt\n[boot_partition=3]\ncmdline=cmdline-b.txt\n[all]\n"
    )
    (boot / "cmdline-a.txt").write_text("ro rauc.slot=A\n")
    (boot / "cmdline-b.txt").write_text("ro rauc.slot=B\n")
    (boot / "vmlinuz").write_bytes(b"kernel" * 1000)
    (boot / "initrd.img").write_bytes(b"initrd" * 1000)
    (boot / "overlays" / "i2c-gpio.dtbo").write_bytes(b"overlay")
    make_fat(directory / "1", SIZES.selector, "FIRSTHAND", 1, selector, EPOCH)
    make_fat(directory / "2", SIZES.boot, "BOOT", 2, boot, EPOCH)
    (directory / "5").write_bytes(b"hsqs" * 100_000)
    image = directory / "card.img"
    ranges = write_card(image, SIZES, {number: directory / str(number) for number in (1, 2, 5)})
    (directory / "card.bmap").write_bytes(block_map(image, ranges))
    return image


@pytest.fixture
def card(tmp_path: Path) -> Path:
    directory = tmp_path / "made"
    directory.mkdir()
    return a_card(directory)


def test_a_new_card_starts_slot_a(card: Path, tmp_path: Path) -> None:
    boot = firmware.boot(card, tmp_path / "out")
    assert (boot.slot, boot.tried) == ("A", False)
    assert boot.kernel.read_bytes() == b"kernel" * 1000
    assert boot.initrd is not None
    assert boot.initrd.read_bytes() == b"initrd" * 1000
    assert boot.append == "ro rauc.slot=A firsthand.boot_partition=2"


def second_slot(card: Path) -> None:
    at = partitions(SIZES)
    with card.open("r+b") as file:
        file.seek(at[2].start)
        content = file.read(at[2].size)
        file.seek(at[3].start)
        file.write(content)


def test_a_tried_slot_is_started_once_and_only_after_a_reboot(card: Path, tmp_path: Path) -> None:
    second_slot(card)
    firmware.write(card, 1, firmware.FLAG, b"")
    tried = firmware.boot(card, tmp_path / "out", after="reboot")
    assert (tried.slot, tried.tried) == ("B", True)
    assert "rauc.slot=B" in tried.append
    assert firmware.boot(card, tmp_path / "out", after="reboot").slot == "A"
    firmware.write(card, 1, firmware.FLAG, b"")
    assert firmware.boot(card, tmp_path / "out", after="power-on").slot == "A"
    assert firmware.boot(card, tmp_path / "out", after="reboot").slot == "A"


def test_a_confirmed_slot_is_started_from_then_on(card: Path, tmp_path: Path) -> None:
    second_slot(card)
    firmware.write(card, 1, "autoboot.txt", autoboot.text_of("B"))
    assert firmware.boot(card, tmp_path / "out").slot == "B"


@pytest.mark.parametrize("content", [b"", b"\xff" * 600, b"#" * 512 + AUTOBOOT, b"[all]\nboot_partition=9\n"])
def test_a_card_that_names_no_bootable_partition_is_a_brick(card: Path, tmp_path: Path, content: bytes) -> None:
    firmware.write(card, 1, "autoboot.txt", content)
    with pytest.raises(firmware.NoBoot):
        firmware.boot(card, tmp_path / "out")


def test_an_empty_slot_that_was_tried_leaves_the_old_one(card: Path, tmp_path: Path) -> None:
    firmware.write(card, 1, firmware.FLAG, b"")
    with pytest.raises(firmware.NoBoot):
        firmware.boot(card, tmp_path / "out", after="reboot")
    assert firmware.boot(card, tmp_path / "out", after="reboot").slot == "A"


def test_sfdisk_finds_the_partitions_where_we_put_them(card: Path, tool: Callable[[str], str]) -> None:
    dump = subprocess.run([tool("sfdisk"), "--dump", str(card)], capture_output=True, text=True, check=True).stdout
    assert "label: dos" in dump
    assert f"label-id: 0x{partuuid(1)[:8]}" in dump
    found = {}
    for line in dump.splitlines():
        if "start=" in line:
            device, _, rest = line.partition(" : ")
            values = dict(part.strip().split("=") for part in rest.split(","))
            found[int(device.removeprefix(str(card)))] = (int(values["start"]) * 512, int(values["size"]) * 512)
    assert found == {n: (p.start, p.size) for n, p in partitions(SIZES).items()}
    assert found == {n: (p.start, p.size) for n, p in firmware.partitions(card).items()}


def test_the_same_parts_give_the_same_bytes(card: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    again.mkdir()
    a_card(again)
    for name in ("card.img", "card.bmap"):
        assert (again / name).read_bytes() == (card.parent / name).read_bytes()


def test_bmaptool_makes_a_good_card_of_a_used_one(card: Path, tmp_path: Path, tool: Callable[[str], str]) -> None:
    """Only the blocks of the map are written: what lay on the card elsewhere must not matter."""
    used = tmp_path / "used"
    used.write_bytes(b"\xaa" * card.stat().st_size)
    copied = subprocess.run([tool("bmaptool"), "copy", "--bmap", str(card.with_suffix(".bmap")), str(card), str(used)],
                            capture_output=True, text=True, check=False)  # fmt: skip
    assert copied.returncode == 0, copied.stderr
    assert firmware.partitions(used) == firmware.partitions(card)
    assert firmware.boot(used, tmp_path / "out").slot == "A"
    for number in (1, 2):
        at = partitions(SIZES)[number]
        part = tmp_path / "part"
        with used.open("rb") as file:
            file.seek(at.start)
            part.write_bytes(file.read(at.size))
        checked = subprocess.run([tool("fsck.vfat"), "-n", str(part)], capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stdout
    assert firmware.read(used, 3, "config.txt") is None


def test_bmaptool_notices_a_flipped_byte(card: Path, tmp_path: Path, tool: Callable[[str], str]) -> None:
    with card.open("r+b") as file:
        file.seek(partitions(SIZES)[5].start + 1000)
        file.write(b"!")
    copied = subprocess.run(
        [tool("bmaptool"), "copy", "--bmap", str(card.with_suffix(".bmap")), str(card), str(tmp_path / "new")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert copied.returncode != 0
    assert "checksum" in copied.stderr


def test_a_part_that_is_too_large_is_refused_with_what_to_do(tmp_path: Path) -> None:
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(SIZES.root + 1)
    with pytest.raises(CannotBuild, match="partition 5 has 8 MiB and should hold 9 MiB: make it larger"):
        write_card(tmp_path / "card.img", SIZES, {5: large})
