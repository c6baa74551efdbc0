"""`camera_steps` for whoever asks the station: its store may be one that only the station can read."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from dock.admin_words import arguments_of
from dock.station.camera_steps import MOST, camera_steps, segments_of, speaks_of
from dock.station.hold_book import recording_of
from dock.station.part import AdminVerb, StationPart
from evidence.limits import LOG_SEGMENT_BYTES
from evidence.log_words import load
from evidence.statements import Frozen


class _Arguments(Frozen, frozen=True, kw_only=True):
    id: Annotated[str, Meta(min_length=1, max_length=128)]


class CameraStory(StationPart):
    """Looks through the device logs in the station's store."""

    name = "camera-story"

    def admin_verbs(self) -> Mapping[str, AdminVerb]:
        return {"camera_steps": self._tell}

    def _tell(self, arguments: dict[str, Any], _who: str) -> dict[str, Any]:
        meant = recording_of(arguments_of(_Arguments, arguments).id)
        store = self.station.store
        with tempfile.TemporaryDirectory() as directory:
            segments: list[Path] = []
            for name in segments_of(store.names(), meant.serial)[-MOST:]:
                size = store.size(name)
                if size is None or size > 2 * LOG_SEGMENT_BYTES:
                    continue
                data = b"".join(store.read(name))
                if speaks_of(data, meant.number):
                    segments.append(Path(directory) / name)
                    segments[-1].write_bytes(data)
            steps, findings = camera_steps(segments, self.station.trust, meant.serial, meant.number, load())
        return {"steps": [asdict(one) for one in steps], "findings": findings}
