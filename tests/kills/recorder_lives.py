"""The recorder is killed at random instants of each phase, and its next life must make good what it owes."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from camera_bench import LIGHTBAR, RECORD
from killed_camera import READY_S, SERIAL, KilledCamera
from life import Main, until
from orphans import orphans
from owed import Held, Owed, not_kept, resumed
from tally import Tally

from evidence.trust import Trust
from simulator.scaled_time import ScaledTime

SPEED: Final = 6.0
"""The camera's time goes so many times as fast as this machine's."""
_IMPATIENT_S: Final = 6.0
PHASES: Final = ("start", "recovery", "self_test", "trigger", "recording", "roll_over", "stop", "shutdown")


@dataclass
class RecorderLives:
    """One card under many lives."""

    camera: KilledCamera
    owed: Owed
    chance: random.Random
    tally: Tally
    open_files: list[Held] = field(default_factory=list)
    """What the deaths since the last recovery left open."""
    must_resume: int | None = None
    """The recording that was in progress at the last death."""
    patience_s: float = READY_S
    """How long a start may take to resume and recover."""
    ready_s: float = 0.5
    """How long a start takes on this machine, so that deaths fall into all of it."""

    def live(self, phase: str) -> None:
        """One life that ends in that phase, and what it left."""
        if phase in ("start", "recovery"):
            if phase == "recovery" and not self._left_recording():
                return
            self.camera.begin()
            self._die_within(phase, self.ready_s * 1.5)
            return
        if not self.come_back():
            return
        if phase != "shutdown" and not self._idle():
            return
        getattr(self, f"_{phase}")()

    def come_back(self) -> bool:
        """The next life: it answers, goes on with what was in progress, and recovers what was left."""
        number, self.must_resume = self.must_resume, None
        life = self.camera.begin()
        took_s = self.camera.answers()
        if took_s is None:
            self.tally.checked("it starts again", f"it did not: {life.status}: {life.said()[-800:]}")
            return False
        self.tally.checked("it starts again")
        self.tally.back("recorder", took_s)
        self.ready_s = 0.8 * self.ready_s + 0.2 * took_s
        if number is not None:
            self._check_resumed(number)
        self._check_recovered()
        self.tally.checked("every whole fragment stays", *self.owed.missing())
        return True

    def _check_resumed(self, number: int) -> None:
        spool = self.camera.spool
        until(lambda: any(resumed(path) == number for path in _newer(spool, number)), self.patience_s, pause_s=0.02)
        found = [path for path in _newer(spool, number) if resumed(path) == number]
        wrong = [] if found else [f"recording {number} was in progress, and nothing goes on from it"]
        self.tally.checked("the incident goes on", *wrong)

    def _check_recovered(self) -> None:
        dead, self.open_files = self.open_files, []
        if dead:
            until(lambda: not self.owed.recovering(dead), self.patience_s, pause_s=0.02)
            self.tally.checked("what was left open is recovered", *self.owed.unrecovered(dead))

    def _idle(self) -> bool:
        """Whether it lives on with nothing recorded."""
        if not self.camera.stop_recording():
            self.tally.checked("a recording can be stopped", f"it could not: {self.camera.status()}")
            return False
        return True

    # --- phases -------------------------------------------------------------------------------------------------------

    def _self_test(self) -> None:
        connection = self.camera.begin_self_test()
        self._die_within("self_test", 2.5 / SPEED)
        with contextlib.suppress(OSError, AttributeError):
            connection.close()  # type: ignore[union-attr]

    def _trigger(self) -> None:
        self.camera.line(LIGHTBAR, active=True)
        self._die_within("trigger", 1.2 / SPEED)

    def _recording(self) -> None:
        self.camera.start_recording()
        until(self.camera.recorded, self.patience_s)
        self._die_within("recording", 4.0 / SPEED)

    def _roll_over(self) -> None:
        """The fifth second of a recording is the last one of its file."""
        self.camera.start_recording()
        time.sleep(3.4 / SPEED)
        self._die_within("roll_over", 2.5 / SPEED)

    def _stop(self) -> None:
        self.camera.start_recording()
        time.sleep(self.chance.uniform(0.3, 1.5) / SPEED)
        self.camera.line(LIGHTBAR, active=False)
        self.camera.line(RECORD, active=True)
        time.sleep(0.5 / SPEED)  # so long the button must be held
        self._die_within("stop", 1.0 / SPEED)
        self.camera.line(RECORD, active=False)

    def _shutdown(self) -> None:
        if self.chance.random() < 0.6:
            self.camera.start_recording()
            time.sleep(self.chance.uniform(0.0, 1.5) / SPEED)
        assert self.camera.life is not None
        self.camera.life.ask_to_end()
        self._die_within("shutdown", 1.2 / SPEED)

    def _die_within(self, phase: str, seconds: float) -> None:
        time.sleep(self.chance.uniform(0.0, seconds))
        self.kill(phase)

    def kill(self, phase: str) -> None:
        """At this instant. A life that had ended well by itself (a shutdown that was faster) is no kill."""
        life = self.camera.life
        assert life is not None
        died_by_itself = not life.alive()
        self.camera.kill()
        if not died_by_itself:
            self.tally.kills["recorder", phase] += 1
        elif life.status != 0:
            self.tally.checked("nobody dies unasked", f"in {phase}: {life.status}: {life.said()[-800:]}")
        self.look()

    def look(self) -> None:
        """What the dead recorder's card holds, and what it owes from now on."""
        dead, wrong = self.owed.dead()
        self.tally.checked("every whole fragment stays", *wrong)
        self.tally.checked("what was acknowledged is there", *not_kept(dead, *self.camera.told()))
        self.open_files = [one for one in dead if not one.closed and "-log-" not in one.path.name]
        begun = [one for one in self.open_files if one.opened is not None and one.fragments]
        newest = max((number_of(one.path) for one in dead if "-log-" not in one.path.name), default=0)
        self.must_resume = newest if any(number_of(one.path) == newest for one in begun) else None

    def _left_recording(self) -> bool:
        """Whether the last death left something to recover."""
        return bool(self.open_files)

    def end(self) -> None:
        """The last life: it recovers everything and shuts down in order, and then an audit finds nothing."""
        self.live_well()
        self.audit()

    def live_well(self) -> None:
        """A life that recovers everything, tests itself, and shuts down in order."""
        if not self.come_back():
            return
        assert self.camera.life is not None
        self.camera.ready()
        self._idle()
        self.camera.life.ask_to_end()
        code = self.camera.life.wait(READY_S)
        self.tally.checked("it shuts down in order", *([] if code == 0 else [f"its exit code is {code}"]))
        self.camera.kill()
        self.tally.checked("every whole fragment stays", *self.owed.missing())
        self.tally.checked("nothing is left lying about", *orphans(self.camera.spool, self.camera.state))

    def audit(self) -> None:
        """Of a card whose camera was shut down in order."""
        self.tally.checked("numbers and the log have no holes", *self.owed.whole())


def number_of(path: Path) -> int:
    """A recording's number."""
    return int(path.stem.rpartition("-")[2])


def _newer(spool: Path, number: int) -> list[Path]:
    return [path for path in spool.glob(f"{SERIAL}-0*.evidence") if number_of(path) > number]


def kill_recorders(
    directory: Path,
    pki: Path,
    kills: int,
    seed: int,
    *,
    phases: Sequence[str] = PHASES,
    a_card: int = 40,
    main: Main | None = None,
    go_on: Callable[[Tally], bool] = lambda _: True,
) -> Tally:
    """Kill so often, on a new card after `a_card` deaths; until `go_on` says no, at the end of a card.

    `main` stands for the recorder's own, a spoilt one: the first thing that is found ends it.
    """
    chance, tally, scaled = random.Random(seed), Tally(), ScaledTime.from_now(SPEED)
    card = 0
    while tally.total < kills and go_on(tally) and (main is None or not tally.violations):
        card += 1
        place = directory / f"card-{card}"
        place.mkdir()
        camera = KilledCamera(place, pki, scaled) if main is None else KilledCamera(place, pki, scaled, main)
        lives = RecorderLives(camera, Owed(camera.spool, Trust.load(pki / "root.pem")), chance, tally)
        if main is not None:
            lives.patience_s = _IMPATIENT_S
        wrong, tried = len(tally.violations), tally.total
        try:
            for attempt in range(3 * a_card):
                lives.live(phases[attempt % len(phases)] if attempt < len(phases) else chance.choice(phases))
                if tally.total >= min(kills, tried + a_card) or (main is not None and tally.violations):
                    break
            if main is None:
                lives.end()
        finally:
            camera.kill()
        if len(tally.violations) == wrong:
            _forget(place)
        else:
            tally.violations.append(f"(the card that this is about is kept in {place})")
    return tally


def _forget(place: Path) -> None:
    import shutil

    shutil.rmtree(place, ignore_errors=True)
