"""Hostile input: each reader answers with a value or with its own refusal, in bounded time (issue 3, item 9).

The targets and their kept corpus stand in tests/fuzz; `make fuzz SECONDS=60` runs them longer, without hypothesis.
"""

from __future__ import annotations

import functools
import random
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).parents[1] / "fuzz"))
from fuzzing import fuzz
from mutate import mutated
from targets import CORPUS, SLOW_S, TARGETS, Target

pytestmark = pytest.mark.filterwarnings("ignore:Parsed a serial number")
by_name = pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)


def test_every_target_has_a_corpus_and_it_is_small() -> None:
    assert {path.name for path in CORPUS.iterdir()} == {target.name for target in TARGETS}
    assert sum(path.stat().st_size for path in CORPUS.rglob("*") if path.is_file()) < 250_000


@by_name
def test_the_corpus_holds_no_old_defect(target: Target) -> None:
    for data in target.seeds():
        target(data)


@functools.cache
def _warm(target: Target) -> None:
    """A target's agency, station or server is made at its first call."""
    target(target.seeds()[0])


@by_name
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None)
@given(seed=st.integers(0, 2**32), tail=st.binary(max_size=40))
def test_edited_documents_are_read_or_refused(target: Target, seed: int, tail: bytes) -> None:
    _warm(target)
    began_s = time.process_time()
    target(mutated(target.seeds(), random.Random(seed), target.mends) + tail)
    assert time.process_time() - began_s < SLOW_S


@by_name
def test_a_slice_of_the_plain_fuzzer_finds_nothing(target: Target) -> None:
    found = fuzz(target, 0.1, seed=7)
    assert found.runs
    assert not found.finds
