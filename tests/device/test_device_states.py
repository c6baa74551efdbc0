"""The state table: recording comes first (invariant 1)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from device.indicators import STATE_PATTERNS
from device.states import TABLE, Event, Machine, State

REAL = set(State) - {State.HOME}
HOMES = {State.SELF_TEST, State.DOCKED, State.READY, State.OUT_OF_SERVICE}


def targets(state: State) -> set[State]:
    found = {target for (origin, _), target in TABLE.items() if origin is state}
    return (found - {State.HOME}) | (HOMES if State.HOME in found else set())


def test_every_state_is_reachable_and_has_a_way_out() -> None:
    reached, edge = {State.BOOT}, {State.BOOT}
    while edge:
        edge = {target for state in edge for target in targets(state)} - reached
        reached |= edge
    assert reached == REAL
    assert all(targets(state) for state in REAL - {State.SHUTTING_DOWN})
    assert not targets(State.SHUTTING_DOWN)


def test_a_trigger_leads_to_recording_from_every_living_state() -> None:
    for state in REAL - {State.SHUTTING_DOWN}:
        machine = Machine(state)
        machine.handle(Event.TRIGGER)
        assert machine.state is State.RECORDING


def test_every_state_is_shown() -> None:
    assert set(STATE_PATTERNS) == REAL


def test_docking_and_a_failed_test_during_a_recording_decide_where_it_comes_home() -> None:
    machine = Machine(State.RECORDING)
    assert machine.handle(Event.DOCKED) is None
    assert machine.handle(Event.STOPPED) is State.DOCKED
    machine = Machine(State.SELF_TEST, testing=True)
    machine.handle(Event.TRIGGER)
    assert machine.handle(Event.SELF_TEST_DONE, blocked=True) is None
    assert machine.handle(Event.STOPPED) is State.OUT_OF_SERVICE


@given(st.lists(st.tuples(st.sampled_from(list(Event)), st.booleans()), max_size=40))
def test_any_events_keep_the_machine_whole(events: list[tuple[Event, bool]]) -> None:
    machine, recording = Machine(), False
    for event, blocked in events:
        before = machine.state
        machine.handle(event, blocked=blocked)
        assert machine.state in REAL
        if before is State.SHUTTING_DOWN:
            assert machine.state is State.SHUTTING_DOWN
            continue
        recording = event is Event.TRIGGER or (recording and event not in (Event.STOPPED, Event.SHUTDOWN))
        assert (machine.state is State.RECORDING) == recording, "only a stop or the end leaves a recording"
