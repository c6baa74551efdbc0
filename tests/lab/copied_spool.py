"""The evidence on a card, read at a desk: file system checked, every file copied, nothing mounted."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from evidence.export.items import StatementItem, walk
from evidence.statements import AnyStatement, Event, Sealed
from evidence.trust import Trust
from evidence.verify import Report, verify_file

SECOND: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Spool:
    """The copied files of one camera, and whom to believe."""

    directory: Path
    trust: Trust

    def recordings(self) -> list[Path]:
        return [one for one in sorted(self.directory.glob("*.evidence")) if "-log-" not in one.name]

    def log_segments(self) -> list[Path]:
        return sorted(self.directory.glob("*-log-*.evidence"))

    def verify(self, path: Path) -> Report:
        return verify_file(path, self.trust)

    def events(self) -> list[tuple[str, str | None]]:
        """What the signed device log says happened: event and its word."""
        return [
            (one.event, one.word) for path in self.log_segments() for one in statements(path) if isinstance(one, Event)
        ]


def statements(path: Path) -> list[AnyStatement]:
    with path.open("rb") as file:
        return [item.statement for item in walk(file) if isinstance(item, StatementItem)]


def film_end_ns(path: Path) -> int:
    """Up to when (CLOCK_BOOTTIME of its boot) a recording holds film, by its own signed times."""
    ends = [one.media.start_ns + one.media.duration_ns for one in statements(path)
            if isinstance(one, Sealed) and one.media is not None]  # fmt: skip
    return max(ends)


def file_system_state(card: Path) -> str:
    """What e2fsck says of the card without touching it: empty if it is clean."""
    done = subprocess.run(["e2fsck", "-fn", str(card)], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout


def copied(card: Path, into: Path, root: Path) -> Spool:
    """The card's spool in a new directory, the journal of a cut-off file system played first, on a copy."""
    twin = into.with_suffix(".ext4")
    subprocess.run(["cp", "--sparse=always", str(card), str(twin)], check=True)
    subprocess.run(["e2fsck", "-fp", str(twin)], capture_output=True, check=False)
    into.mkdir()
    subprocess.run(["debugfs", "-R", f"rdump /spool {into}", str(twin)], capture_output=True, check=True)
    twin.unlink()
    return Spool(into / "spool", Trust.load(root))
