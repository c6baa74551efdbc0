"""Telemetry against Debian's mosquitto with client certificates and the ACL that we ship."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from dock_bench import SERIAL, Process, poll_until, write_agent
from dock_camera import FakeRecorder
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from test_asyncapi import check_message
from weed import free_ports

from fleet.ca import Authority, create_agency, write_credential

Run = Callable[[str, Path], Process]
KILLS = (60, 5, 150, 1, 12, 30, 2, 90, 7, 45, 3, 21, 120, 1, 9, 70, 4, 33, 15, 6)
"""After how many durable rows the publisher is killed, each time."""
EXAMPLES = Path(__file__).resolve().parents[2] / "dock" / "examples"


@dataclass
class Broker:
    """mosquitto on a free port, and a fleet server that hears everything."""

    pki: Path
    directory: Path
    binary: str
    more: str = ""
    """More lines of its configuration."""
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    heard: list[tuple[str, dict[str, Any], bool]] = field(default_factory=list)
    described: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """The same, never cleared: each is held against the AsyncAPI document at the end."""
    server: Client | None = None

    def start(self) -> Broker:
        if not self.port:
            (self.port,) = free_ports(1)
        config = (EXAMPLES / "mosquitto.conf").read_text()
        config = config.replace("/etc/mosquitto/pki", str(self.pki)).replace(
            "listener 8883", f"listener {self.port} 127.0.0.1"
        )
        config = config.replace("/etc/mosquitto/fleet.acl", str(EXAMPLES / "mosquitto.acl"))
        config = config.replace("persistence true", "persistence false\nuser root")
        path = self.directory / "mosquitto.conf"
        path.write_text(config + self.more)
        self.process = subprocess.Popen(
            [self.binary, "-c", str(path)], stderr=(self.directory / "mosquitto.log").open("ab")
        )
        poll_until(self._listens, why="mosquitto is ready")
        return self

    def _listens(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.directory / "mosquitto.log").read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def listen(self) -> Broker:
        subscribed: list[int] = []
        self.server = self.client("fleet-server")
        self.server.on_message = self._hear
        self.server.on_subscribe = lambda *_: subscribed.append(1)
        self.server.on_connect = lambda client, *_: client.subscribe("fleet/v1/#", 1)
        self.server.loop_start()
        poll_until(lambda: subscribed)
        return self

    def _hear(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        if "/cmd/" not in message.topic:  # what we sent ourselves
            self.heard.append((message.topic, json.loads(message.payload), message.retain))
            self.described.append((message.topic, json.loads(message.payload)))

    def client(self, stem: str) -> Client:
        client = Client(CallbackAPIVersion.VERSION2)
        client.tls_set(str(self.pki / "tls-ca.pem"), str(self.pki / f"{stem}.pem"), str(self.pki / f"{stem}.key"))
        client.connect("127.0.0.1", self.port)
        return client

    def topic(self, name: str) -> list[dict[str, Any]]:
        return [event for topic, event, _ in self.heard if topic == f"fleet/v1/{SERIAL}/{name}"]

    def send(self, name: str, payload: bytes) -> None:
        assert self.server is not None
        self.server.publish(f"fleet/v1/{SERIAL}/cmd/{name}", payload, 1)

    def stop(self) -> None:
        if self.server is not None:
            self.server.disconnect()
            self.server.loop_stop()
            self.server = None
        if self.process is not None:
            self.process.kill()
            self.process.wait(60)


@pytest.fixture(scope="module")
def broker_pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("broker-pki")
    authority: Authority = create_agency(directory)
    write_credential(directory, "fleet-server", authority.tls_client("FLEET-SERVER"))
    return directory


@pytest.fixture
def pki(broker_pki: Path) -> Path:
    return broker_pki


@pytest.fixture
def broker(
    tmp_path: Path, broker_pki: Path, tool: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Broker]:
    monkeypatch.setenv("PATH", "/usr/sbin", prepend=":")
    started = Broker(broker_pki, tmp_path, tool("mosquitto")).start().listen()
    yield started
    started.stop()
    for topic, event in started.described:
        if not topic.endswith(("/evt/last", "/evt/tick")):  # what tests made up
            check_message(topic, event)


def agent_with(broker: Broker, tmp_path: Path, run: Run, more: str = "") -> Process:
    return run("agent", write_agent(tmp_path, broker.pki, port=1, telemetry=telemetry(broker.port, more)))


def telemetry(port: int, more: str = "") -> str:
    return f'[telemetry]\nhost = "localhost"\nport = {port}\nbackoff_max_s = 0.2\n{more}'


@pytest.mark.requirement("R1", "R39")
def test_state_is_retained_events_are_cloud_events_and_none_has_a_position(
    broker: Broker, tmp_path: Path, recorder: FakeRecorder, run: Run
) -> None:
    recorder.docked = False
    agent = agent_with(broker, tmp_path, run)
    poll_until(lambda: any(event["data"]["online"] for event in broker.topic("state")))
    poll_until(lambda: recorder._listeners)
    recorder.notify("recording_opened", word="lightbar", recording=f"{SERIAL}-000001", number=1)
    (event,) = poll_until(lambda: broker.topic("evt/recording_opened"))
    assert event["specversion"] == "1.0"
    assert event["source"] == f"urn:dev:serial:{SERIAL}"
    assert event["type"] == "firsthand.evt.recording_opened"
    assert event["data"]["word"] == "lightbar"
    boot, _, row = event["id"].rpartition(":")
    assert len(boot) == 36
    assert int(row) > 0
    recorder.recording = f"{SERIAL}-000001"
    recorder.notify("state", word="recording")
    poll_until(lambda: any(event["data"].get("state") == "recording" for event in broker.topic("state")))
    assert not any(word in json.dumps(broker.heard) for word in ("lat", "lon", "officer"))
    late: list[Any] = []
    other = broker.client("fleet-server")
    other.on_message = lambda _c, _d, message: late.append((json.loads(message.payload), message.retain))
    other.on_connect = lambda client, *_: client.subscribe(f"fleet/v1/{SERIAL}/state", 1)
    other.loop_start()
    poll_until(lambda: late)
    other.disconnect()
    other.loop_stop()
    assert late[0][1]
    assert late[0][0]["data"]["online"]
    assert agent.stop() == 0
    poll_until(lambda: broker.topic("state")[-1]["data"] == {"online": False, "how": "left"})


def test_a_killed_agent_is_off_line_by_its_last_will_and_back_when_it_comes_back(
    broker: Broker, tmp_path: Path, recorder: FakeRecorder, run: Run
) -> None:
    recorder.docked = False
    agent = agent_with(broker, tmp_path, run)
    poll_until(lambda: broker.topic("state"))
    agent.kill()
    poll_until(lambda: broker.topic("state")[-1]["data"] == {"online": False, "how": "lost"})
    agent_with(broker, tmp_path, run)
    poll_until(lambda: broker.topic("state")[-1]["data"]["online"])


def test_a_broker_that_comes_back_hears_the_state_again(
    broker: Broker, tmp_path: Path, recorder: FakeRecorder, run: Run
) -> None:
    recorder.docked = False
    agent_with(broker, tmp_path, run)
    poll_until(lambda: broker.topic("state"))
    broker.stop()
    broker.heard.clear()
    broker.start().listen()
    poll_until(lambda: broker.topic("state") and broker.topic("state")[-1]["data"]["online"])


def test_every_command_is_refused_and_garbage_hurts_nothing(
    broker: Broker, tmp_path: Path, recorder: FakeRecorder, run: Run
) -> None:
    recorder.docked = False
    agent = agent_with(broker, tmp_path, run)
    poll_until(lambda: broker.topic("state"))
    for payload in (b"", b"\xff\x00", b"[" * 10_000, b"{}", b'{"specversion":"1.0"', b"1e999", b"x" * 100_000):
        broker.send("lock", payload)
    for name in ("../state", "UPPER", "a/b/c", "x" * 100):
        broker.send(name, b"{}")
    command = {"specversion": "1.0", "id": "c-1", "source": "urn:test", "type": "firsthand.cmd.lock"}
    broker.send("lock", json.dumps(command).encode())
    poll_until(lambda: any(event["data"]["request"] == "c-1" for event in broker.topic("rsp/lock")))
    assert broker.topic("rsp/lock")[-1]["data"] == {"request": "c-1", "error": "not supported"}
    assert all(topic.count("/") <= 4 for topic, _, _ in broker.heard if "/rsp/" in topic)
    assert agent.stop() == 0


def test_a_camera_cannot_speak_for_another(broker: Broker) -> None:
    camera = broker.client("camera-tls")
    camera.loop_start()
    for topic in ("fleet/v1/SIM-0002/state", f"fleet/v1/{SERIAL}/cmd/x", "fleet/v1/group/g/start"):
        camera.publish(topic, b"{}", 1).wait_for_publish(60)
    camera.publish(f"fleet/v1/{SERIAL}/evt/last", b"{}", 1).wait_for_publish(60)
    poll_until(lambda: broker.topic("evt/last") == [{}])
    camera.disconnect()
    camera.loop_stop()
    assert len(broker.heard) == 1


def test_a_publisher_that_is_killed_loses_no_row(broker: Broker, tmp_path: Path) -> None:
    config = write_agent(tmp_path, broker.pki, port=1, telemetry=telemetry(broker.port))
    durable: list[int] = []

    def publish(count: int) -> subprocess.Popen[str]:
        script = Path(__file__).with_name("telemetry_publisher.py")
        first = durable[-1] + 1 if durable else 0
        return subprocess.Popen(
            [sys.executable, str(script), str(config), str(first), str(count)], stdout=subprocess.PIPE, text=True
        )

    for kill_after in KILLS:
        process = publish(100_000)
        assert process.stdout is not None
        for line in process.stdout:
            durable.append(int(line.split()[0]))
            kill_after -= 1
            if kill_after == 0:
                process.kill()
        process.wait(60)
        process.stdout.close()
    last = publish(10)
    out, _ = last.communicate(timeout=120)
    assert "empty" in out
    durable += [int(line.split()[0]) for line in out.splitlines() if line != "empty"]
    poll_until(lambda: set(durable) <= {event["data"]["number"] for event in broker.topic("evt/tick")})
    by_id: dict[str, Any] = {}
    for event in broker.topic("evt/tick"):
        # A duplicate is known by its id, and is the same message.
        assert by_id.setdefault(event["id"], event) == event


def once(broker: Broker, name: str) -> list[dict[str, Any]]:
    """Without duplicates: an agent that was stopped before the broker's acknowledgement reached it sends again."""
    return list({event["id"]: event for event in broker.topic(name)}.values())


@pytest.mark.requirement("R11", "R29")
def test_what_waits_for_a_supervisor_is_told_once_also_if_nobody_was_there_and_once_more_when_it_is_over(
    broker: Broker, tmp_path: Path, recorder: FakeRecorder, run: Run
) -> None:
    recorder.docked = False
    item = {"id": 1, "cause": "malfunction", "component": "lens", "noticed": "2026-01-01T00:00:00.000000Z"}
    recorder.queue = [{**item, "symptom": "cracked"}]
    agent = agent_with(broker, tmp_path, run)
    (told,) = poll_until(lambda: broker.topic("evt/queue_item"))
    assert told["data"]["component"] == "lens"
    assert told["data"]["attention"] is True
    poll_until(lambda: recorder._listeners)
    stalled = {"id": 2, "cause": "encoder_stalled", "component": "encoder", "noticed": "2026-01-01T00:00:10.000000Z"}
    recorder.queue.append(stalled)
    recorder.notify("queue", word="encoder_stalled", number=2)
    poll_until(lambda: len(once(broker, "evt/queue_item")) == 2)
    assert agent.stop() == 0
    recorder._listeners.clear()
    recorder.queue[1] = {**stalled, "end": "2026-01-01T00:00:20.000000Z"}
    agent_with(broker, tmp_path, run)
    poll_until(lambda: len(once(broker, "evt/queue_item")) == 3, why="over, while no agent was there")
    assert [one["data"]["id"] for one in once(broker, "evt/queue_item")] == [1, 2, 2]
    (notice,) = once(broker, "evt/queue")
    assert (notice["data"]["number"], notice["data"]["attention"]) == (2, True)
    assert "cracked" not in json.dumps(broker.heard)
