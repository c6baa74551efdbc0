"""``python -m simulator.card DIRECTORY --control SOCKET``: mounts a simulated card over a directory.

What the directory holds is what the card holds, and lies there again when the program has ended. Orders come as JSON
lines, one object each (docs/simulator/card.md). SIGTERM ends it; should it be killed outright, the mount is taken away.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Final

from simulator.card.card import SimulatedCard
from simulator.card.medium import Medium
from simulator.card.mounts import unmount
from simulator.card.orders import decode_order, obey
from simulator.control import serve_control, until_cancelled

READY: Final = "card ready: "
END_WITHIN_S: Final = 5.0
_GUARD: Final = """\
read x
for i in 1 2 3 4 5 6 7 8 9 10; do
  [ -e "$1/." ] || fusermount3 -u -z "$1" || umount -l "$1"
  sleep 0.2
done
"""
"""Waits for our end, then takes the mount away if it is dead: fusermount3 looks once, and sometimes too early."""


class _Mounted:
    """The file system on a thread of its own; the main thread takes orders and signals."""

    def __init__(self, directory: Path) -> None:
        unmount(directory)  # an earlier one that died
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD, "sh", str(directory)],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        self.directory = directory
        self.below = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        """The directory as it is below the mount: /proc/PID/fd/THIS, for whoever only looks."""
        kept = directory.with_name(f".{directory.name}.kept")
        self.card = SimulatedCard(Medium(Path(f"/proc/self/fd/{self.below}"), kept))
        self.changed = asyncio.Event()
        self.usable = False
        self.error: str | None = None
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="fuse", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            # A machine may have libfuse 2 too, for other programs, and would be asked for that one first.
            os.environ.setdefault("FUSE_LIBRARY_NAME", "fuse3")
            import mfusepy

            from simulator.card.fuse import CardOperations

            mfusepy.FUSE(
                CardOperations(self.card, self._tell_usable),
                str(self.directory),
                foreground=True,
                fsname="firsthand-card",
                subtype="firsthand",
                default_permissions=True,
                auto_unmount=True,
                max_threads=16,
            )
            self.error = self.error or "it was unmounted"
        except ImportError as error:
            self.error = f"{error}: install the extra `sim` of this package"
        except (OSError, RuntimeError) as error:
            self.error = f"libfuse: {error}"
        with contextlib.suppress(RuntimeError):  # the loop has ended, and with it everything
            self._loop.call_soon_threadsafe(self.changed.set)

    def _tell_usable(self) -> None:
        self.usable = True
        self._loop.call_soon_threadsafe(self.changed.set)

    def end(self) -> None:
        """Let everybody go who waits, and take the mount away."""
        self.card.heal()
        self.card.power_on()
        with self._guard:  # closes its line, too
            self._guard.kill()
        unmount(self.directory)
        self._thread.join(END_WITHIN_S)
        self.card.medium.close()


async def _serve(options: argparse.Namespace) -> None:
    mounted = _Mounted(options.directory.resolve())
    control = await serve_control(options.control, decode_order, lambda order: obey(mounted.card, order))
    try:
        await mounted.changed.wait()
        if mounted.usable:
            print(f"{READY}{mounted.directory} below {mounted.below}", flush=True)
            mounted.changed.clear()
            await mounted.changed.wait()
        print(f"python -m simulator.card: {mounted.error}", file=sys.stderr)
    finally:
        control.close()
        options.control.unlink(missing_ok=True)
        mounted.end()


def main() -> int:
    """The process; exit code 0 after SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m simulator.card", description=__doc__)
    parser.add_argument("directory", type=Path, metavar="DIRECTORY", help="mount over this one")
    parser.add_argument("--control", type=Path, required=True, metavar="SOCKET", help="take orders there")
    asyncio.run(until_cancelled(_serve(parser.parse_args())))
    sys.stdout.flush()
    os._exit(0)  # threads of libfuse may still wait for a kernel that has nothing more to say


if __name__ == "__main__":
    sys.exit(main())
