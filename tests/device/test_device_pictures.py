"""What the camera's own eyes and ears notice (R3, R12, R29), and that nights, pockets and seat belts alarm nobody."""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from device.gravity import LASTS_NS as HANGS_NS
from device.gravity import Fall, Gravity
from device.pictures import LASTS_NS, LONGEST_PAUSE_NS, OVER_NS, PictureWatch, measure
from device.sounds import LASTS_NS as SOUND_LASTS_NS
from device.sounds import SoundWatch
from hal.camera import SmallPicture
from hal.microphone import EncodedSound
from hal.motion import Acceleration

S = 1_000_000_000
WIDTH, HEIGHT = 96, 54


def picture(second: float, level: Callable[[int, int], float], noise: float = 0.6) -> SmallPicture:
    chance = random.Random(second)
    luma = bytes(
        max(0, min(255, round(level(x, y) + chance.gauss(0, noise)))) for y in range(HEIGHT) for x in range(WIDTH)
    )
    return SmallPicture(WIDTH, HEIGHT, luma, int(second * S))


def houses(x: int, y: int) -> float:
    """Bright houses before a dark street, with sharp edges."""
    return 160.0 if (x // 9) % 2 and y < 30 else 50.0


def hand(x: int, y: int) -> float:
    """Dim, and nothing has an edge."""
    return 28 + 12 * x / WIDTH + 4 * y / HEIGHT


def blurred(x: int, y: int) -> float:
    """Houses through a lens far out of focus: every edge spreads over some ten pixels."""
    return 105 + 55 * math.cos(2 * math.pi * x / 36)


def black(x: int, y: int) -> float:
    return 16.0


def troubles(looks: Iterator[SmallPicture]) -> list[tuple[float, str | None]]:
    """(second, trouble) at each change."""
    watch, found = PictureWatch(), list[tuple[float, str | None]]()
    for one in looks:
        before = watch.trouble
        watch.look(one)
        if watch.trouble != before:
            found.append((one.captured_ns / S, watch.trouble))
    return found


def sequence(*parts: tuple[int, Callable[[int, int], float], float]) -> Iterator[SmallPicture]:
    """So many seconds of each view with its noise, one look a second."""
    second = 0
    for seconds, level, noise in parts:
        for _ in range(seconds):
            second += 1
            yield picture(second, level, noise)


@pytest.mark.requirement("R29")
@pytest.mark.parametrize(
    ("level", "noise", "trouble"), [(black, 0, "black"), (houses, 0, "frozen"), (hand, 0.6, "covered")]
)
def test_what_blinds_the_camera_counts_within_four_looks(
    level: Callable[[int, int], float], noise: float, trouble: str
) -> None:
    found = troubles(sequence((5, houses, 0.6), (8, level, noise), (8, houses, 0.6)))
    assert [one for _, one in found] == [trouble, None]
    assert found[0][0] <= 5 + 4
    assert found[1][0] <= 13 + 1 + OVER_NS / S


def test_a_blurred_picture_counts_only_after_it_lasted() -> None:
    found = troubles(sequence((3, houses, 0.6), (30, blurred, 0.6)))
    assert [one for _, one in found] == ["defocused"]
    assert found[0][0] >= 3 + LASTS_NS["defocused"] / S


def test_one_hand_before_the_lens_for_a_moment_is_nothing() -> None:
    assert (
        troubles(sequence((4, houses, 0.6), (2, hand, 0.6), (4, houses, 0.6), (2, hand, 0.6), (4, houses, 0.6))) == []
    )


@pytest.mark.requirement("R29")
def test_a_dark_picture_with_the_sensors_noise_is_not_black_and_a_still_street_is_not_frozen() -> None:
    """A night without light and a parked car before a wall: the noise tells that the sensor lives."""
    found = troubles(sequence((10, lambda x, y: 16.4, 0.2), (10, houses, 0.15)))
    assert {one for _, one in found} <= {"covered", None}


def test_the_present_trouble_takes_more_to_leave_than_to_enter() -> None:
    def faint(x: int, y: int) -> float:
        return 30 + (4 if (x // 9) % 2 and y < 30 else 0)

    assert troubles(sequence((12, faint, 0.2))) == []
    found = troubles(sequence((6, hand, 0.6), (12, faint, 0.2)))
    assert [one for _, one in found] == ["covered"]


def test_the_same_picture_seen_twice_is_no_frozen_one() -> None:
    watch, one = PictureWatch(), picture(1, houses)
    for _ in range(10):
        watch.look(one)
    assert watch.trouble is None


def test_after_a_pause_or_another_size_everything_begins_anew() -> None:
    watch = PictureWatch()
    for second in range(1, 6):
        watch.look(picture(second, black, 0))
    assert watch.trouble == "black"
    watch.look(picture(6 + LONGEST_PAUSE_NS / S, black, 0))
    assert watch.trouble is None
    watch.look(SmallPicture(64, 36, bytes(64 * 36), 18 * S))
    assert watch.trouble is None


@pytest.mark.parametrize("one", [SmallPicture(96, 54, b"", 9), SmallPicture(4, 3, bytes(12), 9)])
def test_what_is_no_picture_says_nothing(one: SmallPicture) -> None:
    watch = PictureWatch()
    watch.look(one)
    assert watch.seen is None


def test_edges_are_not_seen_across_the_end_of_a_line() -> None:
    """A ramp jumps from the end of each line to the begin of the next: that is no edge of the picture."""
    seen = measure(picture(1, lambda x, y: 2.0 * x, 0), None)
    assert (seen.edge, seen.spark, seen.climb, seen.sharpness) == (2, 2, 8, 0.0)


# --- sound -------------------------------------------------------------------------------------------------------


def heard(level_dbfs: float | None, seconds: int = 20) -> list[tuple[int, str | None]]:
    """Changes over so many seconds; None = nothing arrives after the first second."""
    watch, found = SoundWatch(0), list[tuple[int, str | None]]()
    for second in range(1, seconds):
        at_s = second if level_dbfs is not None else 1
        before = watch.trouble
        watch.look(EncodedSound(b"", at_s * S - S // 20, -30.0 if level_dbfs is None else level_dbfs), second * S)
        if watch.trouble != before:
            found.append((second, watch.trouble))
    return found


@pytest.mark.requirement("R3", "R29")
@pytest.mark.parametrize(("level", "trouble"), [(-120.0, "silent"), (None, "dead"), (0.0, "clipped"), (-60.0, None)])
def test_a_microphone_that_hears_nothing_is_noticed(level: float | None, trouble: str | None) -> None:
    found = heard(level)
    assert [one for _, one in found] == ([trouble] if trouble else [])
    if trouble in ("silent", "dead"):
        assert found[0][0] <= 5


def test_a_shot_is_not_a_clipped_microphone() -> None:
    watch = SoundWatch(0)
    for second in range(1, 40):
        watch.look(EncodedSound(b"", second * S, 0.0 if second % 5 < 3 else -20.0), second * S)
    assert watch.trouble is None
    assert SOUND_LASTS_NS["clipped"] > 3 * S


def test_a_microphone_that_never_spoke_is_dead() -> None:
    watch = SoundWatch(0)
    for second in range(1, 5):
        watch.look(None, second * S)
    assert watch.trouble == "dead"
    watch.forget(5 * S)
    assert watch.trouble is None


# --- gravity -----------------------------------------------------------------------------------------------------


@pytest.mark.requirement("R12")
def test_a_camera_that_hangs_upside_down_is_noticed_and_one_on_a_running_officer_is_not() -> None:
    chance, gravity = random.Random(1), Gravity()
    assert not gravity.known
    for tenth in range(600):  # a minute of running
        gravity.add(Acceleration(0, round(1000 + chance.gauss(0, 900)), 0, tenth * S // 10))
        assert gravity.upside_down_since_ns is None
    for tenth in range(600, 600 + HANGS_NS * 10 // S + 40):
        gravity.add(Acceleration(0, -990, 40, tenth * S // 10))
    assert gravity.upside_down_since_ns is not None
    for tenth in range(800, 900):
        gravity.add(Acceleration(0, 990, 40, tenth * S // 10))
    assert gravity.upside_down_since_ns is None


def falls(*parts: tuple[float, tuple[int, int, int]]) -> list[float]:
    """Seconds at which a fall is told; each part lasts so many seconds with that acceleration, 50 samples a second."""
    fall, at_ns, told = Fall(), 0, []
    for seconds, (x_mg, y_mg, z_mg) in parts:
        for _ in range(round(seconds * 50)):
            at_ns += S // 50
            if fall.add(Acceleration(x_mg, y_mg, z_mg, at_ns)):
                told.append(at_ns / S)
    return told


WORN, FREE, ON_ITS_SIDE = (0, 1000, 0), (20, 0, 10), (990, 0, 100)


@pytest.mark.requirement("R12")
def test_a_camera_that_fell_off_is_told_once() -> None:
    (at_s,) = falls((10, WORN), (0.5, FREE), (0.1, (4000, 9000, 0)), (60, ON_ITS_SIDE))
    assert at_s == pytest.approx(13.6, abs=0.5)


@pytest.mark.parametrize(
    "parts",
    [
        [(10, WORN), (60, ON_ITS_SIDE)],  # laid down
        [(10, WORN), (0.5, FREE), (60, WORN)],  # a jump
        [(10, WORN), (0.1, FREE), (60, ON_ITS_SIDE)],  # a jolt, and somebody lies down
        [(10, WORN), (0.5, FREE), (2, ON_ITS_SIDE), (60, WORN)],  # caught, and put on again
        [(0.5, FREE), (60, ON_ITS_SIDE)],  # nobody wore it
    ],
)
def test_a_jump_a_jolt_or_a_camera_that_is_laid_down_has_not_fallen_off(
    parts: list[tuple[float, tuple[int, int, int]]],
) -> None:
    assert falls(*parts) == []


# --- false alarms ------------------------------------------------------------------------------------------------


@pytest.fixture
def false_alarms(monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    import false_alarms

    yield false_alarms
    sys.modules.pop("false_alarms", None)


@pytest.mark.requirement("R29")
@pytest.mark.parametrize(
    "scene", ["night", "dark night", "standing at night", "seat belt by day", "seat belt at night", "pocket"]
)
def test_a_quarter_of_an_hour_of_night_pocket_and_seat_belt_alarms_nobody(false_alarms, scene: str) -> None:  # type: ignore[no-untyped-def]
    """A slice of benchmarks/false_alarms.py, which runs ten hours of each."""
    film, noise = false_alarms.films(None)[scene]
    told = false_alarms.watch(film, noise, 0.25)
    assert told.pop("covered, rightly", 0) <= 1
    assert not told


@pytest.mark.requirement("R29")
def test_a_real_street_alarms_nobody(false_alarms, shared_data: Callable[[str], Path]) -> None:  # type: ignore[no-untyped-def]
    film, noise = false_alarms.films(str(shared_data("bikes.mp4")))["real clip"]
    assert not false_alarms.watch(film, noise, 0.02)
