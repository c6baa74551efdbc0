"""Letters for burned-in text: five dots wide, seven high, drawn for this camera. No font file, no drawing library.

Capitals, digits and what serial numbers and dates need. Small letters are shown as capitals, anything else as a box.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

WIDTH_DOTS: Final = 5
HEIGHT_DOTS: Final = 7
ADVANCE_DOTS: Final = WIDTH_DOTS + 1

# Seven rows from the top, two hexadecimal digits each; the lowest five bits are the dots, the left one first.
_ROWS: Final = {
    " ": "00000000000000",
    "#": "0a0a1f0a1f0a0a",
    "+": "0004041f040400",
    "-": "0000001f000000",
    ".": "00000000000c0c",
    "/": "01010204081010",
    ":": "000c0c000c0c00",
    "?": "0e110102040004",
    "_": "0000000000001f",
    "0": "0e11131519110e",
    "1": "040c040404040e",
    "2": "0e11010204081f",
    "3": "1f02040201110e",
    "4": "02060a121f0202",
    "5": "1f101e0101110e",
    "6": "0608101e11110e",
    "7": "1f010204080808",
    "8": "0e11110e11110e",
    "9": "0e11110f01020c",
    "A": "0e11111f111111",
    "B": "1e11111e11111e",
    "C": "0e11101010110e",
    "D": "1c12111111121c",
    "E": "1f10101e10101f",
    "F": "1f10101e101010",
    "G": "0e11101711110f",
    "H": "1111111f111111",
    "I": "0e04040404040e",
    "J": "0702020202120c",
    "K": "11121418141211",
    "L": "1010101010101f",
    "M": "111b1515111111",
    "N": "11111915131111",
    "O": "0e11111111110e",
    "P": "1e11111e101010",
    "Q": "0e11111115120d",
    "R": "1e11111e141211",
    "S": "0f10100e01011e",
    "T": "1f040404040404",
    "U": "1111111111110e",
    "V": "11111111110a04",
    "W": "11111115151b11",
    "X": "11110a040a1111",
    "Y": "1111110a040404",
    "Z": "1f01020408101f",
}
_UNKNOWN: Final = "1f11111111111f"


@lru_cache(maxsize=256)
def glyph(letter: str, scale: int) -> npt.NDArray[np.uint8]:
    """One letter with the gap after it: 7 x 6 dots, each `scale` pixels wide and high; 235 on 0 (limited range)."""
    rows = bytes.fromhex(_ROWS.get(letter.upper(), _UNKNOWN))
    dots = np.zeros((HEIGHT_DOTS, ADVANCE_DOTS), dtype=np.uint8)
    for line, bits in enumerate(rows):
        for column in range(WIDTH_DOTS):
            if bits >> (WIDTH_DOTS - 1 - column) & 1:
                dots[line, column] = 235
    return dots.repeat(scale, axis=0).repeat(scale, axis=1)


def line(text: str, scale: int) -> npt.NDArray[np.uint8]:
    """A line of text, 7 * `scale` pixels high."""
    letters = [glyph(letter, scale) for letter in text]
    return np.hstack(letters) if letters else np.zeros((HEIGHT_DOTS * scale, 0), dtype=np.uint8)
