"""What the recorder takes of a peer's announcement: signed, of this minute, once, of another camera (R23)."""

from __future__ import annotations

import datetime as dt
import secrets
from asyncio import run
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from device.config import Input
from device.peers import FRESH_NS, Peers
from device.policy import Profile
from device.triggers import Start
from evidence import cms
from evidence.handover import Answer, Done, PeerStart, Refused
from evidence.keys import FileSigner
from evidence.requests import PeerRequest
from evidence.statements import Utc, encode_canonical, moment
from evidence.trust import Trust
from fleet.ca import create_agency, write_credential

pytestmark = pytest.mark.requirement("R23")
OWN, OTHER = "SIM-0001", "SIM-0002"
NOW_NS = int(dt.datetime.now(dt.UTC).timestamp()) * 10**9


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("peers")
    authority = create_agency(directory, serial=OWN)
    write_credential(directory, "other", authority.signer("camera", "Other camera", serial=OTHER))
    write_credential(directory, "office", authority.signer("profile", "Policy office", serial=OTHER))
    return directory


@dataclass
class Camera:
    """What the part sees of a daemon."""

    keys: Path
    policy: dict[str, Any] = field(default_factory=dict)
    source: str = "gnss"
    starts: list[Start] = field(default_factory=list)
    logged: list[tuple[str, Any]] = field(default_factory=list)
    boot_ns: int = 10**9

    def __post_init__(self) -> None:
        claim = SimpleNamespace(source=self.source, earliest_ns=NOW_NS, latest_ns=NOW_NS, middle_ns=NOW_NS)
        self.clock = SimpleNamespace(utc=lambda: claim, boottime_ns=lambda: self.boot_ns)
        self.identity = SimpleNamespace(serial=OWN, others=Trust.load(self.keys / "root.pem"))
        self.profile = SimpleNamespace(profile=Profile(v=1, name="x", version=1, **self.policy))
        self.settings = SimpleNamespace(inputs={"arrivals": Input(kind="peer", source="message")})
        self.peers = Peers(self)  # type: ignore[arg-type]

    def trigger(self, start: Start) -> None:
        self.starts.append(start)

    def log(self, event: str, *, details: Any = None) -> None:
        self.logged.append((event, details))

    def hears(self, announcement: bytes) -> Answer | None:
        return run(self.peers.answer(PeerRequest(announcement=announcement)))

    def refusal(self, announcement: bytes) -> str:
        answer = self.hears(announcement)
        assert isinstance(answer, Refused)
        assert not self.starts
        return answer.error


def announce(keys: Path, stem: str = "other", *, serial: str = OTHER, age_ns: int = 0, source: Any = "gnss") -> bytes:
    at = moment(NOW_NS - age_ns)
    utc = Utc(earliest=at, latest=at, source=source)
    said = PeerStart(v=1, serial=serial, incident="SIM-0002-000042", nonce=secrets.token_hex(16), utc=utc)
    signer = FileSigner.load(keys / f"{stem}.key", keys / f"{stem}.pem")
    return cms.sign(encode_canonical(said), signer, dt.datetime.now(dt.UTC))


def test_an_announcement_starts_this_camera_with_the_peers_incident_once(keys: Path) -> None:
    camera = Camera(keys)
    announcement = announce(keys)
    assert camera.hears(announcement) == Done()
    (start,) = camera.starts
    assert (start.trigger, start.kind, start.incident) == ("arrivals", "peer", "SIM-0002-000042")
    assert not start.manual
    assert not start.wakes, "it does not wake a sleeping camera unless its input says so"
    answer = camera.hears(announcement)
    assert isinstance(answer, Refused)
    assert "taken before" in answer.error
    assert len(camera.starts) == 1


@pytest.mark.parametrize("age_ns", [FRESH_NS + 10**9, -FRESH_NS - 10**9])
def test_one_that_is_not_of_this_minute_starts_nothing(keys: Path, age_ns: int) -> None:
    assert "not of this minute" in Camera(keys).refusal(announce(keys, age_ns=age_ns))


def test_forged_foreign_and_own_announcements_start_nothing(keys: Path, tmp_path: Path) -> None:
    create_agency(tmp_path / "elsewhere", serial=OTHER)
    good = announce(keys)
    for bad in (
        announce(tmp_path / "elsewhere", "camera"),  # another root
        announce(keys, "office"),  # another role
        announce(keys, "other", serial="SIM-0003"),  # in another's name
        announce(keys, "camera", serial=OWN),  # this camera's own
        good[:-1] + bytes([good[-1] ^ 1]),  # another signature
        good[:200],
        b"",
        b"\xff" * 1000,
    ):
        camera = Camera(keys)
        assert camera.refusal(bad).startswith("the peer's announcement is refused: ")
        assert [event for event, _ in camera.logged] == ["peer_start_refused"]


def test_a_policy_or_a_camera_without_such_an_input_takes_none(keys: Path) -> None:
    assert "accept_peer_start" in Camera(keys, {"accept_peer_start": False}).refusal(announce(keys))
    camera = Camera(keys)
    camera.settings.inputs.clear()
    assert "kind peer" in camera.refusal(announce(keys))


def test_a_camera_that_does_not_know_the_time_is_open_for_recording(keys: Path) -> None:
    camera = Camera(keys, source="none")
    assert camera.hears(announce(keys, age_ns=3600 * 10**9)) == Done()


def test_a_storm_of_forgeries_does_not_fill_the_signed_log(keys: Path) -> None:
    camera = Camera(keys)
    for _ in range(500):
        camera.refusal(b"\xff" * 100)
        camera.boot_ns += 10**8
    told = [details["refused"] for event, details in camera.logged if event == "peer_start_refused"]
    assert told == [1, 100, 100, 100, 100]
    assert camera.hears(announce(keys)) == Done()
