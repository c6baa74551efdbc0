"""A chunk that is hashed ahead and sent through one small buffer is the same chunk (R30)."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dock.errors import SpoolMismatch
from dock.transport.hash_ahead import HashAhead
from dock.transport.tus_pieces import BUFFER_BYTES, Piece

SIZE = 3 * BUFFER_BYTES + 17
NAME = "SIM-0001-000001.evidence"


@pytest.fixture
def data() -> bytes:
    return os.urandom(SIZE)


@pytest.fixture
def descriptor(tmp_path: Path, data: bytes) -> Iterator[int]:
    path = tmp_path / NAME
    path.write_bytes(data)
    opened = os.open(path, os.O_RDWR)
    yield opened
    os.close(opened)


def test_a_piece_gives_its_own_bytes_through_a_buffer_smaller_than_it(descriptor: int, data: bytes) -> None:
    piece, buffer = Piece(descriptor, 1000, SIZE - 2000, NAME), bytearray(4096)
    assert b"".join(bytes(block) for block in piece.blocks(buffer)) == data[1000:-1000]
    assert piece.sha256(buffer) == hashlib.sha256(data[1000:-1000]).digest()


@pytest.mark.requirement("R30")
def test_what_was_hashed_ahead_counts_only_for_the_very_chunk_that_comes_next(descriptor: int, data: bytes) -> None:
    half = SIZE // 2
    with HashAhead() as ahead:
        ahead.begin(descriptor, NAME, half, SIZE - half)
        piece, digest = ahead.take(descriptor, NAME, half, SIZE - half)
        assert (piece.offset, digest) == (half, hashlib.sha256(data[half:]).digest())
        for offset, size in ((0, half), (half, 100), (half + 1, SIZE - half - 1)):
            ahead.begin(descriptor, NAME, half, SIZE - half)
            piece, digest = ahead.take(descriptor, NAME, offset, size)
            assert (piece.offset, piece.size) == (offset, size)
            assert digest == hashlib.sha256(data[offset : offset + size]).digest(), "a limit, or the station went back"
    with HashAhead() as ahead:
        assert ahead.take(descriptor, NAME, 0, SIZE)[1] == hashlib.sha256(data).digest(), "nothing is left of before"


def test_a_file_that_ends_early_or_cannot_be_read_is_told_as_trouble_of_the_spool_not_of_the_network(
    descriptor: int, tmp_path: Path
) -> None:
    os.ftruncate(descriptor, BUFFER_BYTES)
    with HashAhead() as ahead:
        ahead.begin(descriptor, NAME, 0, SIZE)
        with pytest.raises(SpoolMismatch, match=f"ends at {BUFFER_BYTES}, not at {SIZE}"):
            ahead.take(descriptor, NAME, 0, SIZE)
    directory = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(SpoolMismatch, match="cannot be read at 0: Is a directory"):
        list(Piece(directory, 0, 10, NAME).blocks(bytearray(10)))
    os.close(directory)
