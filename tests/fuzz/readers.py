"""Which functions of the product take bytes apart, found in its source; and which of them the fuzz targets enter.

A function is a reader if it calls a decoder: of JSON, TOML, XML, CSV, ASN.1, certificates, archives, structures of C,
base64, forms, or a file of the kernel. Whoever writes a new one must fuzz it, or say in `unfuzzed.toml` why not
(tests/evidence/test_fuzz_inventory.py).
"""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, Final

from reached import BASE, ROOMS
from target import Target

UNFUZZED: Final = Path(__file__).with_name("unfuzzed.toml")
CALLS: Final = frozenset({
    "json.loads", "json.load", "tomllib.loads", "tomllib.load", "msgspec.json.decode", "msgspec.toml.decode",
    "struct.unpack", "struct.unpack_from", "struct.iter_unpack", "int.from_bytes", "zipfile.ZipFile", "tarfile.open",
    "ElementTree.fromstring", "expat.ParserCreate", "csv.DictReader", "csv.reader", "base64.b64decode",
    "binascii.unhexlify", "parse_qsl", "decode_canonical", "der.Reader", "Reader", "NMEAReader.parse", "NMEAMessage",
    "decode_timestamp_response", "read_text", "text_of", "c2pa.Reader",
})  # fmt: skip
"""What is called, as it is written; `read_text` and `text_of` are `hal.sysfs`."""
LOADS: Final = ("x509.load_", "pkcs7.load_", "serialization.load_")
METHODS: Final = frozenset({"decode", "decode_lines", "unpack", "unpack_from", "iter_unpack"})
"""Of something that was made by one of `MAKERS`."""
MAKERS: Final = frozenset({"msgspec.json.Decoder", "struct.Struct"})


def sources() -> Iterator[tuple[str, ast.Module]]:
    """(module, its syntax) of all rooms."""
    for room in ROOMS:
        for path in sorted(Path(room).rglob("*.py")):
            module = ".".join(path.relative_to(BASE).with_suffix("").parts)
            yield module, ast.parse(path.read_text("utf-8"))


def readers() -> set[str]:
    """Every reader, as ``module:function``. What a module reads once, while it is imported, is its own data."""
    modules = list(sources())
    made = {name for _, tree in modules for name in _made(tree)}
    return {f"{module}:{name}" for module, tree in modules for name in _reading(tree, "", made) if name}


def _made(tree: ast.Module) -> Iterator[str]:
    """Names of decoders and structures."""
    for node in ast.walk(tree):
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        if isinstance(value, ast.Call) and _dotted(value.func) in MAKERS:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]  # type: ignore[union-attr]
            yield from (_dotted(one).rpartition(".")[2] for one in targets)


def _reading(node: ast.AST, name: str, made: set[str]) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from _reading(child, f"{name}.{child.name}".lstrip("."), made)
            continue
        if isinstance(child, ast.Call) and _reads(child.func, made):
            yield name
        yield from _reading(child, name, made)


def _reads(function: ast.expr, made: set[str]) -> bool:
    dotted = _dotted(function)
    if dotted in CALLS or dotted.startswith(LOADS):
        return True
    holder, _, method = dotted.rpartition(".")
    return method in METHODS and (holder.rpartition(".")[2] in made or holder in MAKERS)


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Call):
        return _dotted(node.func)
    return f"{_dotted(node.value)}.{node.attr}" if isinstance(node, ast.Attribute) else ""


class Entered:
    """Functions of the product that run while this is the profiler, as ``module:function``."""

    def __init__(self) -> None:
        self._codes: set[Any] = set()

    def __call__(self, frame: FrameType, event: str, _argument: Any) -> None:
        if event == "call":
            self._codes.add(frame.f_code)

    def names(self) -> set[str]:
        """All of them so far."""
        found: set[str] = set()
        for code in self._codes:
            if code.co_filename.startswith(ROOMS):
                module = ".".join(Path(code.co_filename).relative_to(BASE).with_suffix("").parts)
                found.add(f"{module}:{code.co_qualname.replace('<locals>.', '')}")
        return found


def entered_by(targets: Iterable[Target]) -> set[str]:
    """What the targets enter when they are given their own corpus."""
    entered = Entered()
    for target in targets:
        for data in target.seeds():
            before = sys.getprofile()
            sys.setprofile(entered)
            try:
                target(data)
            finally:
                sys.setprofile(before)
    return entered.names()


def excused() -> dict[str, str]:
    """Reader -> why it has no fuzzer."""
    groups = tomllib.loads(UNFUZZED.read_text("utf-8"))["group"]
    return {reader: group["why"] for group in groups for reader in group["readers"]}
