"""A log segment that died before its `open` was whole: its number is taken again, so that no segment seems lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from camera_bench import CameraBench


@pytest.mark.requirement("R38")
def test_a_segment_without_a_whole_open_leaves_no_hole_in_the_logs_numbers(bench: Callable[..., CameraBench]) -> None:
    camera = bench()
    camera.start(ready=False)
    assert camera.stop() == 0
    for torn in (b"0\x82", b"0\x82\x04"):  # what a death in mid-write leaves, twice under the same number
        names = sorted(path.name for path in camera.spool.glob("*-log-*.evidence"))
        number = len(names) + 1
        (camera.spool / f"SIM-0001-log-{number:06d}.evidence").write_bytes(torn)
        camera.start(ready=False)
        assert camera.stop() == 0
        segments = sorted(camera.spool.glob("*-log-*.evidence"))
        assert [int(path.stem.rpartition("-")[2]) for path in segments] == list(range(1, len(segments) + 1)), "no hole"
        camera.log_statements()  # each verifies, and names the one before it
    assert [event for event, _, _ in camera.events()].count("set_aside") == 2
    kept = sorted(path.read_bytes() for path in (camera.spool / "aside").iterdir())
    assert kept == [b"0\x82", b"0\x82\x04"], "what was torn is kept, and never evidence"
