"""Export every recording of a run with the real tool, and decode what came out, two at a time."""

from __future__ import annotations

import json
from pathlib import Path

from simulator.layout import RunLayout
from simulator.processes import Children, python_module
from simulator.report import ExportedVideo, missing_frames


def export_all(layout: RunLayout, children: Children, recordings: list[Path]) -> dict[str, ExportedVideo]:
    """MP4, GPX and JSON of each stored recording in ``export/``, by recording id. Raises `ProcessDied`, OSError."""
    stems = [path.stem for path in recordings]
    pki = layout.pki
    exports = children.run_all(
        [
            (
                f"export-{path.stem}",
                python_module(
                    "evidence",
                    "export",
                    str(path),
                    "--root",
                    str(pki / "root.pem"),
                    "--sign-cert",
                    str(pki / "export.pem"),
                    "--sign-key",
                    str(pki / "export.key"),
                    "--vault-cert",
                    str(pki / "vault.pem"),
                    "--vault-key",
                    str(pki / "vault.key"),
                    "--out",
                    str(layout.export),
                ),
                None,
            )
            for path in recordings
        ]
    )
    videos = {stem: layout.export / f"{stem}.mp4" for stem in stems}
    readings = {stem: layout.logs / f"frames-{stem}.json" for stem in stems}
    children.run_all(
        [
            (f"frames-{stem}", python_module("simulator", "read-frames", str(videos[stem]), "--json"), readings[stem])
            for stem in stems
            if videos[stem].is_file()
        ]
    )
    return {stem: _video(layout, stem, exports[f"export-{stem}"], readings[stem]) for stem in stems}


def _video(layout: RunLayout, stem: str, code: int, reading: Path) -> ExportedVideo:
    mp4, gpx = f"export/{stem}.mp4", f"export/{stem}.gpx"
    if code != 0:
        return ExportedVideo(mp4, gpx, 0, 0, 0, f"export ended with exit code {code}, see logs/export-{stem}.log")
    if not (layout.out / gpx).is_file() or not (layout.out / mp4).is_file():
        return ExportedVideo(mp4, gpx, 0, 0, 0, "export wrote no MP4 or no GPX")
    try:
        frames = json.loads(reading.read_text(encoding="utf-8"))
        numbers = [one["frame"] for one in frames]
    except (OSError, ValueError, KeyError, TypeError):
        return ExportedVideo(mp4, gpx, 0, 0, 0, f"the video cannot be decoded, see logs/frames-{stem}.log")
    unreadable = sum(number is None for number in numbers)
    return ExportedVideo(mp4, gpx, len(numbers), unreadable, missing_frames(numbers))
