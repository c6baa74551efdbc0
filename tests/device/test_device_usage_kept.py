"""A power cut takes nothing of a shift's usage along: the next start signs what was counted until then (R36)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from camera_bench import LIGHTBAR, CameraBench, until
from people_bench import logged_details

from device.usage_kept import FILE, MAX_BYTES, load, save


def test_what_was_kept_is_found_once(tmp_path: Path) -> None:
    path = tmp_path / "state" / FILE
    assert load(path) is None
    save(path, {"recordings": 3, "triggers": {"lightbar": 2}})
    assert load(path) == {"recordings": 3, "triggers": {"lightbar": 2}}
    save(path, None)
    save(path, None)
    assert load(path) is None


@pytest.mark.parametrize("data", [b"", b"[]", b'{"v":2,"summary":{}}', b'{"v":1,"summary":{},"x":1}', b"[" * 10_000,
                                  b" " * (MAX_BYTES + 1), b"\xff"])  # fmt: skip
def test_a_bad_file_is_as_none(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / FILE
    path.write_bytes(data)
    assert load(path) is None


def test_a_card_that_takes_nothing_is_no_fault_of_the_camera(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    save(tmp_path / "file" / FILE, {"recordings": 1})
    save(tmp_path / FILE, {"late": ["x" * MAX_BYTES]})
    assert load(tmp_path / FILE) is None


@pytest.mark.requirement("R36")
def test_the_next_start_signs_what_was_counted_before_the_power_went(bench: Callable[..., CameraBench]) -> None:
    camera = bench().start()
    camera.trigger(LIGHTBAR)
    camera.hold_to_stop()

    def kept() -> dict[str, Any]:
        return load(camera.state / FILE) or {}

    until(lambda: kept().get("recordings") == 1 and "stops" in kept(), what="the count on the card")
    camera.kill()
    camera.start()
    camera.stop()
    cut_off, last = logged_details(camera, "usage")
    assert (cut_off["recordings"], cut_off["triggers"]) == (1, {"lightbar": 1})
    assert last["recordings"] == 0
    words = [word for event, word, _ in camera.events() if event == "usage"]
    assert words == ["interrupted", "shutdown"]
    assert not (camera.state / FILE).exists(), "what is signed is not signed again"
