"""Run a program of ours so that each of its durable writes on the recorded card is noted: its acknowledgements.

    python witnessed.py --card DIR --log FILE --notes DIR [--without sync|names] MODULE ARGUMENT …

Nothing in the product knows of it: the functions of `evidence.durable` are wrapped before anything imports them.
`--without` makes a program that must lose what it acknowledged: its files are never synced, or its directories.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import os
import runpy
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE))

from acknowledgements import NOTES, Note, Operation, mirror_name  # noqa: E402
from recorded_card import boottime_ns  # noqa: E402
from write_log import entries_now  # noqa: E402

from evidence import durable  # noqa: E402


class NoSync(durable.OperatingSystem):
    """The operating system, but files are never made durable."""

    def sync(self, descriptor: int, *, mode: bool = False) -> None:
        """Say that it is done."""


class NoNames(durable.OperatingSystem):
    """The operating system, but names are never made durable."""

    def sync_directory(self, path: Path) -> None:
        """Say that it is done."""


class Witness:
    """Writes notes. Any thread."""

    def __init__(self, card: Path, log: Path, notes: Path) -> None:
        self._card = card.resolve()
        self._log = os.open(log, os.O_RDONLY | os.O_CLOEXEC)
        notes.mkdir(exist_ok=True)
        (notes / "mirror").mkdir(exist_ok=True)
        self._mirror = notes / "mirror"
        self._notes = os.open(notes / NOTES, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._lock = threading.Lock()

    def position(self) -> int:
        return entries_now(os.pread(self._log, 512, 0))

    def below(self, path: Path) -> str | None:
        """A path as the notes name it; None if it does not lie on the card."""
        whole = Path(os.path.abspath(path))  # noqa: PTH100 - `resolve` would follow the last name
        return str(whole.relative_to(self._card)) if whole.is_relative_to(self._card) else None

    def note(self, operation: Operation, path: Path | str, begun: int, **fields: Any) -> None:
        """What was asked for at `begun` has returned."""
        name = path if isinstance(path, str) else self.below(path)
        if name is None:
            return
        note = Note(operation=operation, path=name, begun=begun, at=self.position(), at_ns=boottime_ns(), **fields)
        with self._lock:
            os.write(self._notes, msgspec.json.encode(note) + b"\n")

    def mean(self, path: Path, offset: int, parts: Sequence[durable.Buffer]) -> None:
        """These bytes are about to be appended."""
        name = self.below(path)
        if name is None:
            return
        descriptor = os.open(self._mirror / mirror_name(name), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            for part in parts:
                offset += os.pwrite(descriptor, part, offset)
        finally:
            os.close(descriptor)

    def wrap(self) -> None:
        """From now on all of `evidence.durable` is noted."""
        self._wrap_appended()
        for name in ("replace", "write_new"):
            setattr(durable, name, self._whole(getattr(durable, name)))
        durable.unlink = self._named(durable.unlink, "unlink")
        durable.make_directory = self._named(durable.make_directory, "directory")
        rename = durable.rename

        @functools.wraps(rename)
        def renamed(old: Path, new: Path) -> None:
            begun = self.position()
            rename(old, new)
            self.note("rename", old, begun, new=self.below(new) or "")

        durable.rename = renamed

    def _whole(self, write: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(write)
        def written(path: Path, data: durable.Buffer, *, mode: int = 0o640) -> None:
            begun = self.position()
            write(path, data, mode=mode)
            self.note("whole", path, begun, sha256=hashlib.sha256(data).hexdigest())

        return written

    def _named(self, call: Callable[..., None], operation: Operation) -> Callable[..., None]:
        @functools.wraps(call)
        def called(path: Path, **options: Any) -> None:
            begun = self.position()
            there = operation == "directory" and path.is_dir()
            call(path, **options)
            if not there:
                self.note(operation, path, begun)

        return called

    def _wrap_appended(self) -> None:
        kind = durable.AppendFile
        create, append, truncate = kind.create, kind.append, kind.truncate

        @functools.wraps(create)
        def created(_: type[durable.AppendFile], path: Path, *, mode: int = 0o640) -> durable.AppendFile:
            begun = self.position()
            file = create(path, mode=mode)
            self.note("create", path, begun)
            return file

        @functools.wraps(append)
        def appended(file: durable.AppendFile, parts: Sequence[durable.Buffer]) -> int:
            begun = self.position()
            self.mean(file.path, file.size, parts)
            size = append(file, parts)
            self.note("append", file.path, begun, size=size)
            return size

        @functools.wraps(truncate)
        def cut(file: durable.AppendFile, size: int) -> None:
            begun = self.position()
            truncate(file, size)
            self.note("cut", file.path, begun, size=size)

        kind.create = classmethod(created)  # type: ignore[method-assign,assignment]
        kind.append = appended  # type: ignore[method-assign,assignment]
        kind.truncate = cut  # type: ignore[method-assign,assignment]


CURRENT: list[Witness] = []


def committed(word: str, commit: Callable[[], Any]) -> Any:
    """Do what becomes durable by other means than `evidence.durable` (SQLite), and note that it returned."""
    witness = CURRENT[0]
    begun = witness.position()
    found = commit()
    witness.note("commit", "", begun, word=word)
    return found


def main() -> None:
    """Wrap, then be the program."""
    parser = argparse.ArgumentParser(description="Run a program and note what it was told to be durable.")
    parser.add_argument("--card", type=Path, required=True)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--notes", type=Path, required=True)
    parser.add_argument("--without", choices=("sync", "names"))
    parser.add_argument("module")
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    if options.without:
        durable.install(NoSync() if options.without == "sync" else NoNames())
    witness = Witness(options.card, options.log, options.notes)
    witness.wrap()
    CURRENT.append(witness)
    sys.modules["witnessed"] = sys.modules[__name__]  # a module that imports it shall find this one
    sys.argv = [options.module, *options.arguments]
    runpy.run_module(options.module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
