"""What a scenario claims of evidence and dock is held against facts, and a wrong claim says what is so instead."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simulator.claims import FACTS, RecordingFacts, RunFacts, wrong
from simulator.expected import expected

NS = 10**9
FIRST = RecordingFacts(
    stem="SIM-0001-000001", valid=True, closed="record_button", duration_s=40.0, pre_event_s=29.5,
    triggers=("lightbar", "siren"), labels=("arrest_search",), told=("marker",), gps_fixes=38,
    sound=((0, NS, 47), (NS, 2 * NS, 0), (2 * NS, 3 * NS, 0), (3 * NS, 4 * NS, 47)), muted_s=2.0,
    stored=True, receipted=True, deleted=True,
)  # fmt: skip
SECOND = RecordingFacts(
    stem="SIM-0001-000002", valid=True, duration_s=3.0, gaps=("camera_silent",), failures=("encoder_stalled",),
    lost_s=2.4, linked=True, carries_on=True, time_unverified=True, degraded=("gps",), recovered=True,
    triggers=("record_button",),
)  # fmt: skip
RUN = RunFacts((FIRST, SECOND))


def instead(text: str, facts: RunFacts = RUN) -> str | None:
    claim = expected(text).claim
    assert claim is not None, text
    return wrong(claim, facts)


@pytest.mark.parametrize(
    "text",
    [
        "evidence valid",
        "2 recordings",
        "at least one recordings",
        "at most 2 recordings",
        "station has 1 recording",
        "pre-event at least 25 s",
        "recording 1 has pre-event at least 25 s",
        "the first recording has duration at least 10 s",
        "trigger lightbar",
        "the first recording has trigger siren",
        "no trigger pursuit",
        "label arrest search",
        "gap",
        "gap camera_silent",
        "the first recording has no gap",
        "no gap storage_full",
        "failure encoder_stalled",
        "the first recording has no failure",
        "tells marker",
        "loss at most 2.5 s",
        "the last recording has loss at most 3 s",
        "muted at least 2 s",
        "muted sound between 0:01 and 0:03",
        "sound between 0:03 and 0:04",
        "time unverified",
        "the first recording is time verified",
        "the last recording is linked to the recording before",
        "marked degraded",
        "the last recording is recovered",
        "the first recording is closed by record_button",
        "the last recording is not closed",
        "the first recording has gps points at least 5",
        "the first recording is receipted",
        "recording 2 is not receipted",
        "not quarantined",
        "the first recording is deleted on camera",
        "a recording has gap",
    ],
)
def test_what_is_true_holds(text: str) -> None:
    assert instead(text) is None


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("evidence not valid", "every file verifies"),
        ("3 recordings", "there are 2 recordings"),
        ("no recordings", "there are 2 recordings"),
        ("station has 2 recordings", "there is 1 recording at the station"),
        ("pre-event at least 30 s", "SIM-0001-000001 has 29.5 s before its trigger"),
        ("recording 2 has pre-event at least 1 s", "SIM-0001-000002 has 0 s before its trigger"),
        ("recording 3 has no gap", "there is no recording 3, only 2"),
        ("trigger pursuit", "SIM-0001-000001 has trigger lightbar, siren; SIM-0001-000002 has trigger record_button"),
        ("no gap", "SIM-0001-000002 has gap camera_silent"),
        ("the first recording has gap", "SIM-0001-000001 has no gap"),
        ("loss at most 2 s", "SIM-0001-000002 has 2.4 s missing"),
        ("muted sound between 0:00 and 0:03", "sound in 1 of 3 fragments"),
        ("the first recording has muted sound between 0:20 and 0:23", "no whole fragment of that time"),
        ("receipted", "SIM-0001-000002 has no receipt"),
        ("not receipted", "SIM-0001-000001 has a receipt"),
        ("deleted on camera", "SIM-0001-000002 has no signed tombstone"),
        ("closed", "SIM-0001-000002 has no end"),
        ("station told lost", "the station knows of no loss"),
    ],
)
def test_what_is_not_true_is_told_with_what_is(text: str, wanted: str) -> None:
    assert wanted in (instead(text) or "")


def test_nothing_is_claimed_of_a_run_without_recordings() -> None:
    empty = RunFacts()
    for text in ("evidence valid", "receipted", "trigger lightbar", "pre-event at least 1 s", "duration at most 9 s"):
        assert instead(text, empty) == "there is no recording"
    assert instead("no recordings", empty) is None
    assert instead("no gap", empty) is None


def test_a_file_that_does_not_verify_makes_the_evidence_invalid() -> None:
    broken = replace(RUN, problems=("SIM-0001-log-000001.evidence: item 3: the chain is broken",))
    assert "the chain is broken" in (instead("evidence valid", broken) or "")
    assert instead("evidence not valid", broken) is None


def test_every_documented_claim_can_be_written_as_it_is_documented() -> None:
    for said in FACTS.values():
        words = said.split("`: ")[0] + "`"
        for text in words.replace("`, `", "`|`").split("|"):
            assert expected(text.strip("`")).claim is not None, text
