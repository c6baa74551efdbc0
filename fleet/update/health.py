"""Whether a new system proves itself (`firsthand-health.service`, each boot; docs/design/updates.md).

A system that was started to be tried is good when its recorder runs the promised version, has done its self-test no
worse than before the update, the agent lives, and all of that holds for `SETTLE_S`. Then its slot starts from now on.
If that does not happen within `WITHIN_S`, the camera goes back, and the release is not tried again. While the camera
records, nobody restarts it.
"""

from __future__ import annotations

import logging
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event
from typing import Final

from msgspec.structs import replace

from evidence.handover import Status
from evidence.release import number_of
from evidence.update_state import Before, Pending
from fleet.update import autoboot, recorder
from fleet.update.boot_choice import confirm
from fleet.update.errors import BadUpdate
from fleet.update.kept import Places, alone, confirmed, load, rolled_back, running_slot, save
from fleet.update.trying import MOST_TRIES, Restart

log = logging.getLogger(__name__)
WITHIN_S: Final = 300.0
SETTLE_S: Final = 30.0
EVERY_S: Final = 2.0
_RANK: Final = {"pass": 0, "warn": 1, "block": 2}
_AGENT: Final = ("systemctl", "is-active", "--quiet", "firsthand-agent.service")


def _agent_lives() -> bool:
    return subprocess.run(_AGENT, check=False, stdin=subprocess.DEVNULL).returncode == 0


@dataclass(frozen=True, slots=True)
class Waiting:
    """How long is waited, and by which clock; a test has others."""

    within_s: float = WITHIN_S
    settle_s: float = SETTLE_S
    every_s: float = EVERY_S
    now_s: Callable[[], float] = time.monotonic
    agent_lives: Callable[[], bool] = _agent_lives
    pause: Callable[[float], object] = field(default_factory=lambda: Event().wait)


def judge(status: Status, test: Before | None, pending: Pending, *, agent_lives: bool) -> str | None:
    """What still speaks against the new system; None if nothing does. Pure."""
    if number_of(status.firmware) != number_of(pending.version):
        return f"it runs {status.firmware}, not {pending.version}"
    if test is None or status.self_test is None:
        return "its recorder has not done its self-test"
    before = pending.before or Before(self_test="pass")
    if _RANK[test.self_test] > _RANK[before.self_test]:
        new = ", ".join(one for one in test.failed if one not in before.failed) or "the same checks"
        return f"its self-test says {test.self_test} ({new}), and said {before.self_test} before the update"
    return None if agent_lives else "its agent does not run"


def check_health(places: Places, waiting: Waiting, restart: Restart) -> str:
    """Decide about the system that runs; what was decided, in a sentence. Raises `BadUpdate`, `BadChoice`, OSError."""
    with alone(places):
        state, slot = load(places), running_slot(places)
        first, pending = autoboot.read(places.select), state.pending
        if pending is None or pending.phase != "trying":
            if slot == first:
                if pending is not None and pending.slot == slot:  # the slot that runs and starts waits for nothing
                    save(places, replace(state, pending=None))
                return f"slot {slot} runs, and nothing is tried"
            _when_idle(places, waiting)  # its memory was lost: what cannot prove itself goes back
            restart.order(restart.plain)
            return f"slot {slot} runs and nobody knows why: going back to slot {first}"
        if slot != pending.slot:
            if pending.tries < MOST_TRIES:
                save(places, replace(state, pending=replace(pending, phase="installed")))
                return f"release {pending.version} did not come up: it is tried once more in the dock"
            why = f"it did not come up in {pending.tries} boots"
            save(places, rolled_back(state, pending, why))
            return f"release {pending.version} is given up: {why}"
        why_not = None if slot == first else _prove(places, waiting, pending)
        if why_not is None:
            confirm(places, slot)
            save(places, confirmed(state, pending))
            return f"release {pending.version} has proven itself: slot {slot} starts from now on"
        log.error("release %s does not prove itself: %s", pending.version, why_not)
        _when_idle(places, waiting)
        save(places, rolled_back(state, pending, why_not))
        restart.order(restart.plain)
        return f"going back to slot {first}: {why_not}"


def _prove(places: Places, waiting: Waiting, pending: Pending) -> str | None:
    """None as soon as it holds for long enough; else what spoke against it at the end."""
    left_s, good_s, last_s, why = waiting.within_s, 0.0, waiting.now_s(), "nothing was seen of it"
    while left_s > 0:
        recording = False
        try:
            status = recorder.status_of(places.recorder)
            recording = status.recording is not None
            fault = judge(status, recorder.self_test_of(places.recorder), pending, agent_lives=waiting.agent_lives())
        except BadUpdate as error:
            fault = str(error)
        now_s = waiting.now_s()
        passed_s, last_s = now_s - last_s, now_s
        good_s = good_s + passed_s if fault is None else 0.0
        if fault is None and good_s >= waiting.settle_s:
            return None
        why = fault or "it did not stay well for long enough"
        left_s -= 0.0 if recording else passed_s
        waiting.pause(waiting.every_s)
    return why


def _when_idle(places: Places, waiting: Waiting) -> None:
    """Wait while the camera records; a recorder that does not answer records nothing."""
    while True:
        try:
            if recorder.status_of(places.recorder).recording is None:
                return
        except BadUpdate:
            return
        waiting.pause(waiting.every_s)
