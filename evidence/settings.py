"""Strict settings: TOML or JSON into frozen structures; an unknown key is an error with the nearest match (rule 10)."""

from __future__ import annotations

import difflib
import re
import tomllib
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
        if path.stat().st_size > SETTINGS_BYTES:
            raise BadSettings(f"{path}: larger than a settings file can be")
        values = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise BadSettings(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadSettings(f"{path}: not valid TOML: {error}") from error
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        raise BadSettings(f"{path}: {explain(error, kind)}") from error


def explain(error: msgspec.ValidationError, kind: Any) -> str:
    """The library's message, with the nearest known key for an unknown one."""
    text = str(error)
    unknown = _UNKNOWN.search(text)
    if unknown is None:
        return text
    near = difflib.get_close_matches(unknown[1], sorted(set(_field_names(kind, set()))), n=1)
    return f"unknown key {unknown[1]!r}" + (f"; did you mean {near[0]!r}?" if near else f" ({text})")


def _field_names(kind: Any, seen: set[int]) -> Iterator[str]:
    """All keys anywhere in a structure."""
    if id(kind) in seen:
        return
    seen.add(id(kind))
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        for one in msgspec.structs.fields(kind):
            yield one.encode_name
            yield from _field_names(one.type, seen)
    for argument in getattr(kind, "__args__", ()):
        yield from _field_names(argument, seen)
