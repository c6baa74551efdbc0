"""What a station can be made to do wrong, and to which request: words, strict in both directions. Pure.

Each lie is one of the requirements' list: refusals, silence, torn answers, wrong or replayed or expired receipts,
acknowledged bytes that are lost, a confirmation over an incomplete store.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Protocol, get_args

import msgspec
from msgspec import Meta

from simulator.run_errors import WorldRefused

Stage = Literal["greeting", "announce", "where", "bytes", "receipt"]
"""The five questions of an offload, in their order: who are you, here comes a file, how much of it have you, here are
bytes, the receipt please."""
ForgedGreeting = Literal["wrong_system", "greeting_expired", "greeting_foreign"]
ForgedReceipt = Literal[
    "wrong_hash", "wrong_length", "other_camera", "replayed", "expired", "other_agency", "other_role", "not_valid"
]
Disturbance = Literal["status", "silent", "torn", "redirect", "garbage"]
"""What can be done to the answer at any stage."""
Loss = Literal["ack_lost", "incomplete", "killed"]
"""`ack_lost`: bytes are acknowledged and not kept. `incomplete`: the whole file is confirmed, its end is not there.
`killed`: the station dies (SIGKILL) when the last byte has come, before it says so."""
Wrong = ForgedGreeting | ForgedReceipt | Disturbance | Loss
FORGED_GREETINGS: Final = get_args(ForgedGreeting)
FORGED_RECEIPTS: Final = get_args(ForgedReceipt)
LOSSES: Final = get_args(Loss)


class Lie(msgspec.Struct, frozen=True, kw_only=True, tag_field="op", tag="lie", forbid_unknown_fields=True):
    """From now on, until `Honest`, or `times` times."""

    what: Wrong
    at: Stage = "announce"
    """For `status`, `silent`, `torn`, `redirect` and `garbage`; the others have a stage of their own."""
    status: Annotated[int, Meta(ge=200, le=599)] = 500
    retry_after_s: Annotated[int, Meta(ge=0, le=3600)] | None = None
    times: Annotated[int, Meta(ge=1, le=10**6)] | None = None
    file: Annotated[str, Meta(max_length=100)] = ""
    """Only about files whose name has this in it."""
    label: Annotated[str, Meta(max_length=64)] = ""
    """By which `Honest` ends it."""

    @property
    def stage(self) -> Stage:
        """The question that is answered wrongly (`incomplete` answers three so)."""
        if self.what in FORGED_GREETINGS:
            return "greeting"
        if self.what in FORGED_RECEIPTS:
            return "receipt"
        return "bytes" if self.what in LOSSES else self.at


class Honest(msgspec.Struct, frozen=True, tag_field="op", tag="honest", forbid_unknown_fields=True):
    """The truth from now on; what was held back in silence is let go without an answer."""

    label: Annotated[str, Meta(max_length=64)] = ""
    """Only lies of this label; without: all."""


class Told(msgspec.Struct, frozen=True, tag_field="op", tag="told", forbid_unknown_fields=True):
    """How often each stage was asked, and how many lies were told."""


StationOp = Lie | Honest | Told
decode_op = msgspec.json.Decoder(StationOp).decode


def stage_of(method: str, path: str) -> Stage | None:
    """Which question that is; None for all others, which are always answered honestly."""
    if (method, path) == ("POST", "/contact"):
        return "greeting"
    if (method, path) == ("POST", "/files"):
        return "announce"
    if path.startswith("/files/"):
        return {"HEAD": "where", "PATCH": "bytes"}.get(method)  # type: ignore[return-value]
    return "receipt" if method == "GET" and path.startswith("/receipts/") else None


class Doer(Protocol):
    """The lying station in this process, or a line to one in another."""

    def do(self, op: StationOp) -> dict[str, Any]:
        """The answer's facts. Raises `WorldRefused`."""
        ...


class StationControl:
    """The station's honesty, in words. Every method raises `WorldRefused` if this world's station cannot."""

    def __init__(self, doer: Doer) -> None:
        self._doer = doer

    def lie(self, what: Wrong, **more: Any) -> None:
        """Answer wrongly; `more` are fields of `Lie`."""
        try:
            op = msgspec.convert({"op": "lie", "what": what, **more}, Lie)
        except msgspec.ValidationError as error:
            raise WorldRefused(f"no such lie: {error}") from error
        self._doer.do(op)

    def honest(self, label: str = "") -> None:
        """The truth from now on; with a label, as far as those lies go."""
        self._doer.do(Honest(label))

    def told(self) -> dict[str, int]:
        """How often each stage was asked, and under ``lies`` how many lies were told."""
        return {key: int(value) for key, value in self._doer.do(Told()).items()}


class _Nobody:
    def do(self, op: StationOp) -> dict[str, Any]:
        raise WorldRefused(f"this world has no station that could be made to lie ({type(op).__name__})")


def no_station() -> StationControl:
    """For a world without one: refuses all."""
    return StationControl(_Nobody())
