"""Work that may hang on its bus for ever: done on a thread of its own, for which nobody waits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Beside:
    """Does `work` once at the start, and again each time that somebody asks; never twice at once."""

    def __init__(self, name: str, work: Callable[[], None]) -> None:
        self._name = name
        self._work = work
        self._wanted = threading.Event()
        self._stopping = False

    def start(self) -> None:
        """Begin. The thread is a daemon: a bus that hangs does not keep the program."""
        threading.Thread(target=self._run, name=self._name, daemon=True).start()

    def ask(self) -> None:
        """Do it again as soon as possible. Never waits."""
        self._wanted.set()

    def stop(self) -> None:
        """Do it no more. Never waits."""
        self._stopping = True
        self._wanted.set()

    @staticmethod
    async def once(ask: Callable[[], T]) -> T:
        """One question that may hang, for a coroutine that waits for the answer."""
        return await asyncio.to_thread(ask)

    def _run(self) -> None:
        while not self._stopping:
            self._work()
            self._wanted.wait()
            self._wanted.clear()
