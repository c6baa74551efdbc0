"""Announcements between cameras on their way through the broker (R23): what is sent, what is passed on, and how much.

A camera's announcement is the DER of a CMS message, published on ``firsthand/SYSTEM/peers/SERIAL`` with QoS 1, never
retained. The broker lets each camera write on its own topic only, so a storm under one serial costs no other camera
its start: rates are counted by topic, before anything is parsed, and who waits is served in turn. What is older than
`FRESH_S` is worth nothing to anybody and is dropped. Pure but for one lock: the clock's seconds are passed in.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import quote

ANNOUNCEMENT_BYTES: Final = 16 * 1024
"""Largest announcement: its content has 300 bytes, the rest is room for the signer's chain."""
FRESH_S: Final = 30.0
"""How long an announcement may wait for the broker, or for the recorder (`device.peers.FRESH_NS`)."""
RATE: Final = 10
"""So many announcements of one serial…"""
RATE_S: Final = 10.0
"""…are passed on in so many seconds."""
SERIALS: Final = 256
"""So many cameras are counted at the same time; the one that was quiet for longest is forgotten first."""
SENT_WAITING: Final = 32
REMEMBERED: Final = 512

Dropped = Literal["retained", "topic", "own", "size", "again", "storm"]


def peers_topic(system_id: str, serial: str) -> str:
    """Where a camera announces its starts; the serial ``+`` means all cameras of the system."""
    return f"firsthand/{quote(system_id, safe=' ')}/peers/{serial}"


class OwnStarts:
    """This camera's announcements until the broker has acknowledged them. Thread-safe.

    `put` comes from the agent's loop; the rest is called by the thread that owns the connection.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: OrderedDict[int, tuple[float, bytes]] = OrderedDict()
        self._sent: dict[int, int] = {}
        """Message id of this connection -> number of the announcement."""
        self._number = 0

    def put(self, announcement: bytes, now_s: float) -> None:
        """Keep an announcement for the broker; of too many the oldest goes."""
        with self._lock:
            self._number += 1
            self._waiting[self._number] = (now_s, announcement)
            while len(self._waiting) > SENT_WAITING:
                self._waiting.popitem(last=False)

    def to_send(self, now_s: float) -> list[tuple[int, bytes]]:
        """What was not sent on this connection and is still fresh: (number, announcement). The stale is forgotten."""
        with self._lock:
            for number in [one for one, (at_s, _) in self._waiting.items() if now_s - at_s > FRESH_S]:
                del self._waiting[number]
            under_way = set(self._sent.values())
            return [(number, data) for number, (_, data) in self._waiting.items() if number not in under_way]

    def sent(self, number: int, message_id: int) -> None:
        """It is on its way."""
        with self._lock:
            self._sent[message_id] = number

    def acknowledged(self, message_id: int) -> bool:
        """The broker has it; False if that message was none of these."""
        with self._lock:
            number = self._sent.pop(message_id, None)
            if number is None:
                return False
            self._waiting.pop(number, None)
            return True

    def reconnected(self) -> None:
        """What was under way on the last connection is sent again: peers know a duplicate."""
        with self._lock:
            self._sent.clear()


@dataclass
class _Sender:
    """One other camera, as far as this one has heard of it."""

    passed_s: deque[float] = field(default_factory=lambda: deque(maxlen=RATE))
    """When its last announcements were taken."""
    waiting: deque[tuple[float, bytes]] = field(default_factory=deque)


@dataclass
class PeerStarts:
    """Other cameras' announcements between the broker and the recorder. Thread-safe.

    `put` is called by the connection's thread, `take` by the agent's loop.
    """

    system_id: str
    own_serial: str
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _senders: OrderedDict[str, _Sender] = field(default_factory=OrderedDict)
    _turns: deque[str] = field(default_factory=deque)
    """Who is next: serials with something waiting, each once."""
    _known: OrderedDict[bytes, None] = field(default_factory=OrderedDict)

    @property
    def topics(self) -> str:
        """What to subscribe to."""
        return peers_topic(self.system_id, "+")

    def put(self, topic: str, payload: bytes, now_s: float, *, retained: bool = False) -> Dropped | None:
        """Take what came from the broker; the reason if it is dropped."""
        serial = topic.removeprefix(peers_topic(self.system_id, ""))
        if serial == topic or not serial or "/" in serial:
            return "topic"
        if retained:
            return "retained"  # nobody may leave a start behind for cameras that come later
        if serial == self.own_serial:
            return "own"
        if not 0 < len(payload) <= ANNOUNCEMENT_BYTES:
            return "size"
        digest = hashlib.sha256(payload).digest()
        with self._lock:
            if digest in self._known:
                return "again"  # QoS 1 delivers at least once
            sender = self._sender(serial)
            if len(sender.passed_s) == RATE and now_s - sender.passed_s[0] < RATE_S:
                return "storm"
            self._known[digest] = None
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
            sender.passed_s.append(now_s)
            if not sender.waiting:
                self._turns.append(serial)
            sender.waiting.append((now_s, payload))
        return None

    def take(self, now_s: float) -> tuple[str, float, bytes] | None:
        """The next fresh announcement, each camera in its turn: (serial, when it came, DER). None if nothing waits."""
        with self._lock:
            while self._turns:
                serial = self._turns.popleft()
                sender = self._senders[serial]
                at_s, payload = sender.waiting.popleft()
                if sender.waiting:
                    self._turns.append(serial)
                if now_s - at_s <= FRESH_S:
                    return serial, at_s, payload
        return None

    def _sender(self, serial: str) -> _Sender:
        sender = self._senders.setdefault(serial, _Sender())
        self._senders.move_to_end(serial)
        for known in [one for one, other in self._senders.items() if not other.waiting and one != serial]:
            if len(self._senders) <= SERIALS:
                break
            del self._senders[known]
        return sender
