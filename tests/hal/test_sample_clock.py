"""The time of samples: the count leads, the clock pulls, and nothing runs backwards."""

from __future__ import annotations

import itertools
import random

from hypothesis import given
from hypothesis import strategies as st

from hal.sample_clock import SampleClock

RATE, BLOCK = 48_000, 1024
BLOCK_NS = BLOCK * 1e9 / RATE


def test_a_crystal_of_100_ppm_is_followed_for_ten_hours_worth_of_drift() -> None:
    clock = SampleClock(RATE, BLOCK)
    true_ns = BLOCK_NS * (1 + 100e-6)
    for number in range(100_000):  # 36 minutes: an uncorrected count would be off by 213 ms
        stamped_ns = clock.stamp(round((number + 1) * true_ns))
    assert abs(stamped_ns - 99_999 * true_ns) < 1_000_000


def test_a_busy_machine_that_reads_late_does_not_shake_the_stamps() -> None:
    clock, busy = SampleClock(RATE, BLOCK), random.Random(1)
    stamps = [clock.stamp(round((number + 1) * BLOCK_NS) + busy.randrange(10_000_000)) for number in range(2000)]
    steps = [later - earlier for earlier, later in itertools.pairwise(stamps)]
    assert max(steps) - min(steps) < 600_000


def test_one_reader_that_lost_the_processor_for_a_second_is_ignored() -> None:
    clock = SampleClock(RATE, BLOCK)
    for number in range(100):
        late_ns = 1_000_000_000 if number == 50 else 0
        assert abs(clock.stamp(round((number + 1) * BLOCK_NS) + late_ns) - number * BLOCK_NS) < 1_000


def test_samples_that_were_lost_unseen_are_noticed_within_half_a_second() -> None:
    clock = SampleClock(RATE, BLOCK)
    for number in range(60):
        lost_ns = 500_000_000 if number >= 20 else 0
        stamped_ns = clock.stamp(round((number + 1) * BLOCK_NS) + lost_ns)
    assert abs(stamped_ns - (59 * BLOCK_NS + 500_000_000)) < 1_000


@given(st.lists(st.tuples(st.integers(0, 10**10), st.booleans()), min_size=2, max_size=50))
def test_stamps_increase_whatever_the_clock_does(told: list[tuple[int, bool]]) -> None:
    clock, stamps = SampleClock(RATE, BLOCK), []
    for end_ns, restarted in told:
        if restarted:
            clock.restart()
        stamps.append(clock.stamp(end_ns))
    assert all(earlier < later for earlier, later in itertools.pairwise(stamps))
