"""Where figures go: build/bench.json, flat, merged by name; and what was run to get them."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import figures

FILE = Path(__file__).resolve().parent.parent / "build" / "bench.json"


def announce() -> None:
    """Print the command line that is being run, and the machine."""
    command = " ".join(shlex.quote(part) for part in ("python", *sys.argv))
    print(f"$ {command}\n# {os.cpu_count()} processors, {platform.machine()}, Python {platform.python_version()}")


def keep(found: Mapping[str, figures.Value], path: Path | None = None) -> None:
    """Print figures and merge them into the file: the newest value of each name stands, and the machine it is of."""
    path = path or FILE
    for name, value in found.items():
        print(f"{name:<44} {value:.4g}" if isinstance(value, float) else f"{name:<44} {value}", flush=True)
    known = json.loads(path.read_text("utf-8")) if path.exists() else {}
    rounded = {name: round(value, 6) if isinstance(value, float) else value for name, value in found.items()}
    machine = {f"machine_{name}": value for name, value in figures.machine().items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**known, **machine, **rounded}, indent=2, sort_keys=True) + "\n", "utf-8")


def options(description: str | None) -> argparse.ArgumentParser:
    """A command line with what every benchmark understands."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--publish", action="store_true", help="also keep the figures for docs/benchmarks.md")
    return parser


class Run:
    """One run of one benchmark: its figures are kept as they come, and recorded with the machine when all are there."""

    def __init__(self, name: str, arguments: argparse.Namespace) -> None:
        self._name, self._publish = name, bool(arguments.publish)
        self._began = time.monotonic()
        self._figures: dict[str, figures.Value] = {}
        self._rows: list[Mapping[str, figures.Value]] = []
        self._load = os.getloadavg()[0]
        announce()

    def keep(self, found: Mapping[str, figures.Value]) -> None:
        """Figures by name; each is in the file at once."""
        self._figures |= found
        keep(found)

    def row(self, **values: figures.Value) -> None:
        """A line of a table that a plot is drawn from."""
        self._rows.append(values)

    def record(self) -> Path:
        """Keep it all for the pages; where it is."""
        return figures.record(
            f"bench/{self._name}",
            {**self._figures, "load_before": round(self._load, 1)},
            ok=True,
            rows=self._rows,
            seconds=time.monotonic() - self._began,
            publish=self._publish,
            command=f"make bench ONLY={self._name}",
        )


def percentile(values: list[float], percent: float) -> float:
    """The value that so many percent of all are not above (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-len(ordered) * percent // 100).__int__() - 1))]
