"""The recorder's unit forbids memory that is written and then run (MemoryDenyWriteExecute): pictures do without."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

SCALED = """
import ctypes, sys
PR_SET_MDWE, REFUSE_EXEC_GAIN = 65, 1
if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_MDWE, REFUSE_EXEC_GAIN, 0, 0, 0) != 0:
    sys.exit(77)
from hal.raw_pictures import RawPictures
from hal.v4l2_stream import StreamFormat
picture = RawPictures(StreamFormat("YUYV", 320, 180, 640, 10.0), 320, 240).decode(bytes(320 * 180 * 2))
print(picture.width, picture.height)
"""


@pytest.mark.requirement("R1")
def test_a_picture_is_scaled_without_memory_that_is_written_and_then_run() -> None:
    done = subprocess.run([sys.executable, "-c", SCALED], capture_output=True, text=True, check=False)
    if done.returncode == 77:
        pytest.skip(f"this kernel cannot forbid it (before 6.3): {ctypes.get_errno()}")
    assert done.stdout.split() == ["320", "240"], done.stderr
