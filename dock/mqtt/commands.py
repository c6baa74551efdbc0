"""Signed commands over MQTT 5 (R33): a request on ``cmd/command``, its answer where the request asks for it.

1. The payload is the command itself, DER, as `firsthand-fleet sign-command` writes it. Nothing between the signer and
   the recorder reads more of it than its length: the recorder checks signature, power, serial and number.
2. Response Topic and Correlation Data (MQTT 5, 4.10) are honoured as long as the topic is one of this camera's own
   answers, ``fleet/v1/SERIAL/rsp/…``; else the answer goes to ``rsp/command``.
3. QoS 1 may deliver a command twice: the same bytes get the same answer, and are handed over once. A replay that comes
   later is refused by the recorder, which knows the command's number.
4. A retained command is dropped: nobody may leave one behind for a camera that comes later.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Final

from evidence.limits import COMMAND_BYTES

NAME: Final = "command"
WAITING: Final = 20
"""Commands that wait for the recorder at most; further ones are dropped, as the sender gets no answer."""
REMEMBERED: Final = 64
CORRELATION_BYTES: Final = 64


@dataclass(frozen=True)
class Asked:
    """One command as it came."""

    document: bytes = field(repr=False)
    reply_to: str | None = None
    """Where the answer goes; None is ``rsp/command``."""
    correlation: bytes | None = None

    @property
    def sha256(self) -> str:
        """By which the answer and the camera's log name the command."""
        return hashlib.sha256(self.document).hexdigest()


@dataclass(frozen=True)
class Answered:
    """What became of it."""

    request: str
    """SHA-256 of the command."""
    error: str | None


class CommandLine:
    """Commands between the broker's thread and the agent's loop. Thread-safe."""

    def __init__(self, device: str) -> None:
        self._reply = re.compile(rf"fleet/v1/{re.escape(device)}/rsp/[a-z][a-z0-9_]{{0,47}}(/[A-Za-z0-9_-]{{1,64}})?")
        self._lock = threading.Lock()
        self._waiting: deque[Asked] = deque()
        self._known: OrderedDict[str, Answered] = OrderedDict()

    def put(self, document: bytes, reply_to: str | None, correlation: bytes | None, *, retained: bool) -> str | None:
        """Take what came from the broker; a sentence if it is dropped."""
        if retained:
            return "a retained command is not obeyed: send it anew"
        if not 0 < len(document) <= COMMAND_BYTES:
            return f"a command has 1 to {COMMAND_BYTES} bytes"
        usable = reply_to if reply_to is not None and self._reply.fullmatch(reply_to) else None
        small = correlation if correlation is not None and len(correlation) <= CORRELATION_BYTES else None
        with self._lock:
            if len(self._waiting) >= WAITING:
                return "too many commands at once: send it again later"
            self._waiting.append(Asked(document, usable, small))
        return None

    def take(self) -> Asked | None:
        """The next command; None if nothing waits."""
        with self._lock:
            return self._waiting.popleft() if self._waiting else None

    def known(self, asked: Asked) -> Answered | None:
        """The answer that the same bytes got before (rule 3)."""
        with self._lock:
            return self._known.get(asked.sha256)

    def remember(self, answered: Answered) -> None:
        """Keep an answer for a duplicate."""
        with self._lock:
            self._known[answered.request] = answered
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
