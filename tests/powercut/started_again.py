"""The camera's next start after a power cut, by the real daemon on a copy of the card."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "device"))

from camera_bench import CameraBench, until  # noqa: E402

START_S = 300


@dataclass
class StartedAgain:
    """Starts the daemon on each so manieth card that it is shown, as often as it may."""

    pki: Path
    work: Path
    each: int
    most: int
    shown: int = 0
    started: int = 0

    def look(self, card: Path) -> list[str]:
        """What is wrong after the start; nothing if this card is not one to be tried."""
        self.shown += 1
        if self.started >= self.most or self.shown % self.each:
            return []
        self.started += 1
        directory = self.work / f"start-{self.started}"
        shutil.copytree(card, directory / "card", ignore=shutil.ignore_patterns("lost+found"))
        camera = CameraBench(
            directory, self.pki, spool=directory / "card" / "spool", extra={"state": str(directory / "card" / "state")}
        )
        left = [path.stem for path in sorted(camera.spool.glob("SIM-0001-0*.evidence"))]
        try:
            camera.start(ready=False)
            for stem in left:
                until(lambda stem=stem: camera.recovered(stem), START_S, f"{stem} is recovered")  # type: ignore[misc]
            camera.stop()
            camera.log_statements()
        except AssertionError as error:
            return [f"the camera's next start: {str(error)[:500]}"]
        finally:
            camera.close()
            shutil.rmtree(directory)
        return []
