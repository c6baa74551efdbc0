"""``report.json``: the outcome of a run for scripts, and the one judgement whether it went well. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simulator.measured import Measured, MeasuredRecording


@dataclass(frozen=True, slots=True)
class ExportedVideo:
    """What came out of one export and of decoding it again."""

    mp4: str
    """Path relative to the run directory."""
    gpx: str
    frames_decoded: int
    frames_unreadable: int
    """Pictures whose burned-in strip could not be read."""
    frames_missing: int
    """Holes in the camera's own frame numbers."""
    problem: str | None = None
    """Why there is no good export."""


def build_report(
    measured: Measured,
    exports: Mapping[str, ExportedVideo] | None,
    expected_triggers: Sequence[str],
    extra: Mapping[str, Any],
) -> dict[str, Any]:
    """The whole report. `exports` is by recording id, None if no video was asked for; `expected_triggers` names one
    trigger for each pulled one."""
    problems = list(measured.problems)
    if measured.self_test is None:
        problems.append("the device log holds no self-test")
    if not measured.recordings:
        problems.append("the station holds no recording")
    problems += _missing_triggers(measured.recordings, expected_triggers)
    for recording in measured.recordings if exports is not None else ():
        problems += _video_problems(recording, (exports or {}).get(recording.path.stem))
    return {
        "self_test": measured.self_test or {"verdict": "block", "checks": []},
        "recordings": [_recording(one, (exports or {}).get(one.path.stem)) for one in measured.recordings],
        "logs": [{"id": path.stem, "verified": report.valid} for path, report in measured.logs],
        "problems": problems,
        **extra,
        "ok": not problems,
    }


def _missing_triggers(recordings: Sequence[MeasuredRecording], expected: Sequence[str]) -> list[str]:
    found = {name for recording in recordings for name in recording.triggers}
    missing = [name for name in dict.fromkeys(expected) if name not in found]
    return [f"the scenario pulled {name}, and no recording names it" for name in missing]


def _video_problems(recording: MeasuredRecording, video: ExportedVideo | None) -> list[str]:
    name = recording.path.name
    if not recording.report.frames:
        return []  # cut off before its first picture: there is nothing to export
    if video is None:
        return [f"{name} was not exported"]
    if video.problem is not None:
        return [f"{name}: {video.problem}"]
    problems = []
    if video.frames_decoded != recording.report.frames:
        problems.append(f"{video.mp4} decodes to {video.frames_decoded} frames, {name} has {recording.report.frames}")
    if video.frames_unreadable:
        problems.append(f"{video.mp4}: {video.frames_unreadable} frames whose strip cannot be read")
    if video.frames_missing > recording.frames_told_lost:
        told = f", and its signed gaps tell of {recording.frames_told_lost}" if recording.frames_told_lost else ""
        problems.append(f"{video.mp4}: {video.frames_missing} frame numbers are missing{told}")
    return problems


def _recording(recording: MeasuredRecording, video: ExportedVideo | None) -> dict[str, Any]:
    report = recording.report
    return {
        "id": recording.path.stem,
        "triggers": recording.triggers,
        "pre_event_s": round(recording.pre_event_s, 3),
        "duration_s": round(report.duration_ns / 1e9, 3),
        "fragments": report.fragments,
        "video_frames": report.frames,
        "gps_fixes": report.gps_fixes,
        "verified": report.valid,
        "receipt": recording.receipt is not None,
        "deleted_on_camera": recording.deleted_on_camera,
        "bytes": report.bytes,
        "mp4": None if video is None else video.mp4,
        "gpx": None if video is None else video.gpx,
    }


def missing_frames(numbers: Sequence[int | None], modulus: int = 1 << 21) -> int:
    """How many of the camera's frame numbers are missing between the first and the last; None is unreadable.

    Numbers wrap at `modulus`. A number that goes back counts as one hole.
    """
    missing = 0
    last: int | None = None
    unread = 0
    for number in numbers:
        if number is None:
            unread += 1
            continue
        if last is not None:
            step = (number - last) % modulus
            missing += step - 1 - unread if unread < step < modulus // 2 else 1
        last, unread = number, 0
    return missing
