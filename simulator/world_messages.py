"""What is said at the door of a world that plays: one JSON object a line, strict in both directions (`world_door`)."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta

MAX_LINE_BYTES: Final = 4096

_Name = Annotated[str, Meta(min_length=1, max_length=100)]
_Number = Annotated[float, Meta(ge=-(10**9), le=10**9)]


class StatusOp(msgspec.Struct, tag_field="op", tag="status", forbid_unknown_fields=True, frozen=True):
    """How is the world, and its camera?"""


class DoOp(msgspec.Struct, tag_field="op", tag="do", forbid_unknown_fields=True, frozen=True):
    """Do what a scenario could do: ``light bar on``."""

    text: Annotated[str, Meta(min_length=1, max_length=200)]


class FaultsOp(msgspec.Struct, tag_field="op", tag="fault_list", forbid_unknown_fields=True, frozen=True):
    """Which faults last now?"""


class BeginOp(msgspec.Struct, tag_field="op", tag="fault_begin", forbid_unknown_fields=True, frozen=True):
    """Begin a fault, for `for_s` seconds of the world's time or until it is ended."""

    name: _Name
    for_s: Annotated[float, Meta(gt=0, le=86_400)] | None = None
    amount: _Number | None = None


class EndOp(msgspec.Struct, tag_field="op", tag="fault_end", forbid_unknown_fields=True, frozen=True):
    """End a fault that lasts."""

    name: _Name


WorldOp = StatusOp | DoOp | FaultsOp | BeginOp | EndOp


class LastingFault(msgspec.Struct, frozen=True, omit_defaults=True):
    """A fault that lasts now."""

    name: str
    amount: float | None = None
    left_s: float | None = None
    """Seconds of the world's time until it ends by itself."""


class WorldAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer to one line."""

    ok: bool
    error: str | None = None
    """One sentence."""
    camera: str | None = None
    """The camera's state in one short line."""
    now_s: float | None = None
    """The world's time."""
    must: str | None = None
    """What the camera must do."""
    lasting: tuple[LastingFault, ...] = ()


class NotUnderstood(ValueError):
    """A line that is no operation, or no answer; the message is one sentence."""


_operations = msgspec.json.Decoder(WorldOp)
_answers = msgspec.json.Decoder(WorldAnswer)


def decode_operation(line: bytes) -> WorldOp:
    """Read one line. Raises `NotUnderstood`."""
    try:
        operation: WorldOp = _operations.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise NotUnderstood(f"not an operation: {error}") from error
    return operation


def decode_answer(line: bytes) -> WorldAnswer:
    """Read an answer. Raises `NotUnderstood`."""
    try:
        return _answers.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise NotUnderstood(f"not an answer of a simulated world: {error}") from error


def encode_line(message: WorldOp | WorldAnswer) -> bytes:
    """One message as a line with its line end."""
    return msgspec.json.encode(message) + b"\n"
