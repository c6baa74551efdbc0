"""``firsthand-sim indicators``: every pattern of the camera, out of its own data, in the terminal.

On a terminal the lamps blink as they would on the camera; into a file a line of text is drawn for each channel.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, Final, TextIO

from device.indicators import CATALOG, FELT_OR_HEARD, LAMPS, Beat, Lamp, Pattern

KINDS: Final = {"states": CATALOG.states, "conditions": CATALOG.conditions, "plays": CATALOG.plays}
STEP_S: Final = 0.05
SHOWN_S: Final = 4.0
_INK: Final = {
    "green": "\x1b[92m", "red": "\x1b[91m", "amber": "\x1b[33m", "white": "\x1b[97m", "blue": "\x1b[94m",
    "haptic": "\x1b[90m", "tone": "\x1b[95m",
}  # fmt: skip
_WORD: Final = {"haptic": "bzz", "tone": "beep"}


def add_parser(commands: Any) -> None:
    """The verb's place on the command line."""
    verb = commands.add_parser(
        "indicators",
        help="show every pattern of lamps, vibration and tone in the terminal",
        description="Play the patterns of the camera, one after the other, four seconds each.",
        epilog="examples:\n  firsthand-sim indicators\n  firsthand-sim indicators low_battery critical_battery\n"
        "  firsthand-sim indicators --drawn",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verb.add_argument("names", nargs="*", metavar="NAME", help="only these states, conditions or plays")
    verb.add_argument("--drawn", action="store_true", help="draw the timelines instead of playing them")
    verb.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Show what was asked for: the exit code."""
    known = {name for many in KINDS.values() for name in many}
    unknown = [name for name in options.names if name not in known]
    if unknown:
        print(
            f"firsthand-sim indicators: {unknown[0]!r} is no pattern; known are {', '.join(sorted(known))}",
            file=sys.stderr,
        )
        return 64
    show = drawn if options.drawn or not sys.stdout.isatty() else played
    try:
        for kind, name, pattern in chosen(options.names):
            show(f"{kind.removesuffix('s')} {name}", pattern, sys.stdout)
    except KeyboardInterrupt:
        print("\x1b[0m")
        return 130
    return 0


def chosen(names: list[str]) -> Iterator[tuple[str, str, Pattern]]:
    """(kind, name, pattern) of everything that was named, or of all."""
    for kind, many in KINDS.items():
        for name, pattern in many.items():
            if not names or name in names:
                yield kind, name, pattern


def is_on(lamp: Lamp | None, at_s: float) -> bool:
    """Whether a channel is on, so long after its pattern began."""
    if not isinstance(lamp, Beat):
        return lamp == "on"
    round_, within_s = divmod(at_s + 1e-9, lamp.on_s + lamp.off_s)
    return within_s < lamp.on_s and (lamp.times is None or round_ < lamp.times)


def drawn(heading: str, pattern: Pattern, out: TextIO) -> None:
    """A line for each channel: a block for each twentieth of a second that it is on."""
    print(f"{heading}: {pattern.means}{repeats(pattern)}", file=out)
    for channel, lamp in {**pattern.lamps, **pattern.beats}.items():
        steps = (is_on(lamp, STEP_S * step) for step in range(round(SHOWN_S / STEP_S)))
        print(f"  {channel:<7}{''.join('█' if on else '·' for on in steps)}", file=out)


def played(heading: str, pattern: Pattern, out: TextIO, sleep: Callable[[float], None] = time.sleep) -> None:
    """Lamps, vibration and tone in one live line, for four seconds."""
    print(f"{heading}: {pattern.means}{repeats(pattern)}", file=out)
    width = shutil.get_terminal_size().columns - 1
    for step in range(round(SHOWN_S / STEP_S)):
        out.write(f"\r\x1b[K  {frame(pattern, STEP_S * step)}"[: width + 40])
        out.flush()
        sleep(STEP_S)
    out.write("\r\x1b[K\x1b[0m")


def frame(pattern: Pattern, at_s: float) -> str:
    """One moment of a pattern, in colours."""
    lamps = (
        f"{_INK[lamp]}●\x1b[0m" if is_on(pattern.lamps[lamp], at_s) else "○" for lamp in LAMPS if lamp in pattern.lamps
    )
    others = (
        f"{_INK[channel]}{_WORD[channel]}\x1b[0m"
        for channel in FELT_OR_HEARD
        if is_on(pattern.beats.get(channel), at_s)
    )
    return " ".join((*lamps, *others))


def repeats(pattern: Pattern) -> str:
    """How often a condition is told."""
    return f" (every {pattern.every_s} s)" if pattern.every_s else ""
