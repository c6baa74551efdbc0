"""What a bench found, as a file that pages are drawn from: build/figures/NAME.json, and docs/figures/NAME.json.

Every bench of this project ends with one call of `record`. Only a run that is meant for the pages (``--publish``) goes
to docs/figures, where `make docs` finds it (docs/assurance.md, docs/benchmarks.md): nothing there is typed by hand.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

BASE: Final = Path(__file__).resolve().parent.parent
FRESH: Final = BASE / "build" / "figures"
PUBLISHED: Final = BASE / "docs" / "figures"
ROOMS: Final = ("device", "dock", "evidence", "fleet", "hal", "simulator")
Value = float | int | str | bool


def record(
    name: str,
    figures: Mapping[str, Value],
    *,
    ok: bool,
    rows: Sequence[Mapping[str, Value]] = (),
    seconds: float | None = None,
    publish: bool = False,
    command: str | None = None,
) -> Path:
    """Keep what a bench found; where it is. A name may have a folder, for the parts of one bench.

    `figures` is flat: name -> number or word, units in the name (`_s`, `_mb_s`, `_cuts`). `rows` is a table for plots,
    if there is one. `ok` says that every invariant held and every negative control failed as it must; a bench that only
    measures says True. `command` is what somebody types to run it again (else this program's own command line).
    """
    found = {
        "name": name,
        "command": command or shlex.join(["python", *sys.argv]),
        "ended_utc": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "seconds": None if seconds is None else round(seconds, 1),
        "commit": commit(),
        "rooms": rooms(),
        "machine": machine(),
        "ok": ok,
        "figures": {key: _rounded(value) for key, value in figures.items()},
        "rows": [{key: _rounded(value) for key, value in row.items()} for row in rows],
    }
    text = json.dumps(found, indent=2) + "\n"
    for place in (FRESH, *([PUBLISHED] if publish else [])):
        path = place / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return FRESH / f"{name}.json"


def published(folder: str = ".") -> dict[str, dict[str, Any]]:
    """Name -> what that bench found last, of all that the pages show; or of the parts of one bench."""
    return {path.stem: json.loads(path.read_text("utf-8")) for path in sorted((PUBLISHED / folder).glob("*.json"))}


def commit() -> str:
    """The checkout's commit, with a ``+`` if files differ from it; ``unknown`` outside a checkout."""
    try:
        head = subprocess.run(["git", "rev-parse", "--short=12", "HEAD"], cwd=BASE, capture_output=True, text=True)
        changed = subprocess.run(["git", "status", "--short", "-uno"], cwd=BASE, capture_output=True, text=True)
    except OSError:
        return "unknown"
    if head.returncode != 0:
        return "unknown"
    return head.stdout.strip() + ("+" if changed.stdout.strip() else "")


def rooms() -> dict[str, str]:
    """Room -> git's digest of its whole tree as committed, so that a figure's code is known in another history too."""
    asked = ["git", "rev-parse", *(f"HEAD:{room}" for room in ROOMS)]
    try:
        trees = subprocess.run(asked, cwd=BASE, capture_output=True, text=True)
    except OSError:
        return {}
    return (
        {room: tree[:12] for room, tree in zip(ROOMS, trees.stdout.split(), strict=True)}
        if not trees.returncode
        else {}
    )


def machine() -> dict[str, str | int]:
    """The machine that ran it, as far as figures depend on it."""
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": _processor(),
        "processors": os.cpu_count() or 0,
        "memory_mib": memory_bytes >> 20,
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "load_1min": f"{os.getloadavg()[0]:.1f}",
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text("utf-8", errors="replace").splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("model name", "Model"):
            return value.strip()
    return platform.processor() or "unknown"


def _rounded(value: Value) -> Value:
    return float(f"{value:.6g}") if isinstance(value, float) else value
