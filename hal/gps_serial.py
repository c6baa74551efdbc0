"""A GPS receiver on a serial line (UART, USB or a pseudo-terminal): NMEA 0183 through pyserial.

One thread reads. It never gives up: a receiver that is missing, unplugged, silent or talking at another speed is one
sentence to `on_fault`, and then waited for. Recording does not depend on any of it (design, invariant 1).
"""

from __future__ import annotations

import random
import termios
import threading
from collections.abc import Callable

import serial

from hal import program_time
from hal.chrony_samples import ChronySamples, checked_path
from hal.clock import boottime_ns
from hal.errors import BadDriverOption
from hal.gps import GpsEpoch
from hal.nmea import EpochAssembler

MAX_UNENDED_BYTES = 1024
"""A line that grows beyond this without a newline is dropped up to the next newline."""
MAX_READ_BYTES = 4096
READ_TIMEOUT_S = 0.1
FIRST_RETRY_S = 0.25
LONG_LINE_FAULT_EVERY_NS = 60_000_000_000

_jitter = random.SystemRandom()


class LineBuffer:
    """Cuts a stream of bytes into lines and never holds more than 1 KiB of an unended one."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._skipping = False
        self.overlong = 0
        """How many lines were dropped because no newline came."""

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that `data` completes, without their newline."""
        *ends, rest = data.split(b"\n")
        lines = []
        for end in ends:
            if not self._skipping and len(self._rest) + len(end) <= MAX_UNENDED_BYTES:
                lines.append(bytes(self._rest) + end)
            elif not self._skipping:
                self.overlong += 1
            self._rest.clear()
            self._skipping = False
        if not self._skipping and len(self._rest) + len(rest) > MAX_UNENDED_BYTES:
            self.overlong += 1
            self._skipping = True
            self._rest.clear()
        elif not self._skipping:
            self._rest += rest
        return lines


class NmeaSerialReceiver:
    """A `hal.gps.GpsReceiver` on a serial port.

    `port` is a device path (``/dev/ttyAMA0``, ``/dev/serial/by-id/…``), `baud` its speed in bits per second,
    `silence_s` how long no valid sentence may come before that is a fault, `retry_max_s` the longest pause between two
    attempts to open the port. `chrony_socket` is the socket of chrony's reference clock SOCK, if chrony is to be told
    the receiver's time (`hal.chrony_samples`). `clock` returns CLOCK_BOOTTIME in nanoseconds.

    Raises `BadDriverOption` for an option out of range. A missing device is not an error here: it may be plugged in
    later.
    """

    def __init__(
        self,
        port: str,
        baud: int = 9600,
        *,
        silence_s: float = 5.0,
        retry_max_s: float = 5.0,
        chrony_socket: str | None = None,
        clock: Callable[[], int] = boottime_ns,
    ) -> None:
        if not isinstance(port, str) or not port:
            raise BadDriverOption("gps: port must be the path of a serial device, e.g. /dev/ttyAMA0")
        if isinstance(baud, bool) or baud not in serial.Serial.BAUDRATES:
            raise BadDriverOption(f"gps: baud {baud!r} is no serial speed; receivers use 4800, 9600, 38400 or 115200")
        for name, value in (("silence_s", silence_s), ("retry_max_s", retry_max_s)):
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0.1 <= value <= 3600:
                raise BadDriverOption(f"gps: {name} must be 0.1..3600 seconds, not {value!r}")
        self._port, self._baud, self._clock = port, baud, clock
        self._silence_ns = int(silence_s * 1_000_000_000)
        self._retry_max_s = float(retry_max_s)
        self._chrony_socket = checked_path(chrony_socket)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, on_epoch: Callable[[GpsEpoch], None], on_fault: Callable[[str], None]) -> None:
        """Begin to read; both callbacks run on the driver's thread and must neither block nor raise."""
        if self._thread is not None:
            raise RuntimeError("the GPS receiver is already started")
        self._stop = threading.Event()
        if self._chrony_socket is not None:
            on_epoch = self._telling_chrony(self._chrony_socket, on_epoch, on_fault)
        reading = _Reading(self._port, self._baud, self._clock, self._silence_ns, self._stop, on_epoch, on_fault)
        self._thread = threading.Thread(target=reading.run, args=(self._retry_max_s,), name="gps-serial", daemon=True)
        self._thread.start()

    def _telling_chrony(
        self, path: str, on_epoch: Callable[[GpsEpoch], None], on_fault: Callable[[str], None]
    ) -> Callable[[GpsEpoch], None]:
        samples = ChronySamples(path, program_time.utc_ns, self._clock, on_fault)

        def both(epoch: GpsEpoch) -> None:
            samples.feed(epoch)  # first: its age counts
            on_epoch(epoch)

        return both

    def stop(self) -> None:
        """Stop within a second and close the port. May be called twice, also from a callback."""
        self._stop.set()
        thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join(1.0)


class LineListener:
    """What a camera makes of a receiver's bytes: epochs, and one sentence when nothing readable comes.

    No port and no clock: whoever reads a line calls `begin`, then `hear` with every piece and often without one, and
    `end`. `name` stands in the sentences.
    """

    def __init__(
        self,
        name: str,
        baud: int,
        silence_ns: int,
        on_epoch: Callable[[GpsEpoch], None],
        on_fault: Callable[[str], None],
    ) -> None:
        self._name, self._baud, self._silence_ns = name, baud, silence_ns
        self._on_epoch, self._on_fault = on_epoch, on_fault
        self._assembler = EpochAssembler()
        self._lines = LineBuffer()
        self._heard_bytes = False
        self._last_sentence_ns = 0
        self._said: set[str] = set()
        """Faults already reported; a valid sentence clears it."""
        self._long_line_said_ns: int | None = None

    @property
    def accepted(self) -> int:
        """How many valid sentences came so far."""
        return self._assembler.accepted

    def begin(self, now_ns: int) -> None:
        """The line is open from `now_ns` (CLOCK_BOOTTIME) on."""
        self._lines, self._heard_bytes, self._last_sentence_ns = LineBuffer(), False, now_ns

    def hear(self, data: bytes, now_ns: int) -> None:
        """These bytes came; empty: nothing did."""
        self._heard_bytes = self._heard_bytes or bool(data)
        accepted = self._assembler.accepted
        for line in self._lines.feed(data):
            self._deliver(self._assembler.add(line, now_ns))
        self._deliver(self._assembler.flush(now_ns))
        if self._assembler.accepted > accepted:
            self._last_sentence_ns = now_ns
            self._said.clear()
            self._heard_bytes = False
        self._say_silence(now_ns)
        self._say_overlong(now_ns)

    def end(self) -> None:
        """The line is closed: the epoch that was open is whole."""
        self._deliver(self._assembler.finish())

    def fault_once(self, kind: str, sentence: str) -> None:
        """Say it, unless it was said since the last valid sentence."""
        if kind not in self._said:
            self._said.add(kind)
            self._on_fault(sentence)

    def _deliver(self, epoch: GpsEpoch | None) -> None:
        if epoch is not None:
            self._on_epoch(epoch)

    def _say_silence(self, now_ns: int) -> None:
        silent_ns = now_ns - self._last_sentence_ns
        if silent_ns < self._silence_ns:
            return
        what = (
            f"sends no readable NMEA: check that it talks at {self._baud} baud"
            if self._heard_bytes
            else "is silent: check its power and its cable"
        )
        self.fault_once("silent", f"GPS receiver {self._name} {what} (for {silent_ns // 1_000_000_000} s)")

    def _say_overlong(self, now_ns: int) -> None:
        if not self._lines.overlong:
            return
        self._lines.overlong = 0
        if self._long_line_said_ns is None or now_ns - self._long_line_said_ns >= LONG_LINE_FAULT_EVERY_NS:
            self._long_line_said_ns = now_ns
            self._on_fault(
                f"GPS receiver {self._name} sent over {MAX_UNENDED_BYTES} bytes without a line end: "
                f"check that it talks NMEA at {self._baud} baud"
            )


class _Reading:
    """What the thread knows between start and stop."""

    def __init__(
        self,
        port: str,
        baud: int,
        clock: Callable[[], int],
        silence_ns: int,
        stop: threading.Event,
        on_epoch: Callable[[GpsEpoch], None],
        on_fault: Callable[[str], None],
    ) -> None:
        self._port, self._baud, self._clock, self._stop = port, baud, clock, stop

        def deliver(epoch: GpsEpoch) -> None:
            if not stop.is_set():
                on_epoch(epoch)

        def tell(sentence: str) -> None:
            if not stop.is_set():
                on_fault(sentence)

        self._listener = LineListener(port, baud, silence_ns, deliver, tell)

    def run(self, retry_max_s: float) -> None:
        listener, pause_s = self._listener, FIRST_RETRY_S
        while not self._stop.is_set():
            accepted = listener.accepted
            try:
                with serial.Serial(self._port, self._baud, timeout=READ_TIMEOUT_S, exclusive=True) as port:
                    self._listen(port)
            except (OSError, termios.error) as error:  # SerialException is an OSError; termios.error is not
                listener.fault_once("lost", f"GPS receiver {self._port} is lost ({error}): check its plug and cable")
            listener.end()
            if listener.accepted > accepted:
                pause_s = FIRST_RETRY_S
            self._stop.wait(min(pause_s, retry_max_s) * _jitter.uniform(0.5, 1.0))
            pause_s = min(pause_s * 2, retry_max_s)

    def _listen(self, port: serial.Serial) -> None:
        """Read until stopped. Raises OSError when the device has gone."""
        self._listener.begin(self._clock())
        while not self._stop.is_set():
            data = port.read(max(1, min(port.in_waiting, MAX_READ_BYTES)))
            self._listener.hear(data, self._clock())
