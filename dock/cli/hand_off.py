"""``firsthand-dock hand-off``: a folder for an evidence management system or a redaction desk (docs/hand-off.md)."""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path
from typing import Final

import msgspec
from cryptography.hazmat.primitives import serialization

from dock.cli.station_asker import ask
from dock.config import StationConfig, load_station
from dock.errors import HandOffFailed
from dock.names import EvidenceName
from dock.station import hand_off_manifest as manifests
from dock.station.custody import SOFTWARE
from dock.station.hand_off_folder import HandOffFolder
from dock.station.hand_offs import AT_ONCE, Facts
from dock.station.hold_book import recording_of
from dock.station.kept_files import KeptFiles
from dock.verbs import Verb
from evidence import durable
from evidence.statements import moment
from evidence.trust import Trust
from hal import program_time

_MOST: Final = 10_000
_README: Final = """Hand-off of {count} from {station} ({system_id}) to {to}, made {made}.

manifest.json and manifest.csv say what is here; each recording has a folder of its own. To check it:

  sha256sum ID/ID.evidence                          the figure is in the manifest and in the receipt
  firsthand-evidence verify ID/ID.evidence --root root.pem
  openssl cms -verify -inform DER -in ID/ID.evidence.receipt.p7s -CAfile root.pem
  openssl cms -verify -inform DER -in ID/custody/NUMBER-STEP.p7s -CAfile root.pem

Compare root.pem with the root that the agency published: SHA-256 {root}.
The evidence is encrypted to the agency's vault. The vault's holder makes videos of it: firsthand-evidence export.
The form of this folder is described in docs/hand-off.md of Firsthand.
"""


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ids", nargs="*", metavar="ID", help="recordings, as SIM-0001-000012")
    parser.add_argument("--list", type=Path, metavar="FILE", help="a file with more of them, one a line")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new folder, or an interrupted one")
    parser.add_argument("--to", required=True, help="who gets it, as it is to stand in the custody ledger")
    parser.add_argument("--who", help="your name, as it is to stand in the custody ledger")


def _run(options: argparse.Namespace) -> int:
    config = load_station(options.config)
    meant = _wanted(options)
    trust = Trust.load(config.root, config.revocation_lists)
    folder = HandOffFolder(options.out, KeptFiles(config), trust, lambda name, sha256: _facts(config, name, sha256))
    folder.begin()
    recordings: list[manifests.Recording] = []
    for count, one in enumerate(meant, 1):
        recordings.append(folder.add(one))
        verdict = "" if recordings[-1].verdict == "valid" else ", does NOT verify"
        print(f"{count} of {len(meant)}: {recordings[-1].id}, {recordings[-1].bytes} bytes{verdict}", flush=True)
    _finish(options, config, trust, folder, tuple(recordings))
    print(f"{options.out} is complete: {len(recordings)} recordings; their hand-off stands in the custody ledger.")
    return 0


def _wanted(options: argparse.Namespace) -> list[EvidenceName]:
    named = list(options.ids)
    if options.list is not None:
        named += [line.strip() for line in options.list.read_text("utf-8").splitlines() if line.strip()]
    meant = {name.text: name for name in map(recording_of, named)}
    if not 1 <= len(meant) <= _MOST:
        raise HandOffFailed(f"name 1 to {_MOST} recordings")
    return list(meant.values())


def _facts(config: StationConfig, name: str, sha256: str) -> Facts:
    return msgspec.convert(ask(config, "hand_off_facts", {"id": name, "sha256": sha256}), Facts)


def _finish(
    options: argparse.Namespace,
    config: StationConfig,
    trust: Trust,
    folder: HandOffFolder,
    recordings: tuple[manifests.Recording, ...],
) -> None:
    out: Path = options.out
    head = _facts(config, recordings[-1].id, recordings[-1].sha256)
    root = hashlib.sha256(trust.root.public_bytes(serialization.Encoding.DER)).hexdigest()
    manifest = manifests.Manifest(
        v=1,
        made=moment(program_time.utc_ns()),
        to=options.to,
        station=config.station,
        system_id=config.system_id,
        software=SOFTWARE,
        root_sha256=root,
        ledger_entries=head.ledger_entries,
        ledger_head=head.ledger_head,
        recordings=recordings,
    )
    count = f"{len(recordings)} recording{'s' if len(recordings) > 1 else ''}"
    readme = _README.format(
        count=count, station=config.station, system_id=config.system_id, to=options.to, made=manifest.made, root=root
    )
    durable.replace(out / "README.txt", readme.encode(), mode=0o644)
    durable.replace(out / "root.pem", trust.root.public_bytes(serialization.Encoding.PEM), mode=0o644)
    durable.replace(out / manifests.CSV, manifests.as_csv(manifest), mode=0o644)
    document = manifests.encode(manifest)
    durable.replace(out / manifests.JSON, document, mode=0o644)
    digest = hashlib.sha256(document).hexdigest()
    for at in range(0, len(recordings), AT_ONCE):
        files = [(one.id, one.sha256) for one in recordings[at : at + AT_ONCE]]
        ask(config, "handed_off", {"to": options.to, "manifest": digest, "files": files}, options.who)
    folder.end()


VERB = Verb(
    "hand-off",
    "write recordings with all that belongs to them for an evidence management system",
    """Copies evidence files with receipts, timestamps, proofs, labels, holds and custody entries into a folder with a
    manifest (JSON and CSV), reads every byte back, verifies it anew, and enters the hand-off into the custody ledger.
    Also while the station runs. Interrupted, it says so in the folder and goes on when it is run again. What is in it
    and what redaction tools need: docs/hand-off.md.""",
    _run,
    _arguments,
)
