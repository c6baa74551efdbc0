"""Strict tables, all mistakes of one at once: what does not fit is named, left out, and the rest is looked at. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final, TypeVar

import msgspec

from evidence.settings import explain
from simulator.steps import Mistake

T = TypeVar("T")
MOST: Final = 100
_PLACE: Final = re.compile(r" - at `\$(.*?)`")
_KEY: Final = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]")
_MEANT: Final = re.compile(r"^unknown key .*did you mean '(.*?)'")
_NAMED: Final = re.compile(r"(?:unknown|required) field `(.*?)`")


def collected(values: dict[str, Any], kind: type[T]) -> tuple[T | None, list[tuple[tuple[str, ...], str]]]:
    """(the structure, what is wrong): each is (path of the key, a sentence). None if nothing whole is left."""
    found: list[tuple[tuple[str, ...], str]] = []
    rest: Any = _copied(values)
    while len(found) < MOST:
        try:
            return msgspec.convert(rest, kind), found
        except msgspec.ValidationError as error:
            place = _PLACE.search(str(error))
            path = [one[0] or int(one[1]) for one in _KEY.findall(place[1])] if place is not None else []
            named = _NAMED.search(str(error))
            if named is not None and "unknown" in str(error):
                path.append(named[1])
            said = _plain(explain(error, kind), path)
            found.append((tuple(map(str, path)), said))
            meant = _MEANT.search(said)
            if meant is not None and path and _renamed(rest, path, meant[1]):
                continue  # go on as if it were written right, so that one slip is told once
            if not path or not _left_out(rest, path):
                return None, found
    return None, found


def _plain(said: str, path: list[Any]) -> str:
    """`at `$.a.b`` becomes the name of the key at the front."""
    message, at, _ = said.partition(" - at `$")
    missing = re.fullmatch(r"Object missing required field `(.*)`", message)
    if missing is not None:
        return f"say {missing[1]} = ..."
    return (
        f"{path[-1]}: {message[:1].lower()}{message[1:]}" if at and path and not message.startswith("un") else message
    )


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(one) for key, one in value.items()}
    return [_copied(one) for one in value] if isinstance(value, list) else value


def _left_out(values: Any, path: list[Any]) -> bool:
    """Take a key out; the whole table around it if it is a list's."""
    for depth, key in enumerate(path):
        if isinstance(values, list):
            values.pop(int(key)) if int(key) < len(values) else None
            return True
        if not isinstance(values, dict) or key not in values:
            return False
        if depth == len(path) - 1:
            del values[key]
            return True
        values = values[key]
    return False


def _renamed(values: Any, path: list[Any], key: str) -> bool:
    for one in path[:-1]:
        values = values[one]
    if not isinstance(values, dict) or key in values:
        return False
    values[key] = values.pop(path[-1])
    return True


def line_of(text: str, path: tuple[str, ...]) -> int:
    """The line on which a key of a TOML file stands, as far as it can be found; 0 if not."""
    table, *_ = path[:-1] or ("",)
    lines = list(enumerate(text.splitlines(), 1))
    key = re.compile(rf"\s*['\"]?{re.escape(path[-1])}['\"]?\s*=") if path else None
    head = re.compile(rf"\s*\[+\s*{re.escape('.'.join(path[:-1]))}\s*\]+")
    began = next((number for number, line in lines if head.match(line)), 0) if path[:-1] else 1
    if key is not None:
        for number, line in lines[max(began - (not path[:-1]), 0) :]:
            if key.match(line):
                return number
            if began and number > began and re.match(r"\s*\[", line):
                break
    whole = re.compile(rf"\s*\[+\s*{re.escape('.'.join(path))}\s*\]+")
    return next((number for number, line in lines if whole.match(line)), began if table else 0)


def located(text: str, prefix: tuple[str, ...], wrong: list[tuple[tuple[str, ...], str]]) -> Iterator[Mistake]:
    """Mistakes with the line of their key."""
    for path, sentence in wrong:
        whole = (*prefix, *path)
        where = f"[{'.'.join(prefix)}]: " if prefix else ""
        yield Mistake(line_of(text, whole) if whole else 0, f"{where}{sentence}")
