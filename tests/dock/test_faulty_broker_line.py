"""A broker that cannot be reached, or not for a while: events are kept, and told once it is there again (R21, R30)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from dock_bench import SERIAL, poll_until
from lying_bench import LyingWorld, begin, end, faults

from dock.config_base import Tls
from dock.config_mqtt import Telemetry
from dock.mqtt.outbox import Outbox
from dock.mqtt.telemetry import MqttTelemetry
from dock.tls import client_context
from evidence.statements import moment
from simulator import broker
from simulator.faults import Fault
from simulator.network import READY, network_control, ports_of
from simulator.processes import Child, Children, python_module

BOOT = "00000000-0000-4000-8000-000000000001"
BROKER = [one for one in faults("network") if one.name.startswith("network.broker")]


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory, pki: Path) -> Iterator[tuple[LyingWorld, int, Child]]:
    """A world whose network has a broker behind it; the port to call, and the broker's process."""
    directory = tmp_path_factory.mktemp("line")
    with Children(directory) as children:
        server = children.start("broker", python_module("simulator.broker", str(pki)))
        port = int(children.wait_for_text(server, broker.READY, 60).rpartition(" ")[2])
        words = ["--control", str(directory / "n.sock"), "--link", f"broker={port}"]
        network = children.start("network", python_module("simulator.network", *words))
        ports = ports_of(children.wait_for_text(network, READY, 60))
        control = network_control(directory / "n.sock")
        yield cast("LyingWorld", SimpleNamespace(network=control)), ports["broker"], server


@pytest.mark.requirement("R21", "R30")
@pytest.mark.parametrize("fault", BROKER, ids=lambda one: one.name)
def test_events_wait_for_the_broker_and_all_of_them_arrive(
    tmp_path: Path, pki: Path, line: tuple[LyingWorld, int, Child], fault: Fault
) -> None:
    world, port, server = line
    outbox = Outbox(tmp_path / "outbox.sqlite", max_rows=100)
    tls = Tls(certificate=pki / "camera-tls.pem", key=pki / "camera-tls.key", ca=pki / "tls-ca.pem")
    config = Telemetry(host="localhost", port=port, mqtt="3.1.1", backoff_max_s=1.0)
    telemetry = MqttTelemetry(config, outbox, partial(client_context, tls), device=SERIAL, boot=BOOT)

    def tell(number: int) -> None:
        outbox.put(BOOT, "evt", "docked", moment(time.time_ns()), {"mono_ns": number, "word": fault.name})

    telemetry.start()
    try:
        tell(1)
        poll_until(lambda: not len(outbox), why="the line is good")
        begin(fault, world, 50)
        tell(2)
        if not fault.name.endswith("late"):
            assert len(outbox) == 1, "kept while nobody takes it; and who told it did not wait for that"
        end(fault, world)
        tell(3)
        poll_until(lambda: not len(outbox), seconds=60, why=f"{fault.name}: all are taken in the end")
        poll_until(lambda: server.text().count(fault.name) >= 3, why="and the broker has heard them")
    finally:
        telemetry.stop()
        outbox.close()
