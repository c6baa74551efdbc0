"""Write the tables of the reference pages from the code: `make docs`, or with --check say whether they are up to date.

A page holds ``<!-- table: MODULE.STRUCT -->`` … ``<!-- end -->``; what stands between is replaced. Meanings come from
the docstrings in the code; where a field has none, from ``meanings.toml`` beside this file. A field without a meaning
in either is an error, so that no page is silently incomplete.
"""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import annotate
import assurance
import drawn_benchmarks
import drawn_patterns
import drawn_states
import drawn_wiring
import fleet_messages
import listed_faults
import listed_notices
import listed_scenarios
import listed_threats
import listed_words
import msgspec
import station_paths
import traceability
from msgspec import inspect as types

HERE = Path(__file__).resolve().parent
PAGES = (
    "assurance.md",
    "benchmarks.md",
    "evidence-format.md",
    "configuration.md",
    "requirements.md",
    "design/states.md",
    "design/threats.md",
    "hand-off.md",
    "telemetry.md",
    "indicators.md",
    "simulator/faults.md",
    "simulator/library.md",
    "simulator/scenarios.md",
    *(f"wiring/{name}.md" for name in drawn_wiring.WITH_HEADER),
)
WRITTEN = (fleet_messages, station_paths)
"""Modules that write a whole document, and no tables."""
ALIASES = ("Hash", "Nonce", "Serial", "Name", "Word", "Count", "Nanoseconds", "Moment")
_BLOCK = re.compile(r"(<!-- table: (?P<what>[A-Za-z0-9_.]+) -->\n).*?(<!-- end -->)", re.DOTALL)


@functools.cache
def meanings() -> dict[str, dict[str, str]]:
    """Words for fields that have no docstring in the code: struct -> field -> meaning."""
    return tomllib.loads((HERE / "meanings.toml").read_text("utf-8"))


@functools.cache
def docstrings(kind: type) -> dict[str, str]:
    """Field -> the string literal that follows it in the class's source."""
    (body,) = ast.parse(inspect.getsource(kind)).body
    assert isinstance(body, ast.ClassDef)
    found: dict[str, str] = {}
    for field, after in zip(body.body, body.body[1:], strict=False):
        if not (isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)):
            continue
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            found[field.target.id] = " ".join(str(after.value.value).split()).replace("``", "`")
    return found


def meaning(kind: type, field: str) -> str:
    """What a field is for. Raises SystemExit if nobody said."""
    for one in kind.__mro__:
        if field in getattr(one, "__annotations__", {}):
            said = docstrings(one).get(field) or meanings().get(one.__name__, {}).get(field)
            if said:
                return said
            raise SystemExit(f"{one.__module__}.{one.__name__}.{field} has no meaning: write a docstring in the code")
    raise AssertionError(field)


@functools.cache
def _aliases() -> list[tuple[types.Type, str]]:
    module = importlib.import_module("evidence.statements")
    return [(types.type_info(getattr(module, name)), name) for name in ALIASES]


def _length(info: Any, of: str) -> str:
    low, high = info.min_length, info.max_length
    if low is None and high is None:
        return ""
    return f" of {low or 0} to {high} {of}" if high is not None else f" of at least {low} {of}"


def _plain(pattern: str) -> str:
    """A pattern for a Markdown table: always anchored, so the anchors go."""
    return pattern.removeprefix("^").removesuffix("$").removesuffix("\\Z").replace("|", "\\|")


def value(info: types.Type) -> str:
    """A type with its limits, in words."""
    for known, name in _aliases():
        if info == known:
            return name
    if isinstance(info, types.IntType | types.FloatType):
        kind = "integer" if isinstance(info, types.IntType) else "number"
        low = info.ge if info.ge is not None else f"over {info.gt}" if info.gt is not None else None
        return f"{kind} {low} to {info.le}" if low is not None else kind
    if isinstance(info, types.StrType):
        return f"text `{_plain(info.pattern)}`" if info.pattern else f"text{_length(info, 'characters')}"
    if isinstance(info, types.LiteralType):
        return " \\| ".join(f"`{one}`" for one in info.values)
    if isinstance(info, types.VarTupleType | types.ListType):
        return f"list{_length(info, '') or ' of '}{value(info.item_type)}"
    if isinstance(info, types.DictType):
        return f"table of {value(info.value_type)} by {value(info.key_type)}"
    if isinstance(info, types.UnionType):
        return " or ".join(value(one) for one in info.types if not isinstance(one, types.NoneType))
    if isinstance(info, types.StructType):
        return f"[{info.cls.__name__}](#{info.cls.__name__.lower()})"
    if isinstance(info, types.CustomType):
        return {"Path": "path"}.get(info.cls.__name__, info.cls.__name__)
    simple = {types.BoolType: "`true` \\| `false`", types.BytesType: "base64", types.AnyType: "anything"}
    return simple.get(type(info), type(info).__name__.removesuffix("Type").lower()) + (
        _length(info, "bytes") if isinstance(info, types.BytesType) else ""
    )


def default(field: types.Field) -> str:
    """How a default is shown; `required` without one."""
    if field.required:
        return "required"
    made = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
    if made is None:
        return "absent"
    if isinstance(made, msgspec.Struct):
        driver = getattr(made, "driver", None)
        return f'`driver = "{driver}"`' if driver else "its defaults"
    if isinstance(made, bool):
        return "`true`" if made else "`false`"
    return f"`{made}`" if made not in ((), [], {}) else "empty"


def table(what: str) -> str:
    """The table of one structure: own fields, with those of untagged bases it shares with nobody left to their page."""
    module, _, name = what.rpartition(".")
    kind = getattr(importlib.import_module(module), name)
    info = types.type_info(kind)
    assert isinstance(info, types.StructType)
    own = set(kind.__annotations__) | (set() if _is_statement(kind) else {one.name for one in info.fields})
    rows = [
        f"| `{one.encode_name}` | {value(one.type)} | {default(one)} | {meaning(kind, one.name)} |"
        for one in info.fields
        if one.name in own
    ]
    if isinstance(info.tag, str) and not _is_statement(kind):
        rows.insert(0, f"| `{info.tag_field}` | `{info.tag}` | required | Says what this is. |")
    return "\n".join(["| Key | Value | Default | Meaning |", "|---|---|---|---|", *rows, ""])


def _is_statement(kind: type) -> bool:
    return any(base.__name__ == "Statement" for base in kind.__mro__)


def limits() -> str:
    """The table of evidence/limits.py."""
    source = (HERE.parent / "evidence" / "limits.py").read_text("utf-8")
    body = ast.parse(source).body
    module = importlib.import_module("evidence.limits")
    rows = []
    for node, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            said = after.value.value if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else ""
            said = str(said) or meanings()["limits"][node.target.id]
            rows.append(f"| `{node.target.id}` | {getattr(module, node.target.id)} | {said} |")
    return "\n".join(["| Name | Value | Of what |", "|---|---|---|", *rows, ""])


def render(page: str) -> str:
    """A page with its tables as the code has them now."""

    def replaced(found: re.Match[str]) -> str:
        what = found["what"]
        if what.startswith("example."):
            made = annotate.example(int(what.removeprefix("example.")))
        elif what in drawn_benchmarks.TABLES:
            made = drawn_benchmarks.TABLES[what]()
        elif what in drawn_states.TABLES:
            made = drawn_states.TABLES[what]()
        elif what in drawn_patterns.TABLES:
            made = drawn_patterns.TABLES[what]()
        elif what in drawn_wiring.TABLES:
            made = drawn_wiring.TABLES[what]()
        elif what in listed_notices.TABLES:
            made = listed_notices.TABLES[what]()
        elif what in listed_words.TABLES:
            made = listed_words.TABLES[what]()
        elif what in listed_faults.TABLES:
            made = listed_faults.TABLES[what]()
        elif what in listed_scenarios.TABLES:
            made = listed_scenarios.TABLES[what]()
        elif what in listed_threats.TABLES:
            made = listed_threats.TABLES[what]()
        elif what in assurance.TABLES:
            made = assurance.TABLES[what]()
        elif what in traceability.TABLES:
            made = traceability.TABLES[what]()
        else:
            made = limits() if what == "evidence.limits" else table(what)
        return f"{found[1]}{made}{found[3]}"

    return _BLOCK.sub(replaced, page)


def stale() -> list[str]:
    """Names of pages whose tables are not what the code says."""
    pages = [name for name in PAGES if (text := (HERE / name).read_text("utf-8")) != render(text)]
    pages += [one.FILE.name for one in WRITTEN if one.stale()]
    return pages + [
        str(path.relative_to(HERE))
        for path in (*drawn_benchmarks.stale_images(), *drawn_patterns.stale_images(), *drawn_wiring.stale_images())
    ]


def main() -> int:
    """0 if all is up to date now."""
    old = stale()
    if "--check" in sys.argv[1:]:
        print("\n".join(f"docs/{name} is not up to date: run `make docs`" for name in old) or "docs are up to date")
        return bool(old)
    drawn_benchmarks.write_images()
    drawn_patterns.write_images()
    drawn_wiring.write_images()
    for name in old:
        page = HERE / name
        whole = next((one for one in WRITTEN if page == one.FILE), None)
        if whole is not None:
            page.write_text(whole.text(), "utf-8")
            print(f"docs/{name} written")
            continue
        if page.suffix == ".svg":
            print(f"docs/{name} drawn")
            continue
        page.write_text(render(page.read_text("utf-8")), "utf-8")
        print(f"docs/{name} written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
