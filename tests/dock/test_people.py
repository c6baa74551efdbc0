"""The registry of people: who may sign in at the dock, with what, and who was told of each change (R32, R33)."""

from __future__ import annotations

import datetime as dt
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from dock_bench import write_station

from dock.config import load_station
from dock.errors import BadPerson, SignInLocked
from dock.station import people_secrets
from dock.station.opening import open_station
from dock.station.people import People
from dock.station.people_audit import PeopleAudit
from dock.station.people_csv import import_people
from dock.station.person import Person

OLSEN = Person("4711", "Ada Olsen", "B-12", frozenset({"officer"}), dt.date(2027, 6, 30))
_S = 10**9


class Clock:
    ns = 1_800_000_000 * _S

    def __call__(self) -> int:
        return self.ns


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def people(tmp_path: Path, clock: Clock) -> Iterator[People]:
    registry = People(tmp_path, utc_ns=clock)
    yield registry
    registry.close()


def test_a_person_is_found_by_identifier_tag_pin_and_password(people: People) -> None:
    people.add(OLSEN, who="test")
    people.set_tag("4711", "04:A2:1b:9c:7d:00:80", who="test")
    people.set_pin("4711", "8305", who="test")
    people.set_password("4711", "correct horse battery", who="test")
    assert people.find("4711") == OLSEN
    assert people.by_tag("04a21b9c7d0080\r\n") == OLSEN
    assert people.by_pin("4711", "8305") == OLSEN
    assert people.by_password("4711", "correct horse battery") == OLSEN
    assert people.by_pin("4711", "correct horse battery") is None
    assert people.by_password("4711", "8305") is None
    assert people.by_tag("04a21b9c7d0081") is None


def test_no_secret_and_no_tag_can_be_read_from_the_file(people: People, tmp_path: Path) -> None:
    people.add(OLSEN, who="test")
    people.set_tag("4711", "04A21B9C7D0080", who="test")
    people.set_pin("4711", "8305", who="test")
    people.set_password("4711", "correct horse battery", who="test")
    with sqlite3.connect(tmp_path / "people.sqlite") as database:
        (row,) = database.execute("SELECT * FROM people").fetchall()
        (changes,) = database.execute("SELECT group_concat(details) FROM changes").fetchone()
    for kept in (*map(str, row), changes):
        assert "8305" not in kept
        assert "horse" not in kept
        assert "04A21B9C" not in kept.upper()
    assert all((tmp_path / name).stat().st_mode & 0o077 == 0 for name in ("people.sqlite", "people.key"))


@pytest.mark.requirement("R33")
def test_five_wrong_tries_lock_that_way_in_for_a_growing_time_over_a_restart(
    people: People, tmp_path: Path, clock: Clock
) -> None:
    people.add(OLSEN, who="test")
    people.set_pin("4711", "8305", who="test")
    people.set_password("4711", "correct horse battery", who="test")
    for _ in range(people_secrets.FREE):
        assert people.by_pin("4711", "0000") is None
    with pytest.raises(SignInLocked, match="in 30 s"):
        people.by_pin("4711", "8305")
    assert people.by_password("4711", "correct horse battery") == OLSEN  # another way in is not locked
    again = People(tmp_path, utc_ns=clock)
    with pytest.raises(SignInLocked):
        again.by_pin("4711", "8305")
    clock.ns += 31 * _S
    assert again.by_pin("4711", "0000") is None
    with pytest.raises(SignInLocked, match="in 60 s"):
        again.by_pin("4711", "8305")
    clock.ns += 61 * _S
    assert again.by_pin("4711", "8305") == OLSEN
    assert again.by_pin("4711", "0000") is None  # the count began anew
    assert again.by_pin("4711", "8305") == OLSEN
    again.close()


def test_a_stranger_is_locked_out_like_anybody_else(people: People) -> None:
    for _ in range(people_secrets.FREE):
        assert people.by_password("nobody", "correct horse battery") is None
    with pytest.raises(SignInLocked):
        people.by_password("NOBODY", "correct horse battery")


def test_guesses_made_at_the_same_time_all_count(people: People) -> None:
    people.add(OLSEN, who="test")
    people.set_pin("4711", "8305", who="test")

    def guess(number: int) -> str:
        try:
            return "in" if people.by_pin("4711", f"000{number}") else "wrong"
        except SignInLocked:
            return "locked"

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(guess, range(10)))
    assert sorted(answers) == ["locked"] * 5 + ["wrong"] * 5


def test_a_clock_that_was_set_back_locks_nobody_out_for_longer_than_an_hour(people: People, clock: Clock) -> None:
    people.add(OLSEN, who="test")
    for _ in range(people_secrets.FREE):
        people.by_pin("4711", "0000")
    clock.ns -= 365 * 86400 * _S
    with pytest.raises(SignInLocked) as told:
        people.by_pin("4711", "0000")
    assert told.value.retry_after_s <= people_secrets.LOCK_MOST_S


def test_who_was_deactivated_signs_in_with_nothing_and_stays_in_the_registry(people: People) -> None:
    people.add(OLSEN, who="test")
    people.set_tag("4711", "04A21B9C7D0080", who="test")
    people.set_pin("4711", "8305", who="test")
    people.deactivate("4711", who="test")
    assert people.by_tag("04A21B9C7D0080") is None
    assert people.by_pin("4711", "8305") is None
    assert people.find("4711") == replace(OLSEN, active=False)


@pytest.mark.requirement("R32")
def test_training_counts_up_to_and_with_its_last_day_and_unknown_is_no(people: People) -> None:
    people.add(OLSEN, who="test")
    assert OLSEN.trained(dt.date(2027, 6, 30))
    assert not OLSEN.trained(dt.date(2027, 7, 1))
    assert not people.train("4711", None, who="test").trained(dt.date(2027, 6, 1))


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (replace(OLSEN, id="47 11"), "no identifier"),
        (replace(OLSEN, id="x" * 33), "no identifier"),
        (replace(OLSEN, name="\x1b[31m"), "printable"),
        (replace(OLSEN, name=" "), "printable"),
        (replace(OLSEN, badge="x" * 200), "badge"),
        (replace(OLSEN, roles=frozenset()), "needs a role"),
        (replace(OLSEN, roles=frozenset({"root"})), "no role 'root'"),  # type: ignore[arg-type]
    ],
)
def test_what_makes_no_sense_is_refused_with_a_sentence(people: People, wrong: Person, why: str) -> None:
    with pytest.raises(BadPerson, match=why):
        people.add(wrong, who="test")
    assert people.all() == []


@pytest.mark.parametrize("pin", ["123", "1234", "0000", "9876", "12a4", "١٢٣٥", "1" * 13])
def test_a_pin_that_anybody_guesses_first_is_refused(people: People, pin: str) -> None:
    people.add(OLSEN, who="test")
    with pytest.raises(BadPerson):
        people.set_pin("4711", pin, who="test")


def test_an_identifier_a_tag_and_nobody_twice(people: People) -> None:
    people.add(replace(OLSEN, id="ada"), who="test")
    people.add(OLSEN, who="test")
    people.set_tag("4711", "04A21B9C7D0080", who="test")
    with pytest.raises(BadPerson, match="already"):
        people.add(replace(OLSEN, id="ADA"), who="test")
    with pytest.raises(BadPerson, match="that tag is 4711's"):
        people.set_tag("ada", "04A21B9C7D0080", who="test")
    with pytest.raises(BadPerson, match="not in the registry"):
        people.train("nobody", None, who="test")


def test_a_table_comes_in_whole_or_not_at_all(people: People, tmp_path: Path) -> None:
    people.add(replace(OLSEN, name="Old Name"), who="test")
    table = tmp_path / "roster.csv"
    table.write_text(
        "id,name,badge,roles,training_valid_until,tag\n"
        "4711,Ada Olsen,,officer supervisor,,04A21B9C7D0080\n"
        "4712,Bo Berg,B-13,officer,2027-01-31,\n"
    )
    assert import_people(people, table, who="test") == (1, 1)
    assert people.by_tag("04A21B9C7D0080") == replace(OLSEN, roles=frozenset({"officer", "supervisor"}))
    before = people.all()
    table.write_text("id,name,roles\n4713,Cy Dahl,officer\n4714,Di Eng,admiral\n")
    with pytest.raises(BadPerson, match=r"line 3: there is no role 'admiral'"):
        import_people(people, table, who="test")
    assert people.all() == before
    table.write_text("id,name\n4713,Cy Dahl\n")
    with pytest.raises(BadPerson, match="first line must name"):
        import_people(people, table, who="test")
    table.write_text("id,name,roles\n4713\n")
    with pytest.raises(BadPerson, match="as many cells"):
        import_people(people, table, who="test")


def dock(config: Path, *arguments: str, said: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dock", "people", "--config", str(config), *arguments]
    return subprocess.run(command, input=said, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.requirement("R33")
def test_the_commands_work_beside_a_running_station_and_every_change_is_in_the_custody_ledger(
    tmp_path: Path, pki: Path
) -> None:
    file = write_station(tmp_path, pki)
    with open_station(load_station(file)) as station:
        audit = station.part(PeopleAudit)
        assert dock(file, "add", "4711", "--name", "Ada Olsen", "--role", "officer").returncode == 0
        assert dock(file, "set-pin", "4711", said="8305\n").returncode == 0
        again = dock(file, "add", "4711", "--name", "Ada Olsen", "--role", "officer")
        assert again.returncode == 1
        assert "already" in again.stderr
        assert audit.people.by_pin("4711", "8305") is not None
        audit.enter_changes()
        audit.enter_changes()
        entries = [one for one in station.custody.entries() if one.step == "people_changed"]
        audit.people.close()
    assert [(one.details["person"], one.details["what"]) for one in entries] == [("4711", "added"), ("4711", "pin_set")]
    assert all(one.who.startswith("shell ") for one in entries)
    assert not any("8305" in value for one in entries for value in one.details.values())
