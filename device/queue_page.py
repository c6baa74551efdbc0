"""The supervisor's queue as a person reads it in a terminal (`firsthand-device queue`; R11, R29). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evidence.errors import MalformedStatement
from evidence.statements import moment_ns

MEANINGS: dict[str, str] = {
    "nothing_on_disk": "a trigger, and nothing came onto the card",
    "camera_silent": "the sensor delivered no pictures",
    "encoder_stalled": "the sensor saw, and nothing was encoded",
    "picture_black": "the picture was black",
    "picture_frozen": "the picture stood still",
    "microphone_dead": "no sound arrived",
    "microphone_silent": "the microphone delivered silence",
    "frames_lost": "frames are missing",
    "writer_behind": "the card was too slow",
    "storage_error": "the card refused",
    "storage_full": "the card was full",
    "signing_key": "the key did not sign",
    "key_failed": "the key did not sign",
    "clock_stepped": "the clock jumped",
    "recorder_restarted": "the recorder ended and began anew; the recording goes on in the next one",
    "power_lost": "the power was cut; the recording goes on in the next one",
    "shutting_down": "a trigger while the camera was shutting down",
    "not_recorded": "something was not recorded",
    "died_last_shift": "the battery ran out",
    "malfunction": "reported by a person",
}
"""Cause -> what happened, for somebody who knows only the policy."""


def queue_lines(facts: Mapping[str, Any]) -> list[str]:
    """All items, newest first, two lines each; and how many made room."""
    items = [one for one in facts.get("items", ()) if isinstance(one, Mapping)]
    lines = [line for one in reversed(items) for line in _item(one)]
    if not lines:
        lines = ["nothing waits for a supervisor"]
    dropped = facts.get("dropped", 0)
    return [*lines, f"{dropped} older ones made room"] if dropped else lines


def _item(item: Mapping[str, Any]) -> list[str]:
    cause, start, end = str(item.get("cause")), item.get("start"), item.get("end")
    where = item.get("recording") or "no recording"
    frames = item.get("frames", 0)
    told = "the officer was alarmed" if item.get("told") else "the officer was not alarmed"
    missing = f", {frames} frames missing" if frames else ""
    return [
        f"{_second(start or item.get('noticed'))}  {item.get('component')}: {MEANINGS.get(cause, cause)}",
        f"{'':22}{_lasted(start, end)}{missing}; {where}; {told}",
    ]


def _second(moment: Any) -> str:
    """UTC to the second."""
    return f"{str(moment)[:10]} {str(moment)[11:19]}Z"


def _lasted(start: Any, end: Any) -> str:
    if start is None:
        return "since when is not known"
    if end is None:
        return "it lasts"
    try:
        seconds = (moment_ns(str(end)) - moment_ns(str(start))) / 1e9
    except MalformedStatement:
        return "how long is not known"
    return f"{seconds:.1f} s" if seconds >= 0.05 else "at that instant"
