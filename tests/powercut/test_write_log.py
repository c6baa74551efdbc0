"""The bench's own reader of write logs: a card keeps what was flushed, and of the rest what its model says (R38)."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest
from write_log import DISCARD, FLUSH, FUA, MAGIC, SECTOR, NotALog, Replay, Sparse, WriteLog, entries_now

pytestmark = pytest.mark.requirement("R38")
Request = tuple[int, int, bytes]
"""Flags, first sector, what is written."""


def a_log(path: Path, *requests: Request, sectors: int = 0) -> Path:
    parts = [struct.pack("<QQQI", MAGIC, 1, len(requests), SECTOR).ljust(SECTOR, b"\0")]
    for flags, sector, data in requests:
        count = sectors if flags & DISCARD else len(data) // SECTOR
        parts.append(struct.pack("<QQQQ", sector, count, flags, 0).ljust(SECTOR, b"\0"))
        parts.append(data)
    path.write_bytes(b"".join(parts))
    return path


def disk_after(path: Path, entries: int, model: str, seed: int = 1) -> bytes:
    """64 sectors after a cut."""
    disk = bytearray(64 * SECTOR)
    with WriteLog(path) as log:
        replay = Replay(Sparse(len(disk)), log)
        replay.forward(entries)
        for number, chunk in replay.durable.chunks.items():
            disk[number * 65536 : number * 65536 + len(chunk)] = chunk[: len(disk)]
        for offset, data in replay.survivors(model, random.Random(seed)):  # type: ignore[arg-type]
            disk[offset : offset + len(data)] = data
    return bytes(disk[: 64 * SECTOR])


def sector(letter: str, count: int = 1) -> bytes:
    return letter.encode() * SECTOR * count


def test_what_was_flushed_stays_and_what_was_not_may_go(tmp_path: Path) -> None:
    path = a_log(tmp_path / "log", (0, 0, sector("a")), (FLUSH, 0, b""), (0, 1, sector("b")), (0, 2, sector("c")))
    kept = disk_after(path, 4, "none")
    assert kept[: 3 * SECTOR] == sector("a") + sector("\0", 2)
    assert disk_after(path, 4, "all")[: 3 * SECTOR] == sector("a") + sector("b") + sector("c")
    assert disk_after(path, 3, "all")[: 3 * SECTOR] == sector("a") + sector("b") + sector("\0")
    assert disk_after(path, 1, "none") == bytes(64 * SECTOR), "before the flush nothing is sure"


def test_a_write_that_asked_to_be_durable_is(tmp_path: Path) -> None:
    path = a_log(tmp_path / "log", (0, 0, sector("a")), (FUA, 0, sector("b")), (FLUSH | FUA, 1, sector("c")))
    assert disk_after(path, 2, "none")[:SECTOR] == sector("b")
    assert disk_after(path, 3, "none")[: 2 * SECTOR] == sector("b") + sector("c")


def test_random_cards_keep_whole_writes_and_torn_ones_single_sectors(tmp_path: Path) -> None:
    path = a_log(tmp_path / "log", *((0, 4 * number, sector("x", 4)) for number in range(8)))
    whole = [disk_after(path, 8, "random", seed) for seed in range(20)]
    assert {one[4 * n * SECTOR : 4 * (n + 1) * SECTOR] for one in whole for n in range(8)} == {
        sector("x", 4),
        bytes(4 * SECTOR),
    }
    torn = [disk_after(path, 8, "torn", seed) for seed in range(20)]
    pieces = {one[4 * n * SECTOR : 4 * (n + 1) * SECTOR] for one in torn for n in range(8)}
    assert len(pieces) > 2
    assert all(piece[at : at + SECTOR] in (sector("x"), bytes(SECTOR)) for piece in pieces for at in (0, 512, 1024))


def test_a_discard_has_no_bytes_in_the_log(tmp_path: Path) -> None:
    path = a_log(tmp_path / "log", (0, 0, sector("a", 2)), (DISCARD, 0, b""), (0, 1, sector("b")), sectors=2)
    assert disk_after(path, 3, "all")[: 2 * SECTOR] == bytes(SECTOR) + sector("b")


def test_what_is_no_log_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotALog, match="begins with"):
        entries_now(b"short")
    with pytest.raises(NotALog, match="no dm-log-writes log"):
        entries_now(bytes(512))
    path = a_log(tmp_path / "log", (0, 0, sector("a")), (0, 0, sector("b")))
    path.write_bytes(path.read_bytes()[: 3 * SECTOR])
    with pytest.raises(NotALog, match="before entry 2 of 2"):
        WriteLog(path)


def test_there_is_no_way_back(tmp_path: Path) -> None:
    with WriteLog(a_log(tmp_path / "log", (0, 0, sector("a")), (FLUSH, 0, b""))) as log:
        replay = Replay(Sparse(4096), log)
        replay.forward(2)
        with pytest.raises(ValueError, match="from entry 2 to 1"):
            replay.forward(1)
