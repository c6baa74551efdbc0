"""A camera that was too busy to pass its self-test is ready again when it works; a broken one stays out (R8, R9)."""

from __future__ import annotations

from typing import Any

import pytest

from device.second_look import may_have_recovered
from device.selftest import NO_ANSWER, Result


def row(name: str, value: str = "no new frames") -> Result:
    return Result(name, "fail", "block", value, "", "", 1)


@pytest.mark.requirement("R9")
@pytest.mark.parametrize(
    ("blocking", "ailing", "again"),
    [
        ([row("sensor"), row("picture")], frozenset(), True),
        ([row("sensor"), row("log_chain", NO_ANSWER)], frozenset({"microphone"}), True),
        ([row("sensor")], frozenset({"sensor"}), False),
        ([row("sensor"), row("signing_key", "the key is damaged")], frozenset(), False),
        ([row("battery", "5 %")], frozenset(), False),
        ([], frozenset(), False),
    ],
)
def test_only_what_may_have_recovered_is_tested_again(
    blocking: list[Result], ailing: frozenset[str], again: bool
) -> None:
    assert may_have_recovered(blocking, ailing) is again


@pytest.mark.requirement("R8", "R9")
@pytest.mark.firsthand(docked=True)
def test_an_eye_that_was_closed_in_the_test_and_sees_again_puts_the_camera_back_into_service(
    world: Any, camera: Any
) -> None:
    camera.wait_for("docked")
    world.fault("camera.stall")
    world.undock()
    camera.wait_for("state out_of_service", within_s=30)
    before = [entry for entry in camera.log if entry.event == "self_test"]
    world.let_pass(100)
    assert camera.state == "out_of_service", "nobody looks again while it sees nothing"
    assert len([entry for entry in camera.log if entry.event == "self_test"]) == len(before)
    world.end_fault("camera.stall")
    camera.wait_for("state ready", within_s=120)
    words = [entry.word for entry in camera.log if entry.event == "self_test"]
    assert len(words) == len(before) + 1
    assert words[-1] in ("pass", "warn")
