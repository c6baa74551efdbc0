"""The real camera on a card that forgets: the power goes at many bytes of a recording (invariants 3 and 6, R38)."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from camera_bench import CameraBench, media, until

from simulator.card.card import Survives
from simulator.card.mounted import MountedCard, NoCard, mount_card
from simulator.processes import Children

pytestmark = pytest.mark.requirement("R38")
Make = Callable[..., CameraBench]
FORGETFUL = str(Path(__file__).with_name("forgetful_card.py"))


@dataclass
class Cameras:
    """Cameras whose spool and state lie on simulated cards."""

    make: Make
    children: Children
    base: Path

    def on_card(self) -> tuple[CameraBench, MountedCard]:
        camera = self.make(extra={"spool": "card/spool", "state": "card/state"})
        place = camera.directory / "card"
        camera.spool, camera.state = place / "spool", place / "state"
        camera.spool.mkdir(parents=True)
        camera.state.mkdir()
        card, _ = mount_card(self.children, place, self.base / f"{camera.directory.name}.sock")
        if isinstance(card, NoCard):
            if os.environ.get("CI") == "true":
                pytest.fail(f"no card can be mounted, and CI can: {card.why}")
            pytest.skip(f"no card can be mounted here: {card.why}")
        return camera, card


@pytest.fixture
def cameras(bench: Make) -> Iterator[Cameras]:
    with tempfile.TemporaryDirectory(prefix="card-") as name, Children(Path(name)) as children:
        yield Cameras(bench, children, Path(name))


def lose_power(camera: CameraBench, card: MountedCard, stem: str, after: int, survives: Survives) -> int:
    """Let the power go after so many more bytes; the last frame of which somebody was told that it is on the card."""
    card.cut_after(written_bytes=after, survives=survives)
    until(card.power_is_lost, what="the power goes in the middle of a write")
    told = [one.number or 0 for one in camera.notices if one.event == "fragment" and one.recording == stem]
    assert camera.process is not None
    camera.process.kill()
    card.power_on()  # what the dead process still asked for is answered
    camera.kill()
    return max(told, default=0)


def last_frame(camera: CameraBench, stem: str) -> int:
    """The last frame that a recovered recording holds; 0 if there is none."""
    report = camera.verify_recovered(stem)
    if report is None:
        return 0
    assert report.valid, report.findings
    facts = [one.media for one in media(camera.path(stem)) if one.media is not None]
    return max((one.first_frame + one.frames - 1 for one in facts), default=0)


def test_every_fragment_that_was_told_is_there_after_power_cuts_at_many_bytes(cameras: Cameras) -> None:
    camera, card = cameras.on_card()
    camera.start()
    stem = camera.double_press()
    camera.fragments(2)
    cuts: list[tuple[int, Survives]] = [(3_000, "nothing"), (41_000, "written"), (20_500, 5)]
    for number, (after, survives) in enumerate(cuts):
        told = lose_power(camera, card, stem, after, survives)
        camera.start(ready=False)
        until(lambda name=stem: camera.recovered(name), what=f"{stem} is recovered")
        assert last_frame(camera, stem) >= told, f"cut {number} after {after} bytes, {survives} survives"
        following = f"SIM-0001-{number + 2:06d}"
        until(lambda name=following: camera.status().recording == name, what=f"{following} goes on")
        stem = following
        camera.fragments(1)
    card.make_whole()
    assert camera.stop() == 0
    camera.verify(stem)
    card.close()


def test_a_camera_that_does_not_sync_loses_what_it_told(cameras: Cameras) -> None:
    """The judge above would see it."""
    camera, card = cameras.on_card()
    camera.program = (FORGETFUL,)
    camera.start()
    stem = camera.double_press()
    camera.fragments(2)
    told = lose_power(camera, card, stem, 3_000, "nothing")
    assert told > 0
    assert not camera.path(stem).exists() or last_frame(camera, stem) < told
    card.close()
