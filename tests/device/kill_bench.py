"""Kill the camera daemon at random moments of a recording, and see what is left (invariants 3 and 6).

`FIRSTHAND_KILLS=50 pytest tests/device/test_camera_kill.py -s` prints each loss; without it a few kills are made.
One camera lives through all of them, as on a bad day: each start resumes the incident in a new, linked recording.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass

from camera_bench import SECOND, CameraBench, first_statement, media, statements, until
from fair_time import FairTime

from evidence.statements import Open


@dataclass(frozen=True)
class Death:
    """One kill and what the recording holds."""

    stem: str
    resumed: str
    lost_s: float
    """From the last frame in the recovered recording to the kill."""
    own_s: float
    """So much of that was the camera's own, and not this machine's (`fair_time`)."""
    told: int
    """The last frame of which somebody was told that it is durable; 0 if nobody was."""
    held: int
    """The last frame in the recovered recording; 0 if there is none."""
    resume_s: float
    """From the start of the new process to the `open` of the linked recording."""


def live_through(camera: CameraBench, kills: int, seed: int, fair: FairTime) -> list[Death]:
    """Start a recording, then kill and start again so many times. The camera runs and records at the end."""
    chance = random.Random(seed)
    camera.start()
    stem = camera.double_press()
    deaths: list[Death] = []
    for _ in range(kills):
        time.sleep(chance.uniform(0.0, 3.0))  # any moment of a recording: before its first fragment, and later
        told = [one.number or 0 for one in tuple(camera.notices) if one.event == "fragment" and one.recording == stem]
        killed_ns = camera.kill()
        started_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        number = int(stem.rpartition("-")[2])
        resumed = f"SIM-0001-{number + 1:06d}"
        camera.start(ready=False)
        until(lambda name=resumed: camera.status().recording == name, what=f"{resumed} goes on")
        until(lambda name=stem: camera.recovered(name), what=f"{stem} is recovered")
        report = camera.verify_recovered(stem)
        facts = [one.media for one in media(camera.path(stem)) if one.media is not None] if report else []
        end_ns = facts[-1].start_ns + facts[-1].duration_ns if facts else None
        opened = statements(camera.path(stem))[0] if report else None
        last_ns = end_ns if end_ns is not None else opened.mono_ns if opened is not None else killed_ns
        linked = first_statement(camera.path(resumed))
        assert isinstance(linked, Open)
        assert linked.resumes == number
        deaths.append(
            Death(
                stem,
                resumed,
                lost_s=(killed_ns - last_ns) / SECOND,
                own_s=fair.own_s(last_ns, killed_ns),
                told=max(told, default=0),
                held=max((one.first_frame + one.frames - 1 for one in facts), default=0),
                resume_s=(linked.mono_ns - started_ns) / SECOND,
            )
        )
        stem = resumed
    return deaths
