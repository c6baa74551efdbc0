"""The microphone's encoder: sound keeps step with the picture whatever its crystal does, and has no seams (R3)."""

from __future__ import annotations

import array
import itertools
import math

import pytest

from hal.aac_encoder import BLOCK, NS_PER_S, AacEncoder
from hal.microphone import EncodedSound

RATE = 16_000
BEGAN_NS = 5_000 * NS_PER_S
BLOCK_NS = BLOCK * NS_PER_S // RATE
TONE = array.array("i", [int(2**29 * math.sin(2 * math.pi * 500 * n / RATE)) for n in range(BLOCK)]).tobytes()


def heard(encoder: AacEncoder, blocks: int, ppm: int = 0, began_ns: int = BEGAN_NS) -> list[EncodedSound]:
    """What a microphone's blocks become whose crystal runs so much too fast."""
    length_ns = BLOCK_NS / (1 + ppm / 1e6)
    found: list[EncodedSound] = []
    for number in range(blocks):
        found += encoder.encode(TONE, began_ns + round(number * length_ns))
    return found


@pytest.mark.requirement("R3")
@pytest.mark.parametrize("ppm", [0, 500, -500])
def test_sound_keeps_step_with_the_picture_whatever_the_crystal_does(ppm: int) -> None:
    """A minute at 500 ppm is 30 ms: as much as two hours with an ordinary crystal."""
    blocks = 60 * RATE // BLOCK
    sounds = heard(AacEncoder(RATE, 1, 32_000, 0.0), blocks, ppm)
    steps = {later.captured_ns - earlier.captured_ns for earlier, later in itertools.pairwise(sounds)}
    assert steps <= {BLOCK_NS, BLOCK_NS + 1}, "each unit begins where the one before ends"
    took_ns = blocks * BLOCK_NS / (1 + ppm / 1e6)
    assert abs(sounds[-1].captured_ns - (BEGAN_NS + took_ns)) < 4 * BLOCK_NS
    expected = took_ns / BLOCK_NS  # units, not blocks: some samples were added or left out
    assert abs(len(sounds) - expected) <= 2.5
    assert all(-13 < one.level_dbfs < -11 for one in sounds[1:]), "and nothing of it is silence"


@pytest.mark.requirement("R3")
def test_an_interruption_gives_out_what_was_heard_and_no_silence() -> None:
    encoder = AacEncoder(RATE, 1, 32_000, 0.0)
    before = heard(encoder, 10) + encoder.interrupt()
    assert encoder.interrupt() == [], "nothing is owed any more"
    after = heard(encoder, 10, began_ns=BEGAN_NS + 60 * NS_PER_S)
    assert len(before) == 11, "the priming and ten blocks"
    assert [one.captured_ns for one in after] == [BEGAN_NS + 60 * NS_PER_S + n * BLOCK_NS for n in range(8)]
    assert all(one.level_dbfs > -13 for one in (*before[1:], *after))


def test_samples_that_were_lost_are_a_hole_and_are_not_stretched_over() -> None:
    encoder = AacEncoder(RATE, 1, 32_000, 0.0)
    sounds = heard(encoder, 10) + heard(encoder, 10, began_ns=BEGAN_NS + 10 * BLOCK_NS + 500_000_000)
    steps = [later.captured_ns - earlier.captured_ns for earlier, later in itertools.pairwise(sounds)]
    assert sum(step > BLOCK_NS + 1 for step in steps) == 1
    assert max(steps) == BLOCK_NS + 500_000_000


def test_blocks_whose_times_go_back_never_make_units_that_do() -> None:
    encoder = AacEncoder(RATE, 1, 32_000, 0.0)
    sounds = heard(encoder, 10) + heard(encoder, 10, began_ns=BEGAN_NS - 3 * NS_PER_S) + heard(encoder, 10)
    assert all(earlier.captured_ns < later.captured_ns for earlier, later in itertools.pairwise(sounds))
