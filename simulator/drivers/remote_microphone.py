"""A simulated remote microphone: the tone, over a radio link with a delay, from a pack with its own battery and mute.

It is what a statute calls the remotely operated audio recorder of a dashboard camera: worn by the officer, paired with
the camera in the vehicle. The link says how late the sound arrives, and `captured_ns` is when it was said. Out of
reach, or muted by its wearer, nothing arrives.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from hal.camera import SourceInfo
from hal.driver_options import whole_number
from hal.microphone import EncodedSound, LinkState
from simulator.drivers.hardware_messages import Answer, MicrophoneOp
from simulator.drivers.microphone import ToneMicrophone
from simulator.drivers.pace import boottime_ns
from simulator.drivers.runner import Steps

_MS = 1_000_000


class RemoteMicrophone(ToneMicrophone):
    """A remote microphone, `hal.microphone.RemoteLink`. `delay_ms` is the link's; `paired` false: it was never paired.

    With a `hardware_socket` the world can take the link away, drain the battery, and mute it. Raises
    `hal.errors.BadDriverOption`.
    """

    def __init__(
        self,
        sample_rate: int = 48_000,
        bitrate: int = 64_000,
        delay_ms: int = 60,
        battery_percent: int = 90,
        paired: bool = True,
        hardware_socket: str | None = None,
    ) -> None:
        self._delay_ns = whole_number("delay_ms", delay_ms, 0, 2000) * _MS
        self._battery_percent = whole_number("battery_percent", battery_percent, 0, 100)
        self._paired = paired
        self._reached = True
        self._muted = False
        super().__init__(sample_rate, bitrate, hardware_socket)
        self._info = SourceInfo("simulated-remote", f"tone-440Hz-{sample_rate}-radio", "simulated")

    def link(self) -> LinkState:
        """The link as it is now."""
        paired = self._paired and self._reached
        return LinkState(
            paired=paired,
            battery_percent=self._battery_percent if paired else None,
            muted=paired and self._muted,
            offset_us=self._delay_ns // 1000 if paired else None,
        )

    def _steps(self, on_item: Callable[[EncodedSound], None]) -> Steps:
        """What is said now arrives one delay later, if it arrives."""
        on_the_way: deque[tuple[int, EncodedSound]] = deque()

        def radio(sound: EncodedSound) -> None:
            now_ns = boottime_ns()
            if self._paired and self._reached and not self._muted:
                on_the_way.append((now_ns + self._delay_ns, sound))
            while on_the_way and on_the_way[0][0] <= now_ns:
                on_item(on_the_way.popleft()[1])

        yield from super()._steps(radio)

    def _fault(self, request: MicrophoneOp) -> Answer:
        if request.link is not None:
            self._reached = request.link
        if request.battery_percent is not None:
            self._battery_percent = request.battery_percent
        if request.wearer_muted is not None:
            self._muted = request.wearer_muted
        return self._play(request)
