"""`unpack`: every message of a file as a DER file of its own, for openssl."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import BinaryIO, Final

from evidence.cli.arguments import OK, UNREADABLE, Parser, Verbs, add_verb, complain
from evidence.cli.terminal import Progress, several
from evidence.errors import NotEvidence
from evidence.export.items import AnyItem, ObjectItem, Rest, StatementItem, walk

MOST_ITEMS: Final = 999_999
"""What six digits can number; the rest of a longer file goes to one `rest.bin`, so that names still sort."""
_COPY_BYTES: Final = 1024 * 1024
_TEXT = """\
Write every message of an evidence file as a numbered DER file: statements (signed, `openssl cms -verify`) as
NNNNNN-open.p7s, NNNNNN-sealed.p7s, ..., sealed objects (encrypted, `openssl cms -decrypt`) as NNNNNN-init.p7,
NNNNNN-media.p7, NNNNNN-metadata.p7. Sorted by name and put together again they are the file, byte for byte, also if it
is damaged: an object that no statement announced is NNNNNN-orphan.p7, a statement that cannot be read
NNNNNN-unreadable.p7s, and what stands behind the last whole message NNNNNN-rest.bin. Nothing is judged here."""


def add(verbs: Verbs[Parser]) -> None:
    """Declare the verb and its options."""
    parser = add_verb(
        verbs,
        "unpack",
        run,
        summary="split a file into numbered DER files for openssl",
        text=_TEXT,
        example="unpack BC-0042-000017.evidence --out parts/",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="evidence file")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new or empty directory")


def unpack(path: Path, directory: Path, *, most: int = MOST_ITEMS) -> list[str]:
    """Write the items of `path` into `directory`; what a person should be warned of.

    Raises `NotEvidence` for an empty file, one without any message, or a directory that is not empty; OSError.
    """
    directory.mkdir(parents=True, exist_ok=True)
    if any(directory.iterdir()):
        raise NotEvidence(f"{directory} is not empty: name a new directory, nothing was written")
    warnings: list[str] = []
    statements = 0
    progress = Progress("unpacking", path)
    with path.open("rb") as file, path.open("rb") as source:
        for item in walk(file, progress, most=most):
            statements += isinstance(item, StatementItem)
            warnings += _warning(item)
            _copy(source, item, directory / item.file_name)
    progress.finish()
    if not statements:
        raise NotEvidence(f"{path} holds no evidence: not one whole statement was found")
    return warnings


def _warning(item: AnyItem) -> list[str]:
    if isinstance(item, Rest):
        return [f"{item.file_name}: {item.size} bytes from byte {item.offset} on are no whole message ({item.problem})"]
    if isinstance(item, ObjectItem) and item.announced is None:
        return [f"{item.file_name}: the statement before it does not announce this object"]
    if isinstance(item, StatementItem) and item.statement is None:
        return [f"{item.file_name}: {item.problem}"]
    return []


def _copy(source: BinaryIO, item: AnyItem, target: Path) -> None:
    source.seek(item.offset)
    left = item.size
    with target.open("xb") as file:
        while left and (chunk := source.read(min(left, _COPY_BYTES))):
            file.write(chunk)
            left -= len(chunk)


def run(args: argparse.Namespace) -> int:
    """0 if there was something to unpack, damaged or not."""
    try:
        warnings = unpack(args.file, args.out)
    except OSError as error:
        complain(f"cannot unpack {args.file} to {args.out}: {error.strerror}")
        return UNREADABLE
    print(f"{several(sum(1 for _ in args.out.iterdir()), 'file')} in {args.out}")
    for warning in warnings:
        complain(warning)
    return OK
