"""As many cameras at one broker: each with the agent's own outbox and telemetry, and one server that counts.

The broker is Debian's mosquitto if it is installed, else the one of the simulator.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import msgspec
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from dock.config_base import Tls
from dock.config_mqtt import Telemetry
from dock.mqtt.outbox import Outbox
from dock.mqtt.telemetry import MqttTelemetry
from dock.tls import client_context
from evidence.statements import moment
from simulator import broker
from simulator.fleet_camera import FleetCamera
from simulator.processes import Children, python_module

_CARDS: Final = Path("/dev/shm")  # noqa: S108 - a directory of our own is made in it
"""Each camera has a card of its own for its outbox. Here all would wait for one disk: memory stands in."""
TOGETHER: Final = 50
"""Cameras in one process: paho waits with select(2), which knows 1,024 open files."""
_LAST_WORDS_S: Final = 10.0
READY_S: Final = 60.0
DRAIN_S: Final = 300.0
_CONF: Final = """\
per_listener_settings false
listener {port} 127.0.0.1
tls_version tlsv1.3
cafile {pki}/tls-ca.pem
certfile {pki}/broker-tls.pem
keyfile {pki}/broker-tls.key
require_certificate true
use_identity_as_username true
allow_anonymous true
max_queued_messages 0
"""


@dataclass(frozen=True)
class Voice:
    """What a process needs of a camera to speak for it."""

    serial: str
    boot: str
    keys: Path


@dataclass
class Told:
    """What came of it."""

    cameras: int
    sent: int
    heard: int
    """Different messages that the server heard."""
    seconds: float
    broker: str


def start_broker(children: Children, pki: Path, directory: Path) -> tuple[str, int]:
    """Its name and its port. Raises `ProcessDied`."""
    mosquitto = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if mosquitto is None:
        child = children.start("broker", python_module("simulator.broker", str(pki)))
        ready = children.wait_for_text(child, broker.READY, READY_S)
        return "amqtt", int(ready.rpartition(" ")[2])
    port = broker.free_port()
    conf = directory / "mosquitto.conf"
    # As root it would become a user of its own, who cannot read our keys.
    owner = "user root\n" if os.geteuid() == 0 else ""
    conf.write_text(_CONF.format(port=port, pki=pki) + owner, encoding="utf-8")
    child = children.start("broker", [mosquitto, "-c", str(conf)])
    children.wait_for_text(child, "running", READY_S)
    return "mosquitto", port


def tell(cameras: Sequence[FleetCamera], events: int, pki: Path, name: str, port: int) -> Told:
    """Every camera tells so many events at once; done when every outbox is empty and the server has heard it all."""
    heard: set[str] = set()
    server = _listen(pki, port, heard)
    wanted, began = len(cameras) * events, time.monotonic()
    voices = [Voice(one.serial, one.boot, one.directory) for one in cameras]
    groups = [voices[first : first + TOGETHER] for first in range(0, len(voices), TOGETHER)]
    with ProcessPoolExecutor(len(groups), mp_context=get_context("spawn")) as pool:
        left = sum(pool.map(partial(speak, events=events, pki=pki, port=port), groups))
    until = time.monotonic() + _LAST_WORDS_S
    while len(heard) < wanted and not left and time.monotonic() < until:
        time.sleep(0.05)
    seconds = time.monotonic() - began
    server.disconnect()
    server.loop_stop()
    return Told(len(cameras), wanted, len(heard), seconds, name)


def speak(voices: Sequence[Voice], *, events: int, pki: Path, port: int) -> int:
    """Some of the cameras, in a process of their own: how many events never left."""
    config = Telemetry(host="localhost", port=port)
    spoken: list[tuple[MqttTelemetry, Outbox]] = []
    with tempfile.TemporaryDirectory(dir=_CARDS if _CARDS.is_dir() else None) as cards:
        for voice in voices:
            tls = Tls(certificate=voice.keys / "tls.pem", key=voice.keys / "tls.key", ca=pki / "tls-ca.pem")
            outbox = Outbox(Path(cards) / f"{voice.serial}.sqlite", max_rows=20_000)
            for number in range(events):
                outbox.put(voice.boot, "evt", "docked", moment(time.time_ns()), {"mono_ns": number})
            context = partial(client_context, tls)
            telemetry = MqttTelemetry(config, outbox, context, device=voice.serial, boot=voice.boot)
            telemetry.start()
            spoken.append((telemetry, outbox))
        until = time.monotonic() + DRAIN_S
        while any(len(outbox) for _, outbox in spoken) and time.monotonic() < until:
            time.sleep(0.05)
        left = sum(len(outbox) for _, outbox in spoken)
        stopping = [threading.Thread(target=telemetry.stop) for telemetry, _ in spoken]
        for thread in stopping:
            thread.start()
        for thread in stopping:
            thread.join()
        for _, outbox in spoken:
            outbox.close()
    return left


def _listen(pki: Path, port: int, heard: set[str]) -> Client:
    ready = threading.Event()

    def hear(_client: Client, _data: Any, message: MQTTMessage) -> None:
        heard.add(msgspec.json.decode(message.payload)["id"])

    client = Client(CallbackAPIVersion.VERSION2)
    client.tls_set(str(pki / "tls-ca.pem"), str(pki / "fleet-server.pem"), str(pki / "fleet-server.key"))
    client.on_message = hear
    client.on_subscribe = lambda *_: ready.set()
    client.on_connect = lambda client, *_: client.subscribe("fleet/v1/+/evt/#", 1)
    client.connect("localhost", port)
    client.loop_start()
    ready.wait(READY_S)
    return client
