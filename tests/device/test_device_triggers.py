"""What edges mean (R13-R15, R18, R21): pure, with the time given."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.config import Input
from device.input_lines import line_rule
from device.policy import Profile
from device.triggers import (
    DockChanged,
    FunctionDouble,
    FunctionHeld,
    FunctionPress,
    FunctionReleased,
    Inputs,
    Intent,
    LineChanged,
    LineFault,
    LineRule,
    Press,
    Start,
    Stop,
)
from hal.switches import Edge

MS = 1_000_000
RULES = {
    "button": LineRule("record_button", False, 30 * MS),
    "emergency": LineRule("emergency_button", True, 30 * MS, wakes=True),
    "lightbar": LineRule("light_bar", False, 200 * MS),
    "pursuit": LineRule("pursuit", True, 200 * MS, wakes=True),
    "dock": LineRule("dock", False, 200 * MS),
    "function": LineRule("function_button", False, 30 * MS),
    "siren": LineRule("siren", False, 200 * MS, off_delay_ns=12_000 * MS),
    "brake": LineRule("brake", False, 200 * MS),
}


def play(*edges: tuple[str, bool, int], until_ms: int = 60_000) -> list[Intent]:
    """Feed (line, active, ms) and serve every deadline, as the daemon does."""
    inputs = Inputs(RULES, double_press_ns=700 * MS, hold_ns=3000 * MS)
    intents: list[Intent] = []

    def run_to(now_ns: int) -> None:
        for _ in range(1000):
            deadline = inputs.deadline_ns()
            if deadline is None or deadline > now_ns:
                return
            intents.extend(inputs.tick(deadline))
        raise AssertionError("a deadline that never passes")

    for line, active, at_ms in edges:
        run_to(at_ms * MS)
        intents.extend(inputs.edge(Edge(line, active, at_ms * MS)))
    run_to(until_ms * MS)
    return [one for one in intents if not isinstance(one, LineChanged)]


def press(at_ms: int, for_ms: int = 100, line: str = "button") -> tuple[tuple[str, bool, int], ...]:
    return ((line, True, at_ms), (line, False, at_ms + for_ms))


def test_a_line_that_holds_200_ms_is_a_trigger_stamped_with_its_first_edge() -> None:
    assert play(("lightbar", True, 1000), until_ms=1199) == []
    assert play(("lightbar", True, 1000)) == [Start("lightbar", False, 1000 * MS, manual=False, kind="light_bar")]
    assert play(("pursuit", True, 1000)) == [
        Start("pursuit", True, 1000 * MS, manual=False, wakes=True, kind="pursuit")
    ]


def test_bounces_shorter_than_200_ms_are_nothing() -> None:
    bounces = [("lightbar", bool(n % 2 == 0), 1000 + 150 * n) for n in range(10)]
    assert play(*bounces) == []


def test_a_dip_shorter_than_200_ms_is_no_second_trigger() -> None:
    edges = (("lightbar", True, 0), ("lightbar", False, 5000), ("lightbar", True, 5199))
    assert len(play(*edges)) == 1
    edges = (("lightbar", True, 0), ("lightbar", False, 5000), ("lightbar", True, 5201))
    assert len(play(*edges)) == 2


def test_a_trigger_that_goes_off_does_not_stop_r15() -> None:
    assert [type(one) for one in play(("lightbar", True, 0), ("lightbar", False, 4000))] == [Start]


def test_two_presses_start_and_one_is_a_marker() -> None:
    assert play(*press(0), *press(300)) == [
        Start("button", False, 300 * MS, manual=True, wakes=True, kind="record_button")
    ]
    assert play(*press(0), *press(700)) == [
        Start("button", False, 700 * MS, manual=True, wakes=True, kind="record_button")
    ]
    assert play(*press(0), *press(701)) == [Press("button", 0), Press("button", 701 * MS)]
    assert play(*press(0)) == [Press("button", 0)]


def test_a_bouncing_button_is_one_press() -> None:
    bouncing = tuple(("button", n % 2 == 0, n * 10) for n in range(5))  # ends pressed
    assert play(*bouncing, ("button", False, 200)) == [Press("button", 40 * MS)]


def test_a_hold_of_three_seconds_stops_and_a_shorter_one_does_not() -> None:
    assert play(*press(1000, 3001)) == [Stop(4000 * MS)]
    assert not [one for one in play(*press(1000, 2900)) if isinstance(one, Stop)]
    assert len([one for one in play(*press(0, 20_000)) if isinstance(one, Stop)]) == 1


def test_a_shaking_hold_of_less_than_30_ms_off_still_stops() -> None:
    assert play(("button", True, 0), ("button", False, 1500), ("button", True, 1520), ("button", False, 3200)) == [
        Stop(3000 * MS)
    ]


def test_the_press_that_starts_is_never_the_one_that_stops_r21() -> None:
    assert play(*press(0), *press(300, 10_000)) == [
        Start("button", False, 300 * MS, manual=True, wakes=True, kind="record_button")
    ]


def test_one_press_of_the_emergency_button_starts_r18() -> None:
    assert play(*press(0, 20_000, "emergency")) == [
        Start("emergency", True, 0, manual=True, wakes=True, kind="emergency_button")
    ]


def test_the_dock_is_debounced_and_unknown_lines_are_ignored() -> None:
    assert play(("dock", True, 0), ("dock", False, 100), ("dock", True, 150)) == [DockChanged(True, 150 * MS)]
    assert play(("nobody", True, 0)) == []


edge_lists = st.lists(st.tuples(st.sampled_from([*RULES, "nobody"]), st.booleans(), st.integers(0, 900)), max_size=60)


@given(edge_lists)
def test_any_edges_raise_nothing_and_start_nothing_without_a_press(edges: list[tuple[str, bool, int]]) -> None:
    now, timed = 0, []
    for line, active, after_ms in edges:
        now += after_ms
        timed.append((line, active, now))
    intents = play(*timed, until_ms=now + 10_000)
    for one in intents:
        if isinstance(one, Start):
            assert (one.trigger, True, one.at_ns // MS) in timed
        if isinstance(one, Stop):
            assert ("button", True, (one.at_ns - 3000 * MS) // MS) in timed


@given(st.lists(st.tuples(st.sampled_from([*RULES]), st.booleans(), st.integers(-(2**62), 2**62)), max_size=30))
def test_times_that_jump_raise_nothing(edges: list[tuple[str, bool, int]]) -> None:
    inputs = Inputs(RULES, double_press_ns=700 * MS, hold_ns=3000 * MS)
    for line, active, at_ns in edges:
        inputs.edge(Edge(line, active, at_ns))
        inputs.tick(at_ns)
        inputs.deadline_ns()


@pytest.mark.requirement("R24")
def test_the_function_button_is_pressed_double_pressed_held_and_let_go() -> None:
    assert play(*press(0, line="function")) == [FunctionPress(0)]
    assert play(*press(0, line="function"), *press(300, line="function")) == [FunctionDouble(300 * MS)]
    assert play(*press(0, 9000, line="function")) == [FunctionHeld(3000 * MS), FunctionReleased(9000 * MS)]


def test_a_slide_switch_that_dips_is_one_trigger_r15() -> None:
    """Field: delayed turn-off against slide switches; the siren here has an off-delay of 12 s."""
    dips = [("siren", True, 0)]
    for n in range(5):
        dips += [("siren", False, 2000 + 4000 * n), ("siren", True, 2400 + 4000 * n)]
    assert len([one for one in play(*dips) if isinstance(one, Start)]) == 1
    assert len(play(("siren", True, 0), ("siren", False, 1000), ("siren", True, 14_000))) == 2


def test_lines_of_the_context_start_nothing() -> None:
    assert play(("brake", True, 0), ("brake", False, 5000), ("brake", True, 9000)) == []


def test_a_chattering_line_is_said_once_a_minute() -> None:
    chatter = [("lightbar", bool(n % 2 == 0), 100 * n) for n in range(500)]
    faults = [one for one in play(*chatter, until_ms=60_000) if isinstance(one, LineFault)]
    assert [(one.line, one.fault) for one in faults] == [("lightbar", "chatter")]


@pytest.mark.requirement("R13")
def test_a_worn_button_that_bounces_at_each_press_does_not_chatter() -> None:
    """Ten edges in 45 ms at each press and each release: seven presses in ten seconds were 140 of them."""
    bounces = [
        (1400 * press + at + 5 * n, n % 2 == on)
        for press in range(7)
        for at, on in ((0, 0), (300, 1))
        for n in range(9)
    ]
    worn = [("button", active, at) for at, active in bounces]
    assert not [one for one in play(*worn, until_ms=10_000) if isinstance(one, LineFault)]


def test_a_wire_that_floats_in_the_hum_of_the_mains_chatters() -> None:
    hum = [("lightbar", bool(n % 2 == 0), 10 * n) for n in range(300)]
    assert [one.fault for one in play(*hum, until_ms=5_000) if isinstance(one, LineFault)] == ["chatter"]


@pytest.mark.requirement("R8")
def test_a_stuck_button_is_said_and_ends_no_recording_by_itself() -> None:
    intents = play(("button", True, 0), until_ms=3_600_000)
    assert intents == [Stop(3000 * MS), LineFault("button", "stuck", 0)], "one request, which nobody confirms"
    assert LineFault("function", "stuck", 0) not in play(("function", True, 0), until_ms=500_000)
    assert LineFault("function", "stuck", 0) in play(("function", True, 0), until_ms=700_000)


@pytest.mark.requirement("R14", "R18")
@pytest.mark.parametrize(
    ("kind", "critical", "wakes"),
    [
        ("pursuit", True, True), ("crash", True, True), ("weapon", True, True), ("emergency_button", True, True),
        ("light_bar", False, False), ("siren", False, False), ("door", False, False), ("gun_rack", False, False),
        ("holster", False, False), ("peer", False, False), ("trigger", False, False),
    ],
)  # fmt: skip
def test_the_class_of_a_kind_is_the_settled_one_unless_configured(kind: str, critical: bool, wakes: bool) -> None:
    policy = Profile(v=1, name="p", version=1)
    rule = line_rule(Input(kind=kind), policy)  # type: ignore[arg-type]
    assert (rule.critical, rule.wakes) == (critical, wakes)
    other = line_rule(Input(kind=kind, critical=not critical, wakes=True, off_delay_ms=900), policy)  # type: ignore[arg-type]
    assert (other.critical, other.wakes, other.off_delay_ns) == (not critical, True, 900 * MS)
