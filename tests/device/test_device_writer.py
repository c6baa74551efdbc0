"""The writer thread on a card that fails: nothing is lost silently (invariants 1, 3, 9)."""

from __future__ import annotations

import errno
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from device.writer import Job, Writer


@dataclass
class Card:
    """A file in memory that fails as it is told: `errors` are raised by the next commits, one each."""

    errors: list[int] = field(default_factory=list)
    forever: int | None = None
    held: list[str] = field(default_factory=list)
    durable: list[str] = field(default_factory=list)

    def add(self, text: str) -> Card:
        self.held.append(text)
        return self

    def commit(self) -> int:
        held, self.held = self.held, []
        if self.forever is not None:
            raise OSError(self.forever, "as told")
        if self.errors:
            raise OSError(self.errors.pop(0), "as told")
        self.durable += held
        return 0


@dataclass
class World:
    writer: Writer
    room: list[bool]
    asked: list[bool]
    trouble: list[int | None]
    lost: list[tuple[str, int | None]] = field(default_factory=list)
    done: list[str] = field(default_factory=list)

    def put(self, card: Card, text: str, size: int = 0) -> bool:
        return self.writer.put(
            Job(
                text,
                lambda: card.add(text),
                size,
                done=lambda: self.done.append(text),
                lost=lambda error: self.lost.append((text, error.errno)),
            )
        )

    def settle(self) -> None:
        assert self.writer.drain(60)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr("device.writer.RETRY_S", 0.01)
    room: list[bool] = []
    asked: list[bool] = []
    trouble: list[int | None] = []

    def make_room(reserve: bool) -> bool:
        asked.append(reserve)
        return room.pop(0) if room else False

    writer = Writer(1000, make_room=make_room, on_trouble=lambda e: trouble.append(e.errno if e else None))
    yield World(writer, room, asked, trouble)
    writer.stop()


def test_what_fails_twice_and_then_works_is_written_once_and_in_order(world: World) -> None:
    card = Card(errors=[errno.EIO, errno.EIO])
    for text in "abc":
        world.put(card, text)
    world.writer.start()
    world.settle()
    assert card.durable == ["a", "b", "c"]
    assert world.done == ["a", "b", "c"]
    assert not world.lost
    assert world.trouble == [errno.EIO, errno.EIO, None]


def test_what_never_works_is_given_up_job_by_job_and_the_thread_lives(world: World) -> None:
    card = Card(forever=errno.EIO)
    world.put(card, "a")
    world.put(card, "b")
    world.writer.start()
    world.settle()
    assert world.lost == [("a", errno.EIO), ("b", errno.EIO)]
    card.forever = None
    world.put(card, "c")
    world.settle()
    assert card.durable == ["c"]
    assert world.trouble[-1] is None


def test_a_dead_file_does_not_delay_a_good_one(world: World) -> None:
    """After one was given up nobody is made to wait again and again (invariant 3)."""
    dead, good = Card(forever=errno.EIO), Card()
    world.put(dead, "x")
    world.writer.start()
    world.settle()
    before = len(world.trouble)
    for n in range(5):
        world.put(dead, f"dead {n}")
        world.put(good, f"good {n}")
        world.settle()
    assert good.durable == [f"good {n}" for n in range(5)]
    assert len([one for one in world.trouble[before:] if one is not None]) <= 5, "one attempt each, no retries"


def test_two_files_in_one_batch_the_good_one_is_durable(world: World) -> None:
    dead, good = Card(forever=errno.EIO), Card()
    for n in range(3):
        world.put(dead, f"dead {n}")
        world.put(good, f"good {n}")
    world.writer.start()
    world.settle()
    assert good.durable == ["good 0", "good 1", "good 2"]
    assert [text for text, _ in world.lost] == ["dead 0", "dead 1", "dead 2"]
    assert world.done == ["good 0", "good 1", "good 2"]


def test_a_full_card_asks_for_room_without_the_reserve_for_pictures(world: World) -> None:
    card = Card(errors=[errno.ENOSPC])
    world.room.append(True)
    world.put(card, "picture", 100)
    world.writer.start()
    world.settle()
    assert card.durable == ["picture"]
    assert world.asked == [False]


def test_a_full_card_gives_the_reserve_to_words_only(world: World) -> None:
    card = Card(errors=[errno.ENOSPC] * 4)
    world.put(card, "picture", 100)
    world.put(card, "close")
    world.writer.start()
    world.room += [False, True]
    world.settle()
    # The batch, the picture alone, the word alone: refused; then the reserve is freed, and the word may fail once more.
    assert world.asked == [False, True]
    assert world.lost[0] == ("picture", errno.ENOSPC)
    assert [text for text, _ in world.lost] == ["picture", "close"]
    world.put(card, "again")
    world.settle()
    assert card.durable == ["again"]


def test_a_job_that_raises_costs_only_itself(world: World) -> None:
    card = Card()
    lost: list[OSError] = []

    def broken() -> Card:
        raise RuntimeError("a defect")

    world.put(card, "a")
    world.writer.put(Job("broken", broken, lost=lost.append))
    world.put(card, "b")
    world.writer.start()
    world.settle()
    assert card.durable == ["a", "b"]
    assert len(lost) == 1
    assert world.writer.alive


def test_callbacks_that_raise_do_not_end_the_thread(world: World) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a defect")

    card = Card()
    world.writer.put(Job("a", lambda: card.add("a"), done=broken))
    dead = Card(forever=errno.ENOSPC)
    world.writer.put(Job("b", lambda: dead.add("b"), lost=broken))
    world.writer._make_room = broken  # type: ignore[assignment]
    world.writer._on_trouble = broken
    world.writer.start()
    world.settle()
    assert world.writer.alive
    assert card.durable == ["a"]


def test_a_full_queue_refuses_pictures_and_takes_words(world: World) -> None:
    card = Card()
    assert world.put(card, "a", 600)
    assert not world.put(card, "b", 600)
    assert world.put(card, "word")
    world.writer.start()
    world.settle()
    assert card.durable == ["a", "word"]
    assert world.put(card, "c", 600)


def test_drain_waits_for_what_is_tried_again(world: World) -> None:
    card = Card(errors=[errno.EIO, errno.EIO])
    world.put(card, "a")
    drained: list[bool] = []
    thread = threading.Thread(target=lambda: drained.append(world.writer.drain(60)))
    thread.start()
    world.writer.start()
    thread.join()
    assert drained == [True]
    assert card.durable == ["a"]


def test_stop_finishes_what_is_queued_and_then_takes_nothing(world: World) -> None:
    card = Card()
    world.put(card, "a")
    world.writer.start()
    world.writer.stop()
    assert card.durable == ["a"]
    assert not world.put(card, "b")
    assert threading.active_count() >= 1
