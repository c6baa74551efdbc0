"""What the recorder's notices mean, and what of them may leave the camera (R1, R11, R29, R36).

The recorder publishes them on its socket; the agent passes them on as telemetry. No notice carries a position or an
officer, and no text that a person wrote: what a word means stands here, and a word that is none goes nowhere. A notice
that is not in this table leaves the camera by its name alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_WORDS: Final = re.compile(r"[a-z][a-z0-9_]{0,47}(,[a-z][a-z0-9_]{0,47}){0,31}", re.ASCII)
_STEM: Final = re.compile(r"[A-Z0-9][A-Z0-9-]{0,31}-(log-)?[0-9]{6,12}", re.ASCII)


@dataclass(frozen=True, slots=True)
class About:
    """One kind of notice."""

    meaning: str
    word: str = ""
    """What its word says; empty: it has none."""
    attention: bool = False
    """Somebody should look at it: it belongs on a supervisor's screen."""
    leaves: bool = True
    """False: for those on the camera, or for its peers, and never telemetry."""


NOTICES: Final[dict[str, About]] = {
    # for a supervisor
    "alarm": About("something that should be recorded is not; the officer was alarmed", "the cause", True),
    "backlog": About("recordings have waited too long for their receipts (R30)", "`old`, or `over`", True),
    "lock": About("the camera was reported lost and is locked, or was found (R11)", "`locked` or `unlocked`", True),
    "accepted": About("a supervisor accepted a file that does not verify", "", True),
    "custody": About("a supervisor took the camera, handed it over, or gave it back", "which of these", True),
    "died_last_shift": About("the camera lost its power in the last shift", "how that shift ended", True),
    "failure_began": About("a failure to record began (R29)", "the cause", True),
    "failure_ended": About("…and is over", "the cause", True),
    "inspection": About("a supervisor's extended test began or ended (R37)", "`began`, or the verdict", True),
    "line_fault": About("a line chatters, or a button is stuck", "the line", True),
    "malfunction": About("a person reported a malfunction, damage or loss (R11)", "the component", True),
    "out_of_service": About("the camera must not be checked out (R9); no word: it may be again", "components", True),
    "override": About("a supervisor put a component into service for one shift (R9)", "the component", True),
    "queue": About("the supervisor's queue has one more item; its number is `number` (R29)", "the cause", True),
    "reason_missing": About(
        "a recording was stopped without a reason; the officer's report must give it (R26)", "", True
    ),
    "profile_refused": About("a policy profile was refused; the one before goes on to rule (R7)", "", True),
    "proof_refused": About("a vault proof was refused; what waits for it stays", "", True),
    "receipt_refused": About("a receipt was refused; the file stays", "", True),
    "self_test_expired": About("the self-test's verdict holds no longer", "why", True),
    "storage": About("the card fails, or works again", "which of these", True),
    "storage_level": About("how much room the card has left passed a limit (R30)", "the level", True),
    "usage": About("a period's usage is summed up and signed in the log (R36)", "what ended the period", True),
    # how the camera fares
    "assigned": About("an officer signed in; who, stands sealed", "how the officer was identified"),
    "background_test": About("what was found while ready: a failure, or that it works again", "part and finding"),
    "battery": About("the battery's level changed", "the level"),
    "clock": About("UTC stepped, or its source changed", "the cause"),
    "command_refused": About("a signed command was refused"),
    "deleted": About("a receipted file was deleted"),
    "dislodged": About("the camera has turned on the body, or fallen off (R12)"),
    "docked": About("the camera is in the dock"),
    "fault": About("a driver's fault; recording goes on", "the part"),
    "hold_up_over": About("the ignition was off for long enough: the camera switches itself off (R17)"),
    "ignition": About("the vehicle's ignition went on or off; recording goes on (R17)", "`on` or `off`"),
    "low_power": About("the picture has fewer bits, or all of them again", "why, or `over`"),
    "profile_taken": About("a newer policy profile was taken, to rule from the next start on (R7)"),
    "proof_taken": About("the vault's holder has proven that a file opens (R40)"),
    "recovered": About("a file that a crash left open was closed"),
    "remote_audio": About("the remote microphone's link, battery or mute changed (R2)", "what changed"),
    "self_test": About("a self-test ended", "the verdict"),
    "session_ended": About("the officer's session ended", "why"),
    "state": About("the camera's state changed", "the state"),
    "test_clip": About("the clip after the self-test began or ended", "what to say, or how it ended"),
    "thermal": About("the board's temperature changed its band", "the band"),
    "undocked": About("the camera left the dock"),
    "update_aborted": About("a recording began, so the update ended"),
    # recordings
    "category_wheel": About("the category wheel opened, moved or closed", "the category, `open` or `closed`"),
    "labelled": About("a recording got a category or a label (R31)", "the category, or the label's kind"),
    "look_at": About("the extended test asks the supervisor to look at an indicator", "the channel"),
    "muted": About("sound was muted, or is heard again (R24)", "`on` or `off`"),
    "press_line": About("the extended test asks the supervisor to press a line", "the line"),
    "recording_closed": About("a recording's end is durable", "the reason of its end"),
    "recording_opened": About("a recording's beginning is durable", "the first trigger"),
    "reminder": About("the officer was reminded of something", "of what"),
    "rolled_over": About("a long recording goes on in the next file (R22)", "the next file"),
    "stealth": About("the indicators are dark, or lit again (R4)", "`on` or `off`"),
    "suppressed": About("an automatic trigger was suppressed, by sleep or policy", "the trigger"),
    # not for the broker
    "fragment": About("a fragment is durable; `number` is its last frame", leaves=False),
    "peer_start": About("this camera's announcement to its peers (R23)", "base64 of the CMS", leaves=False),
}


def public_word(event: str, word: str | None) -> str | None:
    """The word of a notice if it may leave the camera: names of this project, or of a file. None for all else."""
    about = NOTICES.get(event)
    if word is None or about is None or not about.word or not about.leaves:
        return None
    return word if _WORDS.fullmatch(word) or _STEM.fullmatch(word) else None


def public_recording(recording: str | None) -> str | None:
    """The stem of a recording or log segment, and nothing else."""
    return recording if recording is not None and _STEM.fullmatch(recording) else None
