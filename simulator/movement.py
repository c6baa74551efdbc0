"""How a worn camera is moved: walk, run, fall, crash, struggle, drive, as accelerations. Pure: no clock, no thread.

A pattern is a function of the seconds since it began and of a seed, in thousandths of g along the camera's axes (x
right, y up, z to the viewer), gravity included: every sample rate sees the same movement. What the camera makes of it
stands in `device.gravity` (R12: hanging, lying, fallen off) and `device.sensor_triggers` (R18: crash; R19).
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

Pattern = Literal["rest", "walk", "run", "struggle", "drive", "fall", "crash", "lies", "hangs"]
PATTERNS: Final[tuple[Pattern, ...]] = get_args(Pattern)
Vector = tuple[float, float, float]
REST_MG: Final = (0, 1000, 0)
FULL_SCALE_MG: Final = 16_000
"""A sensor of ±16 g says no more than that."""
FREE_FALL_S: Final = 0.45
"""From a chest to the ground: about a metre."""
IMPACT_S: Final = 0.004
"""A blow on concrete is so short that no sensor of up to 200 samples a second sees it twice."""
CRASH_PULSE_S: Final = 0.15
"""A car against a barrier; the pulse of a frontal crash lasts 0.1 to 0.15 s."""


@dataclass(frozen=True, slots=True)
class Movement:
    """One pattern with one seed."""

    pattern: Pattern
    seed: int = 0
    _at: Callable[[float], Vector] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_at", _MAKERS[self.pattern](random.Random(f"{self.pattern} {self.seed}")))

    def at(self, seconds: float) -> tuple[int, int, int]:
        """The acceleration so long after the movement began; whole thousandths of g, within the sensor's range."""
        x, y, z = self._at(max(0.0, seconds))
        return _sensed(x), _sensed(y), _sensed(z)


@dataclass(slots=True)
class Mover:
    """What moves one camera now: a pattern or a steady push, for a time or until the next one."""

    _movement: Movement | None = None
    _push_mg: tuple[int, int, int] = REST_MG
    _began_ns: int = 0
    _until_ns: int | None = None

    def move(self, movement: Movement, now_ns: int, for_ns: int | None) -> None:
        """Move so from `now_ns` on, for `for_ns` (None: until told otherwise), then rest."""
        self._movement, self._push_mg, self._began_ns = movement, REST_MG, now_ns
        self._until_ns = None if for_ns is None else now_ns + for_ns

    def push(self, mg: tuple[int, int, int], now_ns: int, for_ns: int | None) -> None:
        """The same acceleration all the time, for `for_ns` (None: until told otherwise), then rest."""
        self._movement, self._push_mg, self._began_ns = None, mg, now_ns
        self._until_ns = None if for_ns is None else now_ns + for_ns

    def rests(self, at_ns: int) -> bool:
        """Whether it lies still at that instant."""
        over = self._until_ns is not None and at_ns >= self._until_ns
        return over or (self._movement is None and self._push_mg == REST_MG)

    def sample_mg(self, at_ns: int) -> tuple[int, int, int]:
        """What the sensor feels at that instant."""
        if self._until_ns is not None and at_ns >= self._until_ns:
            return REST_MG
        if self._movement is None:
            return self._push_mg
        return self._movement.at((at_ns - self._began_ns) / 1e9)


def _sensed(mg: float) -> int:
    return round(max(-FULL_SCALE_MG, min(FULL_SCALE_MG, mg)))


def _shiver(
    chance: random.Random, low_hz: float, high_hz: float, size: float, waves: int = 5
) -> Callable[[float], float]:
    """Irregular, at most `size` either way: a few waves that never come together again."""
    parts = [(math.tau * chance.uniform(low_hz, high_hz), chance.uniform(0, math.tau)) for _ in range(waves)]
    share, sin = size / waves, math.sin

    def at(t: float) -> float:
        total = 0.0
        for speed, phase in parts:  # plainly: this is asked for up to twenty times for each sample
            total += sin(speed * t + phase)
        return share * total

    return at


def _rest(_chance: random.Random) -> Callable[[float], Vector]:
    return lambda _t: REST_MG


def _walk(chance: random.Random) -> Callable[[float], Vector]:
    """About two steps a second: the chest goes up and down with each, to the sides with every other."""
    step_hz, phase = chance.uniform(1.7, 2.1), chance.uniform(0, math.tau)
    sway, lean = _shiver(chance, 0.3, 6, 60), chance.uniform(-60, 60)

    def at(t: float) -> Vector:
        turn = math.tau * step_hz * t + phase
        up = 230 * math.sin(turn) + 70 * math.sin(2 * turn + 0.8)
        return lean + 90 * math.sin(turn / 2) + sway(t), 1000 + up, 110 * math.sin(turn + 1.9) + sway(t + 40)

    return at


def _run(chance: random.Random) -> Callable[[float], Vector]:
    """Nearly three steps a second; between two of them both feet are off the ground for about a tenth of a second."""
    step_hz, phase = chance.uniform(2.6, 3.0), chance.uniform(0, 1)
    push = chance.uniform(2000, 2400)
    sway, shake = _shiver(chance, 0.5, 8, 150), _shiver(chance, 5, 12, 120)

    def at(t: float) -> Vector:
        step = step_hz * t + phase
        part = step % 1
        flight = 0.3
        up = 120.0 if part < flight else 120 + push * math.sin(math.pi * (part - flight) / (1 - flight))
        firm = 0.3 if part < flight else 1.0
        side = 260 * math.sin(math.pi * step)
        return firm * (side + sway(t)), up + firm * shake(t), firm * (200 * math.sin(math.tau * step) + sway(t + 30))

    return at


def _struggle(chance: random.Random) -> Callable[[float], Vector]:
    """Pushed, torn and turned from all sides, hard but never as a car hits; nothing of it is periodic."""
    blows = [_shiver(chance, 1.5, 7, 1900) for _ in range(3)]
    lean = [_shiver(chance, 0.2, 0.6, 450) for _ in range(2)]
    bursts = _shiver(chance, 0.3, 1.1, 0.5)

    def at(t: float) -> Vector:
        force = 0.5 + abs(bursts(t))
        return force * blows[0](t) + lean[0](t), 1000 + force * blows[1](t), force * blows[2](t) + lean[1](t)

    return at


def _drive(chance: random.Random) -> Callable[[float], Vector]:
    """A car on a town's streets: the engine and the road, bends, braking, now and then a pothole."""
    road = [_shiver(chance, 9, 24, 70) for _ in range(3)]
    bends, pedals = _shiver(chance, 0.03, 0.12, 320, 3), _shiver(chance, 0.02, 0.1, 330, 3)
    hole_s, first_s = chance.uniform(9, 21), chance.uniform(2, 9)

    def at(t: float) -> Vector:
        since = (t - first_s) % hole_s
        hole = 550 * math.sin(math.tau * 6 * since) * math.exp(-since * 9) if t > first_s and since < 0.6 else 0.0
        return bends(t) + road[0](t), 1000 + road[1](t) + hole, pedals(t) + road[2](t)

    return at


def _fall(chance: random.Random) -> Callable[[float], Vector]:
    """The camera comes off and falls: a moment of nothing, a blow, one small jump, and then it lies."""
    tumble = _shiver(chance, 2, 5, 60)
    side = chance.choice([(0.0, 60.0, 998.0), (0.0, 60.0, -998.0), (997.0, 70.0, 30.0), (-997.0, 70.0, 30.0)])
    hop_s = chance.uniform(0.08, 0.12)
    second_s = FREE_FALL_S + IMPACT_S + hop_s

    def at(t: float) -> Vector:
        if t < FREE_FALL_S:
            return tumble(t), tumble(t + 10), tumble(t + 20)
        if t < FREE_FALL_S + IMPACT_S:
            return 0.3 * FULL_SCALE_MG, FULL_SCALE_MG, 0.4 * FULL_SCALE_MG
        if t < second_s:
            return 150.0, 200.0, 100.0
        if t < second_s + IMPACT_S:
            return 900.0, 4200.0, 700.0
        rock = 220 * math.exp(-(t - second_s) * 6) * math.sin(math.tau * 7 * (t - second_s))
        return side[0] + rock, side[1], side[2] + rock

    return at


def _crash(chance: random.Random) -> Callable[[float], Vector]:
    """A car hits something: one pulse of 8 to 14 g, a smaller second blow, the car rocks and stands askew."""
    peak, turn = chance.uniform(8_000, 14_000), chance.uniform(-0.7, 0.7)
    second_s, second = chance.uniform(0.35, 0.6), chance.uniform(2_000, 3_000)
    askew, hum = chance.uniform(-180, 180), _shiver(chance, 12, 30, 300)

    def at(t: float) -> Vector:
        blow = 0.0
        if t < CRASH_PULSE_S:
            blow = peak * math.sin(math.pi * t / CRASH_PULSE_S)
        elif second_s <= t < second_s + 0.1:
            blow = second * math.sin(math.pi * (t - second_s) / 0.1)
        rock = 500 * math.exp(-t * 1.6) * math.sin(math.tau * 1.4 * t) + hum(t) * math.exp(-t * 4)
        return blow * math.sin(turn) + askew + rock, 980 + hum(t + 5) * math.exp(-t * 4), blow * math.cos(turn)

    return at


def _lies(chance: random.Random) -> Callable[[float], Vector]:
    """Flat on its back on a table, or in the grass; nobody touches it."""
    tilt, face = chance.uniform(-80, 80), chance.choice([-1, 1])
    return lambda _t: (tilt, 40.0, face * 995.0)


def _hangs(chance: random.Random) -> Callable[[float], Vector]:
    """Upside down on its clip, swinging a little."""
    swing_hz, phase = chance.uniform(0.8, 1.3), chance.uniform(0, math.tau)

    def at(t: float) -> Vector:
        angle = 0.14 * math.sin(math.tau * swing_hz * t + phase)
        return 1000 * math.sin(angle), -1000 * math.cos(angle), 40.0

    return at


_MAKERS: Final[dict[Pattern, Callable[[random.Random], Callable[[float], Vector]]]] = {
    "rest": _rest,
    "walk": _walk,
    "run": _run,
    "struggle": _struggle,
    "drive": _drive,
    "fall": _fall,
    "crash": _crash,
    "lies": _lies,
    "hangs": _hangs,
}
