"""The network of a run: a relay for each link, and the control socket that commands them.

In one process with the camera, hold a `Network` and wrap it in a `NetworkControl`. With separate processes it is one of
them: ``python -m simulator.network --control SOCKET --link station=PORT --link broker=PORT``; it prints the ports to
call instead when it is ready, and `network_control` commands it.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from simulator.control import ControlLine, serve_control, until_cancelled
from simulator.link_model import Conditions
from simulator.network_words import Aim, Ask, Happen, NetworkControl, NetworkOp, SetLine, Shape, decode_op
from simulator.relay import Relay
from simulator.run_errors import WorldRefused

READY: Final = "network ready: "


class Network:
    """All links of one run, on the running loop."""

    def __init__(self, targets: Mapping[str, int], *, seed: int = 1) -> None:
        self.relays = {name: Relay(name, port, seed=seed) for name, port in targets.items()}
        self.ports: dict[str, int] = {}

    async def start(self) -> dict[str, int]:
        """Listen; the port of each link. Raises OSError."""
        for name, relay in self.relays.items():
            self.ports[name] = await relay.start()
        return self.ports

    async def stop(self) -> None:
        """Tear everything down."""
        for relay in self.relays.values():
            await relay.stop()

    def do(self, op: NetworkOp) -> dict[str, Any]:
        """One operation. Raises `WorldRefused` for a link that this world does not have."""
        relay = self.relays.get(op.link)
        if relay is None:
            raise WorldRefused(f"there is no link {op.link!r}; known are {', '.join(self.relays)}")
        match op:
            case Shape():
                relay.conditions = Conditions(
                    op.latency_ms / 1000, op.jitter_ms / 1000, op.loss_percent / 100, op.kbit_s * 125
                )
            case SetLine():
                relay.set_line(op.line)
            case Happen() if op.after_bytes:
                relay.happen_after(op.after_bytes, op.what)
            case Happen():
                relay.happen(op.what)
            case Aim():
                relay.target_port = op.port
            case Ask():
                counts = relay.counts
                return {
                    "connections": counts.connections,
                    "open": relay.open_connections,
                    "refused": counts.refused,
                    "up_bytes": counts.up_bytes,
                    "down_bytes": counts.down_bytes,
                }
        return {}


class _Far:
    """The network of another process."""

    def __init__(self, control: Path) -> None:
        self._line = ControlLine(control, "the simulated network")

    def do(self, op: NetworkOp) -> dict[str, Any]:
        return self._line.ask(op)


def network_control(control: Path) -> NetworkControl:
    """Command the network whose control socket that is."""
    return NetworkControl(_Far(control))


def ports_of(ready: str) -> dict[str, int]:
    """The links' ports from the line that the process prints."""
    return {name: int(port) for name, port in re.findall(r"([a-z][a-z0-9_]*) ([0-9]+)", ready.partition(READY)[2])}


def _link(text: str) -> tuple[str, int]:
    found = re.fullmatch(r"([a-z][a-z0-9_]{0,31})=([0-9]{1,5})", text)
    if found is None or not 1 <= int(found[2]) <= 65_535:
        raise ValueError(text)
    return found[1], int(found[2])


_link.__name__ = "NAME=PORT"


async def _serve(options: argparse.Namespace) -> None:
    network = Network(dict(options.link), seed=options.seed)
    for line in options.do:
        network.do(decode_op(line))
    control = await serve_control(options.control, decode_op, network.do) if options.control is not None else None
    ports = await network.start()
    print(READY + ", ".join(f"{name} {port}" for name, port in ports.items()), flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        if control is not None:
            control.close()
        await network.stop()


def main() -> int:
    """The process."""
    parser = argparse.ArgumentParser(prog="python -m simulator.network", description=__doc__)
    parser.add_argument("--control", type=Path, metavar="SOCKET", help="where it is commanded")
    parser.add_argument("--link", type=_link, action="append", required=True, metavar="NAME=PORT")
    parser.add_argument("--do", action="append", default=[], metavar="JSON", help="an operation at the beginning")
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    try:
        asyncio.run(until_cancelled(_serve(parser.parse_args())))
    except (OSError, WorldRefused, msgspec.DecodeError) as error:
        print(f"simulator.network: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
