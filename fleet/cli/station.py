"""``firsthand-fleet station-backup | station-restore``: a docking station's memory."""

from __future__ import annotations

import argparse
from pathlib import Path

from evidence.errors import BadKey
from evidence.keys import load_certificates
from evidence.usage import UsageParser
from fleet import station_backup, vault
from fleet.cli.vault import VARIABLE
from fleet.errors import KeyAtRisk
from fleet.passphrase import read_passphrase


def add_to(verbs: argparse._SubParsersAction[UsageParser]) -> None:
    """Declare the verbs."""
    backup = verbs.add_parser(
        "station-backup",
        help="at a docking station: save its keys, ledger, witnesses and people (from a timer)",
        description="Works while the station runs. The file is sealed to the vaults: the station itself cannot read it "
        "again, so no passphrase lies there. It holds no evidence: the store has its own backup, or an archive.",
    )
    backup.add_argument("--config", type=Path, required=True, metavar="station.toml")
    backup.add_argument("--recipient", type=Path, action="append", required=True, metavar="VAULT.pem", help="give two")
    backup.add_argument("--out", type=Path, required=True, metavar="FILE", help="a new file, on another machine's disk")
    backup.add_argument(vault.ACCEPTED, dest="accepted", action="store_true", help="one vault only")
    backup.set_defaults(run=_backup)

    restore = verbs.add_parser(
        "station-restore",
        help="on a new machine: bring a docking station back",
        description="Opens a backup with a vault key, checks the station's signature, and makes a new directory with a "
        "station.toml that is ready to start. The old station must never start again.",
    )
    restore.add_argument("backup", type=Path, metavar="FILE")
    restore.add_argument("--key", required=True, help="the vault's key, an encrypted copy or a pkcs11: URI")
    restore.add_argument("--cert", type=Path, required=True, metavar="VAULT.pem")
    restore.add_argument("--root", type=Path, required=True, metavar="root.pem", help="the agency's root")
    restore.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new directory")
    restore.add_argument("--passphrase-file", metavar="FILE", help=f"of an encrypted copy (else {VARIABLE})")
    restore.set_defaults(run=_restore)


def _backup(arguments: argparse.Namespace) -> int:
    if len(arguments.recipient) < vault.FEWEST and not arguments.accepted:
        raise KeyAtRisk(f"seal the backup to {vault.FEWEST} vaults (--recipient twice), or say {vault.ACCEPTED}")
    said = station_backup.back_up(arguments.config, arguments.recipient, arguments.out)
    print(f"saved {said.station} into {arguments.out} ({said.bytes} bytes before sealing, SHA-256 {said.sha256})")
    return 0


def _restore(arguments: argparse.Namespace) -> int:
    certificate = load_certificates(arguments.cert)[0]
    path = Path(arguments.key)
    passphrase = None
    if path.exists() and vault.is_encrypted(path):
        passphrase = read_passphrase(arguments.passphrase_file, "the encrypted copy", VARIABLE)
    key = vault.load_any_key(arguments.key, certificate, passphrase)
    if key is None:
        raise BadKey(f"the key {arguments.key} does not belong to the vault certificate {arguments.cert}")
    said = station_backup.restore(arguments.backup, arguments.out, arguments.cert, key, arguments.root)
    print(f"restored {said.station} as it was at {said.at} into {arguments.out}")
    print("1. Make sure that the old station never starts again. 2. Copy its store, if it still exists, into")
    print(f"{arguments.out / 'directory' / 'store'}, files and receipts together.")
    print(f"3. firsthand-dock station --config {arguments.out / 'station.toml'}")
    return 0
