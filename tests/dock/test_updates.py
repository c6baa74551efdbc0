"""Updates at the dock: signed, newer, docked, charged, with nothing pending; in pieces; a recording cuts them off."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
from desk_bench import bay, put_in, write_desk
from dock_bench import SERIAL, Client, Process, poll_until, write_agent
from dock_camera import Camera, FakeRecorder

from dock.agent.updates import Updates
from dock.bay_report import UpdateReport
from dock.config import load_station
from dock.config_agent import UpdateSettings
from dock.station.bays import Bay
from dock.station.opening import open_station
from dock.station.update_shelf import PIECE_BYTES, UpdateShelf, not_now
from evidence import cms
from evidence.handover import Answer, Status
from evidence.keys import FileSigner
from evidence.release import Bundle, Release, number_of, update_fault
from evidence.requests import UpdateRequest
from evidence.statements import encode_canonical
from evidence.trust import Trust
from evidence.update_state import Failed, Outcome, Pending, UpdateState
from fleet.__main__ import main as fleet

DATA = hashlib.shake_256(b"a release").digest(1_300_000)
DIGEST = hashlib.sha256(DATA).hexdigest()
BUNDLE = Bundle(name="camera-2.0.bundle", sha256=DIGEST, bytes=len(DATA))
RELEASE = Release(v=1, version="2.0", sha256="0" * 64, bundle=BUNDLE)


def sign(pki: Path, release: Release, role: str = "release") -> bytes:
    signer = FileSigner.load(pki / f"{role}.key", pki / f"{role}.pem")
    return cms.sign(encode_canonical(release), signer, dt.datetime.now(dt.UTC))


def shelf_of(directory: Path, manifest: bytes, data: bytes = DATA) -> Path:
    directory.mkdir(exist_ok=True)
    (directory / BUNDLE.name).write_bytes(data)
    (directory / "release.p7s").write_bytes(manifest)
    return directory


@pytest.mark.parametrize(
    ("release", "firmware", "why"),
    [
        (RELEASE, "1.9", None),
        (RELEASE, "1.10.3", None),
        (RELEASE, "2.0", "not newer"),
        (RELEASE, "2", "not newer"),
        (RELEASE, "2.0.1", "not newer"),
        (RELEASE, "1.9.dev3", "cannot be compared"),
        (msgspec.structs.replace(RELEASE, version="2.0rc1"), "1.9", "cannot be compared"),
        (msgspec.structs.replace(RELEASE, bundle=None), "1.9", "names no bundle"),
        (
            msgspec.structs.replace(RELEASE, bundle=msgspec.structs.replace(BUNDLE, minimum="1.5")),
            "1.4",
            "at least 1.5",
        ),
        (msgspec.structs.replace(RELEASE, bundle=msgspec.structs.replace(BUNDLE, minimum="1.5")), "1.5", None),
        (msgspec.structs.replace(RELEASE, bundle=msgspec.structs.replace(BUNDLE, models=("x",))), "1.9", "is for x"),
    ],
)
def test_a_camera_is_updated_to_what_is_newer_and_meant_for_it(
    release: Release, firmware: str, why: str | None
) -> None:
    fault = update_fault(release, model="bench", firmware=firmware)
    assert (fault is None) == (why is None)
    assert why is None or why in (fault or "")
    assert number_of("1.10") > number_of("1.9")  # type: ignore[operator]


@pytest.mark.parametrize(
    ("worse", "why"),
    [
        ({}, None),
        ({"battery_percent": 20, "charging": True}, None),
        ({"battery_percent": 49}, "charge is below 50 %"),
        ({"battery_percent": None, "charging": None}, "charge is below"),
        ({"docked": False}, "not idle in the dock"),
        ({"state": "recording"}, "not idle in the dock"),
        ({"state": "updating"}, "not idle in the dock"),
        ({"assigned": True}, "checked out"),
        ({"seized": True}, "custody"),
        ({"files": 1}, "files wait"),
        ({"firmware": "2.0"}, "not newer"),
    ],
)
@pytest.mark.requirement("R38")
def test_an_update_waits_for_everything_else(worse: dict[str, Any], why: str | None) -> None:
    told = not_now(bay(SERIAL, **worse), 1, RELEASE, None)
    assert (told is None) == (why is None)
    assert why is None or why in (told or "")
    good = bay(SERIAL)
    assert "not idle" in (not_now(good, 1000, RELEASE, None) or "")
    assert "checked out" in (not_now(good, 1, RELEASE, "4711") or "")
    silent = msgspec.structs.replace(good.report, offloading=None)
    assert "files wait" in (not_now(msgspec.structs.replace(good, report=silent), 1, RELEASE, None) or "")


def updated(one: Bay, phase: Any) -> Bay:
    report = msgspec.structs.replace(one.report, update=UpdateReport(version="2.0", phase=phase, trouble="no room"))
    return msgspec.structs.replace(one, report=report)


def test_a_release_is_offered_once_and_only_whole_and_signed(tmp_path: Path, pki: Path) -> None:
    updates = shelf_of(tmp_path / "updates", sign(pki, RELEASE))
    with open_station(load_station(write_desk(tmp_path, pki, 'updates = "updates"'))) as station:
        shelf = station.part(UpdateShelf)
        station.bays.note(bay(SERIAL))
        (document,) = shelf.documents(SERIAL)
        assert shelf.newest_firmware == "2.0"
        station.bays.note(updated(bay(SERIAL), "downloading"))
        assert not shelf.documents(SERIAL)
        station.bays.note(bay(SERIAL))
        shelf.answered(SERIAL, document, "the card has no room")
        assert not shelf.documents(SERIAL)
        for phase in ("staged", "staged", "failed"):
            station.bays.note(updated(bay(SERIAL), phase))
            shelf._note(SERIAL)
        steps = [one.step for one in station.custody.entries()]
        assert steps == ["update_refused", "update_staged", "update_failed"]
        station.bays.note(bay("CAM-2"))
        for manifest, data in (
            (sign(pki, RELEASE, "profile"), DATA),
            (sign(pki, RELEASE), DATA[:-1]),
            (sign(pki, msgspec.structs.replace(RELEASE, bundle=None)), DATA),
            (b"no CMS", DATA),
        ):
            shelf_of(updates, manifest, data)
            os.utime(updates / "release.p7s", ns=(1, int(hashlib.sha256(manifest + data).hexdigest()[:12], 16)))
            assert not shelf.documents("CAM-2")
            assert "is offered to nobody" in (shelf.trouble or "")


def test_the_fleet_tool_signs_a_release_with_its_bundle(tmp_path: Path, pki: Path) -> None:
    for room in ("device", "evidence", "hal"):
        (tmp_path / room).mkdir()
    (tmp_path / BUNDLE.name).write_bytes(DATA)
    common = ["sign-release", str(tmp_path), "--key", f"{pki}/release.key", "--cert", f"{pki}/release.pem"]
    out = ["--out", str(tmp_path / "release.p7s")]
    bundle = ["--bundle", str(tmp_path / BUNDLE.name), "--minimum", "1.5", "--model", "bench"]
    assert fleet([*common, *out, "--version", "2.0", *bundle]) == 0
    release = msgspec.json.decode(cms.parse_signed((tmp_path / "release.p7s").read_bytes()).payload, type=Release)
    assert release.bundle == msgspec.structs.replace(BUNDLE, minimum="1.5", models=("bench",))
    assert fleet([*common, *out, "--version", "2.0rc1", *bundle]) != 0
    assert fleet([*common, *out, "--version", "2.0", "--minimum", "1.5"]) != 0


@dataclass
class UpdatedRecorder(FakeRecorder):
    """A charged camera of version 1.0, which allows updates when it is idle."""

    phases: list[str] = field(default_factory=list)
    updating: bool = False
    """Of an agent that died."""

    def answer(self, request: Any) -> Answer:
        if isinstance(request, UpdateRequest):
            self.phases.append(request.phase)
            self.updating = False
        found = super().answer(request)
        if isinstance(found, Status):
            state = "updating" if self.updating else found.state
            return msgspec.structs.replace(found, firmware="1.0", battery_percent=97, self_test="pass", state=state)
        return found


@pytest.fixture
def updated_camera(tmp_path: Path, pki: Path, camera: Camera) -> Iterator[UpdatedRecorder]:
    recorder = UpdatedRecorder(tmp_path / "recorder.sock", camera.spool, Trust.load(pki / "root.pem"))
    yield recorder
    recorder.close()


@pytest.mark.requirement("R13", "R38")
def test_a_bundle_comes_in_pieces_goes_on_where_it_stopped_and_a_recording_ends_its_installer(
    tmp_path: Path, pki: Path, updated_camera: UpdatedRecorder, run: Callable[[str, Path], Process]
) -> None:
    shelf_of(tmp_path / "updates", sign(pki, RELEASE))
    put_in(tmp_path / "station", bay(SERIAL))
    state = tmp_path / "agent-state" / "updates"
    state.mkdir(parents=True)
    (state / f"{DIGEST}.part").write_bytes(DATA[:300_000])
    installer, seen, go = tmp_path / "install.sh", tmp_path / "seen", tmp_path / "go"
    installer.write_text(
        f'#!/bin/sh\ncmp "$1" {tmp_path}/updates/{BUNDLE.name} && cmp "$2" {tmp_path}/updates/release.p7s || exit 3\n'
        f"echo began >> {seen}\nwhile [ ! -e {go} ]; do sleep 0.1; done\necho done >> {seen}\n"
    )
    installer.chmod(installer.stat().st_mode | stat.S_IXUSR)
    station = run("station", write_desk(tmp_path, pki, 'updates = "updates"'))
    camera = Client(station.port, pki)
    assert camera("GET", f"/updates/{DIGEST}")[0] == 416
    assert camera("GET", f"/updates/{DIGEST}", {"Range": f"bytes=0-{PIECE_BYTES}"})[0] == 416
    assert camera("GET", f"/updates/{'0' * 64}", {"Range": "bytes=0-9"})[0] == 404
    status, headers, data = camera("GET", f"/updates/{DIGEST}", {"Range": f"bytes=1299990-{PIECE_BYTES + 1299000}"})
    assert (status, headers["content-range"], data) == (206, "bytes 1299990-1299999/1300000", DATA[-10:])

    settings = f'[updates]\nreserve_mib = 0\ninstall = "{installer}"'
    agent = run("agent", write_agent(tmp_path, pki, port=station.port, telemetry=settings))
    poll_until(seen.exists, why=lambda: agent.log())
    assert updated_camera.phases == ["began"]
    assert (state / f"{DIGEST}.bundle").read_bytes() == DATA

    updated_camera.recording = f"{SERIAL}-000001"
    updated_camera.notify("recording_opened", recording=updated_camera.recording)
    poll_until(lambda: updated_camera.phases == ["began", "ended"], why="a recording ends the installer")
    assert seen.read_text() == "began\n"
    agent.kill()

    updated_camera.recording = None
    go.touch()
    run("agent", agent.config)
    poll_until(lambda: seen.read_text() == "began\nbegan\ndone\n")
    poll_until(lambda: updated_camera.phases == ["began", "ended"] * 2)

    def told() -> bool:
        report = json.loads((tmp_path / "station" / "bays" / f"{SERIAL}.json").read_bytes())["report"]
        return bool((report.get("update") or {}).get("phase") == "installed")

    poll_until(told)


@pytest.mark.requirement("R13", "R38")
@pytest.mark.parametrize("outcome", ["installed", "none", "unreachable"])
def test_an_update_whose_agent_died_is_ended_by_the_next_one(
    tmp_path: Path, pki: Path, updated_camera: UpdatedRecorder, run: Callable[[str, Path], Process], outcome: str
) -> None:
    """Also where nothing is left to install, and where no station answers: the camera would be updated no more."""
    state = tmp_path / "agent-state" / "updates"
    state.mkdir(parents=True)
    settings = f'[updates]\nreserve_mib = 0\ninstall = "/bin/false"\noutcome = "{tmp_path}/state.json"'
    if outcome == "installed":  # its installer was done, and the agent died before it could say so
        pending = Pending(version="2.0", sha256=DIGEST, slot="B", phase="installed")
        (tmp_path / "state.json").write_bytes(encode_canonical(UpdateState(pending=pending)))
        (state / "wanted.p7s").write_bytes(sign(pki, RELEASE))
        (state / f"{DIGEST}.bundle").write_bytes(DATA)
    updated_camera.updating = True
    port = 9 if outcome == "unreachable" else run("station", write_desk(tmp_path, pki)).port
    run("agent", write_agent(tmp_path, pki, port=port, telemetry=settings))
    poll_until(lambda: updated_camera.phases == ["ended"], why="the next agent ends it")
    time.sleep(3)
    assert updated_camera.phases == ["ended"], "once"


def test_an_update_that_somebody_else_began_is_left_alone(
    tmp_path: Path, pki: Path, updated_camera: UpdatedRecorder, run: Callable[[str, Path], Process]
) -> None:
    station = run("station", write_desk(tmp_path, pki))
    run("agent", write_agent(tmp_path, pki, port=station.port, telemetry="[updates]\nreserve_mib = 0"))
    poll_until(lambda: (tmp_path / "station" / "bays" / f"{SERIAL}.json").exists(), why="the agent has seen the camera")
    updated_camera.updating = True
    updated_camera.notify("updating")
    time.sleep(4)
    assert updated_camera.phases == []


def decided(tmp_path: Path, pki: Path, state: UpdateState | bytes, firmware: str = "1.0") -> UpdateReport | None:
    """What the agent tells of release 2.0 after the system wrote that."""
    outcome = tmp_path / "state.json"
    outcome.write_bytes(state if isinstance(state, bytes) else encode_canonical(state))
    updates = Updates(tmp_path / "updates", Trust.load(pki / "root.pem"), UpdateSettings(outcome=outcome), None)
    (tmp_path / "updates").mkdir(exist_ok=True)
    (tmp_path / "updates" / "wanted.p7s").write_bytes(sign(pki, RELEASE))
    (tmp_path / "updates" / f"{DIGEST}.bundle").write_bytes(DATA)
    updates.load()
    status = msgspec.structs.replace(bay(SERIAL).report.status, firmware=firmware)
    done = updates._is_decided(RELEASE, BUNDLE, status)
    assert done is (updates.report is not None)
    return updates.report


def test_the_station_is_told_what_became_of_an_update(tmp_path: Path, pki: Path) -> None:
    pending = Pending(version="2.0", sha256=DIGEST, slot="B", phase="installing")
    failed = Failed(version="2.0", sha256=DIGEST, why="its agent does not run")
    assert decided(tmp_path, pki, UpdateState(pending=pending)) is None  # it was broken off: once more
    assert decided(tmp_path, pki, b"no JSON") is None
    trying = UpdateState(pending=msgspec.structs.replace(pending, phase="trying"))
    for firmware in ("1.0", "2.0"):
        report = decided(tmp_path, pki, trying, firmware)
        assert report is not None
        assert report.phase == "installed"
    assert (tmp_path / "updates" / f"{DIGEST}.bundle").exists()
    report = decided(tmp_path, pki, UpdateState(last=Outcome(version="2.0", phase="confirmed")), "2.0")
    assert report is not None
    assert report.phase == "confirmed"
    assert not (tmp_path / "updates" / f"{DIGEST}.bundle").exists()  # it takes no room from recordings
    report = decided(tmp_path, pki, UpdateState(failed=(failed,)))
    assert report is not None
    assert (report.phase, report.trouble) == ("rolled_back", "its agent does not run")


def test_what_became_of_an_update_stands_in_the_ledger(tmp_path: Path, pki: Path) -> None:
    with open_station(load_station(write_desk(tmp_path, pki, ""))) as station:
        for phase in ("installed", "rolled_back", "confirmed"):
            station.bays.note(updated(bay(SERIAL), phase))
            station.part(UpdateShelf)._note(SERIAL)
        entries = station.custody.entries()
    assert [one.step for one in entries] == ["update_installed", "update_rolled_back", "update_confirmed"]
