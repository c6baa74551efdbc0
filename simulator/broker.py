"""An MQTT broker for one run: amqtt on the loopback address, with the agency's TLS certificates.

It stands in for the fleet's broker. It asks for a client certificate and does not enforce topics: access rules are
tested with mosquitto. Run as ``python -m simulator.broker PKI [PORT]``; it prints one line when it is ready.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
from pathlib import Path
from typing import Any, Final

from amqtt.broker import Broker
from amqtt.plugins.base import BasePlugin

READY: Final = "broker ready on port "
HOST: Final = "127.0.0.1"


class MessageLog(BasePlugin[Any]):  # type: ignore[misc]  # amqtt is not typed for us
    """One line in the broker's log for each message."""

    async def on_broker_message_received(self, *, client_id: str, message: Any) -> None:
        """Called by amqtt after each PUBLISH."""
        data = bytes(message.data or b"")
        text = data.decode("utf-8", errors="replace")
        print(f"{client_id} {message.topic} {len(data)} bytes {text[:4096]}", flush=True)


def settings(pki: Path, port: int) -> dict[str, Any]:
    """The broker's configuration: one TLS listener."""
    return {
        "listeners": {
            "default": {
                "type": "tcp",
                "bind": f"{HOST}:{port}",
                "ssl": True,
                "cafile": str(pki / "tls-ca.pem"),
                "certfile": str(pki / "broker-tls.pem"),
                "keyfile": str(pki / "broker-tls.key"),
            }
        },
        "plugins": {
            "amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True},
            "simulator.broker.MessageLog": {},
        },
    }


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


async def serve(pki: Path, port: int | None = None) -> None:
    """Serve until SIGTERM, on a free port if none is given."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    port = free_port() if port is None else port
    broker = Broker(settings(pki, port))
    await broker.start()
    print(f"{READY}{port}", flush=True)
    await stop.wait()
    await broker.shutdown()


def main() -> int:
    """The process. Exit code 64 without the directory of certificates."""
    if len(sys.argv) not in (2, 3) or not all(one.isdecimal() for one in sys.argv[2:]):
        print("usage: python -m simulator.broker PKI_DIRECTORY [PORT]", file=sys.stderr)
        return 64
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) == 3 else None))
    return 0


if __name__ == "__main__":
    sys.exit(main())
