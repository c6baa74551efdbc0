"""What proves who somebody is: PINs and passwords as argon2id hashes, RFID tags as keyed hashes, and the lockout.

1. A guess is counted before it is judged, so that guesses made at the same time count as well; a hit clears the count.
2. After `FREE` misses in a row each further miss locks that way in, twice as long each time, up to `LOCK_MOST_S`. It is
   kept over a restart.
3. An identifier that nobody has costs the same work, counts and locks the same: the answer tells nobody who exists.
4. One hash at a time: a crowd at the door cannot take the memory that uploads need.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import secrets
import sqlite3
import threading
from pathlib import Path
from typing import Final, Literal

import argon2

from dock.errors import SignInLocked
from dock.station.person import PASSWORD_MOST
from evidence import durable

Way = Literal["pin", "password"]
FREE: Final = 5
"""Misses in a row before the first lock."""
LOCK_FIRST_S: Final = 30
LOCK_MOST_S: Final = 3600
STRANGERS: Final = 10_000
"""Identifiers that misses are kept for; the oldest are forgotten."""
_S: Final = 1_000_000_000
_KEY_BYTES: Final = 32
_one_hash_at_a_time: Final = threading.Lock()


@functools.cache
def _hasher() -> argon2.PasswordHasher:
    return argon2.PasswordHasher(time_cost=3, memory_cost=32 * 1024, parallelism=1)


@functools.cache
def _nobody() -> str:
    """The hash of a secret that nobody knows, for identifiers that nobody has."""
    return hash_secret(secrets.token_hex(16))


def hash_secret(secret: str) -> str:
    """argon2id (RFC 9106) with a salt of its own. Takes some 0.1 s."""
    with _one_hash_at_a_time:
        return _hasher().hash(secret)


def matches(hashed: str | None, secret: str) -> bool:
    """Whether it is that secret; as much work without a hash."""
    known = hashed if hashed is not None else _nobody()
    try:
        with _one_hash_at_a_time:
            _hasher().verify(known, secret[: PASSWORD_MOST + 1])
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False
    return hashed is not None


def tag_key(path: Path) -> bytes:
    """The key of the tags' hashes, made at first use. The caller keeps others out meanwhile. Raises OSError."""
    try:
        key = path.read_bytes()
    except FileNotFoundError:
        key = secrets.token_bytes(_KEY_BYTES)
        durable.replace(path, key, mode=0o600)
    if len(key) != _KEY_BYTES:
        raise OSError(f"{path} is not the key of the RFID tags: restore it, or all tags must be set anew")
    return key


def hash_tag(key: bytes, uid: str) -> str:
    """HMAC-SHA-256: without the key nobody can try all UIDs against a copy of the registry."""
    return hmac.new(key, uid.encode(), hashlib.sha256).hexdigest()


class Attempts:
    """Misses by identifier and way in, in the registry's database. Called within a transaction of the registry."""

    SCHEMA: Final = (
        "CREATE TABLE IF NOT EXISTS attempts (id TEXT NOT NULL COLLATE NOCASE, way TEXT NOT NULL, "
        "misses INTEGER NOT NULL, at_ns INTEGER NOT NULL, until_ns INTEGER NOT NULL, PRIMARY KEY (id, way)) STRICT"
    )

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def count(self, person: str, way: Way, now_ns: int) -> None:
        """Count a guess as a miss until `clear`. Raises `SignInLocked` while that way in is locked: not counted."""
        row = self._database.execute(
            "SELECT misses, until_ns FROM attempts WHERE id = ? AND way = ?", (person, way)
        ).fetchone()
        misses, until_ns = row or (0, 0)
        # A clock that was set back must not lock anybody out for years.
        left_s = min(-(-(until_ns - now_ns) // _S), LOCK_MOST_S)
        if left_s > 0:
            raise SignInLocked(f"too many wrong tries: try again in {left_s} s", left_s)
        misses += 1
        wait_s = min(LOCK_FIRST_S * 2 ** min(misses - FREE, 20), LOCK_MOST_S) if misses >= FREE else 0
        self._database.execute(
            "INSERT OR REPLACE INTO attempts VALUES (?, ?, ?, ?, ?)",
            (person, way, misses, now_ns, now_ns + wait_s * _S),
        )
        self._database.execute(
            "DELETE FROM attempts WHERE rowid IN (SELECT rowid FROM attempts ORDER BY at_ns DESC LIMIT -1 OFFSET ?)",
            (STRANGERS,),
        )

    def clear(self, person: str, way: Way) -> None:
        """It was the right one, or a new one was set."""
        self._database.execute("DELETE FROM attempts WHERE id = ? AND way = ?", (person, way))
