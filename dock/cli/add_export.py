"""``firsthand-dock add-export``: enter exports that were made where the vault's key lives (R38)."""

from __future__ import annotations

import argparse
import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from dock.cli.station_asker import ask
from dock.config import load_station
from dock.errors import BadArguments
from dock.verbs import Verb
from evidence.errors import EvidenceError
from evidence.limits import SIGNED_DOCUMENT_BYTES
from evidence.trust import Trust
from evidence.unwrap_ledger import read_documents

_AT_ONCE: Final = 32


def _arguments(parser: argparse.ArgumentParser) -> None:
    what = "an unwrap ledger (--ledger of firsthand-evidence), or a signed export report (NAME.json.p7s)"
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help=what)
    parser.add_argument("--who", help="your name, as it is to stand in the custody ledger")


def _run(options: argparse.Namespace) -> int:
    config = load_station(options.config)
    trust = Trust.load(config.root, config.revocation_lists)
    entered, known = 0, 0
    for path in options.files:
        batch: list[str] = []
        for document in _documents(path, trust):
            batch.append(base64.b64encode(document).decode())
            if len(batch) == _AT_ONCE:
                done = ask(config, "add_export", {"documents": batch}, options.who)
                entered, known, batch = entered + len(done["entered"]), known + done["known"], []
        if batch:
            done = ask(config, "add_export", {"documents": batch}, options.who)
            entered, known = entered + len(done["entered"]), known + done["known"]
    print(f"{entered} exports are entered into the custody ledger; {known} stood there already.")
    return 0


def _documents(path: Path, trust: Trust) -> Iterator[bytes]:
    """Signed words about whole runs, one for each. Raises `BadArguments`, `EvidenceError`, OSError."""
    if path.name.endswith(".p7s"):
        with path.open("rb") as file:
            data = file.read(SIGNED_DOCUMENT_BYTES + 1)
        if len(data) > SIGNED_DOCUMENT_BYTES:
            raise BadArguments(f"{path} is too large for a signed report: give the unwrap ledger instead")
        yield data
        return
    begun: dict[str, bytes] = {}
    try:
        for statement, data in read_documents(path, trust):
            if statement.phase == "begin":
                begun[statement.run] = data
            elif statement.phase == "end":
                begun.pop(statement.run, None)
                yield data
    except EvidenceError as error:
        raise BadArguments(f"{path}: {error}") from error
    yield from begun.values()


VERB = Verb(
    "add-export",
    "enter exports that were made elsewhere into the custody ledger",
    """Takes the unwrap ledgers and signed export reports of the machine where the vault's key lives, checks that an
    export desk of the agency signed them, and enters who opened which recording, when, and with what outcome. What
    stands in the custody ledger already is not entered twice.""",
    _run,
    _arguments,
)
