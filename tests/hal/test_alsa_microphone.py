"""The ALSA microphone through the real libasound: its `file` plugin reads what the test speaks into a FIFO."""

from __future__ import annotations

import array
import ctypes
import errno
import io
import itertools
import math
import os
import queue
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import av
import pytest
from pytest_mock import MockerFixture

from hal import alsa_capture
from hal.aac_encoder import BLOCK
from hal.alsa_capture import AlsaCapture
from hal.errors import BadDriverOption
from hal.microphone import EncodedSound
from hal.microphone_alsa import STEADY_BLOCKS, AlsaMicrophone

WAIT_S = 120.0
RATE = 48_000
HELD = 3
BLOCK_NS = BLOCK * 1_000_000_000 // RATE


@pytest.fixture(autouse=True)
def library() -> None:
    try:
        ctypes.CDLL("libasound.so.2")
    except OSError:
        assert os.environ.get("CI") != "true", "CI must have libasound2"
        pytest.skip("libasound2 is not installed: run `make test` as root once, or install it")


@dataclass
class Room:
    """What the microphone told, and a voice that it hears."""

    fifo: Path
    sounds: queue.Queue[EncodedSound] = field(default_factory=queue.Queue)
    faults: queue.Queue[str] = field(default_factory=queue.Queue)
    at: int = 0
    _pace: threading.Event = field(default_factory=threading.Event)
    _due: float = 0.0
    _voice: int | None = None

    def open(self) -> None:
        self._voice = os.open(self.fifo, os.O_RDWR)

    def close(self) -> None:
        if self._voice is not None:
            os.close(self._voice)
            self._voice = None

    def speak(self, blocks: int, peak: float = 0.25, channels: int = 1) -> None:
        """A tone of 440 Hz for so many access units, and for the last blocks, which filter and encoder hold back."""
        assert self._voice is not None
        for _ in range(blocks + HELD):
            self._due = max(self._due + BLOCK_NS / 1e9, time.monotonic())
            self._pace.wait(self._due - time.monotonic())  # as fast as a card delivers
            instants = range(self.at, self.at + BLOCK)
            self.at += BLOCK
            tone = (int((2**31 - 1) * peak * math.sin(2 * math.pi * 440 * one / RATE)) for one in instants)
            data = array.array("i", itertools.chain.from_iterable([one] * channels for one in tone)).tobytes()
            while data:
                data = data[os.write(self._voice, data) :]

    def stop(self, microphone: AlsaMicrophone) -> None:
        """The plugin waits in its pipe, as no card does: a last block sets it free."""
        ending = threading.Thread(target=microphone.stop)
        ending.start()
        if self._voice is not None:
            self.speak(0)
        ending.join()

    def heard(self, count: int) -> list[EncodedSound]:
        return [self.sounds.get(timeout=WAIT_S) for _ in range(count)]


def configuration(folder: Path, infile: Path) -> Path:
    """An ALSA configuration with one microphone, `voice`, that hears a file."""
    path = folder / "asound.conf"
    path.write_text(
        "pcm.nothing { type null }\n"
        f'pcm.voice {{ type file slave.pcm "nothing" file "/dev/null" infile "{infile}" format "raw" }}\n'
    )
    return path


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Room]:
    one = Room(tmp_path / "voice.fifo")
    os.mkfifo(one.fifo)
    one.open()
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(configuration(tmp_path, one.fifo)))
    yield one
    one.close()


@pytest.fixture
def listen(room: Room) -> Iterator[Callable[..., AlsaMicrophone]]:
    started: list[AlsaMicrophone] = []

    def start(**options: object) -> AlsaMicrophone:
        microphone = AlsaMicrophone(**{"device": "voice", "retry_max_s": 0.1, "silence_s": 60} | options)  # type: ignore[arg-type]
        started.append(microphone)
        microphone.start(room.sounds.put, room.faults.put)
        return microphone

    yield start
    for microphone in started:
        room.stop(microphone)


class Reads:
    """How often the driver has asked the kernel for samples."""

    def __init__(self) -> None:
        self.count, self._more = 0, threading.Condition()

    def one_more(self) -> int:
        with self._more:
            self.count += 1
            self._more.notify_all()
            return self.count

    def reach(self, count: int) -> bool:
        with self._more:
            return self._more.wait_for(lambda: self.count >= count, timeout=WAIT_S)


def answers(mocker: MockerFixture, wrong: dict[int, int]) -> Reads:
    """Let some of the reads, counted from 1, fail with an error number."""
    library = alsa_capture._library()
    read, reads = library.snd_pcm_readi, Reads()
    mocker.patch.object(library, "snd_pcm_readi", lambda *options: wrong.get(reads.one_more()) or read(*options))
    return reads


def played(sounds: list[EncodedSound], channels: int = 1) -> list[float]:
    """What a decoder makes of them, first channel."""
    header = bytearray(b"\xff\xf1\x4c\x00\x00\x1f\xfc")  # ADTS: AAC-LC, 48 kHz
    header[3] = channels << 6
    stream = bytearray()
    for sound in sounds:
        size = len(sound.data) + 7
        header[3] = (channels << 6) | (size >> 11)
        header[4], header[5] = (size >> 3) & 0xFF, ((size & 7) << 5) | 0x1F
        stream += header + sound.data
    samples: list[float] = []
    with av.open(io.BytesIO(stream), format="aac") as container:
        for frame in container.decode(audio=0):
            samples += memoryview(frame.planes[0]).cast("B").cast("f")[: frame.samples]
    return samples


@pytest.mark.requirement("R3")
def test_what_is_spoken_is_heard_with_its_level_and_in_time(room: Room, listen: Callable[..., AlsaMicrophone]) -> None:
    began_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    microphone = listen()
    room.speak(40)
    sounds = room.heard(40)
    ended_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    assert [round(one.level_dbfs) for one in sounds] == [-120, *[-12] * 39]  # the encoder's priming, then the tone
    stamps = [one.captured_ns for one in sounds]
    assert all(earlier < later for earlier, later in itertools.pairwise(stamps))
    assert began_ns - 2 * BLOCK_NS - 60_000_000 < stamps[0]
    assert stamps[0] + 39 * BLOCK_NS < ended_ns + 40 * BLOCK_NS
    heard = played(sounds)
    assert 0.2 < max(heard[4 * BLOCK : 30 * BLOCK]) < 0.3
    rises = [n for n, (a, b) in enumerate(itertools.pairwise(heard)) if a < 0 <= b]
    period = statistics.median(later - earlier for earlier, later in itertools.pairwise(rises))
    assert abs(RATE / period - 440) < 5
    assert microphone.format.sample_rate == RATE
    assert microphone.info.kind == "real"
    assert room.faults.empty()


def test_gain_lifts_a_quiet_microphone_and_full_scale_is_the_end(
    room: Room, listen: Callable[..., AlsaMicrophone]
) -> None:
    listen(gain=20)
    room.speak(4, peak=0.01)
    room.speak(8, peak=0.5)
    levels = [round(one.level_dbfs) for one in room.heard(12)]
    assert levels[1:4] == [-20] * 3
    assert levels[-2:] == [0, 0]


def test_two_channels_stay_two(room: Room, listen: Callable[..., AlsaMicrophone]) -> None:
    microphone = listen(channels=2, bitrate_kbit=128)
    room.speak(20, channels=2)
    sounds = room.heard(20)
    assert microphone.format.channels == 2
    assert len(played(sounds, channels=2)) >= 18 * BLOCK


@pytest.mark.requirement("R3")
def test_an_unplugged_microphone_is_a_fault_and_is_opened_again_with_no_silence_between(
    room: Room, listen: Callable[..., AlsaMicrophone], mocker: MockerFixture
) -> None:
    """Only a real card can be unplugged: the seam is the kernel's answer."""
    reads = answers(mocker, {13: -errno.ENODEV})
    listen()
    room.speak(9)
    assert "'voice' was lost: it was unplugged" in room.faults.get(timeout=WAIT_S)
    assert reads.reach(14), "it is opened again"
    room.speak(20)
    sounds = room.heard(33)
    assert room.faults.empty()
    assert [round(one.level_dbfs) for one in sounds] == [-120, *[-12] * 32]
    stamps = [one.captured_ns for one in sounds]
    assert all(earlier < later for earlier, later in itertools.pairwise(stamps))


@pytest.mark.requirement("R3")
def test_a_microphone_that_is_plugged_in_later_is_heard_and_was_a_fault_once(
    tmp_path: Path, room: Room, listen: Callable[..., AlsaMicrophone], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(configuration(tmp_path, tmp_path / "absent")))
    listen()
    assert "'voice' cannot be opened: no such device" in room.faults.get(timeout=WAIT_S)
    (tmp_path / "absent").symlink_to(room.fifo)
    room.speak(10)
    assert len(room.heard(10)) == 10
    assert room.faults.empty()


@pytest.mark.requirement("R3")
def test_an_overrun_is_told_once_and_the_sound_after_it_has_its_own_time(
    room: Room, listen: Callable[..., AlsaMicrophone], mocker: MockerFixture
) -> None:
    """Only a real card can be overrun: the seam is the kernel's answer."""
    answers(mocker, {13: -errno.EPIPE, 14: -errno.EPIPE})
    listen()
    room.speak(9)
    room.speak(9)
    sounds = room.heard(20)
    assert "was overrun" in room.faults.get(timeout=WAIT_S)
    assert room.faults.empty()
    assert [round(one.level_dbfs) for one in sounds] == [-120, *[-12] * 19]


@pytest.mark.requirement("R3")
def test_a_device_that_delivers_nothing_is_lost_and_a_second_of_sound_ends_the_fault(
    room: Room, listen: Callable[..., AlsaMicrophone], mocker: MockerFixture
) -> None:
    """Only a real card can be open and mute: the seam is the read."""
    read, mute = AlsaCapture.read, [True]
    mocker.patch.object(AlsaCapture, "read", lambda capture: None if mute[0] else read(capture))
    passed_ns = [0]
    listen(clock=lambda: time.clock_gettime_ns(time.CLOCK_BOOTTIME) + passed_ns[0])
    passed_ns[0] += 61_000_000_000
    assert "delivers no sound" in room.faults.get(timeout=WAIT_S)
    mute[0] = False
    room.speak(STEADY_BLOCKS)
    room.heard(STEADY_BLOCKS)
    mute[0] = True
    room.speak(1)
    passed_ns[0] += 61_000_000_000
    assert "delivers no sound" in room.faults.get(timeout=WAIT_S)


def test_it_can_be_stopped_and_started_again(room: Room, listen: Callable[..., AlsaMicrophone]) -> None:
    microphone = listen()
    room.speak(5)
    room.heard(5)
    room.stop(microphone)
    microphone.stop()
    microphone.start(room.sounds.put, room.faults.put)
    room.speak(5)
    assert len(room.heard(5)) == 5


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"device": ""}, "name of an ALSA device"),
        ({"device": "plughw:1\0"}, "name of an ALSA device"),
        ({"device": "d", "sample_rate": 8000}, "sample_rate must be one of 16000"),
        ({"device": "d", "channels": 3}, "channels must be 1 or 2"),
        ({"device": "d", "bitrate_kbit": 8}, "bitrate_kbit must be 16..256"),
        ({"device": "d", "gain": 90}, "gain must be -40..60 dB"),
        ({"device": "d", "silence_s": True}, "silence_s must be 0.5..60 seconds"),
    ],
)
def test_an_option_out_of_range_is_refused_with_a_sentence(options: dict[str, object], sentence: str) -> None:
    with pytest.raises(BadDriverOption, match=sentence):
        AlsaMicrophone(**options)  # type: ignore[arg-type]
