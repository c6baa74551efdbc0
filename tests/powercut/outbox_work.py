"""The telemetry outbox in use: rows come, and go when the broker has them. Run by `witnessed.py`.

    witnessed.py … outbox_work DIRECTORY ROWS [SYNCHRONOUS]

The word in SYNCHRONOUS (`NORMAL`, `OFF`) makes an outbox that must lose what it acknowledged.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from witnessed import committed

from dock.mqtt.outbox import Outbox


def main(directory: Path, rows: int, synchronous: str | None = None) -> None:
    """Keep so many events; of each three, the oldest goes to the broker."""
    directory.mkdir(exist_ok=True)
    outbox = Outbox(directory / "outbox.sqlite", max_rows=100_000)
    if synchronous is not None:
        outbox._database.execute(f"PRAGMA synchronous={synchronous}")
    for number in range(1, rows + 1):
        name = f"event-{number}"
        row = {"number": number, "text": "x" * 300}
        committed(f"put {name}", partial(outbox.put, "boot", "evt", name, "2026-01-01", row))
        if number % 3 == 0:
            oldest = outbox.oldest(1)[0]
            committed(f"sent {oldest.name}", partial(outbox.delete, oldest.row))
    outbox.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:4])
