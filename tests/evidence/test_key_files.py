"""Who besides us can get at a key's file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from evidence.key_files import exposure


def key(directory: Path, mode: int) -> Path:
    path = directory / "camera.key"
    path.touch()
    path.chmod(mode)
    return path


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_key_of_ours_that_only_we_can_read_is_fine(tmp_path: Path, mode: int) -> None:
    assert exposure(key(tmp_path, mode)) is None


@pytest.mark.requirement("R41")
@pytest.mark.parametrize(
    ("mode", "says"),
    [
        (0o644, "can be read by everybody (mode 0644)"),
        (0o604, "can be read by everybody"),
        (0o660, "can be changed by its group"),
        (0o602, "can be changed by everybody"),
        (0o606, "can be changed by everybody"),
        (0o610, "can be read by its group"),
    ],
)
def test_a_key_that_others_can_get_at_is_a_grave_matter(tmp_path: Path, mode: int, says: str) -> None:
    found = exposure(key(tmp_path, mode))
    assert found is not None
    assert found.grave
    assert says in found.sentence
    assert "chmod 600" in found.sentence


def test_a_key_that_is_not_there_is_for_its_reader_to_tell(tmp_path: Path) -> None:
    assert exposure(tmp_path / "nothing") is None


@pytest.mark.needs_root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: gives files to other users")
def test_owners_count_as_well(tmp_path: Path) -> None:
    mine = key(tmp_path, 0o600)
    os.chown(mine, 64001, 64001)
    of_another, of_us = exposure(mine, uid=64002), exposure(mine, uid=64001)
    assert of_us is None
    assert of_another is not None
    assert of_another.grave
    by_root = exposure(mine, uid=0)
    assert by_root is not None
    assert not by_root.grave, "root may use what anybody owns; it is told"
    os.chown(mine, 0, 64001)
    mine.chmod(0o640)
    shared = exposure(mine, uid=64001)
    assert shared is not None
    assert not shared.grave, "a group that root made, as for certificates that several services use"
