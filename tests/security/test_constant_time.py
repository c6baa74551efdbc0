"""No secret is compared with ``==``: how long that takes tells how much of a guess was right."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

BASE = Path(__file__).resolve().parents[2]
ROOMS = ("device", "dock", "evidence", "fleet", "hal")
SECRET = re.compile(r"(?:^|_)(?:cek|cookie|csrf|hmac|mac|passphrase|password|pin|secret|token)(?:s|_|$)", re.IGNORECASE)
NO_SECRET = {
    "device/header.py: pin == 'GND'": "the pin of a header",
    "hal/pins.py: pin in taken": "the pin of a header",
}
"""A comparison that only looks like one, and why."""
BY_DIGEST = {
    "fleet/tokens.py": "SELECT serial, level, until_s FROM token WHERE sha256 = ?",
    "dock/station/page/sessions.py": "self._sessions.get(_key(token))",
}
"""Tokens of 192 and 256 random bits are found by their SHA-256: what a guess's digest has in common with a kept one
says nothing of the token."""


def named(node: ast.AST) -> Iterator[str]:
    """The names that a compared value goes by. The length of a secret is none."""
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.Attribute):
        yield node.attr
    elif isinstance(node, ast.Call):
        if ast.unparse(node.func) in ("len", "bool", "type"):
            return
        yield from named(node.func)
        for part in node.args:
            yield from named(part)
        if isinstance(node.func, ast.Attribute):
            yield from named(node.func.value)
    elif isinstance(node, ast.Subscript):
        yield from named(node.value)
        if isinstance(node.slice, ast.Constant):
            yield str(node.slice.value)
    elif isinstance(node, ast.Tuple | ast.List | ast.BinOp | ast.JoinedStr | ast.FormattedValue):
        for child in ast.iter_child_nodes(node):
            yield from named(child)


def compared_plainly(source: str) -> list[str]:
    """Comparisons of secrets by ``==``, ``!=`` or ``in``."""
    return [
        ast.unparse(node)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Compare)
        and any(isinstance(sign, ast.Eq | ast.NotEq | ast.In | ast.NotIn) for sign in node.ops)
        and any(SECRET.search(name) for value in (node.left, *node.comparators) for name in named(value))
    ]


def test_secrets_are_compared_in_constant_time() -> None:
    wrong = {
        f"{path.relative_to(BASE)}: {found}"
        for room in ROOMS
        for path in sorted((BASE / room).rglob("*.py"))
        for found in compared_plainly(path.read_text("utf-8"))
    }
    assert wrong == set(NO_SECRET), "use hmac.compare_digest"


def test_tokens_are_looked_up_by_their_digest_where_they_are_not_compared() -> None:
    for path, words in BY_DIGEST.items():
        assert words in (BASE / path).read_text("utf-8")


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("given.token == wanted", 1),
        ("form['csrf'] != session.csrf", 1),
        ("password.encode() in known", 1),
        ("f'Bearer {token}' == header", 1),
        ("hashlib.sha256(pin).digest() == kept", 1),
        ("len(token) == 32", 0),
        ("hmac.compare_digest(token, wanted)", 0),
        ("token is None", 0),
        ("pinned == found", 0),
    ],
)
def test_the_search_finds_what_it_is_for(source: str, found: int) -> None:
    assert len(compared_plainly(source)) == found
