"""Contacts that bounce, dip, chatter and storm, held against what the camera's own debounce makes of them."""

from __future__ import annotations

import itertools

import pytest

from device.config import Input
from device.input_lines import line_rule
from device.policy import Profile
from device.triggers import Inputs, Intent, LineFault, Press, Start, Stop
from hal.switches import Edge as RawEdge
from simulator import line_noise
from simulator.line_noise import THRESHOLD_V, Edge, play

SECOND = 10**9
POLICY = Profile(v=1, name="test", version=1)
SEEDS = range(25)
LINES = {
    "record_button": Input(kind="record_button"),
    "lightbar": Input(kind="light_bar"),
    "siren": Input(kind="siren"),
    "pursuit": Input(kind="pursuit"),
}


def made_of(edges: list[Edge], until_s: float = 40.0) -> list[Intent]:
    """What the camera makes of it."""
    inputs = Inputs(
        {name: line_rule(one, POLICY) for name, one in LINES.items()},
        double_press_ns=POLICY.double_press_ms * 1_000_000,
        hold_ns=POLICY.hold_to_stop_ms * 1_000_000,
    )
    intents: list[Intent] = []
    for at_s, line, active in edges:
        intents += inputs.edge(RawEdge(line, active, int(at_s * SECOND)))
    for tick in range(int(until_s * 20)):
        at_ns = tick * SECOND // 20
        if at_ns > edges[-1][0] * SECOND:
            intents += inputs.tick(at_ns)
    return intents


def kinds(edges: list[Edge], *wanted: type) -> list[type]:
    return [type(one) for one in made_of(edges) if isinstance(one, wanted)]


@pytest.mark.requirement("R13")
@pytest.mark.parametrize("seed", SEEDS)
def test_two_presses_of_a_bouncing_button_are_one_start_and_no_complaint(seed: int) -> None:
    edges = line_noise.double_press("record_button", seed)
    assert len(edges) > 8
    assert kinds(edges, Start, Stop, Press, LineFault) == [Start]


@pytest.mark.requirement("R13")
@pytest.mark.parametrize("seed", SEEDS)
def test_two_presses_of_a_worn_out_button_are_one_start_all_the_same(seed: int) -> None:
    """It may be said to chatter, which it does."""
    assert kinds(line_noise.double_press("record_button", seed, 8), Start, Stop, Press) == [Start]


@pytest.mark.requirement("R15")
@pytest.mark.parametrize("seed", SEEDS)
def test_a_relay_that_bounces_starts_nothing(seed: int) -> None:
    assert kinds(line_noise.blips("lightbar", seed, 5), Start) == []


@pytest.mark.requirement("R15")
@pytest.mark.parametrize("seed", SEEDS)
def test_dips_of_the_supply_are_one_start_and_no_end(seed: int) -> None:
    edges = line_noise.dips("lightbar", seed, 5)
    assert len(edges) > 4
    assert edges[-1][2]
    changes = [one for one in made_of(edges) if type(one).__name__ == "LineChanged"]
    assert len(changes) == 1
    assert kinds(edges, Start) == [Start]


def test_the_voltage_is_that_of_a_vehicle_and_dips_below_the_threshold_for_a_moment() -> None:
    volts = [value for _, value in line_noise.voltage(3, 20)]
    low = [value < THRESHOLD_V for value in volts]
    longest = max(len(list(group)) for below, group in itertools.groupby(low) if below)
    assert 0 < sum(low) < len(low) / 4
    assert longest * 0.01 < 0.2
    assert 12 < sorted(volts)[len(volts) // 2] < 13


@pytest.mark.requirement("R22")
@pytest.mark.parametrize("seed", SEEDS)
def test_a_hold_under_shaking_is_still_one_hold_and_no_start(seed: int) -> None:
    assert kinds(line_noise.shaken_hold("record_button", seed, 3.4), Start, Stop) == [Stop]


@pytest.mark.requirement("R29")
@pytest.mark.parametrize("seed", SEEDS)
def test_a_loose_contact_is_said_to_chatter(seed: int) -> None:
    said = [one for one in made_of(line_noise.chatter("siren", seed, 5)) if isinstance(one, LineFault)]
    assert [(one.line, one.fault) for one in said] == [("siren", "chatter")]


@pytest.mark.requirement("R13")
def test_a_storm_keeps_every_start_that_holds_long_enough() -> None:
    edges = line_noise.storm(tuple(LINES)[1:], 5, 20)
    assert [at_s for at_s, *_ in edges] == sorted(at_s for at_s, *_ in edges)
    starts = [one.trigger for one in made_of(edges) if isinstance(one, Start)]
    assert set(starts) == set(tuple(LINES)[1:])
    assert len(starts) > 20


@pytest.mark.parametrize("make", [line_noise.blips, line_noise.dips, line_noise.chatter, line_noise.shaken_hold])
def test_the_same_seed_is_the_same_noise(make) -> None:  # type: ignore[no-untyped-def]
    assert make("siren", 7, 4.0) == make("siren", 7, 4.0) != make("siren", 8, 4.0)


def test_noise_is_played_in_its_own_time() -> None:
    said: list[object] = []
    edges = [(0.5, "siren", True), (0.5, "door", True), (2.0, "siren", False)]
    play(edges, lambda line, active: said.append((line, active)), said.append)
    assert said == [0.5, ("siren", True), ("door", True), 1.5, ("siren", False)]
