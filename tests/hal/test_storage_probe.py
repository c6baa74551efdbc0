"""The card is tested by really writing to it; what it does wrong is a sentence, never an exception."""

from __future__ import annotations

import errno
import itertools
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_mock import MockerFixture

from hal.errors import DeviceLost
from hal.storage import DirectoryStorage

KIB = 1024


def test_a_good_card_passes_and_nothing_is_left_behind(tmp_path: Path) -> None:
    probe = DirectoryStorage(tmp_path).probe(300 * KIB)
    assert probe.error is None
    assert probe.read_ok
    assert probe.write_bytes_per_s > 0
    assert 0 < probe.free_bytes <= probe.total_bytes
    assert list(tmp_path.iterdir()) == []


def test_the_speed_counts_until_the_data_is_durable(tmp_path: Path) -> None:
    ticks = itertools.chain([0, 100_000_000, 500_000_000])
    probe = DirectoryStorage(tmp_path, timer=lambda: next(ticks)).probe(1_000_000)
    assert (probe.write_bytes_per_s, probe.flush_ms) == (2_000_000, 400)


def test_sizes_are_those_of_the_file_system(tmp_path: Path) -> None:
    storage = DirectoryStorage(str(tmp_path))
    assert 0 < storage.free_bytes() <= storage.total_bytes()
    assert storage.read_only is False


@pytest.mark.requirement("R8")
@pytest.mark.parametrize(
    ("call", "number", "advice"),
    [
        ("write", errno.ENOSPC, "dock the camera"),
        ("write", errno.EIO, "replace it"),
        ("fdatasync", errno.EIO, "replace it"),
        ("pread", errno.EIO, "replace it"),
    ],
)
def test_a_failing_card_is_a_sentence(
    tmp_path: Path, mocker: MockerFixture, call: str, number: int, advice: str
) -> None:
    mocker.patch(f"hal.storage.os.{call}", side_effect=OSError(number, os.strerror(number)))
    probe = DirectoryStorage(tmp_path).probe(KIB)
    mocker.stopall()
    assert probe.error is not None
    assert advice in probe.error
    assert not probe.read_ok
    assert probe.total_bytes > 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.requirement("R8")
@pytest.mark.parametrize("back", [b"\0", b""])
def test_a_card_that_gives_other_bytes_back_fails(tmp_path: Path, mocker: MockerFixture, back: bytes) -> None:
    mocker.patch("hal.storage.os.pread", side_effect=lambda fd, size, offset: back)
    probe = DirectoryStorage(tmp_path).probe(KIB)
    assert probe.error is not None
    assert "replace the card" in probe.error
    assert not probe.read_ok


def test_a_missing_card_is_a_sentence_in_the_probe_and_an_error_elsewhere(tmp_path: Path) -> None:
    storage = DirectoryStorage(tmp_path / "spool")
    probe = storage.probe()
    assert probe.error is not None
    assert "mounted" in probe.error
    for ask in (storage.free_bytes, storage.total_bytes, lambda: storage.read_only):
        with pytest.raises(DeviceLost, match="mounted"):
            ask()


@pytest.mark.parametrize("size_bytes", [0, -1, 64 * KIB * KIB + 1])
def test_a_size_out_of_range_is_the_callers_mistake(tmp_path: Path, size_bytes: int) -> None:
    with pytest.raises(ValueError, match="size_bytes"):
        DirectoryStorage(tmp_path).probe(size_bytes)


@pytest.fixture
def small_card(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 256 KiB, in memory."""
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(tmp_path)], capture_output=True)
    if mount.returncode != 0:
        pytest.skip(f"mounting is not permitted here: {mount.stderr.decode(errors='replace').strip()}")
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


@pytest.mark.needs_root
def test_a_really_full_card_is_a_sentence_and_is_not_left_fuller(small_card: Path) -> None:
    storage = DirectoryStorage(small_card)
    probe = storage.probe(KIB * KIB)
    assert probe.error is not None
    assert "the card is full" in probe.error
    assert storage.free_bytes() == storage.total_bytes() == 256 * KIB


@pytest.mark.needs_root
def test_a_really_read_only_card_is_a_sentence(small_card: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_card)], check=True)
    storage = DirectoryStorage(small_card)
    assert storage.read_only
    error = storage.probe(KIB).error
    assert error is not None
    assert "read-only" in error
