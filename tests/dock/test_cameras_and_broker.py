"""Cameras over a broker: a start at one starts another (R23), and a supervisor hears of malfunctions (R11).

Recorders, agents and mosquitto are processes, with the broker's configuration that we ship.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from dock_bench import Process, poll_until
from test_telemetry_broker import Broker, telemetry

sys.path.append(str(Path(__file__).resolve().parents[1] / "device"))
from camera_bench import LIGHTBAR, CameraBench

from dock.mqtt.peers import peers_topic
from evidence import cms
from evidence.handover import Done, PeerStart
from evidence.keys import FileSigner
from evidence.requests import ReportRequest
from evidence.statements import Utc, encode_canonical, moment
from fleet.ca import Authority, create_agency, write_credential

pytestmark = pytest.mark.slow
A, B, C = "SIM-0001", "SIM-0002", "SIM-0003"
SYSTEM = "test-pd"
INPUTS = {
    "record_button": {"kind": "record_button"},
    "lightbar": {"kind": "light_bar", "starts": "peers"},
    "peer": {"kind": "peer", "source": "message"},
}


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An agency with three cameras and a fleet server."""
    directory = tmp_path_factory.mktemp("peer-pki")
    authority: Authority = create_agency(directory, serial=A)
    for serial in (A, B, C):
        write_credential(directory, serial, authority.signer("camera", f"Camera {serial}", serial=serial))
        write_credential(directory, f"{serial}-tls", authority.tls_client(serial))
    write_credential(directory, "fleet-server", authority.tls_client("FLEET-SERVER"))
    return directory


@pytest.fixture
def broker(tmp_path: Path, pki: Path, tool: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Broker]:
    monkeypatch.setenv("PATH", "/usr/sbin", prepend=":")
    started = Broker(pki, tmp_path, tool("mosquitto"), "log_type all\n").start()
    yield started
    started.stop()


@pytest.fixture
def camera(pki: Path) -> Iterator[Callable[[str], CameraBench]]:
    """A recorder process by its serial; its light bar starts peers, and it follows them."""
    made: list[CameraBench] = []

    def make(serial: str) -> CameraBench:
        directory = Path(tempfile.mkdtemp(prefix="bench-"))  # a Unix socket's path has at most 107 bytes
        keys = {
            "root": str(pki / "root.pem"),
            "evidence_key": str(pki / f"{serial}.key"),
            "evidence_chain": str(pki / f"{serial}.pem"),
            "vault": [str(pki / "vault.pem")],
        }
        made.append(CameraBench(directory, pki, extra={"serial": serial, "keys": keys, "inputs": INPUTS}))
        return made[-1].start()

    yield make
    for one in made:
        one.close()
        shutil.rmtree(one.directory, ignore_errors=True)


def agent(run: Callable[[str, Path], Process], pki: Path, port: int, bench: CameraBench, serial: str) -> Process:
    """The camera's agent, connected to the broker; there is no station."""
    path = bench.directory / "agent.toml"
    tls = pki / f"{serial}-tls"
    path.write_text(
        f"""recorder_socket = "dev.sock"
state_directory = "agent-state"
root = "{pki}/root.pem"
station = {{url = "https://127.0.0.1:1", system_id = "{SYSTEM}"}}
tls = {{certificate = "{tls}.pem", key = "{tls}.key", ca = "{pki}/tls-ca.pem"}}
{telemetry(port)}
"""
    )
    return run("agent", path)


def signer(directory: Path, stem: str) -> FileSigner:
    return FileSigner.load(directory / f"{stem}.key", directory / f"{stem}.pem")


def states(broker: Broker, serial: str) -> list[dict[str, Any]]:
    """What its agent, or the broker in its stead, told of it."""
    return [event["data"] for topic, event, _ in broker.heard if topic == f"fleet/v1/{serial}/state"]


def listening(broker: Broker, *serials: str) -> None:
    """Wait until the agents have told their state: then they have subscribed."""
    assert broker.server is not None
    poll_until(lambda: all(any(one["online"] for one in states(broker, serial)) for serial in serials))


def announcement(signer: FileSigner, serial: str, *, age_s: float = 0, incident: str = "SIM-0003-000009") -> bytes:
    """What a camera would say."""
    at = moment(time.time_ns() - int(age_s * 1e9))
    utc = Utc(earliest=at, latest=at, source="gnss")
    said = PeerStart(v=1, serial=serial, incident=incident, nonce=secrets.token_hex(16), utc=utc)
    return cms.sign(encode_canonical(said), signer, dt.datetime.now(dt.UTC))


@pytest.mark.requirement("R23")
def test_a_light_bar_at_one_camera_starts_the_other_with_the_same_incident_and_neither_stops_the_other(
    broker: Broker, pki: Path, camera: Callable[[str], CameraBench], run: Callable[[str, Path], Process]
) -> None:
    broker.listen()
    first, second = camera(A), camera(B)
    for bench, serial in ((first, A), (second, B)):
        agent(run, pki, broker.port, bench, serial)
    listening(broker, A, B)
    stem = first.trigger(LIGHTBAR)
    assert second.wait("recording_opened", timeout_s=60).word == "peer"
    assert first.wait("peer_start").recording == stem
    taken = [one for one in second.notices if one.event == "peer_start"]
    assert taken == [], "a start by a peer is not announced again"
    second.fragments(1)
    second.hold_to_stop()
    first.fragments(2)
    assert first.status().recording == stem, "one member's stop stops nobody else"
    first.hold_to_stop()
    first.stop()
    second.stop()
    assert ("peer_start_taken", None, None) in second.events()
    assert ("peer_start_sent", None, None) in first.events()
    assert not any("peer_start" in topic for topic, _, _ in broker.heard), "peers' business is no telemetry"


@pytest.mark.requirement("R23")
def test_a_replayed_a_stale_and_a_forged_announcement_start_nothing_and_a_storm_delays_no_other_camera(
    broker: Broker,
    pki: Path,
    tmp_path: Path,
    camera: Callable[[str], CameraBench],
    run: Callable[[str, Path], Process],
) -> None:
    broker.listen()
    create_agency(tmp_path / "other", serial=C)
    stranger, camera_a, camera_c = signer(tmp_path / "other", "camera"), signer(pki, A), signer(pki, C)
    second = camera(B)
    process = agent(run, pki, broker.port, second, B)
    listening(broker, B)
    third = broker.client(f"{C}-tls")
    third.loop_start()
    topic = peers_topic(SYSTEM, C)
    bad = {
        "stale": announcement(camera_c, C, age_s=3600),
        "of another root": announcement(stranger, C),
        "another's": announcement(camera_a, A),
        "in another's name": announcement(camera_a, C),
        "garbage": b"\xff" * 900,
        "empty": b"",
        "large": b"\x30" * 20_000,
        "too large for the broker": b"\x30" * 200_000,
    }
    for payload in bad.values():
        third.publish(topic, payload, 1).wait_for_publish(60)
    third.publish(peers_topic(SYSTEM, A), announcement(camera_a, A), 1).wait_for_publish(60)  # the ACL stops it
    third.publish(topic, announcement(camera_c, C), 1, retain=True).wait_for_publish(60)
    for n in range(200):
        third.publish(topic, b"storm %d" % n, 1)
    first = broker.client(f"{A}-tls")
    first.loop_start()
    good = announcement(camera_a, A, incident="SIM-0001-000042")
    first.publish(peers_topic(SYSTEM, A), good, 1).wait_for_publish(60)
    opened = second.wait("recording_opened", timeout_s=60)
    assert opened.word == "peer"
    assert sum(one.event == "recording_opened" for one in second.notices) == 1, "only the good one started it"
    second.fragments(1)
    second.hold_to_stop()
    first.publish(peers_topic(SYSTEM, A), good, 1).wait_for_publish(60)  # by the agent known…
    poll_until(lambda: "storm" in process.log())
    process.stop()
    poll_until(lambda: not states(broker, B)[-1]["online"], why="nothing more of it is to come")
    broker.heard.clear()
    agent(run, pki, broker.port, second, B)  # …and by the recorder, also when the agent has forgotten it
    listening(broker, B)
    first.publish(peers_topic(SYSTEM, A), good, 1).wait_for_publish(60)
    poll_until(lambda: "taken before" in process.log())
    assert second.status().recording is None
    assert sum(one.event == "recording_opened" for one in second.notices) == 1
    told = process.log()
    for why in ("not of this minute", "does not lead to the root", "speaks for another", "dropped: size", "storm"):
        assert told.count(why) == 1, (why, told)
    for client in (first, third):
        client.disconnect()
        client.loop_stop()


@pytest.mark.requirement("R23")
def test_with_a_dead_broker_the_start_is_not_delayed_and_reaches_the_peers_when_it_comes_back_in_time(
    broker: Broker,
    pki: Path,
    tmp_path: Path,
    camera: Callable[[str], CameraBench],
    run: Callable[[str, Path], Process],
) -> None:
    broker.listen()
    first = camera(A)
    agent(run, pki, broker.port, first, A)
    listening(broker, A)
    broker.stop()
    stem = first.trigger(LIGHTBAR)
    first.wait("peer_start")
    first.fragments(1)
    broker.start()
    log = tmp_path / "mosquitto.log"
    published = re.compile(rf"Received PUBLISH from {A} \(d0, q1, r0, m\d+, '{peers_topic(SYSTEM, A)}'")
    poll_until(lambda: published.search(log.read_text()), why="QoS 1, not retained, when there is a broker again")
    assert first.status().recording == stem
    first.hold_to_stop()


@pytest.mark.requirement("R11", "R29", "R1")
def test_a_reported_malfunction_reaches_the_supervisor_without_what_the_officer_wrote(
    broker: Broker, pki: Path, camera: Callable[[str], CameraBench], run: Callable[[str, Path], Process]
) -> None:
    broker.listen()
    first = camera(A)
    assert first.ask(ReportRequest(component="lens", symptom="cracked when Smith fell")) == Done()  # nobody listens yet
    agent(run, pki, broker.port, first, A)
    (item,) = poll_until(lambda: broker.topic("evt/queue_item"))
    assert (item["data"]["cause"], item["data"]["component"]) == ("malfunction", "lens")
    listening(broker, A)
    assert first.ask(ReportRequest(component="microphone", symptom="crackles since Smith fell")) == Done()
    (notice,) = poll_until(lambda: broker.topic("evt/malfunction"))
    assert (notice["data"]["word"], notice["data"]["attention"]) == ("microphone", True)
    poll_until(lambda: [one["data"]["component"] for one in broker.topic("evt/queue_item")] == ["lens", "microphone"])
    assert "Smith" not in json.dumps(broker.heard)
