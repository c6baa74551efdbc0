"""Round after round with real processes: a recording, a dock, an upload, requests; nothing stays open (R30)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from real_time import comes_first

HERE = Path(__file__).resolve().parent
ROUNDS = 6
MORE = 4
"""Rounds in which a pool of threads may still grow on a busy machine: to its limit, and no further."""


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(HERE))
    yield
    for name in ("process_use", "rounds"):
        sys.modules.pop(name, None)


@pytest.mark.requirement("R30")
def test_each_round_leaves_recorder_agent_and_station_with_the_descriptors_and_threads_that_they_had(
    tmp_path: Path,
) -> None:
    from rounds import PROGRAMS, play_rounds

    with comes_first():
        found = play_rounds(tmp_path / "rounds", ROUNDS + MORE, warm_up=3)
    for program in PROGRAMS:
        uses = found.uses[program]
        assert len(uses) == ROUNDS + MORE + 1
        # One more at a single look is a file or a thread on its way out; a leak of one a round is six in any six.
        six = list(zip(uses, uses[ROUNDS:], strict=False))
        kinds = found.kinds_before, found.kinds_after
        assert any(last.descriptors <= first.descriptors + 2 for first, last in six), (program, kinds)
        assert any(last.threads <= first.threads + 2 for first, last in six), (program, uses)
