"""Entries of a device log in plain sentences. The words stand in `words.toml`, so that they can be translated. Pure.

A sentence is told with what is known: without the vault's key the sealed details are not, and another sentence counts.
An entry that has no words is told as it stands, never left out.
"""

from __future__ import annotations

import json
import string
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from evidence.errors import EvidenceError

FILE: Final = Path(__file__).with_name("words.toml")
MOST_BYTES: Final = 1024 * 1024
LONGEST: Final = 600
"""Characters of one value: what a person wrote is cut behind them."""
Text = Annotated[str, Meta(min_length=1, max_length=1000)]
Texts = Text | tuple[Text, ...]


class Words(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The words of one kind of entry."""

    say: Texts
    word: dict[str, Texts] = msgspec.field(default_factory=dict)
    """By the entry's public word."""
    more: tuple[Text, ...] = ()


class Language(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of `words.toml`."""

    entries: dict[str, Words]
    values: dict[str, Text] = msgspec.field(default_factory=dict)

    def knows(self, name: str) -> bool:
        """Whether an entry has words."""
        return name in self.entries

    def sentence(self, name: str, fields: Mapping[str, Any]) -> str:
        """One entry as a sentence. `fields`: `word`, `recording`, and the sealed details as far as they are open."""
        found = self.entries.get(name)
        if found is None:
            return _raw(name, fields)
        word = fields.get("word")
        by_word = found.word.get(str(word)) if word is not None else None
        said = self._first(found.say if by_word is None else by_word, fields) or name.replace("_", " ")
        more = [text for one in found.more if (text := self._filled(one, fields))]
        recording = fields.get("recording")
        told = "; ".join([said, *more])
        if recording is not None and not _names(said, f"recording {recording}"):
            told += f" (recording {recording})"
        return told

    def _first(self, texts: Texts, fields: Mapping[str, Any]) -> str | None:
        for one in (texts,) if isinstance(texts, str) else texts:
            filled = self._filled(one, fields)
            if filled is not None:
                return filled
        return None

    def _filled(self, text: str, fields: Mapping[str, Any]) -> str | None:
        """The text with its fields; None if one of them is not known, or says nothing."""
        parts: list[str] = []
        for literal, name, _, _ in string.Formatter().parse(text):
            parts.append(literal)
            if name is None:
                continue
            value = _at(fields, name)
            if value is None or (isinstance(value, str | Mapping | Sequence) and not value):
                return None
            parts.append(self.value(value))
        return "".join(parts)

    def value(self, value: Any) -> str:
        """A value as people read it."""
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, float):
            return f"{value:.3f}".rstrip("0").rstrip(".")
        if isinstance(value, Mapping):
            return ", ".join(
                f"{one} × {self.value(key)}" if isinstance(one, int) else f"{self.value(key)} {self.value(one)}"
                for key, one in value.items()
            )
        if isinstance(value, list | tuple):
            return ", ".join(self.value(one) for one in value)
        text = str(value)
        if text in self.values:
            return self.values[text]
        plain = text.replace("_", " ") if text.replace("_", "").isalnum() and text.islower() else text
        return plain if len(plain) <= LONGEST else plain[:LONGEST] + "…"


def load(path: Path = FILE) -> Language:
    """A language file. Raises `EvidenceError` with one sentence."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise EvidenceError(f"{path}: larger than a file of words can be")
        language = msgspec.convert(tomllib.loads(path.read_text("utf-8")), Language)
    except OSError as error:
        raise EvidenceError(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError, msgspec.ValidationError) as error:
        raise EvidenceError(f"{path} is no file of words: {error}") from error
    for name, words in language.entries.items():
        for text in _texts(words):
            _check(path, name, text)
    return language


def _texts(words: Words) -> list[str]:
    found: list[str] = list(words.more)
    for one in (words.say, *words.word.values()):
        found += [one] if isinstance(one, str) else one
    return found


def _check(path: Path, name: str, text: str) -> None:
    try:
        fields = [field for _, field, _, _ in string.Formatter().parse(text) if field is not None]
    except ValueError as error:
        raise EvidenceError(f"{path}: entries.{name}: {text!r}: {error}") from error
    if not all(part.isidentifier() for field in fields for part in field.split(".")):
        raise EvidenceError(f"{path}: entries.{name}: {text!r}: a field is a name in braces, like {{word}}")


def _at(fields: Mapping[str, Any], name: str) -> Any:
    """`a.b` is the field `b` of the field `a`."""
    found: Any = fields
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _names(said: str, what: str) -> bool:
    at = said.find(what)
    return at >= 0 and not said[at + len(what) : at + len(what) + 1].isdigit()


def _raw(name: str, fields: Mapping[str, Any]) -> str:
    """An entry that nobody has words for."""
    told = {key: value for key, value in fields.items() if value is not None}
    return f"{name} {json.dumps(told, ensure_ascii=False, default=str)[: 2 * LONGEST]}" if told else name
