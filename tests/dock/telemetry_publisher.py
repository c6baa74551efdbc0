"""A process that keeps events and sends them, until it is killed: prints each row's number once it is durable.

telemetry_publisher.py AGENT.toml FIRST COUNT
"""

from __future__ import annotations

import sys
from pathlib import Path

from dock.config import load_agent
from dock.mqtt.outbox import Outbox
from dock.mqtt.telemetry import MqttTelemetry, read_boot_id
from dock.tls import client_context, own_serial


def main() -> None:
    config = load_agent(Path(sys.argv[1]))
    assert config.telemetry is not None
    config.state_directory.mkdir(exist_ok=True)
    outbox = Outbox(config.state_directory / "outbox.sqlite", max_rows=config.telemetry.outbox_rows)
    telemetry = MqttTelemetry(
        config.telemetry,
        outbox,
        lambda: client_context(config.tls),
        device=own_serial(config.tls),
        boot=read_boot_id(),
    )
    telemetry.start()
    first, count = int(sys.argv[2]), int(sys.argv[3])
    for number in range(first, first + count):
        row = outbox.put(read_boot_id(), "evt", "tick", "2026-01-01T00:00:00.000000Z", {"number": number})
        telemetry._post("wake", None)
        print(number, row, flush=True)
    while len(outbox):
        telemetry._stopping.wait(0.02)
    print("empty", flush=True)
    telemetry.stop()


main()
