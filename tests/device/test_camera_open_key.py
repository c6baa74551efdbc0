"""A camera whose evidence key others can read: it records, and says so."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from camera_bench import CameraBench

from evidence.handover import SelfTestDone
from evidence.requests import SelfTestRequest

Make = Callable[..., CameraBench]


@pytest.mark.requirement("R8", "R41")
def test_a_key_that_others_can_read_is_told_by_the_self_test_and_stops_no_recording(
    bench: Make, pki: Path, tmp_path: Path
) -> None:
    """Recording first (invariant 1): a technician is told, and the camera films."""
    keys = Path(shutil.copytree(pki, tmp_path / "keys"))
    (keys / "camera.key").chmod(0o644)
    camera: CameraBench = bench()
    config = camera.directory / "device.toml"
    config.write_text(config.read_text().replace(str(pki / "camera.key"), str(keys / "camera.key")))
    camera.start()
    stem = camera.double_press()
    camera.fragments(2)
    tested = camera.ask(SelfTestRequest())
    assert isinstance(tested, SelfTestDone)
    row = next(one for one in tested.checks if one["name"] == "signing_key")
    assert row["result"] == "warn"
    assert "can be read by everybody (mode 0644)" in str(row["value"])
    camera.hold_to_stop()
    assert camera.verify(stem).valid
    (keys / "camera.key").chmod(0o600)
    tested = camera.ask(SelfTestRequest())
    assert isinstance(tested, SelfTestDone)
    assert next(one for one in tested.checks if one["name"] == "signing_key")["result"] == "pass"
