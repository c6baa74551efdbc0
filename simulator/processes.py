"""The programs of a run as operating system processes: started apart, watched, and always ended.

Each child has a session and process group of its own, so that Ctrl-C reaches only us and we end them in order. Should
we be killed outright, the kernel ends them (PR_SET_PDEATHSIG): no orphan is left in any case. A service that somebody
kills is started again, as systemd does on the camera and at the dock; one that ends by itself ends the run.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final

from device.service import EXIT_POWER_OFF
from simulator.run_errors import ProcessDied

STOP_DEADLINE_S: Final = 15.0
"""How long a child may take after SIGTERM before it gets SIGKILL."""
MAX_RESTARTS: Final = 200
"""Of all services of a run; more than that is not an accident."""
_TAIL_LINES: Final = 12
_LAUNCH: Final = (
    "import ctypes, os, signal, sys; "
    "ctypes.CDLL(None).prctl(1, signal.SIGTERM, 0, 0, 0); "  # PR_SET_PDEATHSIG; survives execve
    "os.getppid() == int(sys.argv[1]) or sys.exit(1); "  # the parent died before the line above
    "os.execv(sys.argv[2], sys.argv[2:])"
)


@dataclass(slots=True)
class Child:
    """One started program. `expected` is set once we asked it to end."""

    name: str
    log: Path
    process: subprocess.Popen[bytes]
    command: tuple[str, ...] = ()
    service: bool = False
    """Started again when a signal killed it."""
    expected: bool = False

    def text(self) -> str:
        """All it has said so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def tail(self) -> str:
        """The last lines of its log, indented."""
        lines = self.text().splitlines()[-_TAIL_LINES:]
        return "\n".join(f"    {line}" for line in lines) or "    (its log is empty)"


def python_module(module: str, *arguments: str) -> list[str]:
    """The command for one of our programs with this interpreter; the current directory is not searched for modules."""
    return [sys.executable, "-P", "-u", "-m", module, *arguments]


class Children:
    """All children of a run; leaving the ``with`` block ends them, last one first."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._children: list[Child] = []
        self.restarts: list[tuple[str, int]] = []
        """(name, signal) of every service that was killed and started again."""
        self.power_offs = 0
        """How often a service ended because its battery was empty."""
        self.on_power_off: Callable[[], None] = lambda: None
        """Somebody charges the battery, before the service is started again."""
        self.program: Callable[..., list[str]] = python_module
        """The command for a program that goes by the time of this run."""

    def __enter__(self) -> Children:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop(*reversed(self._children))

    def start(self, name: str, command: Sequence[str], *, out: Path | None = None, service: bool = False) -> Child:
        """Start a program; what it says goes to ``logs/NAME.log``, its standard output to `out` if given.

        Call it from the main thread: the kernel ties the child's life to the thread that started it. Raises OSError.
        """
        log = self._logs / f"{name}.log"
        log.write_bytes(b"")
        child = Child(name, log, self._launch(log, command, out), tuple(command), service)
        self._children.append(child)
        return child

    def _launch(self, log: Path, command: Sequence[str], out: Path | None) -> subprocess.Popen[bytes]:
        with contextlib.ExitStack() as files:
            errors = files.enter_context(log.open("ab"))
            output = files.enter_context(out.open("wb")) if out is not None else errors
            return subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _LAUNCH, str(os.getpid()), *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                cwd=self._logs,
                start_new_session=True,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )

    def check(self) -> None:
        """Start killed services again. Raises `ProcessDied` if another child ended that nobody asked to."""
        for child in self._children:
            code = child.process.poll()
            if code is not None and not child.expected:
                if code == EXIT_POWER_OFF and child.service and self.power_offs < MAX_RESTARTS:
                    self.power_offs += 1
                    self.on_power_off()
                    child.process = self._launch(child.log, child.command, None)
                    continue
                if code < 0 and child.service and len(self.restarts) < MAX_RESTARTS:
                    self.restarts.append((child.name, -code))
                    child.process = self._launch(child.log, child.command, None)
                    continue
                child.expected = True
                how = f"was killed by signal {-code}" if code < 0 else f"ended by itself with exit code {code}"
                raise ProcessDied(f"{child.name} {how}; the end of {child.log}:\n{child.tail()}")

    def stop(self, *children: Child) -> None:
        """SIGTERM to each in turn and wait for it; SIGKILL to its group when the deadline has passed."""
        for child in children:
            child.expected = True
            if child.process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    child.process.send_signal(signal.SIGTERM)
                try:
                    child.process.wait(STOP_DEADLINE_S)
                except subprocess.TimeoutExpired:
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(child.process.pid, signal.SIGKILL)  # a group that `start` made
                    child.process.wait()

    def off_and_on(self, child: Child) -> None:
        """Switch a program off in order (SIGTERM, as systemd does), and start it again. Main thread only."""
        self.stop(child)
        self.on_again(child)

    def on_again(self, child: Child) -> None:
        """Start a program again that was stopped with `stop`. Main thread only."""
        child.process = self._launch(child.log, child.command, None)
        child.expected = False

    def wait_for_text(self, child: Child, text: str, within_s: float) -> str:
        """The first line of the child's log with `text` in it. Raises `ProcessDied` if it ends or says nothing."""
        deadline_s = time.monotonic() + within_s
        while True:
            for line in child.text().splitlines():
                if text in line:
                    return line
            self.check()
            if time.monotonic() > deadline_s:
                raise ProcessDied(f"{child.name} was not ready within {within_s:g} s; its log:\n{child.tail()}")
            time.sleep(0.05)

    def run_all(
        self, jobs: Sequence[tuple[str, Sequence[str], Path | None]], at_once: int = 2, within_s: float = 900.0
    ) -> dict[str, int]:
        """Run tools to their end, `at_once` at a time; the exit code of each by name.

        A job is its name, its command, and where its standard output goes (None: its log). Raises `ProcessDied` if
        they are not done in time.
        """
        deadline_s = time.monotonic() + within_s
        waiting = list(jobs)
        running: list[Child] = []
        codes: dict[str, int] = {}
        while waiting or running:
            while waiting and len(running) < at_once:
                name, command, out = waiting.pop(0)
                child = self.start(name, command, out=out)
                child.expected = True  # its end is what we wait for
                running.append(child)
            for child in list(running):
                code = child.process.poll()
                if code is not None:
                    codes[child.name] = code
                    running.remove(child)
            self.check()
            if running and time.monotonic() > deadline_s:
                raise ProcessDied(f"{running[0].name} is not done after {within_s:g} s; its log:\n{running[0].tail()}")
            time.sleep(0.02)
        return codes
