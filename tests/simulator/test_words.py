"""A trainer's words: each is known, does what it says to the world, and is refused with one sentence if it is wrong."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pynmeagps
import pytest

from device.policy import Profile
from evidence.cms import parse_signed
from evidence.commands import Assign, Override, parse_command, powers_of
from evidence.durable import AppendFile
from evidence.evidence_file import EvidenceWriter
from evidence.export.decrypt import Vault
from evidence.handover import decode_peer_start
from evidence.keys import FileSigner
from evidence.requests import LabelRequest, PeerRequest, StopReasonRequest, TriggerRequest
from evidence.statements import CameraFacts, ProfileRef, Stamp, Utc, moment
from evidence.trust import Trust
from fleet.ca import create_agency, write_credential
from simulator import second_camera
from simulator.agency import BOARD
from simulator.battery_feed import BatteryFeed
from simulator.deeds import Deeds
from simulator.expecting import expect
from simulator.hands import Hands
from simulator.log_watch import LogWatch
from simulator.people import People
from simulator.receiver import RouteReceiver
from simulator.run_errors import BadScenario, NotAsExpected
from simulator.scenario import load_scenario
from simulator.second_camera import SecondCamera
from simulator.stage import RealStage
from simulator.thermal_feed import ThermalFeed
from simulator.words import ACTIONS, AMOUNTS, LINES, SAID, Deed, Expectation, deed, expectation

POLICY = Profile(v=1, name="words", version=1)


@dataclass
class PaperLink:
    """What the world did to a camera, in order."""

    said: list[Any] = field(default_factory=list)
    levels: dict[int, int] = field(default_factory=dict)

    def drive(self, pin: int, level: int) -> None:
        self.levels[pin] = level
        name = next(one for one, wired in BOARD.items() if wired.number == pin)
        self.said.append((name, level == BOARD[name].level(active=True)))

    def level(self, pin: int) -> int | None:
        return self.levels.get(pin)

    def world(self, operation: dict[str, Any]) -> None:
        self.said.append(operation)

    def ask(self, request: Any) -> None:
        self.said.append(request)

    def cut_power(self) -> None:
        self.said.append("power cut")


class PaperReceiver:
    def __init__(self, said: list[Any]) -> None:
        self._said = said

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments: self._said.append((name, *arguments))


@pytest.fixture
def deeds(tmp_path: Path) -> Deeds:
    link: Any = PaperLink()
    pki = tmp_path / "pki"
    authority = create_agency(pki)
    other = authority.signer("camera", "Camera 2", serial=second_camera.SERIAL)
    write_credential(pki, second_camera.STEM, other)
    hands = Hands(link, POLICY, lambda seconds: link.said.append(seconds))
    receiver: Any = PaperReceiver(link.said)
    feeds = BatteryFeed(tmp_path / "b"), ThermalFeed(tmp_path / "t")
    return Deeds(link, hands, receiver, *feeds, SecondCamera(pki), People(pki, "SIM-0001"))


def done(deeds: Deeds, text: str) -> list[Any]:
    """What the world did; times that passed are left out."""
    deeds.do(deed(text))
    link: Any = deeds.camera
    return [one for one in link.said if not isinstance(one, float)]


@pytest.mark.parametrize("text", [*ACTIONS, *(one.example for one in AMOUNTS), *SAID])
def test_every_word_is_understood_and_done(deeds: Deeds, text: str) -> None:
    did = done(deeds, text)
    other = deeds.battery.percent == 50 or deeds.thermal.celsius == 85
    assert did or other or text == "nothing"


@pytest.mark.parametrize("word", LINES)
def test_every_vehicle_line_goes_on_and_off(deeds: Deeds, word: str) -> None:
    assert done(deeds, f"{word} on") == [(LINES[word], True)]
    assert done(deeds, f"{word} off")[1:] == [(LINES[word], False)]


def test_a_held_function_button_stays_down_until_it_is_let_go(deeds: Deeds) -> None:
    assert done(deeds, "hold function button") == [("function", True)]
    assert done(deeds, "release function button")[1:] == [("function", False)]


def test_the_wheel_is_turned_by_presses_that_are_no_double_press(deeds: Deeds) -> None:
    deeds.do(deed("turn the wheel by 3"))
    link: Any = deeds.camera
    waits = [one for one in link.said if isinstance(one, float)]
    assert link.said.count(("function", True)) == 3
    assert sum(one > POLICY.double_press_ms / 1000 for one in waits) == 3


def test_a_reason_and_the_supervisor_reach_the_recorder(deeds: Deeds) -> None:
    assert done(deeds, "give reason medical psychological, supervisor not possible") == [
        StopReasonRequest(code="medical_psychological", supervisor="not_possible")
    ]
    assert deed("give reason telephone, supervisor consulted").supervisor == "consulted"
    assert deed("give reason break").supervisor is None


@pytest.mark.requirement("R9")
def test_desk_and_supervisor_sign_what_they_tell_the_camera(deeds: Deeds) -> None:
    (request,) = done(deeds, "officer signs in")
    command, message = parse_command(request.command)
    assert isinstance(command, Assign)
    assert (command.serial, command.officer) == ("SIM-0001", "4711")
    assert powers_of(message.certificate) == {"assign"}
    command, message = parse_command(done(deeds, "supervisor overrides microphone")[1].command)
    assert isinstance(command, Override)
    assert (command.component, "supervise" in powers_of(message.certificate)) == ("microphone", True)
    assert done(deeds, "case number 26-01234")[2] == LabelRequest(label="case", text="26-01234")


@pytest.mark.requirement("R18", "R23")
def test_a_weapon_is_a_message_and_a_peers_start_is_signed_by_the_other_camera(deeds: Deeds) -> None:
    assert done(deeds, "weapon drawn") == [TriggerRequest(name="weapon")]
    (_, first) = done(deeds, "peer starts")
    assert isinstance(first, PeerRequest)
    signed = parse_signed(first.announcement)
    Trust.load(deeds.peer.pki / "root.pem").check(signed, role="camera", serial=second_camera.SERIAL)
    told = decode_peer_start(signed.payload)
    assert (told.serial, told.incident) == ("SIM-0002", "SIM-0002-000001")
    second = done(deeds, "peer starts")[-1]
    assert decode_peer_start(parse_signed(second.announcement).payload).nonce != told.nonce


def test_clock_jumps_add_up_until_the_clock_is_set(deeds: Deeds) -> None:
    hour = {"op": "clock", "utc_offset_ns": 3_600_000_000_000}
    assert done(deeds, "clock jumps 3600 s") == [hour]
    assert done(deeds, "clock jumps -7200 s")[1] == {"op": "clock", "utc_offset_ns": -3_600_000_000_000}
    assert done(deeds, "clock set")[2] == {
        "op": "clock",
        "utc_offset_ns": 0,
        "source": "ntp",
        "uncertainty_ns": 5_000_000,
    }
    assert done(deeds, "clock unset")[3]["source"] == "none"


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("recording within 0.5 s", {"status": "recording", "within_s": 0.5}),
        ("ring full within 9 s", {"status": "ring full", "within_s": 9}),
        ("state sleep within 4 s", {"state": "sleep", "within_s": 4}),
        ("state out of service within 4 s", {"state": "out_of_service", "within_s": 4}),
        ("log muted", {"event": "muted"}),
        ("log suppressed asleep within 2 s", {"event": "suppressed", "word": "asleep", "within_s": 2}),
        ("no log muted for 2 s", {"event": "muted", "never": True, "within_s": 2}),
        ("no recording for 2 s", {"status": "recording", "never": True, "within_s": 2}),
    ],
)
def test_what_can_be_expected(text: str, means: dict[str, Any]) -> None:
    assert expectation(text) == Expectation(text, **means)


STEP = "title = 'a'\n[[step]]\nat = 'start'\n"


@pytest.mark.parametrize(
    ("step", "wanted"),
    [
        ("do = 'siren onn'", ":2: do: 'siren onn' is not known; did you mean 'siren on'?"),
        ("do = 'give reason telefone'", "did you mean 'telephone'?"),
        ("do = 'supervisor overrides microfone'", "did you mean 'microphone'?"),
        ("do = 'drive at 900'", ":2: do: no car drives at 900 km/h"),
        ("do = 'camera blakc'", "did you mean 'camera black'?"),
        ("do = 'press function button thrice'", "did you mean"),
        ("do = 'nothing'\nexpect = 'recoding within 1 s'", ":2: expect: 'recoding within 1 s' is not known; did you"),
        ("do = 'nothing'\nexpect = 'state asleep within 1 s'", "did you mean 'sleep'?"),
        ("do = 'nothing'\nexpect = 'state home within 1 s'", "'home' is not known"),
        ("do = 'nothing'\nexpect = 'log muted for 2 s'", "makes no sense"),
        ("do = 'nothing'\nexpect = 'recording'", "is not known"),
        ("do = 'nothing'\nexpect = ''", "length >= 1"),
        ("do = 'nothing'\nexpect = ['log muted', 'lgo unmuted']", "'lgo unmuted' is not known"),
    ],
)
def test_a_mistake_is_one_sentence_with_its_line(tmp_path: Path, step: str, wanted: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(STEP + step, encoding="utf-8")
    with pytest.raises(BadScenario) as refused:
        load_scenario(path)
    assert wanted in str(refused.value)
    assert "\n" not in str(refused.value)


def test_one_expectation_or_several(tmp_path: Path) -> None:
    path = tmp_path / "good.toml"
    path.write_text(STEP + "do = 'siren on'\nexpect = 'recording within 1 s'", encoding="utf-8")
    (step,) = load_scenario(path).steps
    assert (step.deed, [one.status for one in step.expect]) == (Deed("siren on"), ["recording"])
    path.write_text(
        STEP + "do = 'siren on'\nexpect = ['recording within 1 s', 'log state recording']", encoding="utf-8"
    )
    (step,) = load_scenario(path).steps
    assert [one.event for one in step.expect] == ["", "state"]


def test_a_fast_drive_says_its_speed_and_goes_as_far() -> None:
    receiver = RouteReceiver()
    receiver.speed_kmh = 140
    fixes = []
    for second in range(20):
        line = receiver.epoch(second * 1_000_000_000)[0]
        fixes.append(pynmeagps.NMEAReader.parse(f"{line}\r\n".encode()))
    assert all(abs(fix.spd * 1.852 - 140) < 0.1 for fix in fixes)
    north_m = [fix.lat * 111_195 for fix in fixes]
    east_m = [fix.lon * 83_200 for fix in fixes]
    driven_m = sum(abs(north_m[n + 1] - north_m[n]) + abs(east_m[n + 1] - east_m[n]) for n in range(19))
    assert 19 * 30 < driven_m < 19 * 60


def entry(event: str, word: str | None = None) -> LogFacts:
    return LogFacts(event, word)


@dataclass
class LogFacts:
    event: str
    word: str | None


class PaperWorld:
    """A camera whose state never changes, and what its log says."""

    def __init__(self, state: str, *entries: LogFacts) -> None:
        self.status = SimpleNamespace(
            state=state, recording=None, buffered_s=None, battery_percent=None, docked=False, degraded=False
        )
        self.log = SimpleNamespace(look=lambda: list(entries))
        self.stage = RealStage()

    def now_s(self) -> float:
        return self.stage.now_s()

    def look(self) -> Any:
        return self.status

    def is_in(self, state: str, status: Any) -> bool:
        return state == "recording" and status.recording is not None


def hold_against(text: str, world: Any, since: int = 0) -> str | None:
    """The sentence of a failed expectation; None if it is met."""
    try:
        expect(expectation(text), world, "shift.toml:7", since, time.monotonic())
    except NotAsExpected as error:
        return str(error)
    return None


def test_an_expectation_that_is_not_met_names_the_line_the_state_and_what_was_logged() -> None:
    world = PaperWorld("sleep", entry("state", "sleep"), entry("suppressed", "asleep"))
    assert hold_against("state sleep within 1 s", world) is None
    assert hold_against("log suppressed asleep within 0.1 s", world) is None
    said = hold_against("recording within 0.1 s", world) or ""
    assert said.startswith("shift.toml:7: expected recording within 0.1 s, and it did not come; the camera says: sleep")
    assert said.endswith("since then it logged: state sleep, suppressed asleep")
    assert "logged: nothing" in (hold_against("log suppressed within 0.1 s", world, since=2) or "")


def test_what_must_not_come_is_watched_for_the_whole_time() -> None:
    world = PaperWorld("sleep", entry("suppressed", "asleep"))
    assert hold_against("no recording for 0.1 s", world) is None
    assert "and it came" in (hold_against("no log suppressed for 5 s", world) or "")


def test_the_log_is_read_while_it_grows_and_after_it_was_offloaded(tmp_path: Path) -> None:
    spool, store, pki = tmp_path / "spool", tmp_path / "store", tmp_path / "pki"
    create_agency(pki)
    spool.mkdir()
    store.mkdir()
    signer = FileSigner.load(pki / "camera.key", pki / "camera.pem")
    vault = Vault.load(pki / "vault.pem", pki / "vault.key")

    def stamp() -> Stamp:
        utc = Utc(earliest=moment(0), latest=moment(0), source="none")
        return Stamp(boot="00000000-0000-4000-8000-000000000000", mono_ns=time.monotonic_ns(), utc=utc)

    path = spool / "SIM-0001-log-000001.evidence"
    writer = EvidenceWriter(
        AppendFile.create(path), signer, [vault.recipient], stamp, serial="SIM-0001", stream="log", number=1
    )
    writer.open(
        camera=CameraFacts(model="m", firmware="f", firmware_sha256="0" * 64),
        sources=(),
        profile=ProfileRef(name="p", version=1, sha256="0" * 64),
        upload_class="log",
        retention_class="standard",
        hold=False,
    )
    writer.event("boot", details={"boots": 1})
    writer.commit()
    watch = LogWatch((spool, store))
    assert [one.event for one in watch.look()] == ["boot"]
    assert len(watch.look()) == 1
    writer.event("muted", recording=7)
    writer.commit()
    whole = path.read_bytes()
    path.write_bytes(whole[:-40])  # between two looks only a part is there
    watch.look()
    path.rename(store / path.name)
    (store / path.name).write_bytes(whole)
    assert [(one.event, one.recording) for one in watch.look()] == [("boot", None), ("muted", 7)]
