"""The table of requirements.md: requirement -> code -> tests, read from the sources without importing them.

Code cites a requirement in a docstring or a comment, ``(R26)``; a test proves one by its marker
``@pytest.mark.requirement("R26")`` or that of its whole file (``pytestmark``), by its name (``…_r26``) or by its own
docstring. What the requirements are, and why some are met elsewhere, stands in ``requirements.toml`` beside this file.
"""

from __future__ import annotations

import ast
import functools
import io
import re
import tokenize
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import msgspec

BASE = Path(__file__).resolve().parent.parent
ROOMS = ("device", "dock", "evidence", "fleet", "hal", "simulator")
COUNT = 42
_CITED = re.compile(r"\bR(\d{1,2})(?:\s?(?:-|–|to)\s?R(\d{1,2}))?\b")
_IN_NAME = re.compile(r"_r(\d{1,2})(?=_|$)")


class Requirement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row of requirements.toml."""

    section: str
    kind: str
    asks: str
    elsewhere: str | None = None
    """Why it, or a part of it, is not met on the camera."""
    pending: bool = False
    """It is being built: a test for all of it is still missing."""


class Test(msgspec.Struct, frozen=True, order=True):
    """One test function, by its file (from the top of the repository) and its name."""

    path: str
    name: str

    @property
    def sentence(self) -> str:
        return _IN_NAME.sub("", self.name).removeprefix("test_").replace("_", " ")


def requirements(path: Path = BASE / "docs" / "requirements.toml") -> dict[int, Requirement]:
    """All rows by number. Raises ValueError if a number is missing or strange."""
    rows = msgspec.toml.decode(path.read_bytes(), type=dict[str, Requirement])
    if list(rows) != [f"R{number}" for number in range(1, COUNT + 1)]:
        raise ValueError(f"{path.name}: the rows must be R1 to R{COUNT}, in order")
    return dict(enumerate(rows.values(), start=1))


def cited(text: str) -> set[int]:
    """Numbers that a text cites; `R13-R15` and `R24 to R26` are ranges."""
    found: set[int] = set()
    for match in _CITED.finditer(text):
        first, last = int(match[1]), int(match[2] or match[1])
        found |= set(range(first, last + 1))
    return found


def words_of(source: str) -> Iterator[str]:
    """Docstrings (of fields too) and comments of a Python source."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.value.value
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.string


def proven(test: ast.FunctionDef | ast.AsyncFunctionDef) -> set[int]:
    """Numbers that a test names: by marker, by name, by docstring."""
    found = {int(number) for number in _IN_NAME.findall(test.name)} | cited(ast.get_docstring(test) or "")
    return found.union(*(marked(decorator) for decorator in test.decorator_list))


def marked(node: ast.AST) -> set[int]:
    """Numbers of the markers in an expression: a decorator, or a file's `pytestmark`."""
    return {
        number
        for call in ast.walk(node)
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "pytest.mark.requirement"
        for given in call.args
        for number in cited(ast.literal_eval(given))
    }


def for_all(source: ast.Module) -> set[int]:
    """Numbers that every test of a file proves: its `pytestmark`."""
    marks = [node.value for node in source.body if isinstance(node, ast.Assign) and _names(node) == ["pytestmark"]]
    return set[int]().union(*(marked(node) for node in marks))


def _names(node: ast.Assign) -> list[str]:
    return [target.id for target in node.targets if isinstance(target, ast.Name)]


@functools.cache
def code() -> dict[int, list[str]]:
    """Modules by the requirement that they cite."""
    found: dict[int, list[str]] = defaultdict(list)
    for path in sorted(one for room in ROOMS for one in (BASE / room).rglob("*.py")):
        for number in sorted({number for words in words_of(path.read_text("utf-8")) for number in cited(words)}):
            found[number].append(path.relative_to(BASE).as_posix())
    return found


@functools.cache
def tests() -> dict[int, list[Test]]:
    """Tests by the requirement that they prove."""
    found: dict[int, list[Test]] = defaultdict(list)
    for path in sorted((BASE / "tests").rglob("test_*.py")):
        source = ast.parse(path.read_text("utf-8"))
        everywhere = for_all(source)
        for node in ast.walk(source):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                for number in proven(node) | everywhere:
                    found[number].append(Test(path.relative_to(BASE).as_posix(), node.name))
    return {number: sorted(ones) for number, ones in found.items()}


def unproven() -> list[str]:
    """Requirements without a test that give no reason: there must be none. A pending one is its own reason."""
    return [
        f"R{number} has no test: mark one, or say in docs/requirements.toml why it is met elsewhere"
        for number, row in requirements().items()
        if not (tests().get(number) or row.elsewhere or row.pending)
    ]


def _link(path: str) -> str:
    return f"[{path}](../{path})"


def overview() -> str:
    """One row for each requirement."""
    rows = []
    for number, row in requirements().items():
        mine = tests().get(number, [])
        shown = [f"[{len(mine)}](#r{number})"] if mine else []
        shown += ["not yet complete" if mine else "not yet"] if row.pending else []
        shown += [f"not on the camera: {row.elsewhere}"] if row.elsewhere else []
        places = ", ".join(f"[{Path(path).stem}](../{path})" for path in code().get(number, [])) or "–"
        rows.append(f"| R{number} | {row.section} | {row.kind} | {row.asks} | {places} | {'; '.join(shown)} |")
    head = "| No | Section | Kind | What it asks | Code that cites it | Tests |\n|---|---|---|---|---|---|"
    return "\n".join([head, *rows, ""])


def proofs() -> str:
    """The tests of each requirement, as the sentences that their names are."""
    lines: list[str] = []
    for number in requirements():
        if mine := tests().get(number, []):
            lines += [f'<a id="r{number}"></a>', f"**R{number}**", ""]
            lines += [f"- {one.sentence} ({_link(one.path)})" for one in mine]
            lines.append("")
    return "\n".join(lines)


TABLES = {"traceability.overview": overview, "traceability.proofs": proofs}
