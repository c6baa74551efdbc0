"""Keep a camera running on a thread of its own: opened, watched, and opened again for as long as nobody stops it.

A session opens the camera, delivers, and ends by raising what was wrong. Each outage is said once; what comes out
while the camera stays away is not news.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from hal import program_time
from hal.errors import HalError

FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 5.0
STOP_WITHIN_S: Final = 5.0


class Recovery:
    """Runs `session` again and again. It gets an event that says to end, and what to call when frames come."""

    def __init__(self, name: str, session: Callable[[threading.Event, Callable[[], None]], None]) -> None:
        self._name = name
        self._session = session
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._said: set[str] = set()
        self._delivers = False

    def start(self, on_fault: Callable[[str], None]) -> None:
        """Begin, and come back at once: a camera that is not there yet is waited for."""
        if self._thread is not None:
            raise RuntimeError(f"{self._name} is already started")
        self._stopping = threading.Event()
        self._said.clear()
        self._thread = threading.Thread(target=self._run, args=(self._stopping, on_fault), name=self._name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the session, within five seconds. May be called twice, also out of a callback."""
        self._stopping.set()
        thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join(STOP_WITHIN_S)

    def _run(self, stopping: threading.Event, on_fault: Callable[[str], None]) -> None:
        pause_s = FIRST_PAUSE_S
        while not stopping.is_set():
            self._delivers = False
            try:
                self._session(stopping, self._frames_come)
            except (HalError, OSError) as error:
                text = str(error)
                if text not in self._said:
                    self._said.add(text)
                    on_fault(text)
            pause_s = FIRST_PAUSE_S if self._delivers else min(2 * pause_s, LONGEST_PAUSE_S)
            program_time.wait(stopping, pause_s)

    def _frames_come(self) -> None:
        self._delivers = True
        self._said.clear()
