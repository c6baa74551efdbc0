"""What a scenario can claim of the evidence and of the dock, and whether it holds. Pure: facts in, a sentence out.

The facts come from the files themselves (`simulator.run_facts`); none is taken from a program's word.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

NS: Final = 1_000_000_000
About = Literal["every", "any", "none", "first", "last"] | int
"""Which recordings; a number counts from 1 in the order in which they were begun."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim."""

    fact: str
    """One of `FACTS`."""
    about: About | None = None
    """None for what is about the whole run."""
    word: str = ""
    least: float = 0.0
    most: float = float("inf")
    negated: bool = False
    """It must not be so."""


@dataclass(frozen=True, slots=True)
class RecordingFacts:
    """What one recording's files say, on the camera or at the station."""

    stem: str
    valid: bool
    findings: tuple[str, ...] = ()
    closed: str | None = None
    """Why it ended; None while it is open."""
    duration_s: float = 0.0
    pre_event_s: float = 0.0
    triggers: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    """Its own public events, by name."""
    degraded: tuple[str, ...] = ()
    gps_fixes: int = 0
    lost_s: float = 0.0
    """Seconds of its signed gaps, and of what a power cut took."""
    sound: tuple[tuple[int, int, int], ...] = ()
    """(start, end, pieces of sound) of each fragment, CLOCK_BOOTTIME."""
    muted_s: float = 0.0
    linked: bool = False
    carries_on: bool = False
    """It goes on where another file ended or was cut off, so that nothing lies before its trigger."""
    time_unverified: bool = False
    recovered: bool = False
    stored: bool = False
    receipted: bool = False
    quarantined: bool = False
    deleted: bool = False
    """It is gone from the camera, and its log holds the signed tombstone."""


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What all files of a run say."""

    recordings: tuple[RecordingFacts, ...] = ()
    """By number."""
    problems: tuple[str, ...] = ()
    """Files that do not verify, the log's too, a sentence each."""
    lost: bool = False
    """The station was told that the camera is lost."""
    began_ns: int = field(default=0)
    """CLOCK_BOOTTIME at the scenario's beginning."""


FACTS: Final[dict[str, str]] = {
    "evidence": "`evidence valid`, `evidence not valid`: every file of the camera and the station verifies; "
    "one that is being written has nothing wrong but that its end is missing.",
    "recordings": "`3 recordings`, `at least 2 recordings`, `no recordings`: how many were made, test clips and the "
    "files after a roll-over counted.",
    "stored": "`station has 2 recordings`: how many lie in the station's store.",
    "pre-event": "`pre-event at least 25 s`: from the first picture to the first trigger.",
    "duration": "`duration at least 10 s`, `duration at most 2 min`: from the first picture to the last.",
    "trigger": "`trigger lightbar`: this trigger is named in the recording.",
    "label": "`label arrest_search`: the recording was given this category or label.",
    "gap": "`gap camera_silent`, `gap`, `no gap`: a signed gap, with that cause or any.",
    "failure": "`failure encoder_stalled`, `failure`, `no failure`: a failure to record that the recording tells of.",
    "tells": "`tells marker`, `tells stop_withdrawn`, `marker`: the recording's own statements hold this.",
    "loss": "`loss at most 2 s`: seconds that are missing: signed gaps, and what a power cut took.",
    "muted": "`muted at least 2 s`: sound that the officer muted, in all.",
    "silent between": "`muted sound between 1:05 and 1:10`: no sound was kept of that time of the scenario.",
    "sound between": "`sound between 1:15 and 1:20`: sound was kept of that time.",
    "time unverified": "`time unverified`, `time verified`: whether the camera's claim of time holds.",
    "linked": "`linked to the recording before`: it says that it goes on with an earlier one: after an interruption, a "
    "roll-over, or a pause with a reason.",
    "degraded": "`marked degraded`: it says that it was made although something did not work.",
    "recovered": "`recovered`: it was cut off, and closed at the next start.",
    "closed": "`closed`, `closed by record_button`: it is closed, for that reason.",
    "gps": "`gps points at least 5`, `no gps points`: positions with a fix.",
    "receipted": "`receipted`, `not receipted`: the station's signed receipt lies beside it.",
    "quarantined": "`quarantined`, `not quarantined`: it was taken in by the quarantine lane.",
    "deleted": "`deleted on camera`, `not deleted on camera`: it is gone from the camera, and the log holds the signed "
    "tombstone.",
    "told lost": "`station told lost`: the camera is reported as lost at the station.",
}
"""What can be claimed, in the order of the documentation."""


def wrong(claim: Claim, facts: RunFacts) -> str | None:
    """What is true instead, in words; None if the claim holds."""
    whole = _whole(claim, facts)
    if claim.about is None:
        return whole
    chosen = _chosen(claim.about, facts.recordings)
    if isinstance(chosen, str):
        return chosen
    if claim.fact == "pre-event" and claim.about == "every":
        chosen = [one for one in chosen if not one.carries_on]
    said = {one.stem: _of(claim, one, facts.began_ns) for one in chosen}
    if claim.negated:
        said = {stem: (not holds, text) for stem, (holds, text) in said.items()}
    held = [stem for stem, (holds, _) in said.items() if holds]
    if claim.about == "none":
        return "; ".join(f"{stem} has {said[stem][1]}" for stem in held) or None
    if claim.about == "any":
        return None if held else "; ".join(f"{stem} has {text}" for stem, (_, text) in said.items())
    return "; ".join(f"{stem} has {text}" for stem, (holds, text) in said.items() if not holds) or None


def _whole(claim: Claim, facts: RunFacts) -> str | None:
    """Claims about the whole run."""
    match claim.fact:
        case "evidence" if claim.negated:
            return None if facts.problems else "every file verifies"
        case "evidence":
            return "; ".join(facts.problems) or (None if facts.recordings else "there is no recording")
        case "recordings":
            return _in_limits(claim, len(facts.recordings), "recording")
        case "stored":
            return _in_limits(claim, sum(one.stored for one in facts.recordings), "recording at the station")
        case "told lost":
            return None if facts.lost else "the station knows of no loss"
    return None


def _in_limits(claim: Claim, count: int, what: str) -> str | None:
    if claim.least <= count <= claim.most:
        return None
    head, _, tail = what.partition(" ")
    return f"there {'is' if count == 1 else 'are'} {count} {head}{'' if count == 1 else 's'}{' ' * bool(tail)}{tail}"


def _chosen(about: About, recordings: Sequence[RecordingFacts]) -> Sequence[RecordingFacts] | str:
    if not recordings:
        return [] if about == "none" else "there is no recording"
    match about:
        case "every" | "any" | "none":
            return recordings
        case "first":
            return recordings[:1]
        case "last":
            return recordings[-1:]
    if not 1 <= about <= len(recordings):
        return f"there is no recording {about}, only {len(recordings)}"
    return recordings[about - 1 : about]


def _of(claim: Claim, one: RecordingFacts, began_ns: int) -> tuple[bool, str]:
    """(does it hold, what the recording has)."""
    words = {
        "trigger": ("trigger", one.triggers), "label": ("label", one.labels), "gap": ("gap", one.gaps),
        "failure": ("failure", one.failures), "tells": ("event", one.told),
        "degraded": ("mark that something failed", one.degraded),
    }  # fmt: skip
    numbers = {
        "pre-event": (one.pre_event_s, "s before its trigger"), "duration": (one.duration_s, "s"),
        "loss": (one.lost_s, "s missing"), "muted": (one.muted_s, "s muted"), "gps": (one.gps_fixes, "gps points"),
    }  # fmt: skip
    yes = {
        "time unverified": (one.time_unverified, "no doubt about its time"),
        "linked": (one.linked, "no link to an earlier one"),
        "recovered": (one.recovered, "no recovery"), "receipted": (one.receipted, "no receipt"),
        "quarantined": (one.quarantined, "no place in quarantine"), "deleted": (one.deleted, "no signed tombstone"),
    }  # fmt: skip
    if claim.fact in words:
        name, many = words[claim.fact]
        holds = claim.word in many if claim.word else bool(many)
        return holds, f"{name} {', '.join(many)}" if many else f"no {name}"
    if claim.fact in numbers:
        number, unit = numbers[claim.fact]
        return claim.least <= number <= claim.most, f"{number:.3g} {unit}"
    if claim.fact in yes:
        holds, without = yes[claim.fact]
        return holds, re.sub(r"^no ", "a ", without) if holds and without.startswith("no ") else without
    if claim.fact == "closed":
        holds = one.closed is not None and claim.word in ("", one.closed)
        return holds, "no end" if one.closed is None else f"the end {one.closed}"
    return _sound(claim, one, began_ns)


def _sound(claim: Claim, one: RecordingFacts, began_ns: int) -> tuple[bool, str]:
    """Whole fragments that lie between the two times count; at least one must."""
    begin_ns, end_ns = (began_ns + round(limit * NS) for limit in (claim.least, claim.most))
    within = [pieces for start, end, pieces in one.sound if start >= begin_ns and end <= end_ns]
    if not within:
        return False, "no whole fragment of that time"
    if claim.fact == "silent between":
        return not any(within), f"sound in {sum(map(bool, within))} of {len(within)} fragments of that time"
    return all(within), f"no sound in {sum(not one for one in within)} of {len(within)} fragments of that time"
