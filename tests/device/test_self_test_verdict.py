"""What a self-test's verdict is bound to, when it expires, and what a supervisor may override (R8, R9)."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.examination import Examination
from device.policy import Profile
from device.profile import AcceptedProfile
from device.selftest import Result, SelfTest, verdict_of
from device.states import Event
from device.verdict import LASTS_NS, NEVER_OVERRIDDEN, Bound, Override, Overrides, blocking, expired_because

SECOND = 10**9
SHA = "ab" * 32
FIRST = Bound("boot-1", "officer-7", "shift-3", 5 * SECOND)


def made(*failed: str, warned: str = "gps") -> SelfTest:
    """A self-test in which those components failed."""
    rows = [Result(name, "fail", "block", "broken", "", "repair it", 1) for name in failed]
    rows += [Result(warned, "warn", "warn", "", "", "", 1), Result("sensor", "pass", "block", "", "", "", 1)]
    return SelfTest(tuple(rows), verdict_of(rows))


@pytest.mark.requirement("R8")
@pytest.mark.parametrize(
    ("now", "why"),
    [
        (FIRST, None),
        (Bound("boot-1", "officer-7", "shift-3", LASTS_NS), None),
        (Bound("boot-1", "officer-7", "shift-3", 5 * SECOND + LASTS_NS), "shift_over"),
        (Bound("boot-2", "officer-7", "shift-3", 6 * SECOND), "new_boot"),
        (Bound("boot-1", "officer-8", "shift-3", 6 * SECOND), "new_officer"),
        (Bound("boot-1", None, None, 6 * SECOND), "session_ended"),
        (Bound("boot-1", "officer-7", "shift-4", 6 * SECOND), "new_shift"),
    ],
)
def test_a_verdict_holds_for_one_officer_one_shift_and_one_boot(now: Bound, why: str | None) -> None:
    assert expired_because(FIRST, now) == why


@pytest.mark.requirement("R9")
@pytest.mark.parametrize("component", sorted(NEVER_OVERRIDDEN))
def test_keys_card_and_log_are_never_overridden(component: str) -> None:
    refused = Overrides(allowed=True).refusal(component, [component])
    assert refused is not None
    assert "never" in refused


@pytest.mark.requirement("R9")
def test_an_override_is_for_one_component_that_blocks_if_the_policy_allows_any() -> None:
    assert (
        Overrides(allowed=False).refusal("battery", ["battery"]) == "the policy profile allows no supervisor's override"
    )
    overrides = Overrides(allowed=True)
    assert "does not block" in str(overrides.refusal("gps", blocking(made("battery"))))
    assert "nothing blocks" in str(overrides.refusal("battery", blocking(made())))
    assert overrides.refusal("battery", blocking(made("battery", "remote_audio"))) is None
    overrides.add(Override("battery", "sgt-1", SHA, 0))
    assert overrides.left(made("battery", "remote_audio")) == ("remote_audio",), "one component, not the camera"
    assert "already" in str(overrides.refusal("battery", ["battery"]))
    overrides.add(Override("remote_audio", "sgt-1", SHA, 0))
    assert overrides.left(made("battery", "remote_audio")) == ()
    assert overrides.left(made("battery", "encoder")) == ("encoder",), "what fails later is not covered"
    assert overrides.given == 2


NAMES = st.sampled_from(["battery", "encoder", "remote_audio", *sorted(NEVER_OVERRIDDEN)])


@pytest.mark.requirement("R9")
@given(st.lists(st.tuples(st.sampled_from(["ask", "end"]), NAMES, st.sets(NAMES)), max_size=40))
def test_whatever_is_asked_in_whatever_order_no_override_hides_more_than_its_component(
    asked: list[tuple[str, str, set[str]]],
) -> None:
    overrides, granted = Overrides(allowed=True), set[str]()
    for what, component, failed in asked:
        test = made(*sorted(failed))
        if what == "end":
            overrides.end()
            granted.clear()
        elif overrides.refusal(component, overrides.left(test)) is None:
            overrides.add(Override(component, "sgt-1", SHA, 0))
            granted.add(component)
        assert set(overrides.left(test)) == failed - granted
        assert not granted & NEVER_OVERRIDDEN


# --- the examination around it ----------------------------------------------------------------------------------------


class PaperDaemon:
    """What the examination sees of a daemon, with everything it did written down."""

    def __init__(self, *, officer: str | None = None, override_allowed: bool = True) -> None:
        self.now_ns = SECOND
        self.logged: list[tuple[str, Any]] = []
        self.published: list[tuple[str, str | None]] = []
        self.clock = SimpleNamespace(boot_id="boot-1", boottime_ns=lambda: self.now_ns)
        self.machine = SimpleNamespace(testing=False, docked=False, blocked=False, state="ready")
        policy = Profile(v=1, name="x", version=1, supervisor_override=override_allowed)
        self.profile = AcceptedProfile(policy, "0" * 64)
        self.recorder = SimpleNamespace(session=None)
        self.signals = SimpleNamespace(show=lambda _state: None)
        self.wearer = SimpleNamespace(name="assignment", officer=officer, shift=None)
        self.parts = (SimpleNamespace(name="another"), self.wearer)
        self.examination = Examination(self)  # type: ignore[arg-type]

    def log(self, event: str, **fields: Any) -> None:
        self.logged.append((event, fields.get("word")))

    def publish(self, event: str, word: str | None) -> None:
        self.published.append((event, word))

    def change(self, event: Event, *, blocked: bool | None = None) -> None:
        self.machine.testing = event is Event.SELF_TEST_BEGAN
        if blocked is not None:
            self.machine.blocked = blocked

    def tested(self, test: SelfTest) -> None:
        """As after a self-test with that result."""
        self.examination.take(test)
        self.change(Event.SELF_TEST_DONE, blocked=bool(self.examination.left))

    def pass_by(self, seconds: float) -> None:
        """That time passes, with a look at its end and one a second later."""
        self.now_ns += int(seconds * SECOND)
        for _ in range(2):
            self.examination.look(self.now_ns)
            self.now_ns += SECOND


@pytest.mark.requirement("R8")
def test_a_new_officer_makes_the_verdict_expired_and_that_is_told_once() -> None:
    daemon = PaperDaemon(officer="officer-7")
    daemon.tested(made())
    daemon.pass_by(60)
    assert daemon.examination.expired is None
    daemon.wearer.officer = "officer-8"
    for _ in range(5):
        daemon.pass_by(1)
    assert daemon.examination.expired == "new_officer"
    assert daemon.logged.count(("self_test_expired", "new_officer")) == 1
    assert daemon.published == [("self_test_expired", "new_officer")]
    assert not daemon.machine.blocked, "an expired verdict puts nobody out of service"
    daemon.tested(made())
    assert daemon.examination.expired is None


@pytest.mark.requirement("R8")
def test_a_verdict_expires_after_sixteen_hours_of_running() -> None:
    daemon = PaperDaemon(officer="officer-7")
    daemon.tested(made())
    daemon.pass_by(15 * 3600)
    assert daemon.examination.expired is None
    daemon.pass_by(3600)
    assert daemon.examination.expired == "shift_over"


def test_at_the_dock_and_during_a_test_no_expiry_is_told() -> None:
    daemon = PaperDaemon(officer="officer-7")
    daemon.tested(made())
    daemon.wearer.officer, daemon.machine.docked = None, True
    daemon.pass_by(60)
    daemon.machine.docked, daemon.machine.testing = False, True
    daemon.pass_by(3)
    assert daemon.examination.expired is None
    assert not daemon.published


@pytest.mark.requirement("R9")
def test_an_override_brings_the_camera_back_into_service_for_this_shift_only() -> None:
    daemon = PaperDaemon()
    daemon.tested(made("battery"))
    examination = daemon.examination
    assert daemon.machine.blocked
    assert examination.override("battery", "sgt-1", SHA) is None
    assert not daemon.machine.blocked
    assert ("override", "battery") in daemon.logged
    assert examination.last is not None
    assert examination.last.verdict == "block", "the component is broken all the same"
    daemon.tested(made("battery"))
    assert not daemon.machine.blocked, "another test in the same shift changes nothing"
    examination.end_overrides("docked")
    assert daemon.machine.blocked
    assert ("override_ended", "battery") in daemon.logged
    assert daemon.published[-1] == ("out_of_service", "battery")


@pytest.mark.requirement("R9")
def test_an_override_outlives_no_shift_of_sixteen_hours() -> None:
    daemon = PaperDaemon()
    daemon.tested(made("battery"))
    daemon.examination.override("battery", "sgt-1", SHA)
    daemon.pass_by(16 * 3600)
    assert daemon.machine.blocked
    assert daemon.examination.overrides.components == ()


@pytest.mark.requirement("R9")
def test_a_refused_override_changes_nothing_and_says_why() -> None:
    daemon = PaperDaemon(override_allowed=False)
    daemon.tested(made("battery"))
    assert "policy" in str(daemon.examination.override("battery", "sgt-1", SHA))
    daemon.machine.testing = True
    assert "under way" in str(daemon.examination.override("battery", "sgt-1", SHA))
    assert daemon.machine.blocked
    assert "override" not in [event for event, _ in daemon.logged]


@pytest.mark.requirement("R9", "R10")
def test_the_component_that_blocks_is_named_in_public() -> None:
    daemon = PaperDaemon()
    daemon.examination.last = made("battery", "encoder")
    daemon.examination._tell_left()
    assert [one for one in daemon.logged if one[0] == "out_of_service"] == [
        ("out_of_service", "battery"),
        ("out_of_service", "encoder"),
    ]
    assert daemon.published == [("out_of_service", "battery,encoder")]


def test_no_second_test_while_one_is_under_way() -> None:
    daemon = PaperDaemon()
    daemon.machine.testing = True
    assert asyncio.run(daemon.examination.now()) is None
