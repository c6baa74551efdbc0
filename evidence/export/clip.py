"""The fragments before a part that must come along, so that its first picture can be decoded."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from evidence.errors import MediaError
from evidence.export.items import ObjectItem
from evidence.fmp4_read import InitInfo, parse_fragment

MAX_LEAD: Final = 32
"""Most fragments (of at most a second) that are looked through for a key frame."""


class Lead:
    """Remembers where the last fragments before the part stand, not what is in them."""

    def __init__(self) -> None:
        self._passed: deque[ObjectItem] = deque(maxlen=MAX_LEAD)

    def pass_by(self, item: ObjectItem) -> None:
        """A fragment that was not asked for."""
        self._passed.append(item)

    def needed(
        self, data: bytes, init: InitInfo, open_object: Callable[[ObjectItem], bytes]
    ) -> list[tuple[ObjectItem, bytes]]:
        """What must come before the fragment `data`, in order: back to the nearest one that begins with a key frame.

        Raises `MediaError` when there is none, and what `open_object` raises.
        """
        found: list[tuple[ObjectItem, bytes]] = []
        while not begins_with_key_frame(data, init):
            if not self._passed:
                raise MediaError("no key frame before the part: ask for an earlier one")
            item = self._passed.pop()
            data = open_object(item)
            found.insert(0, (item, data))
        return found


def begins_with_key_frame(data: bytes, init: InitInfo) -> bool:
    """Whether the first picture of a fragment can be decoded by itself; true also for a fragment without pictures."""
    for run in parse_fragment(data, init).tracks:
        info = init.track(run.track_id)
        if info is not None and info.handler == "vide" and run.samples:
            return run.samples[0].sync
    return True
