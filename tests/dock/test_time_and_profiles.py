"""Time and profiles at the dock: measured, written down, told; handed out and judged by the recorder (R7)."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
from desk_bench import bay, obey, write_desk
from dock_bench import SERIAL, Client, Process, poll_until, write_agent
from dock_camera import Camera, FakeRecorder
from hypothesis import given
from hypothesis import strategies as st

from dock.agent.clock_offset import Sent, measure
from dock.chrony_conf import for_camera, for_station
from dock.config import load_station
from dock.station.opening import open_station
from dock.station.profile_shelf import ProfileShelf
from dock.station.station import Station
from dock.station.time_desk import TimeDesk
from evidence import cms
from evidence.handover import Answer, Status
from evidence.keys import FileSigner
from evidence.requests import CommandRequest, ProfileRequest
from evidence.statements import encode_canonical
from evidence.trust import Trust

_MS = 10**6


def sign_profile(pki: Path, version: int, role: str = "profile") -> bytes:
    signer = FileSigner.load(pki / f"{role}.key", pki / f"{role}.pem")
    return cms.sign(encode_canonical({"v": 1, "name": "bench", "version": version}), signer, dt.datetime.now(dt.UTC))


@given(
    true_ms=st.integers(-(10**7), 10**7),
    there_ms=st.integers(0, 5000),
    back_ms=st.integers(0, 5000),
    station_ms=st.integers(-1000, 1000),
)
def test_the_true_offset_lies_within_the_uncertainty_whatever_the_way_was_like(
    true_ms: int, there_ms: int, back_ms: int, station_ms: int
) -> None:
    """The station's clock is off by `station_ms`, of which it knows 1000."""
    asked_ns = 1_800_000_000 * 10**9
    answered_ns = asked_ns + (there_ms + back_ms) * _MS
    told_ns = asked_ns + (there_ms - true_ms + station_ms) * _MS
    found = measure(Sent(asked_ns, 5), Sent(answered_ns, 5 + (there_ms + back_ms) * _MS), told_ns, 1000)
    assert abs(found.offset_ms - true_ms) <= found.uncertainty_ms
    assert found.surely_off_ms <= abs(true_ms)
    assert found.uncertainty_ms <= (there_ms + back_ms) / 2 + 1001


def test_a_clock_that_was_set_during_the_greeting_is_timed_by_one_that_nobody_sets() -> None:
    asked, answered = Sent(0, 1000 * _MS), Sent(86_400_000 * _MS, 1010 * _MS)
    found = measure(asked, answered, 86_400_000 * _MS, 0)
    assert (found.offset_ms, found.uncertainty_ms) == (-5, 5)


@pytest.mark.parametrize(
    "text",
    [
        for_camera(["dock.example.org"]),
        for_camera(["10.0.0.1", "2001:db8::1"]),
        for_station(["ntp1.example.org"], ["10.20.0.0/16"]),
        for_station([], []),
    ],
)
def test_chrony_takes_the_configuration(text: str, tmp_path: Path) -> None:
    chronyd = shutil.which("chronyd", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if chronyd is None:
        assert os.environ.get("CI") != "true", "CI must have chrony"
        pytest.skip("chrony is not installed")
    file = tmp_path / "chrony.conf"
    file.write_text(text)
    judged = subprocess.run([chronyd, "-p", "-f", str(file)], capture_output=True, text=True, check=False, timeout=120)
    assert judged.returncode == 0, judged.stderr + judged.stdout
    file.write_text(f"{text}\nserver\n")
    wrong = subprocess.run([chronyd, "-p", "-f", str(file)], capture_output=True, text=True, check=False, timeout=120)
    assert wrong.returncode != 0, "it would take anything"


@pytest.fixture
def station(tmp_path: Path, pki: Path) -> Iterator[Station]:
    profile = tmp_path / "profile.p7s"
    profile.write_bytes(sign_profile(pki, 3))
    with open_station(load_station(write_desk(tmp_path, pki, f'profile = "{profile}"\nclock_alarm_ms = 500'))) as found:
        yield found


def test_a_clock_that_is_surely_off_is_an_alarm_until_it_is_right_and_all_is_kept(station: Station) -> None:
    desk = station.part(TimeDesk)
    steps: list[str] = []
    for offset_ms, uncertainty_ms in ((400, 50), (600, 150), (-900, 100), (-900, 100), (-5000, 9000), (3, 5)):
        one = bay(SERIAL, clock_ms=offset_ms)
        one = msgspec.structs.replace(
            one, report=msgspec.structs.replace(one.report, clock_uncertainty_ms=uncertainty_ms)
        )
        station.bays.note(one)
        desk.look(SERIAL)
        steps = [entry.step for entry in station.custody.entries()]
    assert steps == ["clock_off", "clock_good"], "what the measurement itself may be wrong by does not count"
    assert [one.offset_ms for one in desk.book.history(SERIAL)] == [3, -5000, -900, 600, 400]
    desk.book.close()


@pytest.mark.requirement("R7")
def test_a_profile_is_handed_to_cameras_with_an_older_one_and_not_again_to_one_that_refused(
    station: Station, tmp_path: Path, pki: Path
) -> None:
    shelf = station.part(ProfileShelf)
    assert not shelf.documents(SERIAL), "a camera that never reported"
    for has, waiting, offered in ((1, None, 1), (3, None, 0), (1, 3, 0), (4, None, 0), (None, None, 0)):
        station.bays.note(bay(SERIAL, profile_version=has, profile_next=waiting))
        assert len(shelf.documents(SERIAL)) == offered, (has, waiting)
    station.bays.note(bay(SERIAL, profile_version=1))
    (document,) = shelf.documents(SERIAL)
    shelf.answered(SERIAL, document, "the policy profile is refused: unknown key")
    assert not shelf.documents(SERIAL)
    (tmp_path / "profile.p7s").write_bytes(sign_profile(pki, 4))
    (newer,) = shelf.documents(SERIAL)
    shelf.answered(SERIAL, newer, None)
    for wrong in (sign_profile(pki, 5, role="camera"), b"no CMS", b"x" * 2**20):
        (tmp_path / "profile.p7s").write_bytes(wrong)
        assert not shelf.documents(SERIAL)
        assert "is handed to nobody" in (shelf.trouble or "")
    steps = [(one.step, one.details["version"]) for one in station.custody.entries()]
    assert steps == [("profile_refused", "3"), ("profile_given", "4")]


@dataclass
class DeskRecorder(FakeRecorder):
    """Takes commands and profiles, and says so in its status."""

    commands: list[bytes] = field(default_factory=list)
    profiles: list[bytes] = field(default_factory=list)

    def answer(self, request: Any) -> Answer:
        found = super().answer(request)
        if isinstance(request, CommandRequest):
            self.commands.append(request.command)
        elif isinstance(request, ProfileRequest):
            self.profiles.append(request.profile)
        elif isinstance(found, Status):
            return msgspec.structs.replace(
                found,
                self_test="pass",
                battery_percent=97,
                profile_version=1,
                profile_next=3 if self.profiles else None,
                assigned=bool(self.commands),
            )
        return found


@pytest.mark.requirement("R7", "R8")
def test_docked_camera_gets_its_profile_its_officer_and_its_clock_measured(
    tmp_path: Path, pki: Path, camera: Camera, run: Callable[[str, Path], Process]
) -> None:
    (tmp_path / "profile.p7s").write_bytes(sign_profile(pki, 3))
    file = write_desk(tmp_path, pki, 'profile = "profile.p7s"\nntp_servers = ["ntp.example.org"]\ntraining = "warn"')
    recorder = DeskRecorder(tmp_path / "recorder.sock", camera.spool, Trust.load(pki / "root.pem"))
    try:
        station = run("station", file)
        told = json.loads(Client(station.port, pki)("GET", "/time")[2])
        assert told["servers"] == ["ntp.example.org"]
        run("agent", write_agent(tmp_path, pki, port=station.port))
        poll_until(lambda: recorder.profiles)
        (profile,) = recorder.profiles
        assert profile == (tmp_path / "profile.p7s").read_bytes()

        def dock(*arguments: str) -> subprocess.CompletedProcess[str]:
            command = [sys.executable, "-m", "dock", arguments[0], "--config", str(file), *arguments[1:]]
            return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)

        assert dock("people", "add", "4711", "--name", "Ada Olsen", "--role", "officer").returncode == 0
        poll_until(lambda: json.loads(dock("bays", "--json").stdout))
        taken = poll_until(lambda: dock("checkout", "--officer", "4711").stdout)
        began = time.monotonic()
        assert f"Ada Olsen: take {SERIAL}" in taken
        poll_until(lambda: recorder.commands)
        assert time.monotonic() - began < 50, "the station does not let the camera ask only once a minute"
        obey(recorder.commands[0], pki)
        assert "no training is on record" in taken
        assert station.stop() == 0
        assert "timeout graceful shutdown exceeded" not in station.log(), (
            "a question that is held ends with the station"
        )
    finally:
        recorder.close()
    with open_station(load_station(file)) as again:
        (measured,) = again.part(TimeDesk).book.history(SERIAL)
        assert abs(measured.offset_ms) <= measured.uncertainty_ms
        steps = {one.step for one in again.custody.entries()}
        assert {"profile_given", "checkout", "assigned"} <= steps
