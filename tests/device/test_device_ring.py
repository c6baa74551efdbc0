"""Ring and fragments (invariants 2 and 3): pure."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.fragments import FRAGMENT_NS, STALL_NS, Fragment, Fragmenter
from device.ring import Ring
from hal.camera import EncodedFrame
from hal.gps import GpsEpoch
from hal.microphone import EncodedSound

MS = 1_000_000
SECOND = 1_000_000_000


def frames(count: int, *, rate: int = 15, gop: int = 15, size: int = 100, start_ns: int = 0) -> list[EncodedFrame]:
    return [EncodedFrame(bytes(size), n % gop == 0, start_ns + n * SECOND // rate, n) for n in range(count)]


def sound(at_ns: int, size: int = 50) -> EncodedSound:
    return EncodedSound(bytes(size), at_ns, -20.0)


@pytest.mark.requirement("R14")
def test_the_ring_reaches_back_its_seconds_and_at_most_one_gop_more() -> None:
    ring = Ring(4 * SECOND, 10**9, keep_sound=False)
    for frame in frames(15 * 20):
        ring.push(frame)
        assert ring.gops[0].frames[0].keyframe
    newest_ns = 15 * 20 * SECOND // 15
    part = ring.before(newest_ns)
    assert part[0].keyframe
    assert 4 * SECOND <= newest_ns - part[0].captured_ns <= 5 * SECOND
    assert ring.span_ns() < 6 * SECOND, "and a second more, for a trigger that is known only when debounced"


def test_the_ring_is_bounded_in_bytes_with_its_sound() -> None:
    ring = Ring(100 * SECOND, 50_000, keep_sound=True)
    for frame in frames(15 * 60):
        ring.push(frame)
        ring.push_sound(sound(frame.captured_ns))
        assert ring.bytes <= 50_000 + 150
    held = sum(len(f.data) for g in ring.gops for f in g.frames) + sum(len(one.data) for one in ring.sounds)
    assert ring.bytes == held


def test_sound_without_pictures_does_not_fill_the_memory() -> None:
    ring = Ring(4 * SECOND, 10**9, keep_sound=True)
    for n in range(100_000):
        ring.push_sound(sound(n * 20 * MS))
    assert len(ring.sounds) < 500


def test_an_encoder_without_key_frames_does_not_fill_the_memory() -> None:
    ring = Ring(4 * SECOND, 100_000, keep_sound=False)
    for frame in frames(50_000, gop=10**9):
        ring.push(frame)
        assert ring.bytes <= 100_000


@pytest.mark.requirement("R1")
def test_a_ring_without_sound_holds_none() -> None:
    ring = Ring(4 * SECOND, 10**9, keep_sound=False)
    ring.push_sound(sound(0))
    assert not ring.sounds


def test_a_dropped_ring_begins_again_at_the_next_key_frame() -> None:
    ring = Ring(4 * SECOND, 10**9, keep_sound=False)
    for frame in frames(20):
        ring.push(frame)
    ring.drop("storage_full")
    for frame in frames(40)[20:]:
        ring.push(frame)
    assert ring.gops[0].frames[0].sequence == 30


@pytest.mark.requirement("R5")
def test_a_short_ring_says_why_so_that_nobody_reads_it_as_a_late_start() -> None:
    def why(ring: Ring, count: int) -> object:
        for frame in frames(count, size=1000):
            ring.push(frame)
        return ring.facts(count * SECOND // 15, ring.before(count * SECOND // 15))["short_because"]

    assert why(Ring(4 * SECOND, 10**9, keep_sound=False), 0) == "power_on"
    assert why(Ring(4 * SECOND, 10**9, keep_sound=False), 45) == "power_on"
    assert why(Ring(4 * SECOND, 10**9, keep_sound=False), 150) is None
    assert why(Ring(4 * SECOND, 40_000, keep_sound=False), 150) == "capped"
    dropped = Ring(4 * SECOND, 10**9, keep_sound=False)
    why(dropped, 150)
    dropped.drop("storage_full")
    assert why(dropped, 30) == "storage_full"
    assert why(Ring(4 * SECOND, 10_000, keep_sound=False), 200) == "endless_group"


frame_lists = st.lists(
    st.tuples(st.booleans(), st.integers(1, 2500), st.integers(0, 5000)), max_size=120
)  # key frame, ms after the one before, bytes


def timed(rows: list[tuple[bool, int, int]]) -> list[EncodedFrame]:
    at = itertools.accumulate(ms * MS for _, ms, _ in rows)
    return [EncodedFrame(bytes(size), key, ns, n) for n, ((key, _, size), ns) in enumerate(zip(rows, at, strict=True))]


@given(frame_lists, st.integers(0, 10), st.integers(1, 50_000))
def test_any_frames_keep_the_ring_whole(rows: list[tuple[bool, int, int]], seconds: int, max_bytes: int) -> None:
    ring = Ring(seconds * SECOND, max_bytes, keep_sound=False)
    for frame in timed(rows):
        ring.push(frame)
        assert all(gop.frames[0].keyframe for gop in ring.gops)
        assert ring.bytes == sum(gop.bytes for gop in ring.gops)
        assert ring.bytes <= max_bytes or len(ring.gops) == 1
        kept = [one.sequence for gop in ring.gops for one in gop.frames]
        assert kept == list(range(kept[0], frame.sequence + 1)) if kept else True


def cut(stream: list[EncodedFrame], fragmenter: Fragmenter | None = None) -> list[Fragment]:
    fragmenter = fragmenter or Fragmenter()
    found = [one for frame in stream if (one := fragmenter.frame(frame)) is not None]
    last = fragmenter.finish()
    return [*found, last] if last is not None else found


def test_fragments_are_gops_of_a_second() -> None:
    cuts = cut(frames(15 * 5))
    assert [len(one.frames) for one in cuts] == [15] * 5
    assert [one.final for one in cuts] == [False] * 4 + [True]
    assert [one.group_ends for one in cuts[:4]] == [True] * 4


def test_a_long_gop_is_cut_into_seconds() -> None:
    assert [len(one.frames) for one in cut(frames(60, gop=60))] == [15] * 4


def test_frames_before_the_first_key_frame_are_not_taken() -> None:
    assert [one.sequence for one in cut(frames(40)[7:])[0].frames] == list(range(15, 30))


def test_a_late_frame_does_not_stretch_the_fragment_before_it() -> None:
    stream = [*frames(10), *frames(15, start_ns=3 * SECOND)]
    assert all(one.end_ns is None or one.end_ns - one.frames[0].captured_ns <= FRAGMENT_NS for one in cut(stream))


def test_a_stalled_camera_is_flushed_after_350_ms_and_only_once() -> None:
    fragmenter = Fragmenter()
    stream = frames(5)
    for frame in stream:
        fragmenter.frame(frame)
    last_ns = stream[-1].captured_ns
    assert fragmenter.flush(last_ns + STALL_NS - 1) is None
    flushed = fragmenter.flush(last_ns + STALL_NS)
    assert flushed is not None
    assert len(flushed.frames) == 5
    assert fragmenter.flush(last_ns + 10 * SECOND) is None
    assert fragmenter.finish() is None


def test_sound_and_gps_go_with_the_fragment_of_their_time() -> None:
    fragmenter = Fragmenter()
    fragmenter.extend([sound(n * 100 * MS) for n in range(25)], [GpsEpoch(n * 500 * MS, False) for n in range(5)])
    cuts = cut(frames(45), fragmenter)
    assert [len(one.sounds) for one in cuts] == [10, 10, 5]
    assert [len(one.epochs) for one in cuts] == [2, 2, 1]


def test_sound_that_waits_for_a_dead_camera_is_bounded() -> None:
    fragmenter = Fragmenter()
    for n in range(100_000):
        fragmenter.sound(sound(n * 20 * MS))
        fragmenter.epoch(GpsEpoch(n * 20 * MS, False))
    assert len(fragmenter._sounds) <= 3001
    assert len(fragmenter._epochs) <= 3001


@settings(max_examples=200)
@given(frame_lists, st.lists(st.integers(0, 200_000), max_size=60), st.booleans())
def test_no_frame_and_no_sound_is_lost_or_doubled(
    rows: list[tuple[bool, int, int]], sounds_ms: list[int], flushing: bool
) -> None:
    stream = timed(rows)
    fragmenter, cuts = Fragmenter(), []
    waiting = sorted(sounds_ms)
    for frame in stream:
        if flushing and (one := fragmenter.flush(frame.captured_ns - 1)) is not None:
            cuts.append(one)
        while waiting and waiting[0] * MS <= frame.captured_ns:
            fragmenter.sound(sound(waiting.pop(0) * MS))
        if (one := fragmenter.frame(frame)) is not None:
            cuts.append(one)
    if (one := fragmenter.finish()) is not None:
        cuts.append(one)
    first = next((frame.sequence for frame in stream if frame.keyframe), len(stream))
    assert [frame.sequence for one in cuts for frame in one.frames] == list(range(first, len(stream)))
    for one in cuts:
        assert one.frames[-1].captured_ns - one.frames[0].captured_ns < FRAGMENT_NS
        assert one.end_ns is None or one.frames[-1].captured_ns < one.end_ns <= one.frames[0].captured_ns + FRAGMENT_NS
        assert not any(frame.keyframe for frame in one.frames[1:])
    times = [one.captured_ns for fragment in cuts for one in fragment.sounds]
    assert times == sorted(times)
