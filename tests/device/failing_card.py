"""The real camera daemon on a card that fails when a test says so: `python failing_card.py FLAG run --config …`.

As long as the file FLAG holds the name of an error (EIO, EROFS), everything that would become durable fails with it, as
a real card does under fdatasync and as a mount that the kernel has made read-only does for new files.
"""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Any


def fail_by(flag: Path) -> None:
    """Replace the system calls that make things durable."""
    sync, opened = os.fdatasync, os.open

    def check() -> None:
        try:
            name = flag.read_text().strip()
        except OSError:
            return
        if name:
            number = getattr(errno, name)
            raise OSError(number, os.strerror(number))

    def fdatasync(descriptor: Any) -> None:
        check()
        sync(descriptor)

    def open_(path: Any, flags: int, *arguments: Any, **more: Any) -> int:
        if flags & os.O_CREAT:
            check()
        return opened(path, flags, *arguments, **more)

    os.fdatasync, os.fsync, os.open = fdatasync, fdatasync, open_


if __name__ == "__main__":
    fail_by(Path(sys.argv[1]))
    from device.__main__ import main

    raise SystemExit(main(sys.argv[2:]))
