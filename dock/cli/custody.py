"""``firsthand-dock custody``: what happened to a recording, from the camera to the court (R38, R40)."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import msgspec

from dock.config import StationConfig, load_station
from dock.station.camera_steps import CameraStep, camera_steps
from dock.station.custody_reader import CustodyReader
from dock.station.hold_book import recording_of
from dock.station.kept_files import KeptFiles
from dock.verbs import Verb
from evidence.custody_ledger import Ledger, ledger_files
from evidence.custody_words import line, values
from evidence.log_words import load
from evidence.trust import Trust


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", nargs="?", metavar="ID", help="the recording, as SIM-0001-000012")
    parser.add_argument("--check", action="store_true", help="verify the whole ledger, every entry of every file")
    parser.add_argument("--json", action="store_true", help="for programs: one object a line")


def _run(options: argparse.Namespace) -> int:
    config = load_station(options.config)
    trust = Trust.load(config.root, config.revocation_lists)
    findings: list[str] = []
    if options.id is None and not options.check:
        print("give a recording (SIM-0001-000012), or --check, or both")
        return 64
    if options.id is not None:
        findings += _tell(config, trust, options.id, as_json=options.json)
    if options.check:
        findings += _check(config.directory / "custody", trust, as_json=options.json)
    for finding in findings:
        print(_json({"finding": finding}) if options.json else f"NOT VALID: {_plain(finding)}")
    return 1 if findings else 0


def _tell(config: StationConfig, trust: Trust, wanted: str, *, as_json: bool) -> list[str]:
    meant = recording_of(wanted)
    reader = CustodyReader(config.directory / "custody", trust)
    entries = reader.about(name=meant.text)
    steps, findings = camera_steps(KeptFiles(config), trust, meant.serial, meant.number, load())
    rows: list[tuple[str, str, dict[str, Any]]] = []
    at = ""
    for step in steps:
        at = step.at or at  # without a time of its own it stands behind the one before it in the log
        rows.append((at, _camera_line(meant.serial, step), {"source": "camera", **msgspec.to_builtins(step)}))
    rows += [(one.at, line(one), {"source": "station", **values(one)}) for one in entries]
    for _, text, row in sorted(rows, key=lambda one: one[0]):
        print(_json(row) if as_json else _plain(text))
    if not as_json:
        last = "the whole ledger is checked below" if not rows else "--check verifies the whole ledger"
        print(f"{len(entries)} entries of the custody ledger, {len(steps)} of the camera's log; {last}.")
    return [*reader.findings, *findings, *([] if rows else [f"nothing is known of {meant.text}"])]


def _check(directory: Path, trust: Trust, *, as_json: bool) -> list[str]:
    ledger = Ledger(ledger_files(directory), trust)
    count = sum(1 for _ in ledger.entries())
    if as_json:
        print(_json({"entries": count, "head": ledger.head}))
    else:
        print(f"The ledger: {count} entries hold, the last with SHA-256 {ledger.head}")
    return [*ledger.findings, *([] if ledger.whole else ["the ledger's first files are not here"])]


def _camera_line(serial: str, step: CameraStep) -> str:
    at = step.at[:23].replace("T", " ") if step.at else "time not known         "
    return f"{at}  camera {serial} ({step.place}): {step.sentence}"


def _json(row: dict[str, Any]) -> str:
    return msgspec.json.encode(row).decode()


def _plain(text: str) -> str:
    return "".join(one if one.isprintable() else "?" for one in text)


VERB = Verb(
    "custody",
    "show what happened to a recording, from the camera to the court",
    """Prints every step of one recording in plain sentences, oldest first: the camera's own (from the device logs in
    the store), the station's, the archive's, the vault's proof, holds, labels, exports and hand-offs. Reads only, also
    while the station runs. --check verifies signatures and chain of the whole ledger under the agency's root, as
    `firsthand-evidence custody` does without the dock. Exit status 1: something does not hold, or nothing is known.""",
    _run,
    _arguments,
)
