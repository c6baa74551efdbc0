"""Plays a tone into ALSA's loopback for ever: what the lab's microphone hears. Runs in the machine, with Python alone.

The requests are those of <sound/asound.h>; what is asked for is one rate, one format and one channel, nothing else.
"""

from __future__ import annotations

import array
import errno
import fcntl
import math
import os
import struct
import sys

DEVICE = sys.argv[1] if len(sys.argv) > 1 else "/dev/snd/pcmC0D0p"
RATE, HERTZ, LOUD = 16_000, 440, 500_000_000
PERIOD, PERIODS = 1_600, 4
HW_PARAMS, PREPARE = 0xC2604111, 0x4140
MASKS, INTERVALS = 8, 21
ACCESS_INTERLEAVED, FORMAT_S32 = 3, 10
"""SNDRV_PCM_ACCESS_RW_INTERLEAVED, SNDRV_PCM_FORMAT_S32_LE, which the microphone asks for too."""
CHANNELS_AT, RATE_AT, PERIOD_AT, PERIODS_AT = 2, 3, 5, 7
"""Of struct snd_pcm_hw_params' intervals, the first of which is that of sample bits."""


def hardware_parameters() -> bytearray:
    """struct snd_pcm_hw_params: anything goes, but for what is said here."""
    masks = [b"\xff" * 32] * MASKS
    masks[0] = struct.pack("<Q", 1 << ACCESS_INTERLEAVED) + bytes(24)
    masks[1] = struct.pack("<Q", 1 << FORMAT_S32) + bytes(24)
    intervals = [struct.pack("<III", 0, 0xFFFFFFFF, 0)] * INTERVALS
    for at, value in ((CHANNELS_AT, 1), (RATE_AT, RATE), (PERIOD_AT, PERIOD), (PERIODS_AT, PERIODS)):
        intervals[at] = struct.pack("<III", value, value, 4)  # 4: an integer
    whole = struct.pack("<I", 0) + b"".join(masks) + b"".join(intervals) + struct.pack("<I", 0xFFFFFFFF)
    return bytearray(whole.ljust(608, b"\0"))


def main() -> None:
    card = os.open(DEVICE, os.O_WRONLY)
    fcntl.ioctl(card, HW_PARAMS, hardware_parameters())
    fcntl.ioctl(card, PREPARE)
    sound = array.array("i", (int(LOUD * math.sin(2 * math.pi * HERTZ * n / RATE)) for n in range(PERIOD))).tobytes()
    while True:
        try:
            os.write(card, sound)
        except OSError as error:
            if error.errno != errno.EPIPE:  # played to its end while the machine was busy
                raise
            fcntl.ioctl(card, PREPARE)


if __name__ == "__main__":
    main()
