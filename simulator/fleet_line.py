"""The line between a simulated fleet and its station and broker: as bad as the user wants it (R30)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Final

import msgspec

from simulator.network import READY, ports_of
from simulator.network_words import Shape
from simulator.processes import Children, python_module

_READY_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class FleetLine:
    """Each way; all cameras share the rate. As `simulator.link_model` reckons it."""

    latency_ms: float = 0.0
    jitter_ms: float = 0.0
    loss_percent: float = 0.0
    kbit_s: float = 0.0
    """0: no limit."""

    def __str__(self) -> str:
        rate = f", {self.kbit_s:g} kbit/s for all" if self.kbit_s else ""
        return f"{self.latency_ms:g} ms (up to {self.jitter_ms:g} more) each way, {self.loss_percent:g} % loss{rate}"

    def before(self, children: Children, name: str, port: int) -> int:
        """The port to call instead of that one. A perfect line is left out: nothing stands in the way of a measurement.

        Raises `ProcessDied`.
        """
        if self == AS_IT_IS:
            return port
        shape = msgspec.json.encode(Shape(link=name, **asdict(self))).decode()
        words = ["--link", f"{name}={port}", "--do", shape]
        network = children.start(f"network-{name}", python_module("simulator.network", *words))
        return ports_of(children.wait_for_text(network, READY, _READY_S))[name]


AS_IT_IS: Final = FleetLine()
