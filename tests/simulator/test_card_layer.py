"""The card that stands under the durable writes of this process, and each of its faults (R29, R30, R38)."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from evidence import durable
from evidence.durable import AppendFile
from simulator.card.card import SimulatedCard
from simulator.card.layer import installed
from simulator.card.medium import PowerLost
from simulator.card.storage import CardStorage

pytestmark = pytest.mark.requirement("R29", "R30", "R38")


class Time:
    """Passes when somebody waits."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.at: list[tuple[float, object]] = []

    def wait(self, seconds: float) -> None:
        self.now_s += seconds
        for due_s, call in list(self.at):
            if due_s <= self.now_s:
                self.at.remove((due_s, call))
                call()  # type: ignore[operator]


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def card(tmp_path: Path, time: Time) -> Iterator[SimulatedCard]:
    (tmp_path / "card").mkdir()
    with installed(tmp_path / "card", wait=time.wait) as card:
        yield card


@pytest.fixture
def spool(tmp_path: Path, card: SimulatedCard) -> Path:
    return tmp_path / "card"


def test_a_slow_card_takes_its_time_for_bytes_and_for_each_sync(card: SimulatedCard, spool: Path, time: Time) -> None:
    file = AppendFile.create(spool / "a")
    card.slow(1000, sync_s=0.25)
    file.append([bytes(500)])
    assert time.now_s == pytest.approx(0.75)
    card.heal("slow")
    file.append([bytes(500)])
    assert time.now_s == pytest.approx(0.75)


def test_a_full_card_takes_what_fits_and_the_file_is_cut_back_to_what_was_whole(
    card: SimulatedCard, spool: Path
) -> None:
    file = AppendFile.create(spool / "a")
    file.append([b"whole"])
    durable.replace(spool / "ballast", bytes(1000))
    card.full(left_bytes=3)
    assert durable.free_bytes(spool) == 3
    with pytest.raises(OSError, match="No space left") as caught:
        file.append([b"does not fit"])
    assert caught.value.errno == errno.ENOSPC
    assert (spool / "a").read_bytes() == b"whole"
    durable.unlink(spool / "ballast")
    assert durable.free_bytes(spool) == 1003, "what is deleted makes room"
    file.append([b" and more"])
    card.cut()
    assert (spool / "a").read_bytes() == b"whole and more"


def test_nothing_can_be_set_aside_on_a_full_card(card: SimulatedCard, spool: Path) -> None:
    durable.set_aside(spool / "reserve", 1000)
    assert (spool / "reserve").stat().st_size == 1000
    durable.give_up(spool / "reserve")
    card.full(left_bytes=10)
    with pytest.raises(OSError, match="No space left"):
        durable.set_aside(spool / "reserve", 1000)
    assert not (spool / "reserve").exists()


def test_a_read_only_card_changes_nothing(card: SimulatedCard, spool: Path) -> None:
    file = AppendFile.create(spool / "a")
    file.append([b"before"])
    card.read_only()
    for attempt in (
        lambda: file.append([b"x"]),
        lambda: durable.replace(spool / "b", b"x"),
        lambda: durable.unlink(spool / "a"),
        lambda: AppendFile.create(spool / "c"),
    ):
        with pytest.raises(OSError, match="Read-only") as caught:
            attempt()
        assert caught.value.errno == errno.EROFS
    assert [one.name for one in spool.iterdir()] == ["a"]
    card.heal()
    file.append([b", after"])
    assert (spool / "a").read_bytes() == b"before, after"


def test_a_sync_that_fails_is_told_and_what_was_not_synced_is_no_longer_there(card: SimulatedCard, spool: Path) -> None:
    file = AppendFile.create(spool / "a")
    card.error("sync")
    with pytest.raises(OSError, match="Input/output") as caught:
        file.append([b"x"])
    assert caught.value.errno == errno.EIO
    assert (spool / "a").read_bytes() == b""


def test_a_stalled_card_answers_when_the_stall_is_over(card: SimulatedCard, spool: Path, time: Time) -> None:
    file = AppendFile.create(spool / "a")
    card.stall()
    time.at.append((30.0, lambda: card.heal("stall")))
    file.append([b"late"])
    assert 30 <= time.now_s < 31
    assert (spool / "a").read_bytes() == b"late"


def test_a_stall_ends_for_a_camera_that_loses_its_power(card: SimulatedCard, spool: Path, time: Time) -> None:
    file = AppendFile.create(spool / "a")
    card.stall()
    time.at.append((5.0, card.cut))
    with pytest.raises(PowerLost):
        file.append([b"never"])


def test_a_flipped_bit_stays(card: SimulatedCard, spool: Path) -> None:
    durable.replace(spool / "a.evidence", bytes(100))
    durable.replace(spool / "other", bytes(100))
    said = card.flip_bit(seed=4, within=".evidence")
    assert said is not None
    assert said.endswith("of a.evidence")
    assert sum(one.bit_count() for one in (spool / "a.evidence").read_bytes()) == 1
    assert not any((spool / "other").read_bytes())
    assert card.flip_bit(within="no such file") is None


def test_a_cut_takes_back_what_was_written_over_replaced_and_removed(card: SimulatedCard, spool: Path) -> None:
    durable.replace(spool / "state", b"durable")
    durable.replace(spool / "gone", b"was here")
    before = (spool / "state").stat().st_ino
    descriptor = card.medium.open("state", os.O_RDWR, 0)
    card.medium.write(descriptor, [b"OVER"], 2)
    card.medium.truncate(descriptor, 3)
    os.close(descriptor)
    card.medium.unlink("gone")
    other = card.medium.open("new", os.O_WRONLY | os.O_CREAT, 0o600)
    card.medium.write(other, [b"synced, but nobody synced its name"], 0)
    card.medium.sync(other)
    os.close(other)
    lost = card.cut()
    assert (spool / "state").read_bytes() == b"durable"
    assert (spool / "state").stat().st_ino == before
    assert (spool / "gone").read_bytes() == b"was here"
    assert not (spool / "new").exists()
    assert (lost.bytes, lost.names) == (1, 2), "of four bytes written over, three were cut off again"
    assert not list(spool.parent.glob(".card.kept/*")), "nothing is kept for ever"


def test_half_a_write_survives_if_it_must(card: SimulatedCard, spool: Path) -> None:
    file = AppendFile.create(spool / "a")
    file.append([b"whole"])
    card.cut_after(written_bytes=4, survives="written")
    with pytest.raises(PowerLost):
        file.append([b"half of this"])
    assert (spool / "a").read_bytes() == b"wholehalf"


def test_a_camera_without_power_does_nothing_more_even_when_the_power_is_back(card: SimulatedCard, spool: Path) -> None:
    file = AppendFile.create(spool / "a")
    card.cut()
    for attempt in (lambda: file.append([b"x"]), lambda: durable.replace(spool / "b", b"x")):
        with pytest.raises(PowerLost):
            attempt()
    card.power_on()
    with pytest.raises(PowerLost):
        file.append([b"x"])  # the dead camera's own file
    file.close()
    with AppendFile.reopen(spool / "a") as again:
        again.append([b"of the next start"])
    assert (spool / "a").read_bytes() == b"of the next start"


def test_what_does_not_lie_on_the_card_is_none_of_its_business(card: SimulatedCard, tmp_path: Path) -> None:
    (tmp_path / "station").mkdir()
    card.cut()
    path = tmp_path / "station" / "file"
    durable.replace(path, b"stored")
    with AppendFile.reopen(path) as file:
        file.append([b" further"])
    durable.rename(path, tmp_path / "station" / "renamed")
    assert (tmp_path / "station" / "renamed").read_bytes() == b"stored further"
    assert durable.free_bytes(tmp_path) > 0
    durable.unlink(tmp_path / "station" / "renamed")


def test_a_link_to_the_card_is_the_card(card: SimulatedCard, spool: Path, tmp_path: Path) -> None:
    (tmp_path / "way").symlink_to(spool)
    card.read_only()
    with pytest.raises(OSError, match="Read-only"):
        durable.replace(tmp_path / "way" / "a", b"x")
    with pytest.raises(OSError, match="Read-only"):
        AppendFile.create(tmp_path / "way" / "a")


def test_the_self_test_finds_each_fault_in_figures_that_can_be_repeated(card: SimulatedCard, time: Time) -> None:
    storage = CardStorage(card)
    whole = storage.probe()
    assert (whole.error, whole.read_ok, storage.read_only) == (None, True, False)
    assert whole == storage.probe()
    card.slow(100_000, sync_s=2)
    assert storage.probe().write_bytes_per_s < 100_000
    assert storage.probe().flush_ms > 2000
    card.heal()
    card.full()
    assert storage.free_bytes() == 0
    assert "dock the camera" in (storage.probe().error or "")
    card.heal()
    card.read_only()
    assert storage.read_only
    assert "read-only" in (storage.probe().error or "")
    card.heal()
    card.error("sync")
    assert "replace it" in (storage.probe().error or "")
    card.heal()
    card.bit_rot(4096)
    assert not storage.probe().read_ok
