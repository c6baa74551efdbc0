"""Which camera an officer gets, as a table and as properties of every dock (R8, R9, R10, R30)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dock.bay_report import BayReport
from dock.station.bays import Bay
from dock.station.checkout import STALE_S, Candidate, Need, age_s, choose, findings
from evidence.handover import Status
from evidence.requests import Offloading
from evidence.statements import moment

NEED = Need(shift_h=10, charged_percent=90)
NOW_NS = 1_800_000_000 * 10**9


def camera(serial: str = "CAM-1", *, files: int | None = 0, age: int = 1, **more: Any) -> Candidate:
    """A camera that could not be better; `more` says what is worse."""
    known = {key: more.pop(key) for key in ("issued_to", "lost", "withheld", "last_issued_ns") if key in more}
    status = {
        "serial": serial,
        "model": "bench",
        "firmware": "2.0",
        "state": "docked",
        "docked": True,
        "degraded": False,
        "uptime_s": 1,
        "self_test": "pass",
        "battery_percent": 100,
        "runtime_minutes": 720,
        "storage_minutes_left": 720,
        **more,
    }
    offloading = None if files is None else Offloading(files=files, bytes=files * 1000)
    report = BayReport(status=Status(**status), offloading=offloading, agent="test")
    bay = Bay(serial=serial, at=moment(NOW_NS), address="127.0.0.1", report=report)
    return Candidate(bay=bay, age_s=age, newest_firmware="2.0", **known)


@pytest.mark.parametrize(
    ("worse", "weight", "text"),
    [
        ({"lost": True}, "never", "reported lost"),
        ({"seized": True}, "never", "supervisor's custody"),
        ({"issued_to": "4712"}, "never", "is checked out to 4712"),
        ({"recording": "CAM-1-000007"}, "never", "records"),
        ({"docked": False, "state": "ready"}, "never", "not in the dock"),
        ({"age": STALE_S + 1}, "never", "was last heard of 2 minutes ago"),
        ({"assigned": True}, "never", "somebody is signed in already"),
        ({"do_not_use": ("microphone",), "self_test": "block"}, "supervisor", "must not be used: microphone"),
        ({"self_test": "block"}, "supervisor", "failed its self-test"),
        ({"self_test": None}, "supervisor", "has not tested itself"),
        ({"withheld": "lens is cracked"}, "supervisor", "is kept back: lens is cracked"),
        ({"runtime_minutes": 599}, "supervisor", "would last 9.9 h of 10 h (charge 100 %)"),
        ({"runtime_minutes": None, "battery_percent": 89}, "supervisor", "a charge of 89 %, and needs 90 %"),
        ({"runtime_minutes": None, "battery_percent": None}, "supervisor", "does not say how much charge"),
        ({"storage_minutes_left": 90}, "warning", "room for 1.5 h of 10 h"),
        ({"storage_minutes_left": None}, "warning", "does not say how much room"),
        ({"files": 3}, "warning", "still holds 3 files"),
        ({"files": None}, "warning", "unknown number of files"),
        ({"self_test": "warn"}, "warning", "passed its self-test with warnings"),
        ({"overrides": ("microphone",)}, "warning", "supervisor's override: microphone"),
        ({"firmware": "1.9"}, "warning", "runs 1.9, not 2.0"),
    ],
)
@pytest.mark.requirement("R8", "R9", "R30")
def test_what_speaks_against_a_camera(worse: dict[str, Any], weight: str, text: str) -> None:
    (found,) = findings(camera(**worse), NEED)
    assert found.weight == weight
    assert text in found.text


def test_nothing_speaks_against_a_good_one_and_a_percentage_does_without_a_prediction() -> None:
    assert findings(camera(), NEED) == []
    assert findings(camera(runtime_minutes=None, battery_percent=90), NEED) == []


@pytest.mark.requirement("R8")
def test_the_charge_must_last_this_shift_and_not_a_usual_one() -> None:
    short = camera(runtime_minutes=300)
    assert choose([short], NEED).camera is None
    assert choose([short], Need(shift_h=5, charged_percent=90)).camera is short


@pytest.mark.requirement("R10")
@pytest.mark.parametrize(
    "worse",
    [
        {"files": 2},
        {"storage_minutes_left": 300},
        {"self_test": "warn"},
        {"firmware": "1.9"},
        {"battery_percent": 85},
        {"last_issued_ns": 1},
        {"overrides": ("gps",)},
    ],
)
def test_the_better_camera_goes_first_and_the_other_is_the_spare(worse: dict[str, Any]) -> None:
    good, less = camera("CAM-2"), camera("CAM-1", **worse)
    choice = choose([less, good], NEED)
    assert choice.camera is good
    assert choice.spares == ("CAM-1",)


@pytest.mark.requirement("R9", "R10")
def test_a_failed_camera_is_refused_and_the_next_ready_one_is_named() -> None:
    bad, good = camera("CAM-1", do_not_use=("sensor",)), camera("CAM-2")
    refused = choose([bad, good], NEED, wanted="CAM-1")
    assert refused.camera is None
    assert [one.word for one in refused.findings] == ["failed"]
    assert refused.spares == ("CAM-2",)
    assert choose([bad], NEED).camera is None
    assert choose([bad], NEED, supervisor=True).camera is bad
    assert choose([bad, good], NEED, supervisor=True).camera is good, "a supervisor is no reason to take the bad one"
    assert choose([bad, good], NEED, wanted="CAM-1", supervisor=True).camera is bad
    assert choose([bad, good], NEED, wanted="CAM-9", supervisor=True).camera is None


def test_a_report_from_the_future_is_no_report() -> None:
    bay = camera().bay
    assert age_s(bay, NOW_NS + 5 * 10**9) == 5
    assert age_s(bay, NOW_NS - 3600 * 10**9) > STALE_S


docks = st.lists(
    st.builds(
        camera,
        serial=st.sampled_from([f"CAM-{number}" for number in range(12)]),
        files=st.sampled_from([None, 0, 0, 4]),
        age=st.sampled_from([1, 1, 1, 500]),
        issued_to=st.sampled_from([None, None, None, "4712"]),
        lost=st.sampled_from([False, False, False, True]),
        withheld=st.sampled_from([None, None, None, "broken clip"]),
        last_issued_ns=st.integers(0, 5),
        docked=st.sampled_from([True, True, True, False]),
        self_test=st.sampled_from(["pass", "pass", "warn", "block", None]),
        do_not_use=st.sampled_from([(), (), (), ("sensor",)]),
        battery_percent=st.one_of(st.none(), st.integers(0, 100)),
        runtime_minutes=st.one_of(st.none(), st.integers(0, 1000)),
        storage_minutes_left=st.one_of(st.none(), st.integers(0, 1000)),
        firmware=st.sampled_from(["2.0", "1.9"]),
        seized=st.sampled_from([False, False, True]),
    ),
    max_size=8,
    unique_by=lambda one: one.serial,
)


@pytest.mark.requirement("R8", "R9", "R10")
@given(dock=docks, supervisor=st.booleans(), shuffled=st.randoms(use_true_random=False))
def test_in_every_dock_only_what_passes_goes_out_and_the_order_of_the_bays_does_not_matter(
    dock: list[Candidate], supervisor: bool, shuffled: Any
) -> None:
    choice = choose(dock, NEED, supervisor=supervisor)
    other = list(dock)
    shuffled.shuffle(other)
    assert choose(other, NEED, supervisor=supervisor) == choice
    weights = {one.serial: {found.weight for found in findings(one, NEED)} for one in dock}
    ready = {serial for serial, found in weights.items() if found <= {"warning"}}
    assert set(choice.spares) == ready - ({choice.camera.serial} if choice.camera is not None else set())
    if choice.camera is None:
        assert not ready
        assert not supervisor or all("never" in found for found in weights.values())
    else:
        got = weights[choice.camera.serial]
        assert "never" not in got
        assert choice.camera.serial in ready or (supervisor and not ready)
    for one in dock:
        asked = choose(dock, NEED, wanted=one.serial, supervisor=supervisor)
        assert asked.camera in (one, None)
        assert (asked.camera is one) == (weights[one.serial] <= {"warning", *({"supervisor"} if supervisor else ())})
