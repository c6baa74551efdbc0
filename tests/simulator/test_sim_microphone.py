"""Simulated microphones deliver AAC-LC whose decoded samples lie where `captured_ns` says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
import pytest
from patient_time import Hand, patient_time

from hal.errors import BadDriverOption
from hal.microphone import EncodedSound, Microphone
from simulator.drivers.microphone import ClipMicrophone, ToneMicrophone
from simulator.drivers.pace import boottime_ns


@contextmanager
def hearing(microphone: Microphone) -> Iterator[Hand[EncodedSound]]:
    sounds, faults = Hand[EncodedSound](), list[str]()
    microphone.start(sounds.give, faults.append)
    try:
        yield sounds
    finally:
        sounds.let_go()
        microphone.stop()
        microphone.stop()
    assert faults == []


@pytest.fixture(autouse=True)
def patience() -> Iterator[None]:
    with patient_time():
        yield


def decoded(microphone: Microphone, sounds: list[EncodedSound]) -> np.ndarray:
    codec = av.CodecContext.create("aac", "r")
    codec.extradata = microphone.format.config
    codec.sample_rate = microphone.format.sample_rate  # type: ignore[attr-defined]
    frames = [frame for sound in sounds for frame in codec.decode(av.Packet(sound.data))]  # type: ignore[attr-defined]
    return np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames])


def loudest_hz(samples: np.ndarray, rate: int) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * rate / len(samples))


@pytest.mark.parametrize("rate", [48_000, 16_000])
def test_the_tone_is_aac_with_times_that_do_not_drift(rate: int) -> None:
    microphone = ToneMicrophone(sample_rate=rate)
    assert microphone.info.kind == "simulated"
    assert (microphone.format.channels, microphone.format.samples_per_frame) == (1, 1024)
    before_ns = boottime_ns()
    with hearing(microphone) as sounds:
        got = sounds.take(2 + 3 * rate // 2048)  # a second and a half
    times = [sound.captured_ns for sound in got]
    for number, time_ns in enumerate(times):
        assert time_ns - times[0] == pytest.approx(number * 1024 * 1_000_000_000 / rate, abs=2)
    assert before_ns <= times[1] < boottime_ns()
    samples = decoded(microphone, got)
    assert len(samples) == 1024 * len(got)
    assert loudest_hz(samples[4096 : 4096 + rate // 4], rate) == pytest.approx(440, abs=8)
    assert np.abs(samples[:900]).max() < 0.02  # the priming


def test_the_level_belongs_to_the_samples_and_a_tick_comes_each_second() -> None:
    microphone = ToneMicrophone()
    with hearing(microphone) as sounds:
        got = sounds.take(75)
    samples = decoded(microphone, got)
    assert got[0].level_dbfs == -120.0
    peaks = [20 * np.log10(np.abs(samples[1024 * n : 1024 * (n + 1)]).max() + 1e-9) for n in range(len(got))]
    for number in range(3, len(got) - 1):
        around = [sound.level_dbfs for sound in got[number - 1 : number + 2]]
        if around[1] > -10:
            assert peaks[number] > -14
        elif max(around) < -20:  # AAC smears a tick into its neighbours
            assert peaks[number] < -20
    ticks = [sound for sound in got if sound.level_dbfs > -10]
    assert 1 <= len(ticks) <= 6
    assert all(-30.0 < sound.level_dbfs < -5.0 for sound in got[1:])


def write_sound(path: Path, seconds: float = 0.5, hertz: float = 1000) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=22_050)
        stream.layout = "stereo"
        wave = np.sin(2 * np.pi * hertz * np.arange(int(seconds * 22_050)) / 22_050) * 9000
        frame = av.AudioFrame.from_ndarray(np.repeat(wave, 2).astype(np.int16).reshape(1, -1), "s16", "stereo")
        frame.sample_rate = 22_050
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_a_clip_sounds_in_a_loop(tmp_path: Path) -> None:
    microphone = ClipMicrophone(str(write_sound(tmp_path / "beep.wav")))
    assert (microphone.info.kind, microphone.info.sensor) == ("clip", "beep.wav")
    with hearing(microphone) as sounds:
        got = sounds.take(60)
    samples = decoded(microphone, got)
    assert loudest_hz(samples[2048:], 48_000) == pytest.approx(1000, abs=8)
    assert min(sound.level_dbfs for sound in got[3:]) > -16


def test_a_clip_without_sound_gets_the_tone_and_says_so(shared_data: Callable[[str], Path]) -> None:
    microphone = ClipMicrophone(str(shared_data("bikes.mp4")))
    assert microphone.info.kind == "simulated"
    with hearing(microphone) as sounds:
        got = sounds.take(20)
    assert loudest_hz(decoded(microphone, got)[4096:16384], 48_000) == pytest.approx(440, abs=8)


def test_bad_options_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadDriverOption, match="sample_rate"):
        ToneMicrophone(sample_rate=1234)
    with pytest.raises(BadDriverOption, match="bitrate"):
        ToneMicrophone(bitrate=1)
    with pytest.raises(BadDriverOption, match="no such file"):
        ClipMicrophone(str(tmp_path / "missing.wav"))
