"""What a browser may ask of the simulated world: one small JSON object, read strictly."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from simulator.agency import BOARD
from simulator.network_words import NetworkControl
from simulator.run_errors import WorldRefused
from simulator.scenario import bundled
from simulator.words import Deed, UnknownWord, deed, nearest

MOST_BYTES: Final = 2048
LONGEST_PRESS_S: Final = 20.0
"""A finger whose browser went away is taken off the button after so long."""
BUTTONS: Final = ("record_button", "emergency", "function")
_SLOW: Final = ("press", "hold", "turn", "power cut")
"""First words of what takes a while; it is not done while a scenario plays."""

_NETWORKS: Final = {
    "bad": (600.0, 5.0, 200.0),
    "poor": (250.0, 2.0, 1_000.0),
    "mobile": (60.0, 0.5, 10_000.0),
    "perfect": (0.0, 0.0, 0.0),
}
"""Latency one way (ms), loss (percent), rate (kbit/s; 0 = no limit)."""
RecordingName = Annotated[str, Meta(pattern=r"^[A-Z0-9][A-Z0-9-]{0,40}\Z")]


class Line(msgspec.Struct, tag_field="order", tag="line", forbid_unknown_fields=True, frozen=True):
    """A finger on a button, a relay of the vehicle."""

    line: str
    active: bool


class Do(msgspec.Struct, tag_field="order", tag="do", forbid_unknown_fields=True, frozen=True):
    """One deed, in the words of a scenario."""

    words: Annotated[str, Meta(min_length=1, max_length=100)]


class FaultOrder(msgspec.Struct, tag_field="order", tag="fault", forbid_unknown_fields=True, frozen=True):
    """Begin or end a fault of the catalogue."""

    name: Annotated[str, Meta(min_length=1, max_length=60)]
    on: bool
    amount: float | None = None


class NetworkOrder(msgspec.Struct, tag_field="order", tag="network", forbid_unknown_fields=True, frozen=True):
    """How good the way from the camera to station and broker is."""

    quality: Literal["cut", "bad", "poor", "mobile", "perfect"]

    def shape(self, network: NetworkControl) -> None:
        """Make it so. Raises `WorldRefused`."""
        for link in ("station", "broker"):
            if self.quality == "cut":
                network.cut(link)
            else:
                latency_ms, loss_percent, kbit_s = _NETWORKS[self.quality]
                network.restore(link)
                network.shape(link, latency_ms=latency_ms, loss_percent=loss_percent, kbit_s=kbit_s)


class Play(msgspec.Struct, tag_field="order", tag="play", forbid_unknown_fields=True, frozen=True):
    """Begin a new world with that scenario, and play it."""

    scenario: Annotated[str, Meta(min_length=1, max_length=60)]


class Stop(msgspec.Struct, tag_field="order", tag="stop", forbid_unknown_fields=True, frozen=True):
    """Leave the scenario; the world goes on."""


class Anew(msgspec.Struct, tag_field="order", tag="anew", forbid_unknown_fields=True, frozen=True):
    """End this world and begin a new one, with nothing recorded."""


class Open(msgspec.Struct, tag_field="order", tag="open", forbid_unknown_fields=True, frozen=True):
    """Export a recording that is at the station, with the real tool, and verify every layer."""

    recording: RecordingName


class Forge(msgspec.Struct, tag_field="order", tag="forge", forbid_unknown_fields=True, frozen=True):
    """Change one bit of a copy of it, and verify that."""

    recording: RecordingName


Order = Line | Do | NetworkOrder | FaultOrder | Play | Stop | Anew | Open | Forge
_decoder: Final = msgspec.json.Decoder(Order)


def read_order(body: bytes) -> Order:
    """An order from a request's body. Raises `WorldRefused` with one sentence."""
    if len(body) > MOST_BYTES:
        raise WorldRefused(f"an order has at most {MOST_BYTES} bytes")
    try:
        order: Order = _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise WorldRefused(f"that is no order of this panel: {error}") from error
    if isinstance(order, Line) and order.line not in BOARD:
        raise WorldRefused(nearest(order.line, tuple(BOARD)))
    if isinstance(order, Do):
        deed_of(order)
    if isinstance(order, Play) and order.scenario not in bundled():
        raise WorldRefused(nearest(order.scenario, tuple(bundled())))
    return order


def deed_of(order: Do) -> Deed:
    """What its words mean. Raises `WorldRefused`."""
    try:
        return deed(order.words)
    except UnknownWord as error:
        raise WorldRefused(str(error)) from error


def takes_a_while(order: Order) -> bool:
    """Whether it must wait for what is being done, and may not be done inside it."""
    return isinstance(order, Play | Anew) or (isinstance(order, Do) and order.words.startswith(_SLOW))
