"""Round after round with real processes: a recording, a dock, an upload, requests; nothing stays open (R30)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROUNDS = 6


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

    found = play_rounds(tmp_path / "rounds", ROUNDS, warm_up=3)
    for program in PROGRAMS:
        uses = found.uses[program]
        assert len(uses) == ROUNDS + 1
        # One more at a single look is a file or a thread on its way out; a leak of one a round is six at the end.
        assert uses[-1].descriptors <= uses[0].descriptors + 2, (program, found.kinds_before, found.kinds_after)
        assert uses[-1].threads <= uses[0].threads + 2, program
