"""The state table: recording comes first (invariant 1)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.indicators import STATE_PATTERNS
from device.states import IDLE_STATES, RECORDING_STATES, STARTS, TABLE, Action, Event, Limits, Machine, State

REAL = set(State) - {State.HOME}
HOMES = {State.SELF_TEST, State.DOCKED, State.READY, State.OUT_OF_SERVICE}
SECOND = 10**9
LIMITS = Limits(5 * SECOND, 10 * SECOND, 3 * SECOND)


def targets(state: State) -> set[State]:
    found = {row.target for (origin, _), row in TABLE.items() if origin is state}
    return (found - {State.HOME}) | (HOMES if State.HOME in found else set())


def test_every_state_is_reachable_and_has_a_way_out() -> None:
    reached, edge = {State.BOOT}, {State.BOOT}
    while edge:
        edge = {target for state in edge for target in targets(state)} - reached
        reached |= edge
    assert reached == REAL
    assert all(targets(state) - {state} for state in REAL - {State.SHUTTING_DOWN})
    assert targets(State.SHUTTING_DOWN) == {State.SHUTTING_DOWN}


@pytest.mark.requirement("R13", "R21")
def test_the_buttons_record_from_every_living_state_whatever_the_policy_bars() -> None:
    for state in REAL - {State.SHUTTING_DOWN}:
        machine = Machine(LIMITS, bars_triggers=True, state=state, blocked=True)
        move = machine.handle(Event.BUTTON)
        assert move is not None
        assert machine.state is State.RECORDING
        assert (Action.BEGIN in move.actions) == (state in IDLE_STATES)
        assert (Action.ADD in move.actions) == (state in RECORDING_STATES)


@pytest.mark.requirement("R24")
def test_only_waking_triggers_wake_a_sleeping_camera_and_the_others_are_logged() -> None:
    machine = Machine(state=State.SLEEP)
    move = machine.handle(Event.TRIGGER)
    assert move is not None
    assert move.actions == (Action.SUPPRESS,)
    assert machine.state is State.SLEEP
    move = machine.handle(Event.WAKING_TRIGGER)
    assert move is not None
    assert move.actions == (Action.RING_ON, Action.BEGIN)


@pytest.mark.requirement("R9")
def test_a_failed_self_test_bars_automatic_triggers_only_if_the_policy_says_so() -> None:
    for event in (Event.TRIGGER, Event.WAKING_TRIGGER):
        machine = Machine(bars_triggers=True, state=State.OUT_OF_SERVICE, blocked=True)
        move = machine.handle(event)
        assert move is not None
        assert (move.after, move.actions) == (State.OUT_OF_SERVICE, (Action.SUPPRESS,))
        machine = Machine(bars_triggers=False, state=State.OUT_OF_SERVICE, blocked=True)
        machine.handle(event)
        assert machine.state is State.RECORDING


@pytest.mark.requirement("R25")
def test_a_stop_is_asked_confirmed_reasoned_and_run_out() -> None:
    machine = Machine(LIMITS, state=State.RECORDING)
    seen = []
    for event, at_s in (
        (Event.STOP_ASKED, 0), (Event.CONFIRMED, 2), (Event.TIME_UP, 12), (Event.TIME_UP, 15),
    ):  # fmt: skip
        assert machine.deadline_ns() in (None, at_s * SECOND, 5 * SECOND)
        move = machine.handle(event, at_s * SECOND)
        assert move is not None
        seen.append((move.after, move.actions))
    assert seen == [
        (State.CONFIRMING_STOP, (Action.ASK_CONFIRMATION,)),
        (State.STATING_REASON, (Action.ASK_REASON,)),
        (State.POST_EVENT, ()),
        (State.READY, (Action.CLOSE,)),
    ]


def test_without_a_confirmation_the_recording_goes_on_r25() -> None:
    machine = Machine(LIMITS, state=State.RECORDING)
    machine.handle(Event.STOP_ASKED, 0)
    move = machine.handle(Event.TIME_UP, 5 * SECOND)
    assert move is not None
    assert (move.after, move.actions) == (State.RECORDING, (Action.GO_ON,))


@pytest.mark.parametrize("state", [State.CONFIRMING_STOP, State.STATING_REASON, State.POST_EVENT])
@pytest.mark.parametrize("event", [*STARTS, Event.BARRED_TRIGGER])
def test_a_trigger_in_the_middle_of_a_stop_withdraws_it_r22(state: State, event: Event) -> None:
    machine = Machine(LIMITS, state=state)
    move = machine.handle(event)
    assert move is not None
    assert (move.after, move.actions) == (State.RECORDING, (Action.ADD, Action.GO_ON))


def test_times_of_zero_are_passed_through_and_nothing_is_asked() -> None:
    machine = Machine(Limits(0, 0, 0), state=State.RECORDING)
    move = machine.handle(Event.STOP_ASKED, 7)
    assert move is not None
    assert (move.after, move.actions) == (State.READY, (Action.CLOSE,))
    machine = Machine(Limits(0, 10 * SECOND, 0), state=State.RECORDING)
    move = machine.handle(Event.STOP_ASKED, 7)
    assert move is not None
    assert (move.after, move.actions) == (State.STATING_REASON, (Action.ASK_REASON,))
    assert machine.deadline_ns() == 10 * SECOND + 7


@pytest.mark.requirement("R13")
def test_a_start_aborts_an_update_and_so_does_undocking() -> None:
    machine = Machine(state=State.DOCKED, docked=True)
    machine.handle(Event.UPDATE_BEGAN)
    assert machine.state is State.UPDATING
    move = machine.handle(Event.TRIGGER)
    assert move is not None
    assert move.actions == (Action.ABORT_UPDATE, Action.BEGIN)
    machine = Machine(state=State.UPDATING, docked=True)
    move = machine.handle(Event.UNDOCKED)
    assert move is not None
    assert (move.after, move.actions) == (State.READY, (Action.ABORT_UPDATE,))


def test_every_state_is_shown() -> None:
    assert set(STATE_PATTERNS) == REAL


def test_docking_and_a_failed_test_during_a_recording_decide_where_it_comes_home() -> None:
    machine = Machine(state=State.RECORDING)
    assert machine.handle(Event.DOCKED) is None
    machine.handle(Event.END)
    assert machine.state is State.DOCKED
    machine = Machine(state=State.SELF_TEST, testing=True)
    machine.handle(Event.BUTTON)
    assert machine.handle(Event.SELF_TEST_DONE, blocked=True) is None
    machine.handle(Event.END)
    assert machine.state is State.OUT_OF_SERVICE


MAY_END = {Event.END, Event.SHUTDOWN, Event.TIME_UP, Event.REASON_GIVEN, Event.CONFIRMED, Event.STOP_ASKED}


@settings(max_examples=2000, deadline=None)
@given(
    events=st.lists(st.tuples(st.sampled_from(list(Event)), st.booleans(), st.integers(0, 20)), max_size=60),
    limits=st.tuples(*[st.integers(0, 10)] * 3),
    bars=st.booleans(),
)
def test_no_sequence_of_events_loses_a_start_or_ends_a_recording_without_a_reason(
    events: list[tuple[Event, bool, int]], limits: tuple[int, int, int], bars: bool
) -> None:
    machine = Machine(Limits(*(one * SECOND for one in limits)), bars_triggers=bars)
    recording, now_ns = False, 0
    for event, blocked, wait_s in events:
        now_ns += wait_s * SECOND
        before = machine.state
        barred = bars and machine.blocked
        move = machine.handle(event, now_ns, blocked=blocked)
        actions = move.actions if move is not None else ()
        assert machine.state in REAL
        assert actions.count(Action.BEGIN) <= 1
        assert actions.count(Action.CLOSE) <= 1
        if event in STARTS:  # each start has exactly one outcome, and a button's is never a suppression
            outcome = {Action.BEGIN, Action.ADD, Action.SUPPRESS, Action.REFUSE} & set(actions)
            assert len(outcome) == 1
            if Action.SUPPRESS in outcome:
                assert event is not Event.BUTTON
                assert barred or (before is State.SLEEP and event is Event.TRIGGER)
            assert (Action.REFUSE in outcome) == (before is State.SHUTTING_DOWN)
        if recording and Action.CLOSE in actions:
            assert event in MAY_END
            recording = False
        if Action.BEGIN in actions:
            assert not recording
            recording = True
        assert machine.recording == recording, "a recording is open in exactly the states of a recording"
        if before is State.SHUTTING_DOWN:
            assert machine.state is State.SHUTTING_DOWN


@pytest.mark.requirement("R9")
def test_an_override_puts_the_camera_into_service_without_another_test_and_its_end_takes_it_out() -> None:
    machine = Machine(state=State.OUT_OF_SERVICE, blocked=True)
    machine.handle(Event.VERDICT_CHANGED, blocked=False)
    assert machine.state is State.READY
    machine.handle(Event.VERDICT_CHANGED, blocked=True)
    assert machine.state is State.OUT_OF_SERVICE
    machine = Machine(state=State.RECORDING)
    assert machine.handle(Event.VERDICT_CHANGED, blocked=True) is None
    machine.handle(Event.END)
    assert machine.state is State.OUT_OF_SERVICE
