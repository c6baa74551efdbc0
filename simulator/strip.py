"""A strip of black and white cells in each picture, so that any frame can be named after decoding.

Two rows of 32 cells lie along the bottom edge. Bits run from the most significant one, the upper row first:

* 21 bits: frame number (the source's `sequence` modulo 2**21, about 19 hours at 30 frames a second),
* 27 bits: milliseconds since midnight UTC at capture,
* 16 bits: CRC-16/CCITT (initial value 0xFFFF) over the 48 bits before it.

Cell borders are proportions of the picture's width and height, never constants: a picture that was scaled after it
was encoded is read with the same code. A frame whose strip does not check is "unreadable", never a guess.
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Luma = npt.NDArray[np.uint8]
"""One luma plane, height x width, limited range (16 = black, 235 = white)."""

COLUMNS = 32
ROWS = 2
FRAME_BITS = 21
MS_BITS = 27
MS_PER_DAY = 86_400_000
BLACK = 16
WHITE = 235
_THRESHOLD = (BLACK + WHITE) / 2
_SMALLEST_ROW_PX = 6


@dataclass(frozen=True, slots=True)
class StripReading:
    """What the strip of one picture says. `frame` and `ms` mean nothing unless `ok`."""

    frame: int
    """Frame number modulo 2**21."""
    ms: int
    """Milliseconds since midnight UTC, 0..86399999."""
    ok: bool
    """The checksum fits and the time is one of a day."""


def strip_height_px(height: int) -> int:
    """Height of the whole strip in a picture `height` pixels high: about a ninth, even."""
    return ROWS * _row_height_px(height)


def draw(luma: Luma, sequence: int, ms_of_day: int) -> None:
    """Burn the strip into the luma plane, in place. The chroma below it must be neutral (128).

    Raises ValueError for a time outside a day, a negative sequence, or a picture too small to carry the strip.
    """
    if not 0 <= ms_of_day < MS_PER_DAY:
        raise ValueError(f"{ms_of_day} ms is not a time of day")
    if sequence < 0:
        raise ValueError(f"frame number {sequence} is negative")
    height, width = luma.shape
    if width < 2 * COLUMNS or height < 4 * _SMALLEST_ROW_PX:
        raise ValueError(f"a picture of {width}x{height} is too small for the strip")
    payload = (sequence % (1 << FRAME_BITS)) << MS_BITS | ms_of_day
    raw = payload.to_bytes(6, "big")
    bits = np.unpackbits(np.frombuffer(raw + binascii.crc_hqx(raw, 0xFFFF).to_bytes(2, "big"), dtype=np.uint8))
    levels = np.where(bits, WHITE, BLACK).astype(np.uint8).reshape(ROWS, COLUMNS)
    widths = np.diff(_borders(width))
    row_px = _row_height_px(height)
    for row in range(ROWS):
        top = height - (ROWS - row) * row_px
        luma[top : top + row_px] = np.repeat(levels[row], widths)


def read(luma: Luma) -> StripReading:
    """Read the strip of a decoded luma plane; also after scaling. Never raises for a picture without one."""
    height, width = luma.shape
    if width < 2 * COLUMNS or height < 4 * _SMALLEST_ROW_PX:
        return StripReading(0, 0, ok=False)
    borders = _borders(width)
    row_px = _row_height_px(height)
    bits = np.zeros(ROWS * COLUMNS, dtype=np.uint8)
    for row in range(ROWS):
        top = height - (ROWS - row) * row_px
        # The middle half in both directions: borders are smeared by the encoder and by scaling.
        lines = luma[top + row_px // 4 : top + row_px - row_px // 4].mean(axis=0)
        for column in range(COLUMNS):
            left, right = int(borders[column]), int(borders[column + 1])
            margin = (right - left) // 4
            bits[row * COLUMNS + column] = lines[left + margin : right - margin].mean() > _THRESHOLD
    raw = np.packbits(bits).tobytes()
    payload = int.from_bytes(raw[:6], "big")
    frame, ms = payload >> MS_BITS, payload & ((1 << MS_BITS) - 1)
    checks = binascii.crc_hqx(raw[:6], 0xFFFF) == int.from_bytes(raw[6:], "big")
    return StripReading(frame, ms, ok=checks and ms < MS_PER_DAY)


def _row_height_px(height: int) -> int:
    """An eighteenth of the picture, even, at least 6 pixels."""
    return max(_SMALLEST_ROW_PX, 2 * round(height / 36))


def _borders(width: int) -> npt.NDArray[np.intp]:
    """The 33 borders of the cells, in pixels from the left."""
    return np.rint(np.arange(COLUMNS + 1) * width / COLUMNS).astype(np.intp)
