"""An append to the custody ledger that a power cut tore, sector by sector: told as what it is, never as damage."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dock.station.custody import Custody, Step
from dock.station.custody_end import APPEND_BYTES
from evidence import durable
from evidence.custody_ledger import CustodyEntry, Ledger, ledger_files
from evidence.durable import OperatingSystem
from evidence.keys import FileSigner
from evidence.limits import SIGNED_DOCUMENT_BYTES
from evidence.torn import SECTOR, is_torn, is_torn_at
from evidence.trust import Trust

LEDGER = "ledger-000001.custody"
STEPS = [Step("received", "camera SIM-0001"), Step("receipt", "station station-1")]
SUBSETS = 160


class Bench:
    """One ledger after another, by one signer."""

    def __init__(self, directory: Path, pki: Path) -> None:
        self.directory = directory
        self.signer = FileSigner.load(pki / "station-receipt.key", pki / "station-receipt.pem")
        self.trust = Trust.load(pki / "root.pem")
        self._number = 0
        self.opened: list[Custody] = []

    def new(self, files: dict[str, bytes]) -> Path:
        """A directory with these files."""
        self._number += 1
        place = self.directory / str(self._number)
        place.mkdir(parents=True)
        for name, data in files.items():
            (place / name).write_bytes(data)
        return place

    def open(self, place: Path) -> Custody:
        custody = Custody(place, self.signer, utc_ns=time.time_ns)
        self.opened.append(custody)
        return custody

    def judge(self, place: Path) -> tuple[list[CustodyEntry], list[str]]:
        """What anyone sees, from the files and the root alone."""
        ledger = Ledger(ledger_files(place), self.trust)
        return [one.statement for one in ledger.entries()], ledger.findings

    def whole(self, *appends: list[Step]) -> list[bytes]:
        """The bytes of the ledger's first file after each append."""
        place = self.new({})
        custody, found = self.open(place), []
        for steps in appends:
            custody.enter_all(steps)
            found.append((place / LEDGER).read_bytes())
        return found


@pytest.fixture
def bench(tmp_path: Path, pki: Path) -> Iterator[Bench]:
    found = Bench(tmp_path / "ledgers", pki)
    yield found
    for one in found.opened:
        one.close()


def without_sectors(data: bytes, begin: int, lost: set[int]) -> bytes:
    """What a disk holds where so many sectors of the bytes behind `begin` never reached it."""
    left = bytearray(data)
    for sector in lost:
        first, end = max(begin, sector * SECTOR), min(len(data), (sector + 1) * SECTOR)
        left[first:end] = bytes(end - first)
    return bytes(left)


@pytest.mark.requirement("R40")
@pytest.mark.parametrize("before", [0, 1, 3])
def test_whatever_sectors_of_an_append_a_cut_keeps_it_is_told_as_cut_off(bench: Bench, before: int) -> None:
    *others, whole = bench.whole(*[[STEPS[0]]] * before, STEPS)
    begin = len(others[-1]) if others else 0
    sectors = range(begin // SECTOR, len(whole) // SECTOR + 1)
    chance = random.Random(before)
    cuts: list[set[int]] = [{one} for one in sectors] + [set(sectors) - {one} for one in sectors]
    cuts += [{one for one in sectors if chance.random() < 0.5} for _ in range(SUBSETS - len(cuts))]
    torn = 0
    for lost in cuts:
        left = without_sectors(whole, begin, lost)
        place = bench.new({LEDGER: left})
        custody = bench.open(place)
        custody.enter("received", who="camera SIM-0002")
        entries, findings = bench.judge(place)
        assert findings == [], sorted(lost)
        steps = [one.step for one in entries]
        assert steps[:before] == ["received"] * before
        kept = [one for one in entries if one.step == "ledger_cut"]
        torn += len(kept)
        assert steps[before:] in (
            ["received", "receipt", "received"],  # what was lost was zeros in any case
            ["received", "ledger_cut", "received"],
            ["ledger_cut", "received"],
        )
        for one in kept:
            aside = (place / one.details["kept"]).read_bytes()
            assert left.endswith(aside)
        custody.close()
    assert torn >= SUBSETS - 5


def test_a_cut_that_loses_the_files_end_too(bench: Bench) -> None:
    first, whole = bench.whole([STEPS[0]], STEPS)
    for size in range(len(first) + 1, len(whole), 257):
        left = without_sectors(whole[:size], len(first), {len(first) // SECTOR})
        place = bench.new({LEDGER: left})
        custody = bench.open(place)
        custody.enter("received", who="camera SIM-0002")
        entries, findings = bench.judge(place)
        assert findings == []
        assert [one.step for one in entries] == ["received", "ledger_cut", "received"]
        custody.close()


def test_one_changed_bit_is_no_power_cut(bench: Bench) -> None:
    first, whole = bench.whole([STEPS[0]], STEPS)
    changed = bytearray(whole)
    changed[len(first) + 1000] ^= 1
    changed[-1000] ^= 1
    place = bench.new({LEDGER: bytes(changed)})
    custody = bench.open(place)
    assert "ledger_broken" in [one.step for one in bench.judge(place)[0]]
    assert (place / LEDGER).read_bytes() == changed
    custody.close()


def test_a_sector_that_was_lost_long_before_the_last_append_is_damage(bench: Bench) -> None:
    """The same hole, with more behind it than one append can hold: these entries had been told of."""
    appends = bench.whole(*[[STEPS[0]]] * 20)
    hole = without_sectors(appends[-1], 0, {len(appends[1]) // SECTOR + 1})
    assert len(hole) - len(appends[2]) > APPEND_BYTES
    place = bench.new({LEDGER: hole})
    custody = bench.open(place)
    custody.enter("received", who="camera SIM-0002")
    assert (place / LEDGER).read_bytes()[: len(hole)] == hole
    entries, findings = bench.judge(place)
    assert "ledger_cut" not in [one.step for one in entries]
    assert findings != []
    custody.close()


def test_what_the_index_knows_of_had_been_told_and_is_never_a_cut(bench: Bench) -> None:
    place = bench.new({})
    custody = bench.open(place)
    custody.enter_all(STEPS)
    size = (place / LEDGER).stat().st_size
    custody.enter_all(STEPS)
    custody.catch_up()
    custody.close()
    whole = (place / LEDGER).read_bytes()
    (place / LEDGER).write_bytes(without_sectors(whole, size, {len(whole) // SECTOR - 1}))
    bench.open(place).close()
    assert [path.name for path in ledger_files(place)] == [LEDGER, "ledger-000002.custody"]
    assert "ledger_broken" in [one.step for one in bench.judge(place)[0]]


def test_many_steps_are_appended_in_pieces_that_a_cut_can_tear(bench: Bench) -> None:
    place = bench.new({})
    sizes: list[int] = []

    class Measured(OperatingSystem):
        def sync(self, descriptor: int, *, mode: bool = False) -> None:
            sizes.append((place / LEDGER).stat().st_size)
            super().sync(descriptor, mode=mode)

    custody = bench.open(place)
    before = durable.install(Measured())
    try:
        entries = custody.enter_all(STEPS * 40)
    finally:
        durable.install(before)
    assert [one.seq for one in entries] == list(range(80))
    assert len(sizes) > 3
    assert max(after - ahead for ahead, after in zip([0, *sizes], sizes, strict=False)) <= APPEND_BYTES
    custody.close()
    assert len(bench.judge(place)[0]) == 80


def test_of_many_steps_none_is_there_when_the_card_refuses_a_later_one(bench: Bench) -> None:
    place = bench.new({})
    custody = bench.open(place)
    custody.enter("received", who="camera SIM-0001")
    size = (place / LEDGER).stat().st_size

    class Full(OperatingSystem):
        def __init__(self) -> None:
            self.left = 2

        def sync(self, descriptor: int, *, mode: bool = False) -> None:
            self.left -= not mode
            if self.left < 0 and not mode:
                raise OSError(28, "No space left on device")
            super().sync(descriptor, mode=mode)

    before = durable.install(Full())
    try:
        with pytest.raises(OSError, match="No space left"):
            custody.enter_all(STEPS * 40)
    finally:
        durable.install(before)
    assert (place / LEDGER).stat().st_size == size
    assert custody.enter("receipt", who="station station-1").seq == 1
    custody.close()
    assert bench.judge(place)[1] == []


@pytest.mark.parametrize(
    ("rest", "offset", "torn"),
    [
        (b"", 7, True),
        (bytes(SIGNED_DOCUMENT_BYTES + 1), 7, True),
        (b"\x30", 7, True),
        (b"\x30\x03abc", 0, False),
        (b"\x30\x03ab", 0, True),
        (b"\xff" * 2000, 0, False),
        (b"\xff" * 512 + bytes(512) + b"\xff" * 512, 0, True),
        (b"\xff" * 512 + bytes(512) + b"\xff" * 512, 1, False),  # zeros, but no sector's
        (b"\xff" * 511 + bytes(512) + b"\xff" * 512, 1, True),
        (b"\xff" * 512 + bytes(512) + b"\xff" * 512, 512 * 9, True),
        (b"\0\xff\xff", 511, True),
        (b"\xff\xff\0", 510, True),
        (b"\xff" * 512 + bytes(512) + b"\xff" * APPEND_BYTES, 0, False),
    ],
)
def test_what_a_torn_end_is(rest: bytes, offset: int, torn: bool) -> None:
    assert is_torn(rest, offset, APPEND_BYTES) is torn


def test_what_stands_behind_zeros_was_written_after_them(tmp_path: Path) -> None:
    zeros = bytes(3 * SIGNED_DOCUMENT_BYTES)
    for name, data, torn in (("a", zeros, True), ("b", zeros + b"\x30", False), ("c", b"", True)):
        (tmp_path / name).write_bytes(b"\x30\x00" + data)
        assert is_torn_at(tmp_path / name, 2, APPEND_BYTES) is torn
    assert is_torn_at(Path("/dev/zero"), 0, APPEND_BYTES), "a file that never ends is read as far as it says it goes"
