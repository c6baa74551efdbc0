"""Plain values as TOML text, for the settings files that the simulator writes. Only what those files need."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def toml_text(values: Mapping[str, Any], heading: str) -> str:
    """A TOML document with a comment on top. Tables come after plain values, as TOML wants it."""
    lines = [f"# {heading}"]
    _table(lines, values, ())
    return "\n".join(lines) + "\n"


def _table(lines: list[str], values: Mapping[str, Any], path: tuple[str, ...]) -> None:
    if path:
        lines.extend(("", f"[{'.'.join(_key(part) for part in path)}]"))
    for key, value in values.items():
        if not isinstance(value, Mapping):
            lines.append(f"{_key(key)} = {_value(value)}")
    for key, value in values.items():
        if isinstance(value, Mapping):
            _table(lines, value, (*path, key))


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _value(key)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
    if isinstance(value, list | tuple):
        return f"[{', '.join(_value(one) for one in value)}]"
    if isinstance(value, Mapping):  # in a list: a table of its own kind has no place there
        return f"{{{', '.join(f'{_key(key)} = {_value(one)}' for key, one in value.items())}}}"
    raise TypeError(f"{type(value).__name__} has no place in a settings file")
