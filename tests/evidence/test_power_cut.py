"""A camera's recording on a card that loses its power at many bytes: what was acknowledged is whole, signed, playable.

The card is the simulator's: it forgets everything that was not synced. With the sync taken out of the same path, the
same judgement finds fragments that were acknowledged and are gone (invariants 3 and 6).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from recordings import SECOND, Agency, Recipe, Ticks, agency_now, write_recording

from evidence import durable
from evidence.durable import AppendFile
from evidence.export.items import StatementItem, walk
from evidence.recovery import recover
from evidence.statements import MediaFacts, Sealed, moment_ns
from evidence.verify import verify_file
from simulator.card.card import SimulatedCard, Survives
from simulator.card.layer import CardLayer
from simulator.card.medium import Medium, PowerLost

pytestmark = pytest.mark.requirement("R38")
LATER_BOOT = "6b0e4f1c-2222-4222-8333-5a1e5d9b2e66"
Batches = list[list[bytes]]
"""What a camera hands over for one write and one sync each: `open`, then a fragment each with its announcement."""


@pytest.fixture(scope="module")
def batches(agency: Agency, tmp_path_factory: pytest.TempPathFactory) -> Batches:
    """A recording in progress, in the pieces in which it was signed: an announcement stands with its object."""
    path = write_recording(agency, tmp_path_factory.mktemp("whole"), Recipe(close=False))
    data = path.read_bytes()
    with path.open("rb") as file:
        items = list(walk(file))
    starts = [item.offset for item in items if isinstance(item, StatementItem)]
    pieces = [data[low:high] for low, high in zip(starts, [*starts[1:], len(data)], strict=True)]
    return [[piece[: len(piece) // 3], piece[len(piece) // 3 :]] for piece in pieces]


def cut_while_recording(root: Path, batches: Batches, after: int, survives: Survives) -> tuple[Path, int]:
    """Write until the power goes after so many bytes; the file, and how many bytes the officer was told are safe."""
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    card = SimulatedCard(Medium(root))
    layer = CardLayer(card, durable.OperatingSystem())
    before = durable.install(layer)
    card.cut_after(written_bytes=after, survives=survives)
    path, told = root / "SIM-0001-000001.evidence", 0
    try:
        file = AppendFile.create(path)
        for batch in batches:
            told = file.append(batch)
    except PowerLost:
        pass
    finally:
        durable.install(before)
        layer.end()
    card.cut(survives)
    card.medium.close()
    return path, told


def missing(path: Path, told: int, whole: bytes, agency: Agency) -> str | None:
    """What is wrong with the card after the next start; None if every acknowledged fragment is there and verifies."""
    if told and not path.exists():
        return f"{told} bytes were told to be durable, and the file is not there"
    if not path.exists() or not told:
        return None
    held = path.read_bytes()
    if held[:told] != whole[:told]:
        return f"{told} bytes were told to be durable, {len(held)} are there"
    clock = Ticks(60 * SECOND, moment_ns(agency_now(agency)), boot=LATER_BOOT, source="none")
    outcome = recover(path, agency.trust, agency.signer(), [agency.recipient], clock)
    report = verify_file(path, agency.trust)
    if not report.valid or outcome.found.whole_bytes < told:
        return f"after recovery {outcome.found.whole_bytes} of {told} bytes are whole: {report.findings}"
    return None


def places(batches: Batches) -> list[int]:
    """At each edge of a write, around it, and in its middle."""
    edges, at = {1}, 0
    for batch in batches:
        size = sum(len(part) for part in batch)
        edges |= {at + 1, at + size // 2, at + size - 1, at + size}
        at += size
    return sorted(edges)


def test_no_power_cut_costs_a_fragment_that_was_acknowledged(agency: Agency, batches: Batches, tmp_path: Path) -> None:
    whole = b"".join(part for batch in batches for part in batch)
    wrong = []
    for number, place in enumerate(places(batches)):
        survives: tuple[Survives, ...] = ("nothing", "written", number)
        for one in survives:
            path, told = cut_while_recording(tmp_path / "card", batches, place, one)
            found = missing(path, told, whole, agency)
            wrong += [f"cut after {place} bytes, {one} survives: {found}"] if found else []
    assert wrong == []


def test_the_same_judge_sees_it_when_the_sync_is_missing(
    agency: Agency, batches: Batches, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing: Callable[..., None] = lambda *_, **__: None  # noqa: E731 - a sync that does not sync
    monkeypatch.setattr(CardLayer, "sync", nothing)
    whole = b"".join(part for batch in batches for part in batch)
    path, told = cut_while_recording(tmp_path / "card", batches, len(whole) - 1, "nothing")
    assert told > 0
    assert missing(path, told, whole, agency) == f"{told} bytes were told to be durable, 0 are there"


def test_the_recording_that_is_cut_has_fragments_in_it(batches: Batches, tmp_path: Path) -> None:
    """Else the tests above prove nothing."""
    path = tmp_path / "a.evidence"
    path.write_bytes(b"".join(part for batch in batches for part in batch))
    with path.open("rb") as file:
        announced = [
            one.statement
            for one in walk(file)
            if isinstance(one, StatementItem) and isinstance(one.statement, Sealed) and one.statement.media is not None
        ]
    assert len(announced) >= 2
    assert all(isinstance(one.media, MediaFacts) for one in announced)
