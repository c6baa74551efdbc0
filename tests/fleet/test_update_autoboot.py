"""Which slot the firmware starts: one small file, written over in place, and read only as this project writes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from evidence import durable
from fleet.update import autoboot
from fleet.update.autoboot import BadChoice


@pytest.mark.parametrize("first", autoboot.SLOTS)
def test_the_file_names_the_slot_that_starts_and_the_other_to_be_tried(first: autoboot.Slot) -> None:
    lines = autoboot.text_of(first).decode("ascii").split()
    wanted = [f"boot_partition={autoboot.BOOT_PARTITION[one]}" for one in (first, autoboot.other(first))]
    assert lines == ["[all]", "tryboot_a_b=1", wanted[0], "[tryboot]", wanted[1]]
    assert autoboot.chosen_in(autoboot.text_of(first)) == first


def test_a_new_choice_is_written_over_the_old_one_in_place(tmp_path: Path) -> None:
    autoboot.write(tmp_path, "A")
    path = tmp_path / autoboot.NAME
    before = path.stat()
    autoboot.write(tmp_path, "B")
    after = path.stat()
    assert autoboot.read(tmp_path) == "B"
    assert (before.st_ino, before.st_size) == (after.st_ino, after.st_size)
    assert [one.name for one in tmp_path.iterdir()] == [autoboot.NAME]


def test_a_file_of_another_size_is_replaced_once_and_has_its_size_then(tmp_path: Path) -> None:
    (tmp_path / autoboot.NAME).write_bytes(autoboot.text_of("A").rstrip(b"\n") + b"\n")
    assert autoboot.read(tmp_path) == "A"
    autoboot.write(tmp_path, "B")
    assert (tmp_path / autoboot.NAME).read_bytes() == autoboot.text_of("B")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff" * autoboot.SIZE_BYTES,
        autoboot.text_of("A") + b"\n",
        autoboot.text_of("A").replace(b"boot_partition=3", b"boot_partition=2"),
        autoboot.text_of("A").replace(b"boot_partition=2", b"boot_partition=7"),
    ],
)
def test_what_this_project_did_not_write_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / autoboot.NAME).write_bytes(data)
    with pytest.raises(BadChoice, match="flash the card again"):
        autoboot.read(tmp_path)


def test_a_partition_that_is_not_mounted_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadChoice, match="is partition 1 mounted there"):
        autoboot.read(tmp_path)
    with pytest.raises(BadChoice, match="there are A and B"):
        autoboot.slot_of("C")


def test_only_bytes_of_the_same_number_are_written_over(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    with pytest.raises(ValueError, match="another size"):
        durable.overwrite(tmp_path / "file", b"1234")
    assert (tmp_path / "file").read_bytes() == b"12345"
