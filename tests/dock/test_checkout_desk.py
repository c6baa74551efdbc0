"""The desk: one camera for one officer, signed, logged, replaced, and taken back at docking (R8, R9, R10, R30, R32)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from desk_bench import PIN, TAG, bay, obey, write_desk

from dock.config import load_station
from dock.errors import CheckoutRefused, NotIdentified
from dock.station.checkout_desk import CheckoutDesk
from dock.station.checkout_words import CheckedOut, CheckoutRequest, Identification
from dock.station.lost_cameras import LostCameras
from dock.station.opening import open_station
from dock.station.people_audit import PeopleAudit
from dock.station.person import Person
from dock.station.station import Station
from evidence.commands import Assign, EndSession

_S = 10**9
FAR = dt.date(2099, 12, 31)


class Bench:
    """A station with two officers, a supervisor, and a clock of its own."""

    def __init__(self, station: Station, pki: Path) -> None:
        self.station, self.pki = station, pki
        self.now_ns = station.utc_ns()
        station.utc_ns = lambda: self.now_ns
        self.desk = station.part(CheckoutDesk)
        people = station.part(PeopleAudit).people
        self.people = people
        people.add(Person("4711", "Ada Olsen", "B-12", frozenset({"officer"}), FAR), who="test")
        people.set_tag("4711", TAG, who="test")
        people.add(Person("4712", "Bo Berg", None, frozenset({"officer"}), FAR), who="test")
        people.add(Person("S1", "Sgt. Doe", None, frozenset({"supervisor"}), FAR), who="test")
        people.set_pin("S1", PIN, who="test")

    def tell(self, serial: str, **more: Any) -> None:
        """The camera's agent reports, a second later."""
        self.now_ns += _S
        self.station.bays.note(bay(serial, at_ns=self.now_ns, **more))
        self.desk.watch.look()

    def ask(self, officer: str = "4711", **more: Any) -> CheckedOut:
        return self.desk.check_out(CheckoutRequest(officer=Identification(person=officer), **more), "user desk")

    def deliver(self, serial: str, error: str | None = None) -> Assign | EndSession:
        """The camera fetches its only document, and its recorder answers."""
        (document,) = self.desk.documents(serial)
        self.now_ns += _S
        self.desk.answered(serial, document, error)
        command = obey(document.data, self.pki)
        assert isinstance(command, Assign | EndSession)
        return command

    def steps(self, serial: str) -> list[str]:
        return [one.step for one in self.station.custody.entries() if one.serial == serial]


@pytest.fixture
def bench(tmp_path: Path, pki: Path) -> Iterator[Bench]:
    import asyncio

    with open_station(load_station(write_desk(tmp_path, pki))) as station:
        found = Bench(station, pki)
        asyncio.run(found.desk.begin())
        yield found
        found.desk.issues.close()
        found.people.close()


@pytest.mark.requirement("R8", "R32")
def test_the_best_camera_is_assigned_by_a_signed_command_and_taken_back_at_docking(bench: Bench) -> None:
    bench.tell("CAM-1", battery_percent=70, runtime_minutes=650)
    bench.tell("CAM-2")
    done = bench.desk.check_out(CheckoutRequest(officer=Identification(tag="04:a2:1b:9c:7d:00:80")), "reader")
    assert (done.camera, done.spares, done.identified_by) == ("CAM-2", ("CAM-1",), "rfid")
    command = bench.deliver("CAM-2")
    assert isinstance(command, Assign)
    assert (command.serial, command.officer, command.name, command.badge) == ("CAM-2", "4711", "Ada Olsen", "B-12")
    assert (command.identified_by, command.shift, command.training_valid_until) == ("rfid", done.shift, "2099-12-31")
    assert not bench.desk.documents("CAM-2")
    bench.tell("CAM-2", assigned=True)
    bench.tell("CAM-2", assigned=True, docked=False)
    bench.now_ns += 10 * 3600 * _S
    bench.tell("CAM-2", files=7)
    assert bench.desk.issues.of("CAM-2") is None
    assert bench.steps("CAM-2") == ["checkout", "assigned", "checkin"]
    assert not bench.desk.documents("CAM-2"), "docking has ended the session"


@pytest.mark.requirement("R10")
def test_a_camera_goes_to_one_officer_and_an_officer_has_one_camera(bench: Bench) -> None:
    bench.tell("CAM-1")
    bench.tell("CAM-2")
    first = bench.ask("4711").camera
    with pytest.raises(CheckoutRefused, match=f"has {first} already"):
        bench.ask("4711")
    with pytest.raises(CheckoutRefused, match=f"{first} is checked out to 4711"):
        bench.ask("4712", camera=first)
    second = bench.ask("4712").camera
    assert {first, second} == {"CAM-1", "CAM-2"}
    refused = [one for one in bench.station.custody.entries() if one.step == "checkout_refused"]
    assert [one.who for one in refused] == ["officer 4711", "officer 4712"]


@pytest.mark.requirement("R9")
def test_a_failed_camera_goes_out_only_with_a_supervisor_and_a_reason_and_both_are_logged(bench: Bench) -> None:
    bench.tell("CAM-1", do_not_use=("microphone",), self_test="block")
    with pytest.raises(CheckoutRefused, match=r"CAM-1 must not be used: microphone\. None is ready; a supervisor may"):
        bench.ask(camera="CAM-1")
    supervisor = Identification(person="S1", pin=PIN)
    with pytest.raises(CheckoutRefused, match="a supervisor must say why"):
        bench.ask(supervisor=supervisor)
    with pytest.raises(NotIdentified, match="by tag or PIN"):
        bench.ask(supervisor=Identification(person="S1"), reason="storm")
    with pytest.raises(NotIdentified, match="does not have the role supervisor"):
        bench.ask(supervisor=Identification(tag=TAG), reason="storm")
    assert bench.ask(supervisor=supervisor, reason="storm, all cameras are out").camera == "CAM-1"
    (entry,) = [one for one in bench.station.custody.entries() if one.step == "checkout"]
    assert entry.details["supervisor"] == "S1"
    assert entry.details["reason"] == "storm, all cameras are out"
    assert "microphone" in entry.details["taken_on"]


@pytest.mark.requirement("R11")
def test_a_camera_that_was_reported_lost_goes_to_nobody(bench: Bench) -> None:
    bench.tell("CAM-1")
    lost = bench.station.part(LostCameras).admin_verbs()["lost"]
    lost({"serial": "CAM-1", "how": "stolen", "reason": "taken from unit 12"}, "test")
    with pytest.raises(CheckoutRefused, match="CAM-1 was reported lost"):
        bench.ask(camera="CAM-1", supervisor=Identification(person="S1", pin=PIN), reason="it is here")


@pytest.mark.requirement("R10")
def test_a_replacement_stays_in_the_officers_shift_and_the_failed_camera_is_kept_back(bench: Bench) -> None:
    bench.tell("CAM-1")
    bench.tell("CAM-2", battery_percent=80)
    first = bench.ask()
    bench.deliver("CAM-1")
    bench.tell("CAM-1", assigned=True, docked=False)
    with pytest.raises(CheckoutRefused, match="say what is wrong with CAM-1"):
        bench.ask(replaces="CAM-1")
    with pytest.raises(CheckoutRefused, match="CAM-2 is not the camera of Ada Olsen's present shift"):
        bench.ask(replaces="CAM-2", reason="?")
    second = bench.ask(replaces="CAM-1", reason="the lens is cracked")
    assert (second.camera, second.shift, second.replaces) == ("CAM-2", first.shift, "CAM-1")
    command = bench.deliver("CAM-2")
    assert isinstance(command, Assign)
    assert command.shift == first.shift
    (_, entry) = [one for one in bench.station.custody.entries() if one.step == "checkout"]
    assert entry.details["replaces"] == "CAM-1"
    bench.tell("CAM-1")
    assert bench.steps("CAM-1")[-2:] == ["withheld", "checkin"]
    with pytest.raises(CheckoutRefused, match="CAM-1 is kept back: the lens is cracked"):
        bench.ask("4712", camera="CAM-1")
    bench.desk.withhold("CAM-1", None, "user technician")
    assert bench.ask("4712").camera == "CAM-1"


@pytest.mark.requirement("R32")
def test_without_training_no_camera_or_with_a_warning_as_the_agency_decides(
    bench: Bench, tmp_path: Path, pki: Path
) -> None:
    bench.tell("CAM-1")
    bench.people.train("4711", dt.date(2020, 1, 1), who="test")
    with pytest.raises(CheckoutRefused, match="training was valid until 2020-01-01"):
        bench.ask()
    bench.people.train("4711", None, who="test")
    with pytest.raises(CheckoutRefused, match="no training is on record"):
        bench.ask()
    bench.station.config = load_station(write_desk(tmp_path, pki, 'training = "warn"'))
    assert "no training is on record" in bench.ask().warnings[0]
    (entry,) = [one for one in bench.station.custody.entries() if one.step == "checkout"]
    assert "no training" in entry.details["warnings"]


def test_an_assignment_that_does_not_reach_the_camera_in_time_frees_it_and_counts_no_more(bench: Bench) -> None:
    bench.tell("CAM-1")
    bench.ask()
    (document,) = bench.desk.documents("CAM-1")
    command = obey(document.data, bench.pki)
    bench.now_ns += 16 * 60 * _S
    assert not bench.desk.documents("CAM-1")
    bench.tell("CAM-1")
    assert bench.steps("CAM-1") == ["checkout", "checkout_expired"]
    assert command.valid_until is not None
    assert bench.ask("4712").camera == "CAM-1"


def test_a_refused_assignment_is_told_and_one_whose_answer_was_lost_is_found_by_the_cameras_word(bench: Bench) -> None:
    bench.tell("CAM-1")
    bench.tell("CAM-2", battery_percent=80)
    bench.ask("4711")
    bench.deliver("CAM-1", error="the command is refused: its number is not above 5")
    bench.tell("CAM-1", assigned=True)
    assert bench.steps("CAM-1") == ["checkout", "assigned"]
    bench.ask("4712")
    bench.deliver("CAM-2", error="the command is refused: it is for another camera")
    assert not bench.desk.documents("CAM-2")
    bench.tell("CAM-2")
    assert bench.steps("CAM-2") == ["checkout", "assign_refused"]


def test_a_report_from_before_the_assignment_takes_nothing_back(bench: Bench) -> None:
    bench.tell("CAM-1")
    bench.ask()
    bench.deliver("CAM-1")
    bench.tell("CAM-1")
    assert bench.desk.issues.of("CAM-1") is not None, "this status may be from before the recorder took it"
    bench.now_ns += 61 * _S
    bench.tell("CAM-1")
    assert bench.desk.issues.of("CAM-1") is None


def test_a_camera_that_was_seen_assigned_before_its_answer_was_heard_is_back_as_soon_as_it_docks(bench: Bench) -> None:
    bench.tell("CAM-1")
    bench.ask()
    (document,) = bench.desk.documents("CAM-1")
    bench.tell("CAM-1", assigned=True)
    bench.desk.answered("CAM-1", document, None)
    bench.tell("CAM-1", docked=False, assigned=True)
    bench.tell("CAM-1")
    assert bench.steps("CAM-1") == ["checkout", "assigned", "checkin"]


def test_a_camera_that_is_checked_in_by_hand_is_told_that_its_session_is_over(bench: Bench) -> None:
    bench.tell("CAM-1")
    bench.ask()
    bench.deliver("CAM-1")
    bench.desk.check_in("CAM-1", "user desk")
    bench.tell("CAM-1", assigned=True)
    with pytest.raises(CheckoutRefused, match="signed in already"):
        bench.ask("4712")
    assert isinstance(bench.deliver("CAM-1"), EndSession)
    assert not bench.desk.documents("CAM-1")
    bench.tell("CAM-1")
    assert bench.ask("4712").camera == "CAM-1"
    with pytest.raises(CheckoutRefused, match="CAM-9 is not checked out"):
        bench.desk.check_in("CAM-9", "user desk")
