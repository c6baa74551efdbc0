"""HTML and SVG built from elements, so that nothing reaches the page unescaped. Pure.

Text from a recording, whoever wrote it, is always a `str` and is always escaped; only `tag` and `css` make `Markup`.
Attribute values are escaped as well. What could change how a page reads (control and direction characters) is shown
by its number.
"""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import Final


class Markup(str):
    """Text that is markup already. Only this module makes it."""

    __slots__ = ()


_EMPTY: Final = frozenset({"meta", "br", "img", "hr"})


def shown(text: object) -> str:
    """Any value as escaped text."""
    plain = "".join(one if one.isprintable() or one == "\n" else f"\\u{ord(one):04x}" for one in str(text))
    return html.escape(plain, quote=True)


def joined(parts: Iterable[object]) -> Markup:
    """Parts one after the other; what is no markup is escaped."""
    return Markup("".join(part if isinstance(part, Markup) else shown(part) for part in parts))


def tag(name: str, /, *parts: object, **attributes: object) -> Markup:
    """One element. `class_` is `class`, other underscores become hyphens; an attribute that is None is left out."""
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{shown(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{said}>" if name in _EMPTY else f"<{name}{said}>{joined(parts)}</{name}>")


def css(text: str) -> Markup:
    """A style sheet of our own; it must hold nothing from outside."""
    assert "<" not in text
    return Markup(f"<style>{text}</style>")


def rows(pairs: Iterable[tuple[object, object]]) -> Markup:
    """A table of names and values."""
    body = [tag("tr", tag("th", name, scope="row"), tag("td", value)) for name, value in pairs]
    return tag("table", tag("tbody", *body), class_="facts")


def document(title: str, head: Markup, body: Markup) -> str:
    """A whole page that loads nothing from anywhere."""
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    top = joined(
        (
            tag("meta", charset="utf-8"),
            tag("meta", http_equiv="Content-Security-Policy", content=policy),
            tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            tag("title", title),
            head,
        )
    )
    return f"<!DOCTYPE html>\n{tag('html', tag('head', top), tag('body', body), lang='en')}\n"
