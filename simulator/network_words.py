"""What is said to the simulated network: one JSON object a line, strict in both directions (see `network`)."""

from __future__ import annotations

from typing import Annotated, Any, Protocol

import msgspec
from msgspec import Meta

from simulator.relay import Line, Mishap
from simulator.run_errors import WorldRefused

Link = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
"""``station``, ``broker``, or another that this world has."""
_Bytes = Annotated[int, Meta(ge=0, le=2**40)]


class Shape(msgspec.Struct, frozen=True, kw_only=True, tag_field="op", tag="shape", forbid_unknown_fields=True):
    """What the link is like from now on, each way; what is absent is as in a perfect one."""

    link: Link
    latency_ms: Annotated[float, Meta(ge=0, le=60_000)] = 0.0
    jitter_ms: Annotated[float, Meta(ge=0, le=60_000)] = 0.0
    loss_percent: Annotated[float, Meta(ge=0, le=90)] = 0.0
    kbit_s: Annotated[float, Meta(ge=0, le=10_000_000)] = 0.0
    """0: no limit."""


class SetLine(msgspec.Struct, frozen=True, kw_only=True, tag_field="op", tag="line", forbid_unknown_fields=True):
    """`up`; `cut`: torn down, and nothing gets through; `silent`: connections stay, and nothing arrives."""

    link: Link
    line: Line


class Happen(msgspec.Struct, frozen=True, kw_only=True, tag_field="op", tag="happen", forbid_unknown_fields=True):
    """Once, now or when so many more bytes have gone towards the target."""

    link: Link
    what: Mishap
    after_bytes: _Bytes = 0


class Aim(msgspec.Struct, frozen=True, kw_only=True, tag_field="op", tag="aim", forbid_unknown_fields=True):
    """Another program answers behind this link: new connections go to that port of this machine."""

    link: Link
    port: Annotated[int, Meta(ge=1, le=65_535)]


class Ask(msgspec.Struct, frozen=True, kw_only=True, tag_field="op", tag="ask", forbid_unknown_fields=True):
    """What went over the link so far."""

    link: Link


NetworkOp = Shape | SetLine | Happen | Aim | Ask
decode_op = msgspec.json.Decoder(NetworkOp).decode


class Doer(Protocol):
    """Whoever carries an operation out: the network in this process, or a line to one in another."""

    def do(self, op: NetworkOp) -> dict[str, Any]:
        """The answer's facts. Raises `simulator.run_errors.WorldRefused`."""
        ...


class NetworkControl:
    """The network between the camera and the rest, in words. Every method raises `WorldRefused` for an unknown link."""

    def __init__(self, doer: Doer) -> None:
        self._doer = doer

    def shape(
        self,
        link: str,
        *,
        latency_ms: float = 0.0,
        jitter_ms: float = 0.0,
        loss_percent: float = 0.0,
        kbit_s: float = 0.0,
    ) -> None:
        """What the link is like from now on; without anything else: perfect."""
        self._doer.do(
            Shape(link=link, latency_ms=latency_ms, jitter_ms=jitter_ms, loss_percent=loss_percent, kbit_s=kbit_s)
        )

    def cut(self, link: str) -> None:
        """Pull the plug."""
        self._doer.do(SetLine(link=link, line="cut"))

    def silence(self, link: str) -> None:
        """Nothing arrives any more, and nobody is told."""
        self._doer.do(SetLine(link=link, line="silent"))

    def up(self, link: str) -> None:
        """The line is up again, as slow or bad as it was."""
        self._doer.do(SetLine(link=link, line="up"))

    def restore(self, link: str) -> None:
        """The line is up again, and perfect."""
        self.up(link)
        self._doer.do(Shape(link=link))

    def happen(self, link: str, what: Mishap, after_bytes: int = 0) -> None:
        """Reset, cut, silence or half-open it, now or after so many more bytes towards the target."""
        self._doer.do(Happen(link=link, what=what, after_bytes=after_bytes))

    def aim(self, link: str, port: int) -> None:
        """Let another program answer behind it."""
        self._doer.do(Aim(link=link, port=port))

    def counts(self, link: str) -> dict[str, int]:
        """``connections``, ``open``, ``refused``, ``up_bytes``, ``down_bytes``."""
        return {key: int(value) for key, value in self._doer.do(Ask(link=link)).items()}


class _Nothing:
    def do(self, op: NetworkOp) -> dict[str, Any]:
        raise WorldRefused(f"this world has no network that could be disturbed (link {op.link!r})")


def no_network() -> NetworkControl:
    """For a world without one: refuses all."""
    return NetworkControl(_Nothing())
