"""What a camera makes of a receiver's bytes, without a port: the times are given (R5)."""

from __future__ import annotations

import pytest

from hal.gps import GpsEpoch
from hal.gps_serial import LineListener
from simulator.receiver import RouteReceiver
from simulator.receiver_controls import ReceiverControls
from simulator.receiver_line import ReceiverLine

SECOND = 10**9
NOON_NS = 1_800_000_000 * SECOND


class Ear:
    """A listener on a simulated receiver's line."""

    def __init__(self) -> None:
        self.controls = ReceiverControls(RouteReceiver(), ReceiverLine())
        self.epochs: list[GpsEpoch] = []
        self.faults: list[str] = []
        self.listener = LineListener("bench", 9600, 5 * SECOND, self.epochs.append, self.faults.append)
        self.listener.begin(0)
        self.second = 0

    def listen(self, seconds: int) -> None:
        for _ in range(seconds):
            self.second += 1
            at_ns = self.second * SECOND
            self.listener.hear(self.controls.epoch_bytes(NOON_NS + at_ns), at_ns)
            self.listener.hear(b"", at_ns + SECOND // 2)


@pytest.mark.requirement("R5")
def test_silence_is_said_once_after_five_seconds_and_again_after_it_was_heard() -> None:
    ear = Ear()
    ear.listen(3)
    assert len(ear.epochs) == 3
    ear.controls.line.silent = True
    ear.listen(4)
    assert ear.faults == []
    ear.listen(20)
    assert len(ear.faults) == 1
    assert "is silent: check its power and its cable (for 5 s)" in ear.faults[0]
    ear.controls.line.silent = False
    ear.listen(2)
    ear.controls.line.silent = True
    ear.listen(8)
    assert len(ear.faults) == 2


@pytest.mark.requirement("R5")
def test_bytes_that_make_no_sense_are_said_to_be_another_speed() -> None:
    ear = Ear()
    ear.controls.line.wrong_speed = True
    ear.listen(8)
    assert not any(one.fix for one in ear.epochs)
    assert any("check that it talks" in fault for fault in ear.faults)


def test_a_line_that_ends_gives_its_last_epoch() -> None:
    ear = Ear()
    ear.listener.hear(ear.controls.epoch_bytes(NOON_NS), SECOND)
    assert ear.epochs == []
    ear.listener.end()
    assert len(ear.epochs) == 1
