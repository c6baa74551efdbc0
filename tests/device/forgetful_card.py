"""The real camera daemon whose syncs do nothing: `python forgetful_card.py run --config …`. A test must see that."""

from __future__ import annotations

from pathlib import Path

from evidence import durable


class NeverSyncs(durable.OperatingSystem):
    """The operating system, but for what makes things durable."""

    def sync(self, descriptor: int, *, mode: bool = False) -> None:
        """Say that it is done."""

    def sync_directory(self, path: Path) -> None:
        """Say that it is done."""


if __name__ == "__main__":
    import sys

    durable.install(NeverSyncs())
    from device.__main__ import main

    raise SystemExit(main(sys.argv[1:]))
