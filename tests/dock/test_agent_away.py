"""Cars that go home: offload over another link, and no further than was allowed (R30, R31)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from agent_bench import RunningAgent
from dock_bench import Process, poll_until, write_agent, write_station
from dock_camera import Camera, FakeRecorder

from dock.agent.ledger import UploadLedger
from dock.transport.bound import bound_to

AWAY = """
[offload.away]
links = ["wifi", "lte"]
wifi = ["lo"]
lte = ["wwan0"]
min_battery_percent = 40
lte_mb_day = 1
"""


@pytest.fixture
def net(tmp_path: Path) -> Path:
    """Loopback is the car's Wi-Fi here: the connection is really bound to it."""
    (tmp_path / "net/lo").mkdir(parents=True)
    (tmp_path / "net/lo/operstate").write_text("up\n")
    (tmp_path / "net/lo/carrier").write_text("1\n")
    return tmp_path / "net"


@pytest.fixture
def station(tmp_path: Path, pki: Path) -> Iterator[Process]:
    process = Process(write_station(tmp_path, pki), "station").start()
    yield process
    process.stop()


@pytest.mark.requirement("R30", "R31")
def test_away_from_the_dock_critical_files_go_over_wifi_while_the_battery_allows(
    tmp_path: Path, pki: Path, camera: Camera, recorder: FakeRecorder, station: Process, net: Path
) -> None:
    normal, critical = camera.record(1), camera.record(2, upload_class="critical")
    recorder.files, recorder.docked = [normal, critical], False
    recorder.battery = 39
    with RunningAgent(write_agent(tmp_path, pki, port=station.port, offload=AWAY), net=net) as agent:
        poll_until(lambda: recorder.offloading and "39 %" in (recorder.offloading[-1].trouble or ""))
        assert not agent.events.of("contact")
        recorder.battery = 40
        recorder.notify("battery")
        poll_until(lambda: critical.name in recorder.receipts)
        poll_until(lambda: recorder.offloading[-1].over == "wifi" and recorder.offloading[-1].files == 1)
        assert normal.name not in recorder.receipts
        # Nobody stays connected, or comes again, for want of work: it would cost battery and megabytes.
        listed = recorder.listed
        poll_until(lambda: recorder.listed > listed + 3)
        assert len(recorder.contacts) == 1
        # In the dock everything goes.
        recorder.docked = True
        recorder.notify("docked")
        poll_until(lambda: normal.name in recorder.receipts)


@pytest.mark.requirement("R30")
def test_the_days_megabytes_over_lte_are_not_exceeded(
    tmp_path: Path, pki: Path, camera: Camera, recorder: FakeRecorder, station: Process, net: Path
) -> None:
    large = camera.record(1, size=3_000_000, upload_class="critical")
    recorder.files, recorder.docked, recorder.battery = [large], False, 90
    config = write_agent(tmp_path, pki, port=station.port, offload="chunk_bytes = 65536\n" + AWAY)
    # The same link is one that costs money here.
    config.write_text(config.read_text().replace('"lo"', '"none"').replace('"wwan0"', '"lo"'))
    for _ in range(2):  # a restart gives no new budget
        with RunningAgent(config, net=net):
            poll_until(lambda: recorder.offloading and "used up" in (recorder.offloading[-1].trouble or ""))
        recorder.offloading.clear()
    assert len(recorder.contacts) <= 3  # nobody knocks again and again with an empty purse
    parts = list((tmp_path / "station/incoming").glob("*.part"))
    assert 900_000 <= sum(part.stat().st_size for part in parts) <= 1_000_000
    assert not recorder.receipts
    ledger = UploadLedger(tmp_path / "agent-state/uploads.sqlite")
    assert sum(int(row[0]) for row in ledger._run("SELECT bytes FROM spent")) == 1_000_000


@pytest.mark.requirement("R6")
def test_a_connection_keeps_to_the_link_that_was_allowed() -> None:
    with pytest.raises(OSError, match=r"[Nn]o such device"):
        bound_to("nowhere0")(("127.0.0.1", 9), 1.0)
    with pytest.raises(ConnectionRefusedError):
        bound_to("lo")(("127.0.0.1", 9), 1.0)
