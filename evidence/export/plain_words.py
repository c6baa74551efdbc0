"""Verdicts in words for a reader who is no engineer. Pure; every sentence says only what was checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

KEY_LEVELS: Final = {
    "file": "in a file on the camera: whoever copied that file could sign in the camera's name",
    "non_exportable": "in a chip that does not give it out: only this camera can have signed",
    "verified_boot": "in a chip that does not give it out, and that signs only for firmware it has checked",
}
CLOCKS: Final = {
    "gnss": "satellite navigation (such signals are not authenticated and can be imitated)",
    "ntp": "a time server on the network",
    "dock": "the agency's docking station",
    "rtc": "the camera's own battery-backed clock",
    "none": "nothing vouched for the camera's clock",
}
KINDS: Final = {
    "real": "a real device",
    "simulated": "SIMULATED: made by a computer",
    "clip": "SIMULATED: a stored clip played in place of a device",
    "training": "TRAINING",
}


def verdict(values: Mapping[str, Any]) -> tuple[str, str, str]:
    """(class of the box, headline, explanation)."""
    source = values["source"]
    if not source["valid"]:
        return (
            "bad",
            "This recording could not be verified.",
            (
                "At least one check failed; the findings below say which, and where. Nothing after the first "
                "finding is proven to be what the camera recorded, even where it can be played."
            ),
        )
    whole = (
        "Every part of the file carries the signature of the camera named below. Nothing was changed, removed, added, "
        "swapped or cut off since the camera signed it."
    )
    recovered = any(one["kind"] == "recovered" for one in values["happenings"])
    if recovered:
        whole += (
            " The camera was interrupted (for example by a loss of power) and closed the file when it started again: "
            "what was recorded in the last moments before the interruption may be missing."
        )
    if values["simulated"]:
        return (
            "unreal",
            "Simulated footage: this is not evidence.",
            "It was made by a simulator, whose certificate says so, and shows no real event. As a file it is intact. "
            + whole,
        )
    if recovered:
        return "good", "This recording verifies; the camera recovered it after an interruption.", whole
    return "good", "This recording verifies: complete and unaltered.", whole


def length(seconds: float) -> str:
    """A duration as a person says it."""
    tenths = round(seconds * 10)
    hours, minutes, rest = tenths // 36_000, tenths // 600 % 60, tenths % 600 / 10
    said = [f"{hours} h"] if hours else []
    said += [f"{minutes} min"] if hours or minutes else []
    return " ".join([*said, f"{rest:.1f} s"])


def limits(values: Mapping[str, Any]) -> list[str]:
    """What the verdict does not say."""
    said = [
        (
            "A signature proves which camera recorded and that nothing changed since. It does not prove that the "
            "scene in front of the camera was genuine, nor who carried the camera."
        ),
        "Positions are what the satellite receiver reported. Such signals can be disturbed or imitated.",
    ]
    if values["source"].get("key_level") == "file":
        said.append("The camera's key is a file: its signatures are as safe as that file was. See the key level below.")
    return said


def sound(values: Mapping[str, Any], has_microphone: bool | None) -> str:
    """Where there is sound, and why there is none elsewhere."""
    heard = values["sound"]
    reason = heard["absent_because"]
    if not heard["frames"]:
        return f"No sound was recorded. Reason stated by the camera: {reason}. No silence was put in its place."
    begins = heard["begins_s"]
    if begins:
        return f"Sound begins {begins:.1f} s after the first picture. Reason stated by the camera: {reason}."
    return "Sound was recorded from the first picture on." if has_microphone is not False else "Sound was recorded."


def sound_offset(values: Mapping[str, Any]) -> list[tuple[object, object]]:
    """How far sound and picture are apart at most, as a row; none where the camera did not measure it."""
    offset_us = values["sound"]["largest_offset_us"]
    if offset_us is None:
        return []
    way = "after" if offset_us < 0 else "before"
    far = f"at most {abs(offset_us) / 1000:.1f} ms; there it plays {way} its picture" if offset_us else "none"
    return [("Sound off its picture", f"{far} (measured by the camera at each fragment's first sample)")]


def correction(one: Mapping[str, Any]) -> str:
    """Where a correction comes from, and what each end of its interval rests on."""
    told = one["told_utc"]
    who = "the agency's docking station" if one["by"] == "station" else one["by"]
    return (
        f"{who}, whose signed time reached the camera later, while it was still running (then between "
        f"{told['earliest']} and {told['latest']}). The camera signed this in its device log ({one['log']}, statement "
        f"{one['seq']}). Its own claim is shifted by {one['shift_us'] / 10**6:+.3f} s, sure to "
        f"{one['uncertainty_us'] / 10**6:.3f} s. The early end rests on the station's signature, the late end also on "
        "the greeting's being handed to the camera without delay. The recording itself was not changed."
    )


def appended(values: Mapping[str, Any]) -> list[tuple[object, object]]:
    """Categories, labels and holds that were appended later, a row each: appended, so none replaces another."""
    rows: list[tuple[object, object]] = []
    for one in values["appended"]:
        said = "; ".join(f"{name.replace('_', ' ')}: {value}" for name, value in one["details"].items())
        when = "" if one["utc"]["source"] == "none" else f"{one['utc']['earliest'][:19].replace('T', ' ')} UTC, "
        place = f"{when}signed in {one['log']}, statement {one['seq']}"
        rows.append(("Appended", f"{str(one['word']).replace('_', ' ')}{f' ({said})' if said else ''}; {place}"))
    return rows


def media_note(values: Mapping[str, Any]) -> str:
    """What to expect of the signatures in the picture."""
    if values["part"]:
        return (
            "This is a part. The camera's signatures in the picture are chained from the beginning of the recording: "
            "in a part, a checker of ONVIF Media Signing reports earlier groups as missing, and some checkers call the "
            "whole part invalid. The part rests on the evidence file named above and on the export desk's signature."
        )
    return "Copying without encoding keeps the camera's signatures in the picture; encoding again destroys them."
