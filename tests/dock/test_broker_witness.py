"""The broker as a witness of the cameras' logs (invariant 9): a claim that alarms, and proves nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from dock_bench import SERIAL, Process, poll_until, write_agent, write_station
from dock_camera import Camera, FakeRecorder
from test_reconciliation import reconcile, told
from test_telemetry_broker import Broker

from dock.station.broker_witness import MESSAGE_BYTES, head_in
from fleet.ca import create_agency, write_credential

Run = Callable[[str, Path], Process]


@pytest.fixture(scope="module")
def broker_pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("witness-pki")
    authority = create_agency(directory)
    write_credential(directory, "broker-client", authority.tls_client("STATION-1"))
    return directory


@pytest.fixture
def pki(broker_pki: Path) -> Path:
    return broker_pki


@pytest.fixture
def broker(
    tmp_path: Path, broker_pki: Path, tool: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Broker]:
    monkeypatch.setenv("PATH", "/usr/sbin", prepend=":")
    started = Broker(broker_pki, tmp_path, tool("mosquitto")).start()
    yield started
    started.stop()


def state(segment: int, seq: int, digest: str = "ab" * 32, **more: Any) -> bytes:
    head = {"segment": segment, "seq": seq, "hash": digest}
    event = {"specversion": "1.0", "id": "b:1", "source": f"urn:dev:serial:{SERIAL}", "type": "firsthand.state"}
    return json.dumps({**event, "data": {"online": True, "log_head": head}, **more}).encode()


def with_broker(tmp_path: Path, pki: Path, broker: Broker) -> Path:
    config = write_station(tmp_path, pki)
    tls = f'certificate = "{pki}/broker-client.pem"\nkey = "{pki}/broker-client.key"\nca = "{pki}/tls-ca.pem"\n'
    table = f'[broker]\nhost = "localhost"\nport = {broker.port}\nbackoff_max_s = 0.2\n[broker.tls]\n{tls}'
    config.write_text(config.read_text() + table)
    return config


def say(broker: Broker, payload: bytes, topic: str = f"fleet/v1/{SERIAL}/state") -> None:
    """As the camera's network side does, retained."""
    camera = broker.client("camera-tls")
    camera.loop_start()
    camera.publish(topic, payload, 1, retain=True).wait_for_publish(60)
    camera.disconnect()
    camera.loop_stop()


def witnessed(tmp_path: Path, serial: str = SERIAL) -> dict[str, Any]:
    path = tmp_path / f"station/witness/{serial}.json"
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return found


def claim(tmp_path: Path) -> tuple[int, int] | None:
    head = witnessed(tmp_path).get("claimed")
    return (head["segment"], head["seq"]) if head else None


@pytest.mark.requirement("R38")
def test_a_camera_that_never_docked_is_witnessed_through_the_broker_and_an_old_word_does_not_undo_a_newer(
    tmp_path: Path, pki: Path, broker: Broker, run: Run
) -> None:
    say(broker, state(3, 7))
    run("station", with_broker(tmp_path, pki, broker))
    poll_until(lambda: claim(tmp_path) == (3, 7), why="what was retained before the station came")
    assert "proven" not in witnessed(tmp_path), "a claim proves nothing"
    say(broker, state(2, 99))
    say(broker, state(9, 9), "fleet/v1/SIM-0002/state")  # the broker's access rules stop it
    say(broker, b"{" * 5000)
    say(broker, state(4, 1))
    poll_until(lambda: claim(tmp_path) == (4, 1))
    assert witnessed(tmp_path, "SIM-0002") == {}
    broker.stop()
    broker.start()
    say(broker, state(5, 0))
    poll_until(lambda: claim(tmp_path) == (5, 0), why="the station came back to a broker that came back")


@pytest.mark.requirement("R38")
def test_a_log_that_is_another_than_the_broker_was_told_of_is_a_discrepancy_and_one_that_ends_before_it_is_unknown(
    tmp_path: Path, pki: Path, broker: Broker, camera: Camera, recorder: FakeRecorder, run: Run
) -> None:
    recordings = [camera.record(1)]
    recorder.files = [*recordings, camera.log(1, recordings)]
    config = with_broker(tmp_path, pki, broker)
    station = run("station", config)
    agent = run("agent", write_agent(tmp_path, pki, port=station.port))
    poll_until(lambda: len(recorder.receipts) == 2, why=str(agent.log))
    agent.stop()
    (tmp_path / f"station/witness/{SERIAL}.json").unlink()
    say(broker, state(1, 1))
    poll_until(lambda: claim(tmp_path) == (1, 1))
    status, report = reconcile(config)
    assert status == 2
    assert told(report) == {("log_broken", "log segment 1")}
    (wrong,) = report["discrepancies"]
    assert "its statement 1 is another than the one of which the camera told the broker" in wrong["text"]
    say(broker, state(2, 40))
    poll_until(lambda: claim(tmp_path) == (2, 40))
    status, report = reconcile(config)
    assert (status, report["discrepancies"]) == (0, [])
    (count,) = report["cameras"]
    assert any("its log goes on to segment 2" in text for text in count["unknown"]), count


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("fleet/v1/SIM-0001/evt/state", state(1, 1)),
        ("fleet/v1/../state", state(1, 1)),
        ("fleet/v1/sim-0001/state", state(1, 1)),
        ("fleet/v1/SIM-0001/state", b""),
        ("fleet/v1/SIM-0001/state", b"\xff{"),
        ("fleet/v1/SIM-0001/state", b"[" * 50_000),
        ("fleet/v1/SIM-0001/state", state(1, 1) + b" " * MESSAGE_BYTES),
        ("fleet/v1/SIM-0001/state", state(1, 1, "no digest")),
        ("fleet/v1/SIM-0001/state", state(-1, 1)),
        ("fleet/v1/SIM-0001/state", state(1, 2**60)),
        ("fleet/v1/SIM-0001/state", state(1, 1, type="firsthand.evt.state")),
        ("fleet/v1/SIM-0001/state", state(1, 1, data={"online": False, "how": "lost"})),
    ],
)
def test_a_message_that_tells_no_log_head_says_nothing(topic: str, payload: bytes) -> None:
    assert head_in(topic, payload) is None
    assert head_in("fleet/v1/SIM-0001/state", state(1, 1)) is not None
