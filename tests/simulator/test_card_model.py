"""What is durable on a card and what a cut leaves, against a card that remembers everything it ever held (R38)."""

from __future__ import annotations

import errno
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.card.answers import ASKS, Faults, answer, flipped, rotten
from simulator.card.model import ALL, CardModel, Cut, FileRepair, without

pytestmark = pytest.mark.requirement("R38")
FILE = 7


@dataclass
class Bench:
    """One file: what it holds, what is durable of it, and the model that is told everything."""

    now: bytearray
    model: CardModel = field(default_factory=CardModel)
    durable: bytes = b""
    written: int = 0
    """Bytes since the last sync."""

    def write(self, offset: int, data: bytes) -> None:
        for low, high in self.model.endangered(FILE, len(self.now), min(offset, len(self.now)), offset + len(data)):
            self.model.save(FILE, low, bytes(self.now[low:high]))
        self.now += bytes(max(0, offset + len(data) - len(self.now)))
        self.now[offset : offset + len(data)] = data
        self.model.wrote(FILE, offset, offset + len(data))
        self.written += len(data)

    def resize(self, size: int) -> None:
        for low, high in self.model.endangered(FILE, len(self.now), size, len(self.now)):
            self.model.save(FILE, low, bytes(self.now[low:high]))
        self.now = self.now[:size] + bytes(max(0, size - len(self.now)))
        self.model.resized(FILE, size)

    def sync(self) -> None:
        self.model.synced(FILE)
        self.durable, self.written = bytes(self.now), 0

    def cut(self, how: Cut) -> bytes:
        left = self.model.cut(how)
        data = bytes(self.now)
        for one in left.files:
            data = repaired(data, one)
        return data


def repaired(data: bytes, one: FileRepair) -> bytes:
    held = bytearray(data[: one.size] + bytes(max(0, one.size - len(data))))
    for offset, patch in one.patches:
        held[offset : offset + len(patch)] = patch
    assert len(held) == one.size, "a patch never makes a file longer"
    return bytes(held)


write = st.tuples(st.just("write"), st.integers(0, 24), st.binary(min_size=1, max_size=12))
resize = st.tuples(st.just("resize"), st.integers(0, 24), st.just(b""))
sync = st.tuples(st.just("sync"), st.just(0), st.just(b""))


def played(steps: list[tuple[str, int, bytes]], begin: bytes) -> Bench:
    bench = Bench(bytearray(begin), durable=begin)
    for what, number, data in steps:
        if what == "write":
            bench.write(number, data)
        elif what == "resize":
            bench.resize(number)
        else:
            bench.sync()
    return bench


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(write, resize, sync), max_size=12), st.binary(max_size=16))
def test_a_cut_that_keeps_nothing_leaves_exactly_what_was_synced(
    steps: list[tuple[str, int, bytes]], begin: bytes
) -> None:
    bench = played(steps, begin)
    assert bench.cut(Cut()) == bench.durable
    assert bench.model.unsynced_bytes == 0


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(write, sync), max_size=12), st.binary(max_size=16))
def test_a_cut_that_keeps_all_that_was_written_changes_nothing(
    steps: list[tuple[str, int, bytes]], begin: bytes
) -> None:
    bench = played(steps, begin)
    assert bench.cut(Cut(ALL, ALL)) == bytes(bench.now)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=9), max_size=6), st.integers(0, 60), st.integers(0, 6))
def test_of_appended_bytes_the_first_ones_survive(appended: list[bytes], survive: int, synced: int) -> None:
    bench = Bench(bytearray())
    bench.model.created(FILE)
    for n, data in enumerate(appended):
        bench.write(len(bench.now), data)
        if n < synced:
            bench.sync()
    whole, durable, unsynced = bytes(bench.now), bench.durable, bench.model.unsynced_bytes
    assert unsynced == len(whole) - len(durable)
    assert bench.cut(Cut(data_bytes=survive)) == whole[: len(durable) + survive]


def test_the_length_may_survive_without_the_bytes() -> None:
    bench = Bench(bytearray())
    bench.model.created(FILE)
    bench.write(0, b"durable")
    bench.sync()
    bench.write(7, b"torn write")
    assert bench.cut(Cut(data_bytes=4, tail="zeros")) == b"durabletorn" + bytes(6)


def test_names_are_durable_when_their_directory_is_synced_and_not_before() -> None:
    model = CardModel()
    model.name_changed("spool/new", None)
    model.name_changed("spool/replaced", 1)
    model.name_changed("state/removed", 2)
    assert model.directory_synced("spool") == (1,), "what was replaced may go now"
    model.name_changed("spool/replaced", 3)
    left = model.cut(Cut())
    assert [(one.path, one.kept) for one in left.names] == [("state/removed", 2), ("spool/replaced", 3)]
    assert left.lost_names == 2


def test_the_first_of_several_changes_says_what_is_durable() -> None:
    model = CardModel()
    model.name_changed("a", 1)
    assert model.is_changed("a")
    model.name_changed("a", None)
    assert [one.kept for one in model.cut(Cut()).names] == [1]


def test_the_oldest_names_survive_first_and_a_lost_directory_is_repaired_before_what_is_in_it() -> None:
    model = CardModel()
    for path in ("one", "d/e/three", "d/e", "d"):
        model.name_changed(path, None)
    assert [one.path for one in model.cut(Cut(names=1)).names] == ["d", "d/e", "d/e/three"]


def test_a_new_file_owes_nothing_of_an_older_one_with_the_same_number() -> None:
    model = CardModel()
    model.created(FILE)
    model.wrote(FILE, 0, 100)
    model.created(FILE)
    assert model.unsynced_bytes == 0


@given(st.integers(0, 10**9), st.integers(0, 50), st.integers(0, 9))
def test_a_seed_chooses_one_possible_cut_and_always_the_same(seed: int, unsynced: int, names: int) -> None:
    one = Cut.by_seed(seed, unsynced, names)
    assert one == Cut.by_seed(seed, unsynced, names)
    assert 0 <= one.data_bytes <= unsynced
    assert 0 <= one.names <= names


def test_spans_without_others() -> None:
    assert without([(0, 10)], [(2, 4), (8, 20)]) == [(0, 2), (4, 8)]
    assert without([(5, 5)], []) == []


@pytest.mark.requirement("R29", "R30")
def test_each_fault_answers_as_a_card_does() -> None:
    assert answer(Faults(), "write", 100).taken == 100
    assert answer(Faults(read_only=True), "write", 1).error == errno.EROFS
    assert answer(Faults(read_only=True), "name").error == errno.EROFS
    assert answer(Faults(read_only=True), "read", 9).taken == 9
    for ask in ASKS:
        assert answer(Faults(errors=frozenset([ask])), ask, 1).error == errno.EIO
    slow = Faults(bytes_per_s=1000, sync_s=0.5)
    assert answer(slow, "write", 500).delay_s == 0.5
    assert answer(slow, "sync").delay_s == 0.5
    full = Faults(room_bytes=100)
    assert answer(full, "write", 30, used_bytes=90).taken == 10, "what still fits is taken, as write(2) does"
    assert answer(full, "write", 30, used_bytes=100).error == errno.ENOSPC
    assert answer(full, "name").error == 0


@given(st.binary(min_size=1, max_size=400), st.integers(1, 64), st.integers(0, 5), st.integers(0, 300))
def test_rot_turns_one_bit_of_each_block_wherever_reading_begins(data: bytes, every: int, seed: int, at: int) -> None:
    faults = Faults(rot_every_bytes=every, rot_seed=seed)
    whole = rotten(faults, "a", 0, data)
    wrong = [n for n in range(len(data)) if whole[n] != data[n]]
    assert all((whole[n] ^ data[n]).bit_count() == 1 for n in wrong)
    assert len(wrong) >= len(data) // every
    assert len({n // every for n in wrong}) == len(wrong)
    assert rotten(faults, "a", at, data[at:]) == whole[at:]


def test_a_flipped_bit_lies_in_a_file_that_is_there() -> None:
    sizes = {"a": 3, "b": 0, "c": 5}
    found = {flipped(seed, sizes) for seed in range(300)}
    assert {one[:2] for one in found if one} == {("a", n) for n in range(3)} | {("c", n) for n in range(5)}
    assert flipped(1, {"a": 0}) is None
