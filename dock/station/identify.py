"""Who stands at the desk: by tag, by PIN, or by a plain claim that is marked as one (R32, R33)."""

from __future__ import annotations

from dock.errors import NotIdentified
from dock.station.checkout_words import Identification
from dock.station.people import People
from dock.station.person import Person, Role
from evidence.commands import Identified


def identify(people: People, said: Identification, role: Role = "officer") -> tuple[Person, Identified]:
    """The person with that role, and how that is known. Raises `NotIdentified`, `SignInLocked`."""
    person, how = _person(people, said)
    if person is None:
        raise NotIdentified(
            "nobody in the registry has this tag" if said.tag is not None else "the identifier or the PIN is wrong"
        )
    if role not in person.roles:
        raise NotIdentified(f"{person.name} does not have the role {role}")
    return person, how


def supervisor_of(people: People, said: Identification) -> Person:
    """A supervisor, who must show a tag or know a PIN. Raises `NotIdentified`, `SignInLocked`."""
    if said.tag is None and said.pin is None:
        raise NotIdentified("a supervisor is identified by tag or PIN")
    return identify(people, said, "supervisor")[0]


def _person(people: People, said: Identification) -> tuple[Person | None, Identified]:
    if said.tag is not None:
        if said.person is not None or said.pin is not None:
            raise NotIdentified("give a tag, or an identifier with its PIN, not both")
        return people.by_tag(said.tag), "rfid"
    if said.person is None:
        raise NotIdentified("give a tag, or an identifier")
    if said.pin is not None:
        return people.by_pin(said.person, said.pin), "pin"
    found = people.find(said.person)
    return (found if found is not None and found.active else None), "none"
