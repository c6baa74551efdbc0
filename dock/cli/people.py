"""``firsthand-dock people``: the registry of people, from the command line (R32, R33). Secrets never stand in argv."""

from __future__ import annotations

import argparse
import contextlib
import getpass
import hmac
import os
import pwd
import sqlite3
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from dock.config import load_station
from dock.errors import BadPerson
from dock.station import person as rules
from dock.station.people import People
from dock.station.people_csv import COLUMNS, import_people
from dock.station.person import ROLES, Person
from dock.verbs import Verb
from hal import program_time

_SECRET_BYTES = 1000


def _run(options: argparse.Namespace) -> int:
    config = load_station(options.config)
    action: Callable[[People, argparse.Namespace], None] = options.action
    try:
        with contextlib.closing(People(config.directory, utc_ns=program_time.utc_ns)) as people:
            action(people, options)
    except sqlite3.Error as error:
        raise BadPerson(f"the registry {config.directory / 'people.sqlite'} cannot be used: {error}") from error
    return 0


def who_types() -> str:
    """For the audit: the account of this machine that gives the command."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = str(os.getuid())
    return f"shell {name}"


def secret(prompt: str) -> str:
    """A secret: asked for twice at a terminal, else one line of standard input. Raises `BadPerson`."""
    if sys.stdin.isatty():
        first = getpass.getpass(f"{prompt}: ")
        if not hmac.compare_digest(_bytes(getpass.getpass("Again: ")), _bytes(first)):
            raise BadPerson("the two are not the same: nothing was changed")
        return first
    line = sys.stdin.readline(_SECRET_BYTES).rstrip("\r\n")
    if not line:
        raise BadPerson(f"{prompt.lower()}: standard input is empty")
    return line


def _add(people: People, options: argparse.Namespace) -> None:
    roles = frozenset(rules.checked_role(one) for one in options.role)
    until = rules.checked_day(options.trained_until) if options.trained_until else None
    new = people.add(Person(options.id, options.name, options.badge, roles, until), who=who_types())
    print(f"{new.id} added: {', '.join(sorted(new.roles))}")


def _change(people: People, options: argparse.Namespace) -> None:
    one = _known(people, options.id)
    if options.name:
        one = replace(one, name=options.name)
    if options.badge:
        one = replace(one, badge=options.badge)
    if options.role:
        one = replace(one, roles=frozenset(rules.checked_role(role) for role in options.role))
    if options.activate:
        one = replace(one, active=True)
    people.change(one, who=who_types())
    print(f"{one.id} changed")


def _list(people: People, _: argparse.Namespace) -> None:
    today = program_time.utc_now().date()
    for one in people.all():
        training = one.training_valid_until.isoformat() if one.training_valid_until else "unknown"
        over = "" if one.trained(today) or "officer" not in one.roles else " (no training that counts)"
        state = "" if one.active else " [deactivated]"
        roles = ",".join(sorted(one.roles))
        print(f"{one.id:<16} {one.name:<28} badge {one.badge or '-':<10} {roles:<24} training {training}{over}{state}")


def _set_password(people: People, options: argparse.Namespace) -> None:
    _known(people, options.id)
    people.set_password(options.id, None if options.remove else secret("New password"), who=who_types())
    print(f"{options.id}: password {'removed' if options.remove else 'set'}")


def _set_pin(people: People, options: argparse.Namespace) -> None:
    _known(people, options.id)
    people.set_pin(options.id, None if options.remove else secret("New PIN"), who=who_types())
    print(f"{options.id}: PIN {'removed' if options.remove else 'set'}")


def _set_tag(people: People, options: argparse.Namespace) -> None:
    _known(people, options.id)
    people.set_tag(options.id, None if options.remove else secret("UID of the tag"), who=who_types())
    print(f"{options.id}: tag {'removed' if options.remove else 'set'}")


def _train(people: People, options: argparse.Namespace) -> None:
    one = people.train(options.id, rules.checked_day(options.until), who=who_types())
    print(f"{one.id}: training counts up to and with {one.training_valid_until}")


def _deactivate(people: People, options: argparse.Namespace) -> None:
    print(f"{people.deactivate(options.id, who=who_types()).id} deactivated")


def _import(people: People, options: argparse.Namespace) -> None:
    added, changed = import_people(people, options.file, who=who_types())
    print(f"{added} added, {changed} brought up to date")


def _known(people: People, person: str) -> Person:
    found = people.find(person)
    if found is None:
        raise BadPerson(f"{person[:40]!r} is not in the registry: `people list` shows who is")
    return found


def _arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(required=True, metavar="ACTION")

    def action(name: str, what: str, run: Callable[[People, argparse.Namespace], None]) -> argparse.ArgumentParser:
        found = actions.add_parser(name, help=what, description=what)
        found.set_defaults(action=run)
        if name not in ("list", "import"):
            found.add_argument("id", metavar="ID", help="the agency's identifier of the person")
        return found

    add = action("add", "somebody new", _add)
    add.add_argument("--name", required=True)
    add.add_argument("--badge")
    add.add_argument("--role", required=True, action="append", choices=ROLES, help="give it once for each role")
    add.add_argument("--trained-until", metavar="2027-06-30", help="last day on which the training counts")
    change = action("change", "another name, badge or role; or back in service", _change)
    change.add_argument("--name")
    change.add_argument("--badge")
    change.add_argument("--role", action="append", choices=ROLES, help="all roles from now on, once for each")
    change.add_argument("--activate", action="store_true", help="undo deactivate")
    action("list", "everybody, with training", _list)
    for name, what, run in (
        ("set-password", "password for the dock page: asked for, or a line of standard input", _set_password),
        ("set-pin", "PIN for checkout: asked for, or a line of standard input", _set_pin),
        ("set-tag", "RFID tag: hold it to the reader when asked, or a line of standard input", _set_tag),
    ):
        action(name, what, run).add_argument("--remove", action="store_true", help="take it away instead")
    action("train", "until when the training counts (R32)", _train).add_argument("until", metavar="2027-06-30")
    action("deactivate", "signs in no more; the entry stays, since records name it", _deactivate)
    imported = action("import", f"people from CSV with the columns {', '.join(COLUMNS)}", _import)
    imported.add_argument("file", type=Path, metavar="FILE.csv")


VERB = Verb(
    "people",
    "officers, technicians, supervisors, administrators",
    """The registry of people: who may sign in at the dock, with what, and until when the training counts. Works while
    the station runs; give it as the station's own user. Every change stands in the custody ledger.""",
    _run,
    _arguments,
)


def _bytes(typed: str) -> bytes:
    """What was typed, whatever a terminal made of it."""
    return typed.encode("utf-8", "surrogateescape")
