"""Power cuts at every request and at many bytes: the module for durable writes loses nothing that it acknowledged.

The judge is judged: of a copy of that module one sync at a time is taken out, and each time a cut must be found that
loses something (invariants 3 and 6, R38).
"""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from evidence import durable
from simulator.card.card import SimulatedCard, Survives
from simulator.card.layer import CardLayer
from simulator.card.medium import Medium, PowerLost

pytestmark = pytest.mark.requirement("R38")
SOURCE = Path(durable.__file__).read_text("utf-8")
SYNCS = [at.start() for at in re.finditer(r"^ +(_layer\.sync|sync_directory)\(", SOURCE, re.MULTILINE)]
SURVIVES: tuple[Survives, ...] = ("nothing", "written", 1, 2, 3)


@dataclass
class Told:
    """What somebody was told to be durable, and what may be there besides, since it is under way."""

    appended: bytes = b""
    longest: int = 0
    """The recording may be so long by now."""
    kept: dict[str, set[bytes | None]] = field(default_factory=dict)
    """Of each other file: what it may hold, None for not being there."""

    def doing(self, name: str, result: bytes | None) -> None:
        """A file is about to be given that content: until it is told, both may be there."""
        self.kept.setdefault(name, {None}).add(result)

    def did(self, name: str, result: bytes | None) -> None:
        self.kept[name] = {result}


def work(module: Any, card: Path, told: Told) -> None:
    """What a camera does with its card in a minute: a recording, a state file, a kept object, clean-up."""
    file = module.AppendFile.create(card / "spool" / "a.evidence")

    def append(piece: bytes) -> None:
        told.longest = len(told.appended) + len(piece)
        file.append([piece[:7], piece[7:]])
        told.appended += piece

    for text in (b"A" * 40, b"B" * 40, b"C" * 40):
        append(text)
    told.appended = told.appended[:100]
    file.truncate(100)
    told.longest = 100
    for text in (b"one", b"two is longer", b"3"):
        told.doing("state/number", text)
        module.replace(card / "state" / "number", text)
        told.did("state/number", text)
        append(text)
    told.doing("objects/whole", b"sealed")
    module.write_new(card / "objects" / "whole", b"sealed")
    told.did("objects/whole", b"sealed")
    append(b"between")
    told.doing("objects/whole", None)
    told.doing("aside/moved", b"sealed")
    module.rename(card / "objects" / "whole", card / "aside" / "moved")
    told.did("objects/whole", None)
    told.did("aside/moved", b"sealed")
    append(b"between")
    told.doing("state/number", b"4")
    module.overwrite(card / "state" / "number", b"4")
    told.did("state/number", b"4")
    append(b"between")
    told.doing("aside/moved", None)
    module.unlink(card / "aside" / "moved")
    told.did("aside/moved", None)
    append(b"in between")
    module.make_directory(card / "state" / "receipts" / "of a year")
    told.doing("state/receipts/of a year/one", b"receipt")
    module.replace(card / "state" / "receipts" / "of a year" / "one", b"receipt")
    told.did("state/receipts/of a year/one", b"receipt")
    append(b"the end")


def broken(card: Path, told: Told) -> list[str]:
    """Which promises the card does not keep."""
    wrong = []
    held = content(card / "spool" / "a.evidence") or b""
    if not held.startswith(told.appended) or len(held) > told.longest:
        wrong.append(f"of {len(told.appended)} to {told.longest} appended bytes there are {len(held)}")
    for name, may in told.kept.items():
        there = content(card / name)
        if there not in may:
            wrong.append(f"{name}: {there!r} is none of {may}")
    return wrong


def content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def cut_once(module: Any, root: Path, order: Callable[[SimulatedCard], None]) -> tuple[bool, list[str]]:
    """Work until the power goes; whether it went, and what is broken then."""
    for name in ("spool", "state", "objects", "aside"):
        (root / name).mkdir(parents=True)
    card, told = SimulatedCard(Medium(root)), Told()
    layer = CardLayer(card, durable.OperatingSystem())
    before = module.install(layer)
    order(card)
    try:
        work(module, root, told)
    except PowerLost:
        pass
    finally:
        module.install(before)
        layer.end()
    went = card.cuts == 1
    card.cut()  # at the latest now
    wrong = broken(root, told)
    card.medium.close()
    return went, wrong


def cuts(module: Any, directory: Path) -> Iterator[str]:
    """Everything that is broken by a cut before any request, and in the middle of any write."""
    count = 0
    for kind, steps in (("requests", range(200)), ("written_bytes", range(1, 400, 7))):
        for step in steps:
            for survives in SURVIVES:
                count += 1
                options: dict[str, Any] = {kind: step, "survives": survives}
                went, wrong = cut_once(
                    module, directory / str(count), lambda card, options=options: card.cut_after(**options)
                )
                yield from (f"cut after {step} {kind}, {survives} survives: {one}" for one in wrong)
            if not went:
                break
    assert count > 200, "the work was cut in many places"


def test_no_cut_loses_what_was_told_to_be_durable(tmp_path: Path) -> None:
    assert list(cuts(durable, tmp_path)) == []


@pytest.mark.parametrize("at", SYNCS, ids=lambda at: f"line-{SOURCE.count(chr(10), 0, at) + 1}")
def test_without_any_one_sync_a_cut_is_found_that_loses_something(at: int, tmp_path: Path) -> None:
    end = SOURCE.index("\n", at)
    line = SOURCE[at:end]
    indent = len(line) - len(line.lstrip())
    mutated = types.ModuleType("durable_without_a_sync")
    exec(compile(SOURCE[:at] + " " * indent + "pass" + SOURCE[end:], "durable.py", "exec"), vars(mutated))
    found = next(cuts(mutated, tmp_path), None)
    assert found is not None, f"nobody needs {line.strip()!r}?"
