"""Sessions, labels, holds, usage and roles as values: fast, without a daemon."""

from __future__ import annotations

import itertools
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.answers import fact_lines
from device.appended import Appended, Seized
from device.control import Access
from device.labels import RESERVED, category_named, number_of
from device.policy import Profile
from device.sign_in import TIMEOUT_S, SignedIn, assignment_seen, keep, load, ran, training_seen
from device.usage_count import LATE_NS, Usage, late_by_ns
from device.usage_page import usage_lines
from evidence import durable
from evidence.requests import MarkRequest, StatusRequest, TriggerRequest
from hal.clock import UtcClaim

SECOND = 10**9
SESSION = SignedIn(
    officer="4711", identified_by="rfid", command_sha256="0" * 64, name="Ann", training_valid_until="2026-06-30"
)
JUNE_30_NS = 1_782_777_600 * SECOND  # 2026-06-30 00:00 UTC


# --- the session ------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("R5", "R8")
def test_a_session_survives_a_restart_and_ends_after_a_shift_of_running_time(tmp_path: Path) -> None:
    path = tmp_path / "state" / "assignment.json"
    keep(path, ran(SESSION, 3600))
    kept = load(path)
    assert kept is not None
    assert (kept.officer, kept.ran_s, kept.expired) == ("4711", 3600, False)
    assert ran(kept, TIMEOUT_S - 3600).expired
    keep(path, None)
    assert load(path) is None


def test_a_session_that_cannot_be_read_is_nobodys(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"{")
    with pytest.raises(ValueError, match="unassigned until the next sign-in"):
        load(tmp_path / "a")
    assert load(tmp_path / "missing") is None


@pytest.mark.requirement("R32")
@pytest.mark.parametrize(
    ("hours", "outcome"),
    [(-24, "pass"), (0, "pass"), (35, "pass"), (36 + 1, "fail")],
)
def test_training_counts_until_its_last_day_is_over_everywhere(hours: int, outcome: str) -> None:
    at_ns = JUNE_30_NS + hours * 3600 * SECOND
    assert training_seen(SESSION, UtcClaim(at_ns, at_ns, "gnss")).outcome == outcome


@pytest.mark.requirement("R32")
def test_unknown_training_is_no_pass_and_no_session_is_no_failure() -> None:
    claim = UtcClaim(JUNE_30_NS, JUNE_30_NS, "gnss")
    unknown = msgspec.structs.replace(SESSION, training_valid_until=None)
    assert training_seen(unknown, claim).outcome == "fail"
    assert training_seen(SESSION, UtcClaim(0, 1, "none")).outcome == "fail"
    assert training_seen(None, claim).outcome == "pass"
    assert assignment_seen(None).outcome == "fail"


def test_the_self_test_row_does_not_name_the_officer() -> None:
    seen = assignment_seen(SESSION)
    assert seen.outcome == "pass"
    assert "4711" not in f"{seen}"
    assert "Ann" not in f"{seen}"


# --- categories and labels ------------------------------------------------------------------------------------------


@pytest.mark.requirement("R31")
def test_the_four_of_d5b_are_always_there_and_a_typing_error_names_the_nearest() -> None:
    known = Profile(v=1, name="p", version=1).all_categories
    for name in ("arrest_search", "use_of_force", "prudent", "major_incident"):
        assert not isinstance(category_named(name, known), str)
    assert "did you mean 'use_of_force'?" in str(category_named("use_of_farce", known))


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_no_category_takes_footage_out_of_evidence(name: str) -> None:
    known = Profile(v=1, name="p", version=1).all_categories
    assert "takes footage out of evidence" in str(category_named(name, known))


def test_only_names_of_this_cameras_recordings_are_recordings() -> None:
    assert number_of("SIM-0001-000012", "SIM-0001") == 12
    for wrong in ("SIM-0002-000012", "SIM-0001-log-000012", "../SIM-0001-000012", "SIM-0001-12", "SIM-0001-000012\n"):
        assert number_of(wrong, "SIM-0001") is None


# --- holds ------------------------------------------------------------------------------------------------------------

NAME, STEM = "SIM-0001-000001.evidence", "SIM-0001-000001"


@pytest.mark.requirement("R31", "R35")
def test_a_category_raises_class_and_hold_and_a_later_one_lowers_neither(tmp_path: Path) -> None:
    appended = Appended(tmp_path / "state" / "appended.json")
    assert appended.may_clean_up(NAME)
    appended.categorize(STEM, "use_of_force", "critical", True)
    appended.categorize(STEM, "prudent", "normal", False)
    about = appended.about(STEM)
    assert (about.category, about.upload_class, about.holds) == ("prudent", "critical", ("category",))
    assert not appended.may_clean_up(NAME)


@pytest.mark.requirement("R35")
def test_a_hold_survives_a_restart_and_only_release_lifts_it(tmp_path: Path) -> None:
    path = tmp_path / "state" / "appended.json"
    appended = Appended(path)
    appended.hold(STEM, "officer")
    appended.hold(STEM, "command")
    appended.save()
    again = Appended(path)
    again.load()
    assert again.held == (STEM,)
    assert not again.may_clean_up(NAME)
    assert again.release(STEM)
    assert not again.release(STEM)
    assert again.may_clean_up(NAME)


@pytest.mark.requirement("R35")
def test_a_seized_camera_gives_up_nothing(tmp_path: Path) -> None:
    appended = Appended(tmp_path / "appended.json")
    appended.seize(Seized(custodian="Sgt. Doe", command_sha256="0" * 64))
    assert not appended.may_clean_up("SIM-0001-000099.evidence")
    appended.seize(None)
    assert appended.may_clean_up("SIM-0001-000099.evidence")


@pytest.mark.requirement("R35")
def test_holds_that_cannot_be_read_hold_everything_until_a_supervisor_ends_it(tmp_path: Path) -> None:
    path = tmp_path / "appended.json"
    path.write_bytes(b"\0" * 40)
    appended = Appended(path)
    appended.load()
    assert appended.complaint is not None
    appended.save()  # what was lost must not look whole at the next boot
    again = Appended(path)
    again.load()
    assert not again.may_clean_up("SIM-0001-000099.evidence")
    assert again.seized is None
    again.seize(None)
    assert again.may_clean_up("SIM-0001-000099.evidence")


@pytest.mark.requirement("R35")
def test_a_hold_rules_although_the_card_does_not_take_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    appended = Appended(tmp_path / "appended.json")
    appended.hold(STEM, "officer")

    def broken(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(durable, "replace", broken)
        appended.try_to_save()
    assert appended.unsaved
    assert not appended.may_clean_up(NAME)
    appended.try_to_save()
    assert not appended.unsaved


# --- usage ------------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("R36")
def test_usage_counts_what_the_log_says() -> None:
    usage = Usage(0)
    usage.state("ready", 0)
    usage.logged("recording_opened", {"details": {"trigger": "lightbar", "at_ns": 1}}, 10 * SECOND)
    usage.state("recording", 10 * SECOND)
    usage.logged("trigger", {"details": {"name": "pursuit"}}, 11 * SECOND)
    usage.logged("muted", {}, 12 * SECOND)
    usage.logged("unmuted", {}, 15 * SECOND)
    usage.logged("failure_began", {"word": "camera_silent"}, 16 * SECOND)
    gap = {"start_ns": 15 * SECOND, "end_ns": 18 * SECOND, "frames": 45}
    usage.logged("failure_ended", {"word": "camera_silent", "recording": 1, "details": gap}, 18 * SECOND)
    usage.logged("failure_to_record", {"word": "camera_silent"}, 16 * SECOND)
    usage.logged("recording_closed", {"word": "record_button"}, 40 * SECOND)
    usage.logged("stop_reason", {"word": "reason_missing"}, 40 * SECOND)
    usage.state("asleep", 40 * SECOND)
    usage.logged("suppressed", {"word": "asleep"}, 50 * SECOND)
    usage.logged("self_test", {"word": "pass"}, 55 * SECOND)
    facts = usage.summary(100 * SECOND)
    assert facts["recordings"] == 1
    assert facts["triggers"] == {"lightbar": 1, "pursuit": 1}
    assert facts["stops"] == {"record_button": 1}
    assert (facts["muted"], facts["interval_s"]) == (1, {"muted": 3})
    assert facts["state_s"] == {"ready": 10, "recording": 30, "asleep": 60}
    assert (facts["failures"], facts["alarms"]) == ({"camera_silent": 1}, {"camera_silent": 1})
    assert (facts["gaps"], facts["gap_ms"], facts["frames_missing"]) == ({"camera_silent": 1}, 3000, 45)
    assert "missing               3.0 s, 45 frames" in usage_lines(facts)
    assert (facts["stops_without_reason"], facts["suppressed"], facts["self_tests"]) == (1, {"asleep": 1}, {"pass": 1})


@pytest.mark.requirement("R36")
def test_a_vehicles_cameras_and_a_roll_over_are_one_recording() -> None:
    usage = Usage(0)

    def opened(number: int, **details: object) -> None:
        usage.logged("recording_opened", {"recording": number, "details": {"trigger": "pursuit", **details}}, number)

    def closed(number: int, word: str) -> None:
        usage.logged("recording_closed", {"recording": number, "word": word}, number)

    opened(2, channel="cabin")
    opened(1)
    opened(3, continues="SIM-0001-000001")
    opened(4, continues="SIM-0001-000002")
    closed(1, "rolled_over")
    closed(2, "rolled_over")
    closed(3, "record_button")
    closed(4, "record_button")
    facts = usage.summary(SECOND)
    assert (facts["recordings"], facts["triggers"], facts["stops"]) == (1, {"pursuit": 1}, {"record_button": 1})


@pytest.mark.requirement("R36")
def test_what_is_under_way_at_the_end_of_a_period_goes_on_in_the_next() -> None:
    usage = Usage(0)
    usage.state("recording", 0)
    usage.logged("muted", {}, 10 * SECOND)
    assert usage.summary(30 * SECOND)["interval_s"] == {"muted": 20}
    after = usage.next(30 * SECOND)
    after.logged("unmuted", {}, 35 * SECOND)
    facts = after.summary(40 * SECOND)
    assert (facts["seconds"], facts["interval_s"], facts["state_s"]) == (10, {"muted": 5}, {"recording": 10})
    assert facts["recordings"] == 0


@pytest.mark.requirement("R36")
def test_a_line_that_waited_without_a_recording_makes_a_late_start() -> None:
    active = {"lightbar": 10 * SECOND, "siren": 12 * SECOND}
    assert late_by_ns(30 * SECOND, active, 0) == ("lightbar", 20 * SECOND)
    assert late_by_ns(30 * SECOND, active, 11 * SECOND) == ("siren", 18 * SECOND)  # the light bar had its recording
    assert late_by_ns(30 * SECOND, active, 20 * SECOND) == (None, 0)
    usage = Usage(0)
    usage.began(30 * SECOND, "record_button", "lightbar", 20 * SECOND, 0)
    usage.began(40 * SECOND, "record_button", None, LATE_NS, 5 * SECOND)
    facts = usage.summary(60 * SECOND)
    assert (facts["late_starts"], facts["short_rings"]) == (1, 1)
    assert "  record button: 20 s after lightbar had become active" in usage_lines(facts)


@given(st.lists(st.tuples(st.sampled_from(["ready", "recording", "docked"]), st.integers(0, 10**6)), max_size=30))
def test_the_seconds_of_all_states_are_the_whole_period(steps: list[tuple[str, int]]) -> None:
    usage, at_ns = Usage(0), 0
    usage.state("boot", 0)
    for state, more_ms in steps:
        at_ns += more_ms * 1_000_000
        usage.state(state, at_ns)
    usage.summary(at_ns)
    assert sum(usage.seconds.values()) == at_ns // 1_000_000


@given(st.permutations(["muted", "muted", "unmuted", "unmuted"]))
def test_a_mute_is_never_longer_than_the_period(order: list[str]) -> None:
    usage = Usage(0)
    for event, at_ns in zip(order, itertools.count(SECOND, SECOND), strict=False):
        usage.logged(event, {}, at_ns)
    assert usage.summary(5 * SECOND)["interval_s"].get("muted", 0) <= 5


# --- roles on the socket ----------------------------------------------------------------------------------------------


@pytest.mark.requirement("R33")
def test_a_radios_bridge_may_trigger_and_look_and_nothing_else() -> None:
    access = Access(frozenset({0, 100}), frozenset({200}))
    assert access.refusal(100) is None
    assert access.refusal(200) is None
    assert access.refusal(300) is not None
    assert access.refusal_of(200, TriggerRequest(name="holster")) is None
    assert access.refusal_of(200, StatusRequest()) is None
    assert "only ask for the status" in str(access.refusal_of(200, MarkRequest()))
    assert access.refusal_of(100, MarkRequest()) is None


def test_an_account_is_shown_with_units_that_a_person_reads() -> None:
    facts = {
        "free_bytes": 78_785_708_032, "bits_per_s": 408_347, "oldest_waiting_s": 7200,
        "percent": 87, "usual_ua": 260_000,
        "zones_mc": {"cpu-thermal": 48_000}, "cycles": 41, "throttled": False, "fault": None,
    }  # fmt: skip
    lines = [" ".join(line.split()) for line in fact_lines(facts)]
    assert lines == [
        "free 73.4 GiB", "bits 0.4 Mbit/s", "oldest waiting 2.0 h", "percent 87 %", "usual 260 mA",
        "zones:", "cpu-thermal 48 °C", "cycles 41", "throttled no", "fault none",
    ]  # fmt: skip
