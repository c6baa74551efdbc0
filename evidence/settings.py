"""Strict settings: TOML into frozen structures; an unknown key is an error with the nearest match (house rule 10).

Paths in a settings file are relative to the file's own directory.
"""

from __future__ import annotations

import difflib
import re
import tomllib
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from evidence.errors import EvidenceError

SETTINGS_BYTES: Final = 256 * 1024
T = TypeVar("T")
_UNKNOWN: Final = re.compile(r"unknown field `(.*?)`")


class BadSettings(EvidenceError, ValueError):
    """A settings file that cannot be used; the message names file, key and the nearest known key."""


def read_toml(path: Path) -> dict[str, Any]:
    """A settings file as it stands. Raises `BadSettings` with one sentence if it cannot be read or is no TOML."""
    try:
        with path.open("rb") as file:
            data = file.read(SETTINGS_BYTES + 1)
    except OSError as error:
        raise BadSettings(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) > SETTINGS_BYTES:
        raise BadSettings(f"{path}: larger than a settings file can be")
    try:
        return tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadSettings(f"{path}: not valid TOML: {error}") from error


def load_toml(path: Path, kind: type[T]) -> T:
    """A settings file as a structure. Raises `BadSettings` with one sentence."""
    values = read_toml(path)
    _refuse_unknown(path, values, kind)
    base = path.resolve().parent

    def to_path(wanted: type, value: Any) -> Any:
        if wanted is Path and isinstance(value, str) and value and "\0" not in value:
            return base / value
        raise ValueError("expected a path")

    try:
        return msgspec.convert(values, kind, dec_hook=to_path)
    except msgspec.ValidationError as error:
        message, _, where = str(error).partition(" - at `$")
        key = where.rstrip("`").lstrip(".") or "the top level"
        raise BadSettings(f"{path}: {key}: {message[:1].lower()}{message[1:]}") from error


def mistakes(values: Mapping[str, Any], kind: type, prefix: str = "") -> Iterator[str]:
    """Everything that is wrong in a table, a sentence each: unknown and missing keys, values out of range."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    for key, value in values.items():
        where = f"{prefix}{key}"
        if key not in fields:
            yield f"unknown key {where}{nearest(key, list(fields))}"
            continue
        inner = list(_tables_in(value, fields[key].type, where))
        for name, table, one in inner:
            yield from mistakes(one, table, f"{name}.")
        if not inner:
            try:
                msgspec.convert(value, fields[key].type, dec_hook=_any_path)
            except msgspec.ValidationError as error:
                message, _, at = str(error).partition(" - at `$")
                yield f"{where}{at.rstrip('`')}: {message[:1].lower()}{message[1:]}"
    missing = [name for name, one in fields.items() if one.required and name not in values]
    if missing:
        yield f"{prefix.rstrip('.') or 'the top level'}: missing {', '.join(missing)}"


def _any_path(wanted: type, value: Any) -> Any:
    if wanted is Path and isinstance(value, str):
        return Path(value)
    raise ValueError("expected a path")


def _tables_in(value: Any, declared: Any, where: str) -> Iterator[tuple[str, type, dict[str, Any]]]:
    """The tables inside a value that are declared as structures: (where, structure, table)."""
    if typing.get_origin(declared) is typing.Annotated:
        declared = typing.get_args(declared)[0]
    table = _table_of(declared)
    if table is None:
        return
    if isinstance(value, list):
        yield from ((f"{where}[{place}]", table, one) for place, one in enumerate(value) if isinstance(one, dict))
    elif isinstance(value, dict) and typing.get_origin(declared) is dict:
        yield from ((f"{where}.{name}", table, one) for name, one in value.items() if isinstance(one, dict))
    elif isinstance(value, dict):
        yield where, table, value


def _refuse_unknown(path: Path, values: dict[str, Any], kind: type) -> None:
    """Every key must be declared. Raises `BadSettings` that names the nearest one."""
    for sentence in mistakes(values, kind):
        if sentence.startswith("unknown key "):
            raise BadSettings(f"{path}: {sentence}")


def _table_of(kind: Any) -> type | None:
    candidates = (kind,) if isinstance(kind, type) else getattr(kind, "__args__", ())
    return next((one for one in candidates if isinstance(one, type) and issubclass(one, msgspec.Struct)), None)


def nearest(key: str, known: list[str]) -> str:
    """What to say after an unknown key: the nearest known one, else all of them."""
    near = difflib.get_close_matches(key, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else f" (known: {', '.join(known)})"


def explain(error: msgspec.ValidationError, kind: Any) -> str:
    """The library's message, with the nearest known key anywhere in the structure for an unknown one."""
    unknown = _UNKNOWN.search(str(error))
    if unknown is None:
        return str(error)
    near = difflib.get_close_matches(unknown[1], sorted(set(_field_names(kind, set()))), n=1)
    return f"unknown key {unknown[1]!r}" + (f"; did you mean {near[0]!r}?" if near else f" ({error})")


def _field_names(kind: Any, seen: set[int]) -> Iterator[str]:
    """All keys anywhere in a structure."""
    if id(kind) in seen:
        return
    seen.add(id(kind))
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        for one in msgspec.structs.fields(kind):
            yield one.encode_name
            yield from _field_names(one.type, seen)
    for argument in typing.get_args(kind):
        yield from _field_names(argument, seen)
