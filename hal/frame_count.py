"""A camera's own count of its frames, and their instants, over everything that happens to it."""

from __future__ import annotations

from typing import Final

CLOSEST_NS: Final = 1_000_000
"""No two pictures are nearer to each other: a recording's file counts in hundredths of a millisecond."""


class FrameCount:
    """Keeps what `hal.camera.EncodedFrame` promises while a source is lost, opened again and counts from 0 again.

    `frame_rate` is nominal. Not for several threads.
    """

    def __init__(self, frame_rate: float) -> None:
        self._rate = frame_rate
        self._sequence = -1
        self._captured_ns: int | None = None
        self._source: int | None = None
        self._anew = False

    def opened_again(self) -> None:
        """The source counts anew from here on."""
        self._source = None
        self._anew = self._captured_ns is not None

    def place(self, source_sequence: int | None, captured_ns: int) -> tuple[int, int] | None:
        """(sequence, captured_ns) of a frame; None for one that is not later than the one before: encode it not.

        A hole in the source's count is one here. Where it has no count (None), its clock tells what is missing. While
        nothing was open, as many frames are missing as it would have delivered, and at least one.
        """
        before_ns = self._captured_ns
        if before_ns is not None and captured_ns < before_ns + CLOSEST_NS:
            return None
        if before_ns is None:
            step = 1
        elif self._source is not None and source_sequence is not None and source_sequence > self._source:
            step = source_sequence - self._source
        else:
            gone = round((captured_ns - before_ns) * self._rate / 1_000_000_000)
            step = max(2 if self._anew else 1, gone)
        self._anew = False
        self._sequence += step
        self._source, self._captured_ns = source_sequence, captured_ns
        return self._sequence, captured_ns
