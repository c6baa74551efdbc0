"""Just enough of H.264's byte stream (ITU-T H.264, Annex B) to see what an encoder delivered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

SLICE: Final = 1
IDR: Final = 5
SPS: Final = 7
PPS: Final = 8
_START: Final = b"\0\0\1"


def head_units(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and octets (with a start code of four) of each NAL unit up to the first slice, that one not looked through.

    The slice's octets are the whole rest of the data.
    """
    at = data.find(_START)
    while at >= 0 and at + 3 < len(data):
        kind = data[at + 3] & 31
        if kind in (SLICE, IDR):
            yield kind, b"\0" + data[at:]
            return
        following = data.find(_START, at + 3)
        end = len(data) if following < 0 else following
        yield kind, b"\0" + data[at:end].rstrip(b"\0")
        at = following


class ParameterSets:
    """Puts SPS and PPS in front of each IDR, also where an encoder sends them only once, or by themselves."""

    def __init__(self) -> None:
        self._sps = self._pps = b""

    def whole(self, data: bytes) -> tuple[bytes, bool] | None:
        """(access unit, whether it is an IDR); None for data without a picture, or before the first SPS and PPS."""
        own = set()
        for kind, unit in head_units(data):
            own.add(kind)
            if kind == SPS:
                self._sps = unit
            elif kind == PPS:
                self._pps = unit
        keyframe = IDR in own
        if not own & {SLICE, IDR} or not (self._sps and self._pps):
            return None
        if keyframe and not own >= {SPS, PPS}:
            data = self._sps + self._pps + data
        return data, keyframe
