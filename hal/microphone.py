"""The microphone seam: a source of encoded sound (AAC-LC access units). No sound is a fault, never silence (R3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from hal.camera import SourceInfo


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """Raw AAC-LC without ADTS headers."""

    sample_rate: int
    channels: int
    config: bytes
    """AudioSpecificConfig (ISO/IEC 14496-3), what goes into the `esds` box."""
    samples_per_frame: int = 1024


@dataclass(frozen=True, slots=True)
class EncodedSound:
    """One AAC access unit."""

    data: bytes
    captured_ns: int
    """CLOCK_BOOTTIME of its first sample, in nanoseconds. Strictly increasing."""
    level_dbfs: float
    """Peak level of the samples, 0.0 = full scale; -120.0 stands for digital silence."""


class Microphone(Protocol):
    """One sound source with its encoder."""

    @property
    def info(self) -> SourceInfo: ...

    @property
    def format(self) -> AudioFormat: ...

    def start(self, on_sound: Callable[[EncodedSound], None], on_fault: Callable[[str], None]) -> None: ...

    def stop(self) -> None: ...


@dataclass(frozen=True, slots=True)
class LinkState:
    """How a remote microphone and its radio link are."""

    paired: bool
    """It is connected to this camera now."""
    battery_percent: int | None
    """Charge of its own battery, 0..100; None if it does not say."""
    muted: bool
    """Its wearer muted it."""
    offset_us: int | None
    """How much later than its picture the sound arrives, as measured over the link, microseconds. The driver has taken
    it off `captured_ns`; None if it is not measured."""


@runtime_checkable
class RemoteLink(Protocol):
    """A microphone that is not wired: the remote audio recorder of a dashboard camera."""

    def link(self) -> LinkState:
        """The newest state. Never blocks. Raises `hal.errors.HalError` if the receiver itself is lost."""
        ...
