"""How contacts and vehicle lines really switch: they bounce, dip, chatter, stick and storm. Pure, seeded.

Everything is a list of edges, ``(seconds from the beginning, line, active)`` in order of time, that a world plays onto
its pins with `play`. What the camera makes of it stands in `device.triggers` (R13, R15, R29).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from typing import Final

Edge = tuple[float, str, bool]
BOUNCE_S: Final = 0.02
"""How long a button's contact bounces: less than the camera's 30 ms for buttons."""
LONGEST_BLIP_S: Final = 0.12
"""A relay that bounces: shorter than the 200 ms that a line must hold, also on a machine that is late."""
THRESHOLD_V: Final = 3.6
"""Below that the optocoupler of a vehicle line lets go."""
VEHICLE_V: Final = 12.6


def bounce(line: str, active: bool, seed: int, at_s: float = 0.0, most: int = 2) -> list[Edge]:
    """A contact goes to a level, and springs back up to `most` times within `BOUNCE_S` before it stays there."""
    chance = random.Random(f"bounce {line} {seed} {at_s}")
    times = sorted(chance.uniform(0, BOUNCE_S) for _ in range(2 * chance.randint(1, most)))
    edges = [(at_s, line, active)]
    edges += [(at_s + time, line, active if number % 2 else not active) for number, time in enumerate(times)]
    return edges


def press(line: str, seed: int, at_s: float = 0.0, most: int = 2) -> list[Edge]:
    """A press of a button: it bounces when it closes and when it opens."""
    return bounce(line, True, seed, at_s, most) + bounce(line, False, seed, at_s + 0.1, most)


def double_press(line: str, seed: int, most: int = 2) -> list[Edge]:
    """Two presses as people make them to start a recording; a worn button bounces more often."""
    return press(line, seed, 0.0, most) + press(line, seed, 0.25, most)


def blips(line: str, seed: int, for_s: float) -> list[Edge]:
    """A relay that bounces: on and off, each time too short to mean anything; off at the end."""
    chance = random.Random(f"blips {line} {seed}")
    edges: list[Edge] = []
    at_s = 0.0
    while at_s < for_s:
        on_s = chance.uniform(0.01, LONGEST_BLIP_S)
        edges += [(at_s, line, True), (at_s + on_s, line, False)]
        at_s += on_s + chance.uniform(0.5, 1.2)
    return edges


def voltage(seed: int, for_s: float, step_s: float = 0.01) -> list[tuple[float, float]]:
    """A vehicle's supply while a starter turns or a relay pulls: it dips below `THRESHOLD_V`, never for long."""
    chance = random.Random(f"voltage {seed}")
    dips: list[tuple[float, float, float]] = []
    at_s = chance.uniform(0.1, 0.4)
    while at_s < for_s:
        length_s = chance.uniform(0.02, LONGEST_BLIP_S)
        dips.append((at_s, at_s + length_s, chance.uniform(1.0, 4.2)))
        at_s += length_s + chance.uniform(0.5, 1.4)
    volts: list[tuple[float, float]] = []
    for number in range(int(for_s / step_s)):
        now_s = number * step_s
        low = next((to_v for begin_s, end_s, to_v in dips if begin_s <= now_s < end_s), VEHICLE_V)
        volts.append((now_s, low + chance.gauss(0, 0.08)))
    return volts


def dips(line: str, seed: int, for_s: float) -> list[Edge]:
    """A line that is on, as its voltage makes it: off in every dip below `THRESHOLD_V`, on at the end."""
    edges, active = [(0.0, line, True)], True
    for at_s, volts in voltage(seed, for_s):
        if (volts >= THRESHOLD_V) is not active:
            active = not active
            edges.append((at_s, line, active))
    return edges if active else [*edges, (for_s, line, True)]


def shaken_hold(line: str, seed: int, for_s: float) -> list[Edge]:
    """A button held by a hand that shakes: the contact opens now and then for less than 20 ms; let go at the end."""
    chance = random.Random(f"hold {line} {seed}")
    edges = bounce(line, True, seed)
    at_s = 0.1
    while at_s + 0.3 < for_s:
        at_s += chance.uniform(0.1, 0.3)
        open_s = chance.uniform(0.003, 0.012)
        edges += [(at_s, line, False), (at_s + open_s, line, True)]
        at_s += open_s
    return [*edges, *bounce(line, False, seed, for_s)]


def chatter(line: str, seed: int, for_s: float) -> list[Edge]:
    """A loose contact: about twelve changes a second, for as long as the road is bad; off at the end."""
    chance = random.Random(f"chatter {line} {seed}")
    edges: list[Edge] = []
    at_s, active = 0.0, True
    while at_s < for_s:
        edges.append((at_s, line, active))
        at_s, active = at_s + chance.uniform(0.03, 0.13), not active
    return [*edges, (max(at_s, for_s), line, False)]


def storm(lines: Sequence[str], seed: int, for_s: float) -> list[Edge]:
    """Everything at once: each line goes on and off by itself, long enough to count; all off at the end."""
    chance = random.Random(f"storm {seed}")
    edges: list[Edge] = []
    for line in lines:
        at_s, active = chance.uniform(0, 0.3), True
        while at_s < for_s:
            edges.append((at_s, line, active))
            at_s, active = at_s + chance.uniform(0.25, 0.9), not active
        edges.append((max(at_s, for_s), line, False))
    return sorted(edges)


def play(edges: Iterable[Edge], drive: Callable[[str, bool], None], pause: Callable[[float], None]) -> None:
    """Play edges onto lines; `pause` lets the world's time pass. Errors: those of `drive`."""
    now_s = 0.0
    for at_s, line, active in edges:
        if at_s > now_s:
            pause(at_s - now_s)
            now_s = at_s
        drive(line, active)
