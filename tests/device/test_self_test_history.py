"""What the self-test reads off the card about the time before: the log's chain, and how the last session ended."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from device.boot import Unfinished
from device.history_checks import LogHistory, opened_of
from evidence.trust import Trust

VECTORS = Path(__file__).resolve().parent.parent / "vectors"
SEGMENT = "SIM-0001-log-000001.evidence"
NONE_OPEN = Unfinished((), None, None)


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    """A card with one closed segment of the log: a frozen test vector."""
    shutil.copy(VECTORS / SEGMENT, tmp_path)
    return tmp_path


def history(spool: Path) -> LogHistory:
    return LogHistory(spool, "SIM-0001", Trust.load(VECTORS / "pki" / "root.pem"))


@pytest.mark.requirement("R8")
def test_a_whole_segment_holds_and_a_changed_byte_is_found(spool: Path) -> None:
    assert history(spool).judge_chain(1).outcome == "pass"
    data = bytearray((spool / SEGMENT).read_bytes())
    for at in (200, len(data) // 2, len(data) - 40):
        changed = bytearray(data)
        changed[at] ^= 1
        (spool / SEGMENT).write_bytes(changed)
        seen = history(spool).judge_chain(1)
        assert seen.outcome == "fail", at
        assert "supervisor" in seen.advice


@pytest.mark.requirement("R8")
def test_neighbours_that_do_not_name_each_other_are_found(spool: Path) -> None:
    shutil.copy(spool / SEGMENT, spool / "SIM-0001-log-000002.evidence")  # the same again is no second segment
    behind = history(spool).judge_chain(1)
    assert behind.outcome == "fail"
    assert "behind" in behind.value
    before = history(spool).judge_chain(2)
    assert before.outcome == "fail"


def test_an_empty_card_has_no_history(tmp_path: Path) -> None:
    assert history(tmp_path).judge_chain(0).outcome == "pass"
    assert history(tmp_path).judge_last_session(1, NONE_OPEN).outcome == "pass"
    assert opened_of(tmp_path / "none") is None


@pytest.mark.requirement("R8", "R29")
def test_the_last_session_says_whether_it_ended_in_order(spool: Path) -> None:
    left_open = Unfinished((spool / "SIM-0001-000001.evidence", spool / "SIM-0001-000002.evidence"), None, None)
    reason = history(spool).report(1).closed
    assert reason is not None
    assert history(spool).judge_last_session(2, NONE_OPEN).value == f"ended by {reason.reason}"
    assert history(spool).judge_last_session(2, NONE_OPEN).outcome == "pass"
    recovered = history(spool).judge_last_session(2, left_open)
    assert recovered.outcome == "fail"
    assert "2 recordings recovered" in recovered.value
    ran_out = history(spool).judge_last_session(2, NONE_OPEN, ran_out=True)
    assert ran_out.outcome == "fail"
    assert "the battery ran out" in ran_out.value
