"""A replay as a scenario that a person reads and plays: deeds at their times, and what the camera did then. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from evidence.log_entries import Entry
from evidence.statements import Event
from simulator.replay_happenings import Happening, ReplayTime
from simulator.replay_plan import Plan
from simulator.replay_read import ReadLog
from simulator.script import spoken
from simulator.settings_text import toml_text

AT_ONCE_S: Final = 6.0
SLOW_S: Final = 15.0
CALM_BEFORE_S: Final = 1.5
"""What comes by itself is only waited for if nobody did anything so shortly before it: it might come before that."""
CALM_AFTER_S: Final = 12.0
"""An entry may take as long to be on the card; a wait for it must not delay the next deed."""
STATUS_OF: Final = {
    "recording_opened": "recording", "recording_closed": "stopped", "docked": "docked", "undocked": "undocked",
}  # fmt: skip
"""Entries that show in the camera's state at once."""
LOGGED: Final = frozenset({
    "muted", "unmuted", "assigned", "suppressed", "stealth", "override", "lock", "peer_start_taken",
    "peer_start_refused", "failure_began", "failure_ended", "stop_reason", "labelled", "battery", "thermal",
    "low_power", "rolled_over", "recording_recovered", "session_ended", "reminded", "battery_empty",
})  # fmt: skip
"""Entries that only the log shows."""
STATES: Final = frozenset({"confirming_stop", "stating_reason", "sleep", "out_of_service"})
_SENSOR: Final = re.compile(r"scene-([0-9]{2,4})x([0-9]{2,4})")
_PICTURE: Final = {"width": 320, "height": 180, "frame_rate": 15, "bitrate": 200_000, "clip_bitrate": 400_000}


def expected(entries: Sequence[Entry], deeds: Sequence[Happening]) -> Iterator[Happening]:
    """What the camera did, where a replay can wait for it without being late for what comes next."""
    time = ReplayTime(entries)
    starts = sorted(one.at_s for one in deeds if one.kind == "do")
    for one in entries:
        if one.statement.stream != "log" or not isinstance(one.statement, Event):
            continue
        at_s, word = time.at(one), one.statement.word or ""
        if not starts or at_s < starts[0]:
            continue
        shown = STATUS_OF.get(one.name) if word != "rolled_over" and not one.details.get("continues") else None
        if shown is not None:
            yield Happening(at_s, "expect", f"expect {shown} within {AT_ONCE_S:g} s")
        elif one.name == "state" and word in STATES:
            yield Happening(at_s, "expect", f"expect state {word.replace('_', ' ')} within {AT_ONCE_S:g} s")
        elif one.name in LOGGED and not any(-CALM_AFTER_S < at_s - start_s < CALM_BEFORE_S for start_s in starts):
            yield Happening(at_s, "expect", f"expect log {f'{one.name} {word}'.strip()} within {SLOW_S:g} s")


def scenario_text(log: ReadLog, plan: Plan) -> str:
    """The whole TOML file."""
    lines = sorted([*plan.happenings, *expected(log.entries, plan.happenings)], key=lambda one: one.at_s)
    top = {"title": f"Replay of {log.serial}", "about": _about(log)}
    head = toml_text(top, "Written by `firsthand-sim replay` from a camera's log.")
    script = "\n".join(_script(lines, plan))
    tables = toml_text({"profile": plan.profile, "camera": _picture(log)}, "How the camera was set up.")
    return f'{head}script = """\n{script}\n"""\n\n{tables}'


def _about(log: ReadLog) -> str:
    known = "with" if log.details else "without"
    words = [f"{len(log.entries)} entries, {known} the sealed details.", *log.warnings]
    return " ".join(words).replace('"', "'")[:1000]


def _picture(log: ReadLog) -> dict[str, int]:
    """As large as it was if it was simulated: a real camera's size changes nothing of what its log says."""
    sensors = (source.sensor for one in log.opened for source in one.sources if source.role == "camera")
    found = next((size for sensor in sensors if (size := _SENSOR.fullmatch(sensor))), None)
    return {**_PICTURE, "width": int(found[1]), "height": int(found[2])} if found is not None else dict(_PICTURE)


def _script(lines: Sequence[Happening], plan: Plan) -> Iterator[str]:
    waited = plan.tested_s is None
    for one in lines:
        if not waited and one.kind == "do" and plan.tested_s is not None and one.at_s >= plan.tested_s:
            waited = True
            yield "when the self-test is done"
        when = spoken(max(0.0, one.at_s))
        yield f"# {when} {one.text}" if one.kind == "remark" else f"at {when} {one.text}"
    yield f"at {spoken(plan.end_s)}"
