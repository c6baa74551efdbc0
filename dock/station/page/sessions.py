"""Who is logged in: sessions in memory, found by the hash of a random token that only the browser has.

1. A token is 256 random bits, made anew at each login; only its SHA-256 is kept, so that nothing here lets anyone in.
2. A session ends after a time without a click, after an absolute time, at logout, and when the station restarts.
3. Times run on a monotonic clock: setting the wall clock neither ends a session nor keeps it alive.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

SESSIONS_MOST: Final = 1024
SESSIONS_OF_ONE: Final = 8
"""A ninth login of the same person ends the oldest session."""
_TOKEN_BYTES: Final = 32


@dataclass
class Session:
    """One login in one browser."""

    person: str
    """Identifier in the registry of people."""
    address: str
    began_s: float
    seen_s: float
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(_TOKEN_BYTES), repr=False)
    """Must come back with whatever changes something."""
    message: str | None = None
    """One sentence for the next page."""
    ended: bool = False

    def take_message(self) -> str | None:
        """The sentence, once."""
        said, self.message = self.message, None
        return said


class Sessions:
    """All sessions of one station. Used on one event loop."""

    def __init__(self, clock_s: Callable[[], float], *, idle_s: float, most_s: float) -> None:
        self._clock_s = clock_s
        self._idle_s = idle_s
        self._most_s = most_s
        self._sessions: dict[str, Session] = {}

    def open(self, person: str, address: str) -> str:
        """A new session; its token, which is kept nowhere."""
        self.sweep()
        mine = [key for key, session in self._sessions.items() if session.person == person]
        for key in [*mine[: max(0, len(mine) + 1 - SESSIONS_OF_ONE)]]:
            self._end(key)
        while len(self._sessions) >= SESSIONS_MOST:
            self._end(next(iter(self._sessions)))
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        now_s = self._clock_s()
        self._sessions[_key(token)] = Session(person, address, now_s, now_s)
        return token

    def find(self, token: str | None) -> Session | None:
        """The session of that token, unless its time is up."""
        if not token or len(token) > 128:
            return None
        session = self._sessions.get(_key(token))
        if session is None:
            return None
        if self._over(session):
            self._end(_key(token))
            return None
        return session

    def alive(self, session: Session) -> bool:
        """Whether it has not ended meanwhile: asked by streams, which outlast a click."""
        return not session.ended and not self._over(session)

    def touch(self, session: Session) -> None:
        """A click."""
        session.seen_s = self._clock_s()

    def close(self, token: str | None) -> None:
        """Logout."""
        if token:
            self._end(_key(token))

    def close_all(self, person: str) -> None:
        """The person is in the registry no longer, or must log in anew."""
        for key in [key for key, session in self._sessions.items() if session.person == person]:
            self._end(key)

    def sweep(self) -> None:
        """Forget those whose time is up."""
        for key in [key for key, session in self._sessions.items() if self._over(session)]:
            self._end(key)

    def __len__(self) -> int:
        return len(self._sessions)

    def _over(self, session: Session) -> bool:
        now_s = self._clock_s()
        return now_s - session.seen_s >= self._idle_s or now_s - session.began_s >= self._most_s

    def _end(self, key: str) -> None:
        session = self._sessions.pop(key, None)
        if session is not None:
            session.ended = True


def _key(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
