"""Strict settings: TOML into frozen structures; an unknown key is an error with the nearest match (house rule 10).

Paths in a settings file are relative to the file's own directory.
"""

from __future__ import annotations

import difflib
import re
import tomllib
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from evidence.errors import EvidenceError

SETTINGS_BYTES: Final = 256 * 1024
T = TypeVar("T")
_UNKNOWN: Final = re.compile(r"unknown field `(.*?)`")


class BadSettings(EvidenceError, ValueError):
    """A settings file that cannot be used; the message names file, key and the nearest known key."""


def load_toml(path: Path, kind: type[T]) -> T:
    """A settings file as a structure. Raises `BadSettings` with one sentence."""
    try:
        with path.open("rb") as file:
            data = file.read(SETTINGS_BYTES + 1)
    except OSError as error:
        raise BadSettings(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) > SETTINGS_BYTES:
        raise BadSettings(f"{path}: larger than a settings file can be")
    try:
        values = tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadSettings(f"{path}: not valid TOML: {error}") from error
    _refuse_unknown(path, values, kind, "")
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


def _refuse_unknown(path: Path, values: dict[str, Any], kind: type, prefix: str) -> None:
    """Every key must be declared. Raises `BadSettings` that names the nearest one."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    for key, value in values.items():
        if key not in fields:
            raise BadSettings(f"{path}: unknown key {prefix}{key}{nearest(key, list(fields))}")
        declared = fields[key].type
        table = _table_of(declared)
        if table is None or not isinstance(value, dict):
            continue
        if typing.get_origin(declared) is dict:
            for name, one in value.items():
                if isinstance(one, dict):
                    _refuse_unknown(path, one, table, f"{prefix}{key}.{name}.")
        else:
            _refuse_unknown(path, value, table, f"{prefix}{key}.")


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
