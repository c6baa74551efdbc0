"""What the lab found, for the pages: build/figures always, docs/figures with `make lab PUBLISH=1`."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))

import figures

PUBLISH: Final = "FIRSTHAND_PUBLISH"


def keep(name: str, found: Mapping[str, figures.Value], *, ok: bool, part: str, seconds: float | None = None) -> None:
    """Keep what a part of the lab found."""
    publish = os.environ.get(PUBLISH) == "1"
    figures.record(name, found, ok=ok, seconds=seconds, publish=publish, command=f"sudo make lab PART={part}")
