"""One life of a program: a real process with its own main function, begun by a fork so that thousands are cheap.

The bench has imported everything before; a process that is begun so is ready without a second of imports. It runs the
program's own command line in a time of its own (`simulator.scaled_time`), and it ends by SIGKILL, or well.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import os
import random
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dying_layer import Steps, put_under

from hal import program_time
from simulator.scaled_time import ScaledPolicy, ScaledTime

Main = Callable[[Sequence[str]], int]
"""A program's own main function: words of a command line in, exit code out."""
_PR_SET_PDEATHSIG: Final = 1
_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_MOST_DESCRIPTORS: Final = 4096


@dataclass(frozen=True)
class Program:
    """What is begun again and again."""

    name: str
    main: Main
    words: tuple[str, ...]
    log: Path
    time: ScaledTime | None = None


class Life:
    """A process of a program. Nothing else waits for it."""

    def __init__(self, program: Program, *, die_at: int | None = None, torn: bool = False, count: bool = False) -> None:
        self.program = program
        self.steps = Steps() if count or die_at is not None else None
        self.began_s = time.monotonic()
        program.log.touch()
        self._said = program.log.stat().st_size
        parent = os.getpid()
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            self._live(parent, die_at, torn)
        self._ended = os.pidfd_open(self.pid)
        self.status: int | None = None

    def _live(self, parent: int, die_at: int | None, torn: bool) -> None:
        """The child. Never returns."""
        code = 70
        try:
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != parent:
                os._exit(70)
            os.setsid()
            gc.enable()
            random.seed()
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            said = os.open(self.program.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            nothing = os.open(os.devnull, os.O_RDONLY)
            for descriptor, stream in ((nothing, 0), (said, 1), (said, 2)):
                os.dup2(descriptor, stream)
            os.closerange(3, _MOST_DESCRIPTORS)
            if self.program.time is not None:
                program_time.run_on(self.program.time)
                asyncio.set_event_loop_policy(ScaledPolicy(self.program.time))
            if self.steps is not None:
                put_under(self.steps, die_at, torn=torn)
            code = self.program.main(self.program.words)
            sys.stdout.flush()
            sys.stderr.flush()
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 1
        except BaseException:  # noqa: BLE001 - whatever ended the program is told in its log
            with contextlib.suppress(Exception):
                traceback.print_exc()
                sys.stderr.flush()
        finally:
            os._exit(code)

    def alive(self) -> bool:
        """Whether it still runs."""
        if self.status is None and select.select([self._ended], [], [], 0)[0]:
            self._reap()
        return self.status is None

    def kill(self) -> None:
        """SIGKILL, and wait until the kernel has ended it. One that is dead already is no error."""
        if self.status is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            self._reap()

    def ask_to_end(self) -> None:
        """SIGTERM, as systemd would."""
        if self.status is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)

    def wait(self, seconds: float) -> int | None:
        """Its exit code, a negative signal, or None if it still runs after so long."""
        if self.status is None and select.select([self._ended], [], [], seconds)[0]:
            self._reap()
        return self.status

    def _reap(self) -> None:
        _, status = os.waitpid(self.pid, 0)
        os.close(self._ended)
        self.status = os.waitstatus_to_exitcode(status)

    def said(self) -> str:
        """What it wrote in this life."""
        with self.program.log.open("rb") as file:
            file.seek(self._said)
            return file.read().decode("utf-8", errors="replace")


def until(condition: Callable[[], bool], seconds: float, *, pause_s: float = 0.01) -> float | None:
    """Wait for something outside this process: after how many seconds it came, None if it did not."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            return None
        time.sleep(pause_s)
    return time.monotonic() - began
