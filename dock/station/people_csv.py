"""People from a table: CSV with a header, all of its lines or none (R32)."""

from __future__ import annotations

import csv
import datetime as dt
import io
from dataclasses import replace
from pathlib import Path
from typing import Final

from dock.errors import BadPerson
from dock.station import person as rules
from dock.station.people import People
from dock.station.person import Person

COLUMNS: Final = ("id", "name", "badge", "roles", "training_valid_until", "tag")
_MUST: Final = ("id", "name", "roles")
_MOST_BYTES: Final = 2**20
_MOST_LINES: Final = 20_000


def import_people(people: People, path: Path, *, who: str) -> tuple[int, int]:
    """Add or change everybody in the file; how many were added, how many changed.

    A column that is missing, and a cell that is empty, leaves what the registry has. Nobody is taken out. Raises
    `BadPerson` with the line's number, and then nothing was changed; OSError.
    """
    with path.open("rb") as file:
        data = file.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise BadPerson(f"{path.name} is larger than {_MOST_BYTES} bytes: split it")
    try:
        reader = csv.DictReader(io.StringIO(data.decode("utf-8-sig")), strict=True)
        header, lines = reader.fieldnames or (), list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadPerson(f"{path.name} is no CSV in UTF-8: {error}") from error
    unknown, missing = set(header) - set(COLUMNS), set(_MUST) - set(header)
    if unknown or missing or len(header) != len(set(header)) or len(lines) > _MOST_LINES:
        raise BadPerson(
            f"{path.name}: the first line must name columns of {', '.join(COLUMNS)} ({', '.join(_MUST)} at least), "
            f"each once, and at most {_MOST_LINES} lines follow"
        )
    added = changed = 0
    with people.together():
        for number, line in enumerate(lines, start=2):
            try:
                new = _take(people, line, who)
            except BadPerson as error:
                raise BadPerson(f"{path.name} line {number}: {error}") from error
            added, changed = added + new, changed + (not new)
    return added, changed


def _take(people: People, line: dict[str, str | None], who: str) -> bool:
    """Whether somebody new came in."""
    if None in line or None in line.values():
        raise BadPerson("it has not as many cells as the header")
    cell = {key: (value or "").strip() for key, value in line.items()}
    roles = frozenset(rules.checked_role(one) for one in cell["roles"].replace(";", " ").split())
    until: dt.date | None = None
    if cell.get("training_valid_until"):
        until = rules.checked_day(cell["training_valid_until"])
    before = people.find(rules.checked_id(cell["id"]))
    one = Person(cell["id"], cell["name"], cell.get("badge") or None, roles, until)
    if before is None:
        people.add(one, who=who)
    else:
        kept = replace(one, badge=one.badge or before.badge, active=before.active)
        people.change(replace(kept, training_valid_until=until or before.training_valid_until), who=who)
    if cell.get("tag"):
        people.set_tag(cell["id"], cell["tag"], who=who)
    return before is None
