"""Open a video or sound file, and nothing else: no protocol, no text that FFmpeg would draw as a screen."""

from __future__ import annotations

import errno
from pathlib import Path

import av
from av.container import InputContainer

_TEXT_FORMATS = {"tty", "bin", "xbin", "adf", "idf"}  # FFmpeg shows any text file as a terminal's screen


def open_media(path: Path) -> InputContainer:
    """The opened file; close it after use. Raises `av.error.FFmpegError` if it holds neither video nor sound."""
    # "file:" keeps a name such as "concat:..." from being taken for a protocol.
    container = av.open(f"file:{path}")
    if container.format.name in _TEXT_FORMATS:
        container.close()
        raise av.error.FFmpegError(errno.EINVAL, "a text file", str(path))
    return container
