"""Agent and station as processes, the recorder as a thread: a shift's files arrive, whatever is killed on the way."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from dock_bench import SERIAL, Process, poll_until, write_agent, write_station
from dock_camera import Camera, FakeRecorder

from evidence import cms
from evidence.handover import decode_contact
from evidence.statements import NO_HASH

Run = Callable[[str, Path], Process]
SLOWLY = "chunk_bytes = 8192\nkbit_s = 2000"
"""Two megabytes take eight seconds: what a test does in the middle is done in the middle, however late it looks."""


def part_size(tmp_path: Path) -> int:
    return sum(path.stat().st_size for path in (tmp_path / "station/incoming").glob("*.part"))


@pytest.mark.requirement("R30", "R31", "R38")
def test_docked_files_go_in_order_and_their_receipts_come_back(
    tmp_path: Path, pki: Path, camera: Camera, recorder: FakeRecorder, run: Run
) -> None:
    recorder.files = [
        camera.log(1),
        camera.record(3),
        camera.record(2),
        camera.record(9, upload_class="critical"),
    ]
    data = {file.name: (camera.spool / file.name).read_bytes() for file in recorder.files}
    station = run("station", write_station(tmp_path, pki))
    agent = run("agent", write_agent(tmp_path, pki, port=station.port, offload="at_once = 1"))
    poll_until(lambda: len(recorder.receipts) == 4, why=str(agent.log))
    assert recorder.order == [
        f"{SERIAL}-000009.evidence",
        f"{SERIAL}-000002.evidence",
        f"{SERIAL}-000003.evidence",
        f"{SERIAL}-log-000001.evidence",
    ]
    assert {name: (tmp_path / "station/store" / name).read_bytes() for name in data} == data
    assert {receipt.verdict for receipt in recorder.receipts.values()} == {"valid"}
    assert decode_contact(cms.parse_signed(recorder.contacts[0]).payload).serial == SERIAL
    # The spool is the recorder's alone: nothing in it was touched.
    assert {path.name for path in camera.spool.iterdir()} == set(data)
    assert agent.stop() == 0


@pytest.mark.requirement("R30")
def test_a_station_killed_in_the_middle_goes_on_at_its_offset(
    tmp_path: Path, pki: Path, camera: Camera, recorder: FakeRecorder, run: Run
) -> None:
    file = camera.record(1, size=2_000_000)
    data = (camera.spool / file.name).read_bytes()
    recorder.files = [file]
    station = run("station", write_station(tmp_path, pki))
    agent = run("agent", write_agent(tmp_path, pki, port=station.port, offload=SLOWLY))
    for share in (4, 2):
        poll_until(lambda share=share: part_size(tmp_path) > len(data) // (2 * share))
        station.kill()
        there = part_size(tmp_path)
        assert 0 < there < len(data)
        assert not recorder.receipts
        station = run("station", write_station(tmp_path, pki, port=station.port))
        assert part_size(tmp_path) >= there
    poll_until(lambda: recorder.receipts, why=str(agent.log))
    assert (tmp_path / "station/store" / file.name).read_bytes() == data
    assert recorder.receipts[file.name].verdict == "valid"


@pytest.mark.requirement("R30")
def test_an_agent_killed_in_the_middle_goes_on_at_the_stations_offset(
    tmp_path: Path, pki: Path, camera: Camera, recorder: FakeRecorder, run: Run
) -> None:
    file = camera.record(1, size=2_000_000)
    data = (camera.spool / file.name).read_bytes()
    recorder.files = [file]
    station = run("station", write_station(tmp_path, pki))
    config = write_agent(tmp_path, pki, port=station.port, offload=SLOWLY)
    for share in (4, 2):
        agent = run("agent", config)
        poll_until(lambda share=share: part_size(tmp_path) > len(data) // (2 * share))
        agent.kill()
        assert part_size(tmp_path) < len(data)
        assert not recorder.receipts
    run("agent", config)
    poll_until(lambda: recorder.receipts)
    assert (tmp_path / "station/store" / file.name).read_bytes() == data
    # Its receipt was laid there under another name first, which goes a moment later.
    poll_until(lambda: len(list((tmp_path / "station/store").iterdir())) == 2)


@pytest.mark.requirement("R13", "R30")
@pytest.mark.parametrize("cause", ["undocked", "recording"])
def test_undocking_or_a_recording_stops_the_upload_at_the_next_chunk(
    tmp_path: Path, pki: Path, camera: Camera, recorder: FakeRecorder, run: Run, cause: str
) -> None:
    file = camera.record(1, size=2_000_000)
    recorder.files = [file]
    station = run("station", write_station(tmp_path, pki))
    agent = run("agent", write_agent(tmp_path, pki, port=station.port, offload=SLOWLY))
    poll_until(lambda: part_size(tmp_path) > 100_000)
    if cause == "undocked":
        recorder.docked = False
    else:
        recorder.recording = f"{SERIAL}-000002"
    recorder.notify("state", word="changed")
    poll_until(lambda: "stopped at" in agent.log())
    there = part_size(tmp_path)
    assert 0 < there < file.bytes
    recorder.docked, recorder.recording = True, None
    recorder.notify("state", word="changed")
    poll_until(lambda: recorder.receipts)


@pytest.mark.requirement("R6")
def test_another_systems_station_gets_not_one_byte(
    tmp_path: Path, pki: Path, camera: Camera, recorder: FakeRecorder, run: Run
) -> None:
    recorder.files = [camera.record(1)]
    station = run("station", write_station(tmp_path, pki, system="other-pd"))
    agent = run("agent", write_agent(tmp_path, pki, port=station.port))
    poll_until(lambda: agent.log().count("belongs to system 'other-pd'") >= 2)
    assert [path.name for path in (tmp_path / "station/incoming").iterdir()] == ["done"]
    assert not recorder.contacts
    assert not recorder.receipts


@pytest.mark.requirement("R6")
def test_a_station_of_another_root_gets_not_one_byte(
    tmp_path: Path, pki: Path, other_pki: Path, camera: Camera, recorder: FakeRecorder, run: Run
) -> None:
    recorder.files = [camera.record(1)]
    station = run("station", write_station(tmp_path, other_pki))
    agent = run("agent", write_agent(tmp_path, pki, port=station.port))
    poll_until(lambda: "certificate is not one of ours" in agent.log())
    assert not recorder.contacts


@pytest.mark.requirement("R6")
def test_a_greeting_that_is_signed_under_another_root_is_refused(
    tmp_path: Path, pki: Path, other_pki: Path, camera: Camera, recorder: FakeRecorder, run: Run
) -> None:
    """The TLS key alone does not make a station: whoever stole it cannot sign receipts."""
    recorder.files = [camera.record(1)]
    config = write_station(tmp_path, pki)
    config.write_text(config.read_text().replace(f"{pki}/station-receipt", f"{other_pki}/station-receipt"))
    station = run("station", config)
    agent = run("agent", write_agent(tmp_path, pki, port=station.port))
    poll_until(lambda: "greeting is not to be trusted" in agent.log())
    assert [path.name for path in (tmp_path / "station/incoming").iterdir()] == ["done"]
    assert not recorder.contacts


@pytest.mark.requirement("R38")
def test_a_file_that_does_not_verify_holds_up_no_other_and_stays(
    tmp_path: Path, pki: Path, camera: Camera, recorder: FakeRecorder, run: Run
) -> None:
    bad, missing, good = camera.record(1), camera.record(2), camera.record(3)
    path = camera.spool / bad.name
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    (camera.spool / missing.name).unlink()
    strange = msgspec.structs.replace(good, name="../secret", number=0)
    recorder.files = [bad, missing, strange, good]
    station = run("station", write_station(tmp_path, pki))
    agent = run("agent", write_agent(tmp_path, pki, port=station.port))
    poll_until(lambda: good.name in recorder.receipts and bad.name in recorder.receipts, why=str(agent.log))
    assert recorder.receipts[bad.name].verdict == "not_valid"
    assert recorder.receipts[bad.name].close_hash == NO_HASH
    # Tried again, and not uploaded again.
    poll_until(lambda: recorder.order.count(bad.name) >= 2)
    assert len(list((tmp_path / "station/store").glob(f"{bad.name}*"))) == 2
    poll_until(lambda: "../secret" in agent.log())


def test_a_recorder_that_talks_nonsense_or_is_away_is_asked_again(
    tmp_path: Path, pki: Path, camera: Camera, run: Run, recorder: FakeRecorder
) -> None:
    recorder.files = [camera.record(1)]
    recorder.garbage = b'{"answer":"receipt_taken","deleted":1}\n'
    station = run("station", write_station(tmp_path, pki))
    agent = run("agent", write_agent(tmp_path, pki, port=station.port))
    poll_until(lambda: recorder.receipts, why=str(agent.log))
    recorder.garbage = b"x" * 600_000
    poll_until(lambda: recorder.garbage is None)
    recorder.files = [camera.record(2)]
    poll_until(lambda: len(recorder.receipts) == 2)


def test_the_agent_loads_nothing_of_the_station_and_no_broker_client() -> None:
    code = (
        "import dock.agent.daemon, dock.__main__, sys;"
        "print([name for name in ('starlette', 'uvicorn', 'paho', 'anyio', 'gpiozero') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert found.strip() == "[]"


@pytest.mark.requirement("R1", "R39")
def test_the_agent_never_asks_for_the_evidence_key(tmp_path: Path, pki: Path) -> None:
    text = write_agent(tmp_path, pki, port=1).read_text()
    assert "camera.key" not in text
