"""Eight interrupted updates of one camera: `make interrupted-updates N=200` does more of the same."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from interrupted_updates import interrupted
from update_bench import missing_tool

if (lacking := missing_tool()) is not None and not os.environ.get("CI"):
    pytest.skip(lacking, allow_module_level=True)


@pytest.mark.needs_root
@pytest.mark.slow
@pytest.mark.requirement("R38")
def test_an_update_that_is_cut_off_anywhere_leaves_a_camera_that_starts_with_all_its_evidence(tmp_path: Path) -> None:
    assert missing_tool() is None, missing_tool()
    with interrupted(tmp_path, seed=7) as bench:
        told = [bench.run() for _ in range(8)]  # each raises Brick for what must not be
    assert len(told) == 8
    assert bench.version == 9
