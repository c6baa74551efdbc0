"""Where figures go: build/bench.json, flat, merged by name; and what was run to get them."""

from __future__ import annotations

import json
import os
import platform
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

FILE = Path(__file__).resolve().parent.parent / "build" / "bench.json"


def announce() -> None:
    """Print the command line that is being run, and the machine."""
    command = " ".join(shlex.quote(part) for part in ("python", *sys.argv))
    print(f"$ {command}\n# {os.cpu_count()} processors, {platform.machine()}, Python {platform.python_version()}")


def keep(figures: Mapping[str, float | int | str], path: Path = FILE) -> None:
    """Print figures and merge them into the file: the newest value of each name stands."""
    for name, value in figures.items():
        print(f"{name:<44} {value:.4g}" if isinstance(value, float) else f"{name:<44} {value}")
    known = json.loads(path.read_text("utf-8")) if path.exists() else {}
    rounded = {name: round(value, 6) if isinstance(value, float) else value for name, value in figures.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**known, **rounded}, indent=2, sort_keys=True) + "\n", "utf-8")


def percentile(values: list[float], percent: float) -> float:
    """The value that so many percent of all are not above (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-len(ordered) * percent // 100).__int__() - 1))]
