"""Negative controls: recorders with one thing spoilt. A bench that does not find each of them out proves nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from life import Main

import device.__main__
from device.conduct import Conduct
from evidence.durable import AppendFile, Buffer


def _acknowledges_early(words: Sequence[str]) -> int:
    """Every append is told to be durable, and written when the next one comes: what a buffer would do."""
    write, close = AppendFile.append, AppendFile.close
    waiting: dict[AppendFile, list[bytes]] = {}

    def append(self: AppendFile, parts: Sequence[Buffer]) -> int:
        if self in waiting:
            write(self, waiting.pop(self))
        waiting[self] = [bytes(part) for part in parts]
        return self.size + sum(len(part) for part in waiting[self])

    def flush_and_close(self: AppendFile) -> None:
        if self in waiting:
            write(self, waiting.pop(self))
        close(self)

    AppendFile.append, AppendFile.close = append, flush_and_close  # type: ignore[method-assign]
    return device.__main__.main(words)


def _does_not_recover(words: Sequence[str]) -> int:
    async def nothing(_self: Conduct, _unfinished: Any) -> None:
        """Leave it open."""

    Conduct.recover = nothing  # type: ignore[method-assign]
    return device.__main__.main(words)


def _does_not_go_on(words: Sequence[str]) -> int:
    Conduct.resume = lambda _self, _unfinished: None  # type: ignore[method-assign]
    return device.__main__.main(words)


CONTROLS: Final[dict[str, tuple[Main, tuple[str, ...]]]] = {
    "acknowledges what it has not written": (_acknowledges_early, ("recording", "roll_over")),
    "recovers nothing": (_does_not_recover, ("recording",)),
    "does not go on with the incident": (_does_not_go_on, ("recording",)),
}
"""What is spoilt -> the recorder, and in which phases it is killed."""
