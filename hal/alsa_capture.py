"""Capture from an ALSA device through libasound itself (alsa-lib's PCM interface), in blocks of samples.

Why not FFmpeg's ALSA input: it asks for the shortest period that the card has (hundreds of wake-ups a second on a
Raspberry Pi), stamps with a clock that steps, and hides an overrun. Here each of the three is in hand: a period of our
own, how many samples still wait in the card (so each block's time is known, however late it is read), and the overrun
as an error. Samples are taken as 32 bits: microphones on I2S deliver 24, and gain must not eat into them.
"""

from __future__ import annotations

import ctypes
import errno
import functools
from typing import Any, Final

from hal.errors import DeviceLost

BYTES_PER_SAMPLE: Final = 4
WAIT_MS: Final = 250
"""How long one wait for samples lasts: so soon a stop is noticed."""

_LIBRARY: Final = "libasound.so.2"
_CAPTURE, _NONBLOCK = 1, 1
_RW_INTERLEAVED, _S32_LE = 3, 10
_RUNNING = 3

_ADVICE: Final = {
    errno.ENOENT: "no such device: `arecord -l` lists them; check the overlay in config.txt or the USB plug",
    errno.ENODEV: "it was unplugged: plug it in again",
    errno.ENXIO: "it does not answer: check its cable",
    errno.EBUSY: "another program uses it: stop that program",
    errno.EACCES: "permission denied: the recorder's user must be in the group audio",
    errno.EIO: "it stopped delivering: check its cable or its power",
}


class Overrun(Exception):
    """The card threw samples away because nobody read them in time. Capture goes on from now."""


class CaptureLost(DeviceLost):
    """The device cannot be opened, or has gone."""


@functools.cache
def _library() -> Any:
    """libasound, once. Raises `CaptureLost` if it is not installed."""
    try:
        library = ctypes.CDLL(_LIBRARY)
    except OSError as error:
        raise CaptureLost(f"{_LIBRARY} is missing: install the Debian package libasound2 ({error})") from error
    library.snd_strerror.restype = ctypes.c_char_p
    library.snd_pcm_readi.restype = ctypes.c_long
    library.snd_pcm_readi.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_ulong)
    for name in ("open", "close", "start", "prepare", "wait", "delay", "state", "hw_params", "drop"):
        getattr(library, f"snd_pcm_{name}").restype = ctypes.c_int
    # libasound writes each error to standard error, once for every attempt to open; the return value is enough.
    quiet = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p)
    library.quiet_handler = quiet(lambda *_: None)  # type: ignore[attr-defined]  # kept alive with the library
    library.snd_lib_error_set_handler(library.quiet_handler)
    return library


def _sentence(device: str, what: str, code: int) -> str:
    number = abs(code)
    advice = _ADVICE.get(number)
    if advice is None:
        advice = (_library().snd_strerror(-number) or b"unknown error").decode("utf-8", "replace")
    return f"microphone {device!r} {what}: {advice}"


class AlsaCapture:
    """One opened device, capturing. Not thread-safe: one thread reads and closes.

    `frames` is the size of a block. Raises `CaptureLost` with one sentence if the device is not there or cannot do it.
    """

    def __init__(self, device: str, sample_rate: int, channels: int, frames: int, buffered_blocks: int) -> None:
        self._library = _library()
        self._device, self._frames = device, frames
        self._frame_bytes = channels * BYTES_PER_SAMPLE
        self._block = ctypes.create_string_buffer(frames * self._frame_bytes)
        self._filled = 0
        handle = ctypes.c_void_p()
        code = self._library.snd_pcm_open(ctypes.byref(handle), device.encode(), _CAPTURE, _NONBLOCK)
        if code < 0:
            raise CaptureLost(_sentence(device, "cannot be opened", code))
        self._handle = handle
        try:
            self._configure(sample_rate, channels, buffered_blocks)
            self._start()
        except CaptureLost:
            self.close()
            raise

    def _configure(self, rate: int, channels: int, buffered_blocks: int) -> None:
        params = ctypes.c_void_p()
        self._library.snd_pcm_hw_params_malloc(ctypes.byref(params))
        period, buffer = ctypes.c_ulong(self._frames), ctypes.c_ulong(self._frames * buffered_blocks)
        direction = ctypes.c_int(0)
        hint = f": use its converting name, plug{self._device}" if self._device.startswith("hw:") else ""
        try:
            self._check("has no capture side", self._library.snd_pcm_hw_params_any(self._handle, params))
            for what, function, *values in (
                (f"cannot be read{hint}", "access", ctypes.c_int(_RW_INTERLEAVED)),
                (f"has no samples of 32 bits{hint}", "format", ctypes.c_int(_S32_LE)),
                (f"has no {channels} channel(s){hint}", "channels", ctypes.c_uint(channels)),
                (f"cannot sample at {rate} Hz{hint}", "rate", ctypes.c_uint(rate), ctypes.c_int(0)),
                ("takes no period", "period_size_near", ctypes.byref(period), ctypes.byref(direction)),
                ("takes no buffer", "buffer_size_near", ctypes.byref(buffer)),
            ):
                call = getattr(self._library, f"snd_pcm_hw_params_set_{function}")
                self._check(what, call(self._handle, params, *values))
            self._check("cannot be set up", self._library.snd_pcm_hw_params(self._handle, params))
        finally:
            self._library.snd_pcm_hw_params_free(params)

    def _check(self, what: str, code: int) -> None:
        if code < 0:
            raise CaptureLost(_sentence(self._device, what, code))

    def _start(self) -> None:
        self._filled = 0
        if self._library.snd_pcm_state(self._handle) != _RUNNING:
            self._check("cannot be started", self._library.snd_pcm_start(self._handle))

    def read(self) -> bytes | None:
        """The next whole block, or None if it was not there within a quarter of a second.

        Raises `Overrun` (samples were lost, capture goes on) and `CaptureLost` (close it and open it again).
        """
        wanted = self._frames - self._filled
        place = ctypes.addressof(self._block) + self._filled * self._frame_bytes
        got = int(self._library.snd_pcm_readi(self._handle, place, wanted))
        if got == -errno.EAGAIN:
            ready = int(self._library.snd_pcm_wait(self._handle, WAIT_MS))
            if ready == 0:
                return None
            got = ready if ready < 0 else int(self._library.snd_pcm_readi(self._handle, place, wanted))
            if got == -errno.EAGAIN:
                return None
        if got in (-errno.EPIPE, -errno.ESTRPIPE):
            self._check("cannot go on after an overrun", self._library.snd_pcm_prepare(self._handle))
            self._start()
            raise Overrun
        if got < 0:
            raise CaptureLost(_sentence(self._device, "was lost", got))
        if got == 0:
            raise CaptureLost(f"microphone {self._device!r} was lost: it ended; check its cable")
        self._filled += got
        if self._filled < self._frames:
            return None
        self._filled = 0
        return self._block.raw

    def waiting(self) -> int:
        """Samples that were captured but not read yet: how old the end of the block is that was just read."""
        delay = ctypes.c_long(0)
        code = int(self._library.snd_pcm_delay(self._handle, ctypes.byref(delay)))
        return max(0, delay.value) if code == 0 else 0

    def close(self) -> None:
        """Give the device back. May be called twice."""
        handle, self._handle = self._handle, ctypes.c_void_p()
        if handle:
            self._library.snd_pcm_close(handle)
