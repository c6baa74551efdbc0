"""Start one of our programs in a time that goes N times as fast: ``python -m simulator.at_speed … MODULE WORDS…``.

For the simulator's own processes (`simulator.scaled_time`). The program itself is the same and knows nothing of it.
"""

from __future__ import annotations

import argparse
import asyncio
import runpy
import sys

from hal import program_time
from simulator.scaled_time import FASTEST, SLOWEST, ScaledPolicy, ScaledTime


def speed(text: str) -> float:
    """A speed that can be played. Raises ValueError."""
    value = float(text)
    if not SLOWEST <= value <= FASTEST:
        raise ValueError(text)
    return value


speed.__name__ = f"number from {SLOWEST:g} to {FASTEST:g}"


def main() -> None:
    """Run the module as ``python -m`` does, in that time. Ends as the program ends."""
    parser = argparse.ArgumentParser(prog="simulator.at_speed", description=__doc__)
    parser.add_argument("--speed", type=speed, required=True)
    parser.add_argument("--began", type=int, required=True, help="CLOCK_BOOTTIME of the beginning, nanoseconds")
    parser.add_argument("--utc", type=int, required=True, help="UTC of the beginning, nanoseconds since 1970")
    parser.add_argument("module")
    parser.add_argument("words", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    scaled = ScaledTime(options.speed, options.began, options.utc)
    program_time.run_on(scaled)
    asyncio.set_event_loop_policy(ScaledPolicy(scaled))
    sys.argv = [options.module, *options.words]
    runpy.run_module(options.module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
