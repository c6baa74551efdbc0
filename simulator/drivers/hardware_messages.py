"""What is said on the hardware socket: one JSON object a line, strict in both directions (see `hardware`)."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from hal.clock import TimeSource
from simulator.movement import Pattern

MAX_LINE_BYTES = 4096

_Seconds = Annotated[float, msgspec.Meta(ge=0, le=86_400)]
_PinNumber = Annotated[int, msgspec.Meta(ge=0, le=27)]


class OpRefused(Exception):
    """An operation that is understood and cannot be done. Its text is one sentence and goes into the answer."""


class PinOp(msgspec.Struct, tag_field="op", tag="pin", forbid_unknown_fields=True, frozen=True):
    """The world drives an input pin (BCM number) to a level."""

    pin: _PinNumber
    level: Literal[0, 1]


class PinsOp(msgspec.Struct, tag_field="op", tag="pins", forbid_unknown_fields=True, frozen=True):
    """List all pins in use."""


class WatchOp(msgspec.Struct, tag_field="op", tag="watch", forbid_unknown_fields=True, frozen=True):
    """List all pins in use, and stream every change of an output from now on."""


class ClockOp(msgspec.Struct, tag_field="op", tag="clock", forbid_unknown_fields=True, frozen=True):
    """Change what the camera believes about UTC; what is absent stays as it is."""

    utc_offset_ns: Annotated[int, msgspec.Meta(ge=-(2**62), le=2**62)] | None = None
    """Replaces the offset that is added to the host's UTC; a jump when it differs from the last one."""
    source: TimeSource | None = None
    uncertainty_ns: Annotated[int, msgspec.Meta(ge=0, le=2**62)] | None = None
    drift_ppm: Annotated[float, msgspec.Meta(ge=-100_000, le=100_000)] | None = None
    """How fast the clock runs from now on, in millionths; a cheap crystal is off by 20 to 100."""


class CameraOp(msgspec.Struct, tag_field="op", tag="camera", forbid_unknown_fields=True, frozen=True):
    """Lose frames: all of the next `stall_s` seconds, or the next `drop_frames`. The sequence shows the hole.

    With `encoder_stall_s` only the encoder is silent, and the sensor goes on; `look` is what it sees from now on.
    """

    stall_s: _Seconds | None = None
    encoder_stall_s: _Seconds | None = None
    drop_frames: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] | None = None
    look: Literal["normal", "black", "covered", "frozen", "defocused", "upside_down"] | None = None


class MicrophoneOp(msgspec.Struct, tag_field="op", tag="microphone", forbid_unknown_fields=True, frozen=True):
    """Silence for `silent_s`, far too loud for `clipped_s`, nothing at all for `stall_s`, or lagging by `late_s` from
    now on. Of a remote one also its `link` (false: out of reach), its own battery, and its wearer's mute."""

    silent_s: _Seconds | None = None
    clipped_s: _Seconds | None = None
    stall_s: _Seconds | None = None
    late_s: Annotated[float, msgspec.Meta(ge=0, le=10)] | None = None
    link: bool | None = None
    battery_percent: Annotated[int, msgspec.Meta(ge=0, le=100)] | None = None
    wearer_muted: bool | None = None

    @property
    def remote(self) -> bool:
        """It asks for something that only a remote microphone has."""
        return any(one is not None for one in (self.link, self.battery_percent, self.wearer_muted))


class PictureOp(msgspec.Struct, tag_field="op", tag="picture", forbid_unknown_fields=True, frozen=True):
    """One picture as the sensor delivers it now, for people who look at the world: a JPEG, outside of all evidence."""

    width: Annotated[int, msgspec.Meta(ge=64, le=640)] = 480
    """At most so many pixels wide."""


_Mg = Annotated[int, msgspec.Meta(ge=-16_000, le=16_000)]


class MotionOp(msgspec.Struct, tag_field="op", tag="motion", forbid_unknown_fields=True, frozen=True):
    """Accelerate the camera for `for_s` seconds, then let it rest; without `for_s` from now on (it lies, or hangs).

    With a `pattern` it moves as `simulator.movement` says, with that `seed`; the three values then stay away.
    """

    x_mg: _Mg = 0
    y_mg: _Mg = 1000
    z_mg: _Mg = 0
    for_s: _Seconds | None = None
    pattern: Pattern | None = None
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)] = 0


class KeyOp(msgspec.Struct, tag_field="op", tag="key", forbid_unknown_fields=True, frozen=True):
    """The evidence key's secure element is `away` (pulled out, hung), or there again."""

    away: bool


Request = PinOp | PinsOp | WatchOp | ClockOp | CameraOp | MicrophoneOp | MotionOp | PictureOp | KeyOp


class PinState(msgspec.Struct, frozen=True):
    """One pin as it stands."""

    pin: int
    function: Literal["input", "output"]
    level: float
    """0 or 1; in between for an output that is dimmed by PWM."""


class PinEvent(msgspec.Struct, tag_field="event", tag="pin", frozen=True):
    """An output changed."""

    pin: int
    level: float
    at_ns: int
    """CLOCK_BOOTTIME in nanoseconds."""


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer to one line."""

    ok: bool
    error: str | None = None
    pins: list[PinState] | None = None
    picture: str | None = None
    """A JPEG in base64."""


_decoder = msgspec.json.Decoder(Request)
_encoder = msgspec.json.Encoder()


def decode_request(line: bytes) -> Request:
    """Read one line. Raises `OpRefused` with one sentence for anything but a whole and known operation."""
    try:
        request: Request = _decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise OpRefused(f"not an operation: {error}") from error
    return request


def encode_line(message: Answer | PinEvent) -> bytes:
    """One message as a line with its line end."""
    return _encoder.encode(message) + b"\n"
