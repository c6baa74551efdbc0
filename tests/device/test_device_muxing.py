"""Sound on its own sample count: how far each fragment is off its picture is measured and signed (invariant 10)."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from device.fragments import Fragment, Fragmenter, joined
from device.muxing import SOUND_SLACK_S, Muxed, Muxer
from evidence.fmp4 import AUDIO_TRACK_ID
from evidence.fmp4_read import parse_fragment, parse_init
from evidence.keys import FileSigner
from evidence.media_signing import MediaSigner, VendorInfo
from hal.camera import EncodedFrame, VideoFormat
from hal.microphone import AudioFormat, EncodedSound
from hal.x264 import X264Encoder
from simulator.drivers.picture import Picture

SECOND = 1_000_000_000
RATE, SAMPLE_RATE, PIECE = 10, 48_000, 1024
ZERO_NS = 77 * SECOND
AUDIO = AudioFormat(SAMPLE_RATE, 1, b"\x11\x88")


@pytest.fixture(scope="module")
def frames() -> list[EncodedFrame]:
    encoder, picture = X264Encoder(160, 96, Fraction(RATE), 100_000), Picture(160, 96)
    made = [encoder.encode(picture.frame, n, keyframe=n % RATE == 0) for n in range(20 * RATE)]
    return [EncodedFrame(data, key, ZERO_NS + n * SECOND // RATE, n) for n, (data, key) in enumerate(made)]


@pytest.fixture
def muxer(pki: Path) -> Muxer:
    signer = FileSigner.load(pki / "camera.key", pki / "camera.pem")
    pictures = MediaSigner(signer.sign_digest, (pki / "camera.pem").read_bytes(), VendorInfo("1", "SIM-0001", "F"))
    return Muxer(
        lambda: VideoFormat(160, 96, float(RATE)), AUDIO, pictures, lambda at_ns: 1_700_000_000 * SECOND,
        recording="SIM-0001-000001", device_name="m",
    )  # fmt: skip


def fragments(frames: list[EncodedFrame], sounds: list[EncodedSound], late_ns: int = 0) -> list[Fragment]:
    """As the camera cuts them, when every sound reaches it that long after it was captured."""
    cutter, queue, made = Fragmenter(), list(sounds), []
    for frame in frames:
        while queue and queue[0].captured_ns + late_ns <= frame.captured_ns:
            cutter.sound(queue.pop(0))
        made.append(cutter.frame(frame))
    for one in queue:
        cutter.sound(one)
    return [one for one in [*made, cutter.finish()] if one is not None]


def microphone(seconds: int, *, slow: Fraction = Fraction(0), begins_ns: int = 0) -> list[EncodedSound]:
    """Pieces of 1024 samples; a slow crystal takes longer for each."""
    step = Fraction(PIECE * SECOND, SAMPLE_RATE) / (1 - slow)
    count = int((seconds * SECOND - begins_ns) / step)
    return [EncodedSound(b"\x01\x02", ZERO_NS + begins_ns + int(n * step), -20.0) for n in range(count)]


def mux(muxer: Muxer, cut: list[Fragment]) -> list[Muxed]:
    muxer.init(cut[0].frames[0])
    return [one for one in map(muxer.mux, cut) if one is not None]


def offsets(made: list[Muxed]) -> list[int | None]:
    return [one.facts.sound_offset_us for one in made]


def played_s(muxer: Muxer, first: EncodedFrame, one: Muxed) -> float:
    """When the first sound of a media object plays by its own MP4 boxes."""
    init = parse_init(bytes(muxer.init(first)[0]))
    fragment = parse_fragment(b"".join(bytes(part) for part in one.parts), init)
    sound = fragment.track(AUDIO_TRACK_ID)
    assert sound is not None
    return sound.samples[0].dts / SAMPLE_RATE


@pytest.mark.requirement("R3")
def test_sound_at_the_right_pace_is_on_its_picture(muxer: Muxer, frames: list[EncodedFrame]) -> None:
    found = offsets(mux(muxer, fragments(frames, microphone(20))))
    assert len(found) == 20
    assert all(one is not None and abs(one) <= 21 for one in found)  # a sample lasts 21 microseconds


def test_a_microphone_that_runs_half_a_percent_slow_shows_in_every_fragment(
    muxer: Muxer, frames: list[EncodedFrame]
) -> None:
    found = offsets(mux(muxer, fragments(frames, microphone(20, slow=Fraction(5, 1000)))))
    measured = [one for one in found if one is not None]
    assert len(measured) == 20
    # 5 ms more each second, until the sound is laid anew
    assert [one // 1000 for one in measured[1:5]] == pytest.approx([5, 10, 15, 20], abs=1)
    assert max(measured) > 20_000
    assert 0 <= min(measured) <= max(measured) <= SOUND_SLACK_S * 1_000_000 + 21


def test_a_microphone_that_runs_fast_shows_as_a_negative_offset(muxer: Muxer, frames: list[EncodedFrame]) -> None:
    last = offsets(mux(muxer, fragments(frames, microphone(20, slow=Fraction(-5, 1000)))))[-1]
    assert last == pytest.approx(-19 * 5_000, abs=1_500)


def test_sound_that_begins_late_plays_at_its_time_and_is_not_off(muxer: Muxer, frames: list[EncodedFrame]) -> None:
    made = mux(muxer, fragments(frames, microphone(20, begins_ns=1_100_000_000)))
    assert offsets(made)[0] is None
    assert made[0].facts.sound_frames == 0
    assert all(one is not None and 0 <= one <= 21 for one in offsets(made)[1:])
    assert played_s(muxer, frames[0], made[1]) == pytest.approx(1.1, abs=0.0001)


@pytest.mark.requirement("R3")
def test_sound_that_arrives_1100_ms_late_is_in_later_fragments_and_not_off(
    muxer: Muxer, frames: list[EncodedFrame]
) -> None:
    cut = fragments(frames, microphone(20), late_ns=1_100_000_000)
    made = mux(muxer, cut)
    assert offsets(made)[0] is None
    for fragment, one in zip(cut[1:], made[1:], strict=True):
        assert one.facts.sound_offset_us is not None
        assert 0 <= one.facts.sound_offset_us <= 21
        heard_ns = fragment.sounds[0].captured_ns
        assert heard_ns <= fragment.frames[0].captured_ns - SECOND
        assert played_s(muxer, frames[0], one) == pytest.approx((heard_ns - ZERO_NS) / SECOND, abs=0.0001)


def test_joined_fragments_state_the_offset_of_their_first_sound(muxer: Muxer, frames: list[EncodedFrame]) -> None:
    cut = fragments(frames, microphone(20, slow=Fraction(5, 1000)))
    found = offsets(mux(muxer, [joined(cut[:4]), joined(cut[4:8])]))
    assert found[0] == 0
    assert found[1] == pytest.approx(20_000, abs=1_000)


@pytest.mark.requirement("R3")
def test_without_sound_there_is_no_offset(muxer: Muxer, frames: list[EncodedFrame]) -> None:
    assert set(offsets(mux(muxer, fragments(frames, [])))) == {None}
