"""How large the ring may be: flushed within 3 s by this card, and a quarter of this board's free memory. Pure."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.ring_limit import FLUSH_S, LEAST_BYTES, MIB, Board, ring_limit
from hal.memory import available_bytes

RATE = 1_000_000
"""8 Mbit/s."""


def test_on_a_good_card_and_board_the_policy_rules() -> None:
    found = ring_limit(30, 48, Board(40 * MIB, 300 * MIB, RATE))
    assert (found.by, found.most_bytes, found.whole) == ("policy", 48 * MIB, True)
    assert found.words == "30 s configured, up to 48 MiB fit"


def test_a_slow_card_gets_a_ring_that_it_flushes_in_three_seconds_beside_the_live_picture() -> None:
    found = ring_limit(30, 48, Board(4 * MIB, 300 * MIB, RATE // 2))
    assert found.by == "card"
    assert found.most_bytes == 3 * (4 * MIB - RATE // 2)
    assert (found.fits_s, found.whole) == (22, False)
    assert found.words == "30 s configured, 22 s fit: the card writes 4.0 MiB/s"


def test_a_small_board_keeps_three_quarters_of_its_free_memory() -> None:
    found = ring_limit(30, 48, Board(40 * MIB, 80 * MIB, RATE))
    assert (found.by, found.most_bytes) == ("memory", 20 * MIB)
    assert found.words == "30 s configured, 20 s fit: 80 MiB of memory are free"


def test_the_profile_itself_may_allow_too_little() -> None:
    assert ring_limit(120, 48, Board(40 * MIB, None, RATE)).words == (
        "120 s configured, 50 s fit: the profile allows 48 MiB"
    )


def test_what_is_not_known_limits_nothing() -> None:
    found = ring_limit(30, 48, Board(None, None, None))
    assert (found.most_bytes, found.whole, found.fits_s) == (48 * MIB, True, None)


def test_a_card_that_cannot_keep_up_still_leaves_a_ring() -> None:
    assert ring_limit(30, 48, Board(RATE // 2, None, RATE)).most_bytes == LEAST_BYTES


@given(
    st.integers(0, 120),
    st.integers(1, 512),
    st.none() | st.integers(1, 10**9),
    st.none() | st.integers(0, 2**34),
    st.none() | st.integers(1, 10**8),
)
def test_no_limit_is_ever_broken(
    seconds: int, mib: int, card: int | None, memory: int | None, rate: int | None
) -> None:
    found = ring_limit(seconds, mib, Board(card, memory, rate))
    assert LEAST_BYTES <= found.most_bytes <= mib * MIB
    if found.most_bytes > LEAST_BYTES:
        assert card is None or found.most_bytes <= FLUSH_S * card
        assert memory is None or found.most_bytes <= memory // 4
    assert len(found.words) < 120


def test_the_kernel_says_how_much_memory_is_free(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:         437000 kB\nMemFree:          100000 kB\nMemAvailable:     290000 kB\n")
    assert available_bytes(meminfo) == 290_000 * 1024
    meminfo.write_text("MemTotal: 437000 kB\n")
    assert available_bytes(meminfo) is None
    assert available_bytes(tmp_path / "none") is None
    assert (available_bytes() or 0) > 0


@pytest.mark.parametrize("memory", [None, 10**9])
def test_the_words_name_seconds_only_if_the_bit_rate_is_known(memory: int | None) -> None:
    assert "s fit" not in ring_limit(30, 48, Board(RATE, memory, None)).words
