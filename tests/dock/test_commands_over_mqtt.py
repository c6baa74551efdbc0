"""Signed commands over MQTT 5 (R33): request and response, end to end, and nothing between that could forge one."""

from __future__ import annotations

import contextlib
import hashlib
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from dock_bench import SERIAL, Process, poll_until, write_agent
from dock_camera import FakeRecorder
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from test_asyncapi import check_message
from test_telemetry_broker import Broker, telemetry

from dock.mqtt.commands import CommandLine
from evidence.handover import Answer, Done, Refused
from evidence.limits import COMMAND_BYTES
from evidence.requests import CommandRequest
from fleet.ca import create_agency, write_credential

Run = Callable[[str, Path], Process]
CMD = f"fleet/v1/{SERIAL}/cmd/command"


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("command-pki")
    write_credential(directory, "fleet-server", create_agency(directory).tls_client("FLEET-SERVER"))
    return directory


@pytest.fixture
def broker(tmp_path: Path, pki: Path, tool: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Broker]:
    monkeypatch.setenv("PATH", "/usr/sbin", prepend=":")
    started = Broker(pki, tmp_path, tool("mosquitto")).start()
    yield started
    started.stop()


class FleetServer:
    """An MQTT 5 requester."""

    def __init__(self, broker: Broker) -> None:
        self.answers: list[tuple[str, dict[str, Any], bytes | None]] = []
        ready: list[int] = []
        self.client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        pki = broker.pki
        self.client.tls_set(str(pki / "tls-ca.pem"), str(pki / "fleet-server.pem"), str(pki / "fleet-server.key"))
        self.client.on_message = self._hear
        self.client.on_subscribe = lambda *_: ready.append(1)
        self.client.on_connect = lambda client, *_: client.subscribe("fleet/v1/+/rsp/#", 1)
        self.client.connect("127.0.0.1", broker.port)
        self.client.loop_start()
        poll_until(lambda: ready)

    def _hear(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        event = json.loads(message.payload)
        check_message(message.topic, event)
        self.answers.append((message.topic, event["data"], getattr(message.properties, "CorrelationData", None)))

    def send(
        self, document: bytes, reply_to: str | None = None, correlation: bytes | None = None, *, retain: bool = False
    ) -> None:
        asked = Properties(PacketTypes.PUBLISH)
        if reply_to is not None:
            asked.ResponseTopic = reply_to
        if correlation is not None:
            asked.CorrelationData = correlation
        self.client.publish(CMD, document, 1, retain=retain, properties=asked).wait_for_publish(60)

    def ask(self, document: bytes, *more: Any, why: str = "") -> None:
        """Sent until it is answered: an agent may not have subscribed yet. No flood: that is refused."""

        def answered() -> bool:
            self.send(document, *more)
            with contextlib.suppress(AssertionError):
                poll_until(lambda: self.answers, seconds=1)
            return bool(self.answers)

        poll_until(answered, why=why)

    def stop(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def server(broker: Broker) -> Iterator[FleetServer]:
    started = FleetServer(broker)
    yield started
    started.stop()


@pytest.fixture
def obeyed(recorder: FakeRecorder, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What the recorder was handed; it refuses what begins with `no`."""
    handed: list[bytes] = []
    usual = recorder.answer

    def answer(request: Any) -> Answer:
        if not isinstance(request, CommandRequest):
            return usual(request)
        handed.append(request.command)
        return Refused(error="it is for another camera") if request.command.startswith(b"no") else Done()

    monkeypatch.setattr(recorder, "answer", answer)
    recorder.docked = False
    return handed


def digest(document: bytes) -> str:
    return hashlib.sha256(document).hexdigest()


def agent_with(broker: Broker, tmp_path: Path, run: Run, more: str = "") -> Process:
    return run("agent", write_agent(tmp_path, broker.pki, port=1, telemetry=telemetry(broker.port, more)))


@pytest.mark.requirement("R33")
def test_a_command_is_handed_over_once_and_answered_where_the_request_asks(
    broker: Broker, server: FleetServer, tmp_path: Path, run: Run, obeyed: list[bytes]
) -> None:
    agent = agent_with(broker, tmp_path, run)
    poll_until(lambda: "telemetry" not in agent.log())
    mine = f"fleet/v1/{SERIAL}/rsp/desk/41"
    server.ask(b"yes", mine, b"41")
    topic, data, correlation = server.answers[0]
    assert (topic, data, correlation) == (mine, {"request": digest(b"yes"), "error": None}, b"41")
    assert obeyed == [b"yes"], "the same bytes are handed over once, however often they come"
    server.answers.clear()
    server.send(b"no, not this one", "fleet/v1/SIM-0002/rsp/x", b"z" * 65)
    poll_until(lambda: any(one[1]["request"] == digest(b"no, not this one") for one in server.answers))
    topic, data, correlation = next(one for one in server.answers if one[1]["error"])
    assert topic == f"fleet/v1/{SERIAL}/rsp/command", "never into another camera's answers"
    assert data["error"] == "it is for another camera"
    assert correlation is None
    server.send(b"left behind", retain=True)
    server.send(b"last")
    poll_until(lambda: b"last" in obeyed)
    assert agent.stop() == 0
    # A retained command meets the camera when it comes back, and is dropped; the session's queue is served.
    server.send(b"while it was away")
    again = agent_with(broker, tmp_path, run)
    poll_until(lambda: b"while it was away" in obeyed, why=again.log())
    poll_until(lambda: "a retained command is not obeyed" in again.log())
    assert obeyed.count(b"left behind") <= 1


@pytest.mark.requirement("R33")
def test_the_next_broker_is_tried_when_one_is_not_reached(
    broker: Broker, server: FleetServer, tmp_path: Path, run: Run, obeyed: list[bytes]
) -> None:
    config = write_agent(
        tmp_path, broker.pki, port=1,
        telemetry=f'[telemetry]\nhost = "localhost"\nport = 1\nbackoff_max_s = 0.2\nfallback = ["localhost:2", '
        f'"localhost:{broker.port}"]\n',
    )  # fmt: skip
    agent = run("agent", config)
    server.ask(b"yes", why=str(agent.log))
    assert obeyed == [b"yes"]


def test_a_broker_that_knows_no_mqtt_5_is_spoken_to_in_3_1_1(
    pki: Path, tmp_path: Path, run: Run, recorder: FakeRecorder
) -> None:
    recorder.docked = False
    command = [sys.executable, "-m", "simulator.broker", str(pki)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as old:
        assert old.stdout is not None
        heard: list[str] = [old.stdout.readline()]
        port = int(heard[0].rpartition(" ")[2])
        threading.Thread(target=lambda: heard.extend(old.stdout or ()), daemon=True).start()
        agent = run("agent", write_agent(tmp_path, pki, port=1, telemetry=telemetry(port)))
        try:
            poll_until(lambda: any(f"fleet/v1/{SERIAL}/state" in line for line in heard), why=agent.log(), seconds=60)
        finally:
            old.kill()


def test_a_flood_of_commands_is_bounded() -> None:
    line = CommandLine(SERIAL)
    told = [line.put(b"%d" % number, None, None, retained=False) for number in range(30)]
    assert told.count(None) == 20
    assert "too many commands" in (told[-1] or "")
    for size in (0, COMMAND_BYTES + 1):
        assert "a command has" in (line.put(b"x" * size, None, None, retained=False) or "")
    first = line.take()
    assert first is not None
    assert first.document == b"0"
    for reply in (f"fleet/v1/{SERIAL}/state", f"fleet/v1/{SERIAL}/rsp/a/b/c", f"fleet/v1/{SERIAL}/rsp/#", "x" * 70_000):
        other = CommandLine(SERIAL)
        other.put(b"x", reply, None, retained=False)
        taken = other.take()
        assert taken is not None
        assert taken.reply_to is None
