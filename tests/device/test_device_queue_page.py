"""The supervisor's queue as a page (R11, R29)."""

from __future__ import annotations

import pytest

from device.answers import lines_of
from device.failures import COMPONENTS
from device.queue_page import MEANINGS
from evidence.handover import Facts


@pytest.mark.requirement("R29", "R11")
def test_a_supervisor_reads_what_failed_when_how_long_where_and_whether_the_officer_knew() -> None:
    items = [
        {"id": 1, "cause": "malfunction", "component": "lens", "noticed": "2026-03-01T08:00:00.000000Z",
         "start": "2026-03-01T08:00:00.000000Z", "end": "2026-03-01T08:00:00.000000Z", "told": False},
        {"id": 2, "cause": "power_lost", "component": "power", "noticed": "2026-03-01T09:00:00.000000Z",
         "end": "2026-03-01T09:00:00.000000Z", "recording": "SIM-0001-000003", "told": False},
        {"id": 3, "cause": "encoder_stalled", "component": "encoder", "noticed": "2026-03-01T10:00:02.000000Z",
         "start": "2026-03-01T10:00:00.000000Z", "end": "2026-03-01T10:00:04.250000Z", "frames": 127,
         "recording": "SIM-0001-000004", "told": True},
        {"id": 4, "cause": "picture_black", "component": "sensor", "noticed": "2026-03-01T11:00:02.000000Z",
         "start": "2026-03-01T11:00:00.000000Z", "recording": "SIM-0001-000005", "told": True},
    ]  # fmt: skip
    assert lines_of(Facts(about="queue", facts={"items": items, "dropped": 2})) == [
        "2026-03-01 11:00:00Z  sensor: the picture was black",
        "                      it lasts; SIM-0001-000005; the officer was alarmed",
        "2026-03-01 10:00:00Z  encoder: the sensor saw, and nothing was encoded",
        "                      4.2 s, 127 frames missing; SIM-0001-000004; the officer was alarmed",
        "2026-03-01 09:00:00Z  power: the power was cut; the recording goes on in the next one",
        "                      since when is not known; SIM-0001-000003; the officer was not alarmed",
        "2026-03-01 08:00:00Z  lens: reported by a person",
        "                      at that instant; no recording; the officer was not alarmed",
        "2 older ones made room",
    ]


def test_an_empty_queue_says_so() -> None:
    assert lines_of(Facts(about="queue", facts={"items": [], "dropped": 0})) == ["nothing waits for a supervisor"]


def test_every_cause_is_told_in_words() -> None:
    assert set(COMPONENTS) | {"malfunction"} == set(MEANINGS)
