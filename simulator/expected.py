"""What a scenario may expect, in plain sentences: of state, lamps, log, evidence and dock. Pure.

The exact words of `simulator.words.expectation` are understood too.
"""

from __future__ import annotations

import functools
import re
import tomllib
from typing import Final

from device.states import State
from evidence.log_words import FILE as LOG_WORDS
from simulator.claim_words import EXAMPLES as CLAIMS
from simulator.claim_words import ONLY_TOLD, claim_of
from simulator.plain_words import DURATION, did_you_mean, plain, seconds
from simulator.words import FLAGS, LOG_S, STATES, Expectation, UnknownWord

SIGNALS: Final = ("green", "red", "amber", "haptic", "tone")
"""What the officer sees, feels and hears, as the board of the simulated camera has it."""
STATE_NAMES: Final = tuple(one.value.replace("_", " ") for one in State if one is not State.HOME)
_SINCE: Final = re.compile(rf"(.+?)(?:,? (within|for|in) ({DURATION}))?")
_LOG: Final = re.compile(r"(no |not )?log(?: has| says| entry)? ([a-z][a-z0-9_ ]*)")
_SAME: Final = {
    "records": "recording", "camera records": "recording", "camera recording": "recording", "it records": "recording",
    "not recording": "stopped", "no recording in progress": "stopped", "in dock": "docked", "asleep": "state sleep",
    "ready": "state ready", "out of service": "state out of service", "vibration": "haptic", "vibrates": "haptic",
    "beep": "tone", "beeps": "tone", "dark": "no signal", "no lamp": "no signal", "pre-event ring full": "ring full",
    "everything offloaded": "offloaded", "officer signed in": "signed in", "all is offloaded": "offloaded",
    "everything is offloaded": "offloaded", "out of dock": "undocked", "self-test is done": "self-test done",
    "ring is full": "ring full", "recording stopped": "stopped", "recording has stopped": "stopped",
}  # fmt: skip
STATE_EXAMPLES: Final = (
    "recording within 0.5 s", "not recording", "recording for 10 s", "no recording for 2 s", "state sleep within 4 s",
    "log muted", "log suppressed asleep", "no log muted for 2 s", "lamp red", "haptic", "tone", "no tone for 5 s",
    "dark for 5 s", *FLAGS, "asleep", "out of service", *STATES[1:],
)  # fmt: skip


@functools.cache
def entry_names() -> tuple[str, ...]:
    """Entries of the device log, by name. Raises OSError."""
    entries: dict[str, object] = tomllib.loads(LOG_WORDS.read_text("utf-8"))["entries"]
    elsewhere = ONLY_TOLD | {"gap", "recovered"}
    return tuple(sorted(name for name in entries if not name.startswith(("open_", "close_")) and name not in elsewhere))


def expected(text: str) -> Expectation:
    """What the words after ``expect`` mean. Raises `UnknownWord` with the nearest known words."""
    said = plain(text)
    split = _SINCE.fullmatch(said)
    if split is None:
        raise UnknownWord("say after 'expect' what must be so, such as: expect recording within 0.5 s")
    what, how = split[1], split[2]
    within_s = seconds(split[3]) if how else LOG_S
    lasts = how == "for"
    what = re.sub(r"^(that )?(the )?(camera|it) (is|has|says) ", "", what)
    what = re.sub(r"^(that )?(there (is|are) |the |an? (?!recording\b))", "", what)
    what = re.sub(r"^(in|out of) the ", r"\1 ", what)
    what = re.sub(r"\b(officer )?signs in$", "signed in", what)  # `plain` makes deeds of these
    what = re.sub(r"^((no |not )?log( has| says| entry)? stealth) slide\b", r"\1", what)
    what = _SAME.get(what, what)
    found = _log(text, what, lasts, within_s) or _state(text, what, lasts, within_s)
    if found is not None:
        return found
    claim = claim_of(what)
    if claim is None:
        raise UnknownWord(did_you_mean(what, (*STATE_EXAMPLES, *CLAIMS)))
    if lasts:
        raise UnknownWord(f"what files say is not watched for a time; say {what!r}, or {what!r} within 10 s")
    return Expectation(text, claim=claim, within_s=within_s)


def _log(text: str, what: str, lasts: bool, within_s: float) -> Expectation | None:
    found = _LOG.fullmatch(what)
    if found is None:
        return None
    if bool(found[1]) is not lasts:
        raise UnknownWord(f'{text!r} makes no sense; say "log muted within 2 s" or "no log muted for 2 s"')
    words = found[2].split()
    names = entry_names()
    for length in range(min(len(words), 3), 0, -1):  # `failure began`: names are written with spaces or without
        name = "_".join(words[:length])
        if name in names:
            word = "_".join(words[length:]) or None
            if word is not None and name == "trigger":
                raise UnknownWord(f"the log does not say which trigger; say: expect trigger {word}")
            return Expectation(text, event=name, word=word, never=lasts, within_s=within_s)
    if (told := "_".join(words)) in ONLY_TOLD:
        raise UnknownWord(f"{told!r} stands in the recording, not in the device log; say: expect tells {told}")
    raise UnknownWord(did_you_mean(words[0], names))


def _state(text: str, what: str, lasts: bool, within_s: float) -> Expectation | None:
    """State, lamps, flags: what the camera shows at a moment."""
    no = re.fullmatch(r"(no|not) (.+)", what)
    thing = no[2] if no is not None else what
    signal = re.fullmatch(r"(?:lamps? )?([a-z]+)(?: (?:lamp|light|led))?(?: on)?", thing)
    if signal is not None and signal[1] in (*SIGNALS, "signal"):
        name = "any" if signal[1] == "signal" else signal[1]
        if lasts and no is None:
            raise UnknownWord(f"lamps blink; say {what} within 5 s, or no {what} for 5 s")
        return Expectation(text, signal=name, never=no is not None, within_s=within_s if lasts or no is None else 2.0)
    if thing.startswith("lamp "):
        raise UnknownWord(did_you_mean(thing.removeprefix("lamp "), SIGNALS[:3]))
    if thing in FLAGS:
        return Expectation(text, flag=thing, so=no is None, always=lasts, within_s=within_s)
    if what == "no recording" and lasts:
        return Expectation(text, status="recording", never=True, within_s=within_s)
    if what in STATES[1:]:
        return Expectation(text, status=what, always=lasts, within_s=within_s)
    named = re.fullmatch(r"(?:no |not )?state (?:is )?(.+)", what)
    if named is None:
        return None
    if named[1].replace("_", " ") not in STATE_NAMES:
        raise UnknownWord(did_you_mean(named[1], STATE_NAMES))
    never = no is not None
    if never and not lasts:
        raise UnknownWord(f'say for how long: "{what} for 5 s"')
    state = named[1].replace(" ", "_")
    return Expectation(text, state=state, never=never, always=lasts and not never, within_s=within_s)
