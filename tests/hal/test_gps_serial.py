"""The serial receiver on real pseudo-terminals: it never gives up, never grows, and says each fault once."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hal.errors import BadDriverOption
from hal.gps import GpsEpoch
from hal.gps_serial import MAX_UNENDED_BYTES, LineBuffer, NmeaSerialReceiver

WAIT_S = 120.0
SECOND_NS = 1_000_000_000
RMC = b"$GPRMC,120000.00,A,5130.12345,N,00007.54321,W,10.0,359.9,050326,,,A*7A\r\n"


class Terminal:
    """A pseudo-terminal: what is sent comes out of the port named `path`."""

    def __init__(self) -> None:
        self._ours, self._theirs = os.openpty()
        tty.setraw(self._theirs)
        self.path = os.ttyname(self._theirs)

    def send(self, data: bytes) -> None:
        os.write(self._ours, data)

    def unplug(self) -> None:
        for descriptor in (self._ours, self._theirs):
            with contextlib.suppress(OSError):
                os.close(descriptor)


class Heard:
    """What the receiver told its listener, and a clock in the listener's hand."""

    def __init__(self) -> None:
        self.epochs: queue.Queue[GpsEpoch] = queue.Queue()
        self.faults: queue.Queue[str] = queue.Queue()
        self.now_ns = 100 * SECOND_NS
        self.asked = threading.Semaphore(0)

    def clock(self) -> int:
        self.asked.release()
        return self.now_ns

    def advance(self, seconds: float) -> None:
        self.now_ns += int(seconds * SECOND_NS)

    def let_it_look_at_the_clock(self, times: int = 3) -> None:
        """Returns after the driver has gone round its loop a few times (opening a port drops what came before)."""
        while self.asked.acquire(blocking=False):
            pass
        for _ in range(times):
            assert self.asked.acquire(timeout=WAIT_S)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    one = Terminal()
    yield one
    one.unplug()


@pytest.fixture
def heard() -> Heard:
    return Heard()


@contextlib.contextmanager
def listening(port: str, heard: Heard, silence_s: float = 5.0) -> Iterator[NmeaSerialReceiver]:
    receiver = NmeaSerialReceiver(port, silence_s=silence_s, clock=heard.clock)
    receiver.start(heard.epochs.put, heard.faults.put)
    try:
        yield receiver
    finally:
        receiver.stop()
        assert not [thread for thread in threading.enumerate() if thread.name == "gps-serial"]


def test_an_epoch_comes_out_once_the_line_falls_silent(terminal: Terminal, heard: Heard) -> None:
    with listening(terminal.path, heard):
        heard.let_it_look_at_the_clock()
        terminal.send(RMC)
        heard.let_it_look_at_the_clock()
        assert heard.epochs.empty()
        heard.advance(0.3)
        epoch = heard.epochs.get(timeout=WAIT_S)
    assert epoch.fix
    assert epoch.received_ns == 100 * SECOND_NS
    assert heard.faults.empty()


def test_a_missing_device_is_said_once_and_then_waited_for(tmp_path: Path, terminal: Terminal, heard: Heard) -> None:
    port = tmp_path / "ttyGPS"
    with listening(str(port), heard):
        assert "check its plug" in heard.faults.get(timeout=WAIT_S)
        port.symlink_to(terminal.path)
        heard.let_it_look_at_the_clock()
        terminal.send(RMC)
        heard.let_it_look_at_the_clock()
        heard.advance(0.3)
        assert heard.epochs.get(timeout=WAIT_S).fix
    assert heard.faults.empty()


def test_an_unplugged_receiver_is_said_once_and_found_again(tmp_path: Path, heard: Heard) -> None:
    first, second = Terminal(), Terminal()
    port = tmp_path / "ttyGPS"
    port.symlink_to(first.path)
    with listening(str(port), heard):
        heard.let_it_look_at_the_clock()
        first.send(RMC)
        heard.let_it_look_at_the_clock()
        port.unlink()
        first.unplug()
        assert heard.epochs.get(timeout=WAIT_S).fix, "what was heard before is not thrown away"
        assert "lost" in heard.faults.get(timeout=WAIT_S)
        port.symlink_to(second.path)
        heard.let_it_look_at_the_clock()
        second.send(RMC)
        heard.let_it_look_at_the_clock()
        heard.advance(0.3)
        assert heard.epochs.get(timeout=WAIT_S).fix
    second.unplug()
    assert heard.faults.empty()


def test_silence_of_five_seconds_is_said_once(terminal: Terminal, heard: Heard) -> None:
    with listening(terminal.path, heard):
        heard.let_it_look_at_the_clock()
        terminal.send(RMC)
        heard.let_it_look_at_the_clock()
        heard.advance(4.9)
        heard.let_it_look_at_the_clock()
        assert heard.faults.empty()
        heard.advance(0.2)
        assert "silent" in heard.faults.get(timeout=WAIT_S)
        heard.advance(60)
        heard.let_it_look_at_the_clock()
        assert heard.faults.empty()


def test_a_fault_that_comes_back_is_said_again(terminal: Terminal, heard: Heard) -> None:
    with listening(terminal.path, heard):
        for _ in range(2):
            heard.let_it_look_at_the_clock()
            terminal.send(RMC)
            heard.let_it_look_at_the_clock()
            heard.advance(5)
            assert "silent" in heard.faults.get(timeout=WAIT_S)


def test_the_wrong_speed_is_said_as_such(terminal: Terminal, heard: Heard) -> None:
    with listening(terminal.path, heard):
        heard.let_it_look_at_the_clock()
        terminal.send(b"\x8f\xe3\x01\n" * 20)
        heard.let_it_look_at_the_clock()
        heard.advance(5)
        assert "9600 baud" in heard.faults.get(timeout=WAIT_S)


def test_a_line_without_end_is_dropped_and_said_once_a_minute(terminal: Terminal, heard: Heard) -> None:
    with listening(terminal.path, heard, silence_s=3600):
        heard.let_it_look_at_the_clock()
        for _ in range(2):
            terminal.send(b"x" * (MAX_UNENDED_BYTES + 1) + b"\n" + RMC)
            heard.let_it_look_at_the_clock()
        assert "without a line end" in heard.faults.get(timeout=WAIT_S)
        assert heard.faults.empty()
        heard.advance(60)
        terminal.send(b"x" * (MAX_UNENDED_BYTES + 1) + b"\n" + RMC)
        assert "without a line end" in heard.faults.get(timeout=WAIT_S)
        assert heard.epochs.get(timeout=WAIT_S).fix


def test_it_stops_twice_starts_again_and_says_nothing_after_stop(terminal: Terminal, heard: Heard) -> None:
    with listening(terminal.path, heard) as receiver:
        with pytest.raises(RuntimeError):
            receiver.start(heard.epochs.put, heard.faults.put)
        receiver.stop()
        receiver.stop()
        assert heard.epochs.empty()
        receiver.start(heard.epochs.put, heard.faults.put)
        heard.let_it_look_at_the_clock()
        terminal.send(RMC)
        heard.let_it_look_at_the_clock()
        heard.advance(1)
        assert heard.epochs.get(timeout=WAIT_S).fix


@pytest.mark.parametrize(
    "options", [{"port": ""}, {"port": "/dev/x", "baud": 1234}, {"port": "/dev/x", "silence_s": 0}]
)
def test_options_out_of_range_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(BadDriverOption):
        NmeaSerialReceiver(**options)  # type: ignore[arg-type]


@given(st.lists(st.binary(max_size=700) | st.just(b"\n") | st.just(b"a" * 600)))
def test_the_line_buffer_is_bounded_whatever_comes(chunks: list[bytes]) -> None:
    lines = LineBuffer()
    for chunk in chunks:
        assert all(len(line) <= MAX_UNENDED_BYTES and b"\n" not in line for line in lines.feed(chunk))
        assert len(lines._rest) <= MAX_UNENDED_BYTES
    short = [line for line in b"".join(chunks).split(b"\n")[:-1] if len(line) <= MAX_UNENDED_BYTES]
    again = LineBuffer()
    assert [line for chunk in chunks for line in again.feed(chunk)] == short
