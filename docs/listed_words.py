"""Lists the words of scenarios for docs/simulator/scenarios.md, from the code that reads them."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from typing import get_args

from device.failures import COMPONENTS
from device.stopping import REASONS
from evidence.log_words import FILE as LOG_WORDS
from evidence.statements import GapCause
from simulator.claim_words import LABELS, STARTED_BY, TOLD
from simulator.claims import FACTS
from simulator.expected import SIGNALS, STATE_NAMES, entry_names
from simulator.scenario import FOLDER
from simulator.script import WHEN
from simulator.words import ACTIONS, AMOUNTS, FLAGS, LINES, LOOKS, MOVES, STATES

MEANINGS = {
    "nothing": "Nothing.",
    "press record button twice": "Starts a recording.",
    "press record button once": "Sets a marker while recording; confirms a stop that was asked for.",
    "hold record button": "Asks to stop. With the usual policy it must be confirmed with one press.",
    "press emergency button": "Starts a recording of the class critical.",
    "press function button once": "Sets a marker; confirms sleep.",
    "press function button twice": "Stealth: lamps and tones go dark, or come back.",
    "hold function button": "Mutes while recording; asks for sleep, or wakes, otherwise. It stays down.",
    "release function button": "Lets go of it.",
    "weapon drawn": "The holster's radio tells the camera.",
    "officer signs in": "The check-out desk's signed command: whose camera it is now.",
    "officer signs out": "The officer's session is over.",
    "peer starts": "A colleague's camera (`SIM-0002`) announces that it has begun to record.",
    "officer speaks": "A loud word; the camera hears it as the spoken reason.",
    "dock": "The camera goes into the docking station.",
    "undock": "…and out of it.",
    "lose gps": "No satellites, as in a garage.",
    "find gps": "The satellites are back.",
    "clock unset": "Nobody vouches for the camera's time any more.",
    "clock set": "The camera's time is right again.",
    "power cut": "The camera loses its power at this instant, and gets it back.",
}
AMOUNT_MEANINGS = {
    "battery": "State of charge, percent.",
    "board": "Temperature of the camera's board, Celsius.",
    "drive at": "The receiver's speed from now on, km/h.",
    "clock jumps": "The camera's time jumps ahead; `clock jumps back 1 hour` the other way.",
    "encoder stalls": "The sensor goes on, and nothing is encoded for so long.",
    "microphone silent": "The microphone hears nothing for so long.",
    "gps jumps": "The receiver says another place, so many metres away.",
    "turn the wheel by": "Slow presses of the function button: chooses a reason or a category.",
}
SAID_MEANINGS = {
    "give reason telephone": "A paired device gives the reason of a stop; add `, supervisor consulted` or "
    "`, supervisor not possible`. Reasons: " + ", ".join(f"`{one.replace('_', ' ')}`" for one in REASONS) + ".",
    "supervisor overrides microphone": "A supervisor puts a camera into service although that check failed.",
    "case number 26-01234": "A label for the recording in progress; `cad number 4711` likewise.",
}
STATE_MEANINGS = {
    "start": "The camera answers for the first time: the scenario's beginning.",
    "self-test done": "The camera has tested itself.",
    "ring full": "The pre-event ring holds as many seconds as the policy wants.",
    "recording": "It records.",
    "stopped": "It does not record.",
    "docked": "It stands in the dock.",
    "undocked": "It does not.",
    "offloaded": "It is docked, and everything is receipted and deleted (needs `keep_after_receipt_h = 0`).",
}


def deeds() -> str:
    """Everything that can be done."""
    rows = [f"| `{one}` | {MEANINGS[one]} |" for one in ACTIONS if one in MEANINGS]
    lines = ", ".join(f"`{line} on`" for line in LINES)
    rows.append(f"| {lines}, and each with `off` | A line of the vehicle; the stealth slide is on the camera. |")
    rows.append(f"| {', '.join(f'`camera {one}`' for one in LOOKS)} | What the lens sees from now on. |")
    rows.append(f"| {', '.join(f'`{one}`' for one in MOVES)} | How the camera is moved: the accelerometer. |")
    rows += [f"| `{one.example}` | {AMOUNT_MEANINGS[one.action]} |" for one in AMOUNTS]
    rows += [f"| `{example}` | {meaning} |" for example, meaning in SAID_MEANINGS.items()]
    return _table("| Words | What happens |", rows)


def states() -> str:
    """What a line can wait for."""
    rows = []
    for state in STATES:
        others = ", ".join(f"`{words}`" for words, meant in WHEN.items() if meant == state and words != state)
        rows.append(f"| `{state}` | {STATE_MEANINGS[state]} | {others} |")
    return _table("| State | Meaning | Also |", rows, 3)


def claims() -> str:
    """What evidence and dock can be held against."""
    rows = []
    for said in FACTS.values():
        words, _, meaning = said.partition("`: ")
        rows.append(f"| {words}` | {meaning[:1].upper()}{meaning[1:]} |")
    return _table("| Words | What must be so |", rows)


def names() -> str:
    """Names that stand in the evidence."""
    causes = get_args(GapCause)
    rows = [
        f"| `{what} …` | {', '.join(f'`{one}`' for one in many)} |"
        for what, many in {
            "trigger": STARTED_BY, "tells": TOLD, "label": LABELS, "gap": causes, "failure": tuple(COMPONENTS),
            "state": STATE_NAMES, "lamp": SIGNALS[:3],
        }.items()
    ]  # fmt: skip
    rows.append(f"| of the camera itself | {', '.join(f'`{one}`' for one in FLAGS)} |")
    return _table("| After | Can stand |", rows)


def entries() -> str:
    """Entries of the device log."""
    known = tomllib.loads(LOG_WORDS.read_text("utf-8"))["entries"]
    rows = []
    for name in entry_names():
        say = known[name]["say"]
        plain = (say if isinstance(say, str) else say[-1]).replace("{", "‹").replace("}", "›")
        words = ", ".join(f"`{one}`" for one in known[name].get("word", {}))
        rows.append(f"| `{name}` | {plain} | {words} |")
    return _table("| Entry | Says | Words (others may follow too) |", rows, 3)


def example() -> str:
    """A whole scenario, as it is bundled."""
    return f"```toml\n{(FOLDER / 'first-stop.toml').read_text('utf-8')}```\n"


def _table(head: str, rows: list[str], columns: int = 2) -> str:
    return "\n".join([head, "|" + "---|" * columns, *rows, ""])


TABLES: dict[str, Callable[[], str]] = {
    "words.deeds": deeds, "words.states": states, "words.claims": claims, "words.names": names,
    "words.entries": entries, "words.example": example,
}  # fmt: skip
