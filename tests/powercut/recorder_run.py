"""The recorder on the recorded card: the real daemon with its self-test, recordings, a roll-over, its log and state."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Literal

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "device"))

from camera_bench import LIGHTBAR, CameraBench  # noqa: E402
from recorded_card import RecordedCard  # noqa: E402

Without = Literal["sync", "names"]
WITNESSED = HERE / "witnessed.py"


def witnessed(card: RecordedCard, without: Without | None) -> tuple[str, ...]:
    """How Python starts one of our programs so that its acknowledgements are noted."""
    where = ["--card", str(card.place), "--log", str(card.log), "--notes", str(card.directory / "notes")]
    return (str(WITNESSED), *where, *(["--without", without] if without else []))


def camera_on(
    card: RecordedCard,
    pki: Path,
    without: Without | None = None,
    *,
    picture: dict[str, Any] | None = None,
    **policy: object,
) -> CameraBench:
    """A camera whose spool and state lie on the card; its settings lie beside it."""
    directory = card.directory / "camera"
    directory.mkdir()
    spool, state = card.place / "spool", card.place / "state"
    camera = CameraBench(
        directory,
        pki,
        spool=spool,
        camera=picture,
        policy={"roll_over_s": 5, **policy},
        extra={"state": str(state)},
    )
    camera.state = state
    camera.program = (*witnessed(card, without), "device")
    return camera


def record(camera: CameraBench, seconds: int) -> None:
    """Two recordings of an officer and one of the light bar, and the power button's clean end after them."""
    try:
        camera.start()
        camera.double_press()
        camera.fragments(max(2, seconds // 4))
        camera.hold_to_stop()
        camera.trigger(LIGHTBAR)
        camera.fragments(max(2, seconds // 2))
        camera.line(LIGHTBAR, active=False)
        camera.hold_to_stop()
        camera.double_press()
        camera.fragments(max(2, seconds // 8))
        camera.stop()
    finally:
        camera.close()
