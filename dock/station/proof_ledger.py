"""What a station knows of vault proofs: which files should be opened, which proofs came, which a camera has (R40).

SQLite in the station's directory, WAL and FULL. Pure bookkeeping: nothing is judged here.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from dock.errors import BadConfig
from evidence.vault_proof import VaultProof

FILE: Final = "proofs.sqlite"
Why = Literal["first", "critical"]
_VERSION: Final = 1
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS wanted (name TEXT PRIMARY KEY, serial TEXT NOT NULL, number INTEGER NOT NULL,
  store TEXT NOT NULL, stored TEXT NOT NULL, bytes INTEGER NOT NULL, sha256 TEXT NOT NULL, close_hash TEXT NOT NULL,
  firmware TEXT NOT NULL, vaults TEXT NOT NULL, why TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS elsewhere (name TEXT PRIMARY KEY, serial TEXT NOT NULL, number INTEGER NOT NULL,
  store TEXT NOT NULL, stored TEXT NOT NULL, bytes INTEGER NOT NULL, sha256 TEXT NOT NULL, close_hash TEXT NOT NULL,
  firmware TEXT NOT NULL, vaults TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS proofs (id TEXT PRIMARY KEY, serial TEXT NOT NULL, stream TEXT NOT NULL, name TEXT NOT NULL,
  sha256 TEXT NOT NULL, vault TEXT NOT NULL, firmware TEXT NOT NULL, document BLOB NOT NULL,
  state TEXT NOT NULL DEFAULT 'waiting', tries INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS by_camera ON proofs (serial, state);
CREATE INDEX IF NOT EXISTS by_file ON proofs (name);
"""
_COLUMNS: Final = "name, serial, number, store, stored, bytes, sha256, close_hash, firmware, vaults"
TRIES: Final = 8
"""So often a proof is offered to a camera that refuses it; then it waits for the camera to ask."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A stored recording that verifies."""

    name: str
    """Its name on the camera."""
    serial: str
    number: int
    store: str
    """Which store holds it, as receipts call it…"""
    stored: str
    """…and under which name."""
    bytes: int
    sha256: str
    close_hash: str
    firmware: str
    vaults: tuple[str, ...]

    @property
    def pair(self) -> tuple[str, str, tuple[str, ...]]:
        """What one proof may stand for: camera, firmware, and any of the vault certificates."""
        return self.serial, self.firmware, self.vaults

    @property
    def row(self) -> tuple[object, ...]:
        """As it stands in a table."""
        place = (self.store, self.stored, self.bytes, self.sha256, self.close_hash)
        return (self.name, self.serial, self.number, *place, self.firmware, ",".join(self.vaults))


class ProofLedger:
    """One station's. Calls from any thread; each raises OSError if the disk fails."""

    def __init__(self, directory: Path) -> None:
        self._lock = threading.Lock()
        path = directory / FILE
        try:
            self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            if self._db.execute("PRAGMA user_version").fetchone()[0] not in (0, _VERSION):
                raise BadConfig(f"{path} is of another version of this program: move it away, cameras ask again")
            self._db.executescript(_SCHEMA)
            self._db.execute(f"PRAGMA user_version={_VERSION}")
        except sqlite3.Error as error:
            raise BadConfig(f"{path} cannot be used ({error}): move it away, cameras ask again for proofs") from error

    def _all(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with self._lock:
            try:
                return list(self._db.execute(sql, values))
            except sqlite3.Error as error:
                raise OSError(f"{FILE}: {error}") from error

    # --- what should be opened ---------------------------------------------------------------------------------------

    def want(self, one: Recording, why: Why) -> bool:
        """Put a recording on the list; False if it stands there already for as good a reason."""
        added = self._all(
            "INSERT INTO wanted VALUES (?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT(name) DO UPDATE SET why='critical' "
            "WHERE excluded.why='critical' AND why='first' RETURNING name",
            *one.row, why,
        )  # fmt: skip
        return bool(added)

    def remember(self, one: Recording) -> None:
        """Keep what is known of a recording that this station's own store does not hold, or not for long."""
        self._all("INSERT OR REPLACE INTO elsewhere VALUES (?,?,?,?,?,?,?,?,?,?)", *one.row)

    def remembered(self, name: str) -> Recording | None:
        """One of those."""
        rows = self._all(f"SELECT {_COLUMNS} FROM elsewhere WHERE name=?", name)  # noqa: S608 - names of columns
        return _recording(rows[0]) if rows else None

    def waits_for_first(self, serial: str, firmware: str, vaults: Sequence[str]) -> bool:
        """Whether some recording already stands on the list for this camera, firmware and one of the certificates."""
        rows = self._all("SELECT vaults FROM wanted WHERE serial=? AND firmware=? AND why='first'", serial, firmware)
        return any(set(str(row[0]).split(",")) & set(vaults) for row in rows)

    def wanted(self, most: int) -> list[tuple[Recording, Why]]:
        """What is still to be opened: first files before critical ones, then by camera and number."""
        sql = f"SELECT {_COLUMNS}, why FROM wanted ORDER BY why DESC, serial, number LIMIT ?"  # noqa: S608 - columns
        return [(_recording(row[:-1]), row[-1]) for row in self._all(sql, most)]

    # --- what came ---------------------------------------------------------------------------------------------------

    def covered(self, serial: str, firmware: str, vaults: Sequence[str]) -> bool:
        """Whether a recording of this camera was proven under one of these certificates and this firmware."""
        return bool(self._all(f"SELECT 1 {_of_pair(vaults)} LIMIT 1", serial, firmware, *vaults))

    def proves(self, name: str, sha256: str) -> bool:
        """Whether this very file was proven."""
        return bool(self._all("SELECT 1 FROM proofs WHERE name=? AND sha256=? LIMIT 1", name, sha256))

    def document(self, name: str, sha256: str) -> bytes | None:
        """The newest proof (DER) of this very file."""
        rows = self._all("SELECT document FROM proofs WHERE name=? AND sha256=? ORDER BY rowid DESC", name, sha256)
        return bytes(rows[0][0]) if rows else None

    def keep(self, document_sha256: str, proof: VaultProof, document: bytes) -> bool:
        """Keep a checked proof for its camera, and take off the list what it answers; False if it was here before."""
        added = self._all(
            "INSERT INTO proofs (id, serial, stream, name, sha256, vault, firmware, document) VALUES (?,?,?,?,?,?,?,?) "
            "ON CONFLICT(id) DO NOTHING RETURNING id",
            document_sha256, proof.serial, proof.stream, proof.name, proof.sha256, proof.vault_sha256,
            proof.firmware_sha256, document,
        )  # fmt: skip
        self._all("DELETE FROM wanted WHERE name=? AND sha256=?", proof.name, proof.sha256)
        if proof.stream == "recording":
            self._all(
                "DELETE FROM wanted WHERE why='first' AND serial=? AND firmware=? AND instr(vaults, ?)",
                proof.serial, proof.firmware_sha256, proof.vault_sha256,
            )  # fmt: skip
        return bool(added)

    # --- what a camera has -------------------------------------------------------------------------------------------

    def waiting(self, serial: str, most: int) -> list[bytes]:
        """Documents for a camera, oldest first."""
        rows = self._all(
            "SELECT document FROM proofs WHERE serial=? AND state='waiting' ORDER BY rowid LIMIT ?", serial, most
        )
        return [bytes(row[0]) for row in rows]

    def taken(self, document_sha256: str) -> None:
        """The camera has it."""
        self._all("UPDATE proofs SET state='taken' WHERE id=?", document_sha256)

    def refused(self, document_sha256: str) -> int:
        """The camera refused it; how often by now. After `TRIES` it is not offered again."""
        sql = "UPDATE proofs SET tries=tries+1, state=CASE WHEN tries+1>=? THEN 'refused' ELSE state END WHERE id=? "
        rows = self._all(sql + "RETURNING tries", TRIES, document_sha256)
        return int(str(rows[0][0])) if rows else 0

    def offer_file_again(self, name: str, sha256: str) -> None:
        """The camera lacks the proof of this file although it took it once: its card or its state is another one."""
        self._all("UPDATE proofs SET state='waiting' WHERE name=? AND sha256=? AND state='taken'", name, sha256)

    def pair_waits(self, serial: str, firmware: str, vaults: Sequence[str]) -> bool:
        """Whether a proof for this camera, firmware and one of the certificates has not reached the camera yet."""
        return bool(self._all(f"SELECT 1 {_of_pair(vaults)} AND state='waiting'", serial, firmware, *vaults))

    def offer_pair_again(self, serial: str, firmware: str, vaults: Sequence[str]) -> None:
        """Offer the newest proof of the pair once more."""
        newest = self._all(f"SELECT id {_of_pair(vaults)} ORDER BY rowid DESC LIMIT 1", serial, firmware, *vaults)
        for (found,) in newest:
            self._all("UPDATE proofs SET state='waiting' WHERE id=? AND state='taken'", found)

    def close(self) -> None:
        with self._lock:
            self._db.close()


def _recording(row: Sequence[Any]) -> Recording:
    name, serial, number, store, stored, size, sha256, close_hash, firmware, vaults = row
    return Recording(name, serial, number, store, stored, size, sha256, close_hash, firmware, tuple(vaults.split(",")))


def _of_pair(vaults: Sequence[str]) -> str:
    """The rows of a camera's serial, a firmware and one of so many vault certificates; only marks, no values."""
    marks = ",".join("?" * len(vaults))
    return f"FROM proofs WHERE serial=? AND firmware=? AND stream='recording' AND vault IN ({marks})"
