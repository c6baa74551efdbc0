"""A station that came back from a backup says so in its custody ledger, before it serves anybody (R38, R40).

What was entered after the backup was made is lost to this ledger: whoever reads it must see where, and since when.
`firsthand-fleet station-restore` leaves ``restored.json`` in the station's directory.
"""

from __future__ import annotations

from typing import Final

import msgspec

from dock.errors import BadConfig
from dock.station.part import StationPart
from evidence import durable
from evidence.statements import Hash, Moment, Name

FILE: Final = "restored.json"
_BYTES: Final = 4096


class RestoredWords(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the restoring tool knows."""

    backup_of: Moment
    """When the backup was made."""
    sha256: Hash
    station: Name


class Restored(StationPart):
    """Enters the restoration, once."""

    name = "restored"

    async def begin(self) -> None:
        """Raises `BadConfig`, OSError."""
        path = self.station.config.directory / FILE
        if not path.exists():
            return
        with path.open("rb") as file:
            data = file.read(_BYTES)
        try:
            words = msgspec.json.decode(data, type=RestoredWords)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise BadConfig(f"{path} cannot be read: restore the station again, or remove it and note why") from error
        entry = self.station.custody.enter(
            "restored",
            who=f"station {self.station.config.station}",
            details={"backup_of": words.backup_of, "backup_sha256": words.sha256, "backup_station": words.station},
        )
        durable.rename(path, path.with_name(f"restored-{entry.seq}.json"))
