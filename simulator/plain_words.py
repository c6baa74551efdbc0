"""Tolerant reading: what a person writes, as the words that the simulator knows. Pure.

Capitals, articles, plurals and the order of words make no difference (`Press the record button two times` is `press
record button twice`). What is still not known is refused with the nearest known words.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Final

from simulator.words import ACTIONS, AMOUNTS, SAID, Deed, UnknownWord, deed

FILLERS: Final = frozenset(
    [
        "the",
        "a",
        "an",
        "of",
        "to",
        "his",
        "her",
        "its",
        "their",
        "is",
        "are",
        "goes",
        "go",
        "turn",
        "switch",
        "put",
        "button",
        "comes",
        "up",
        "it",
        "time",
    ]
)
"""Words without a meaning of their own. `button`: nothing else of this world is pressed or held."""
SPELLINGS: Final[tuple[tuple[str, str], ...]] = (
    (r"\blight ?-?bars?\b", "light bar"),
    (r"\bgun ?-?racks?\b", "gun rack"),
    (r"\bstealth( slide)?\b(?= (on|off))", "stealth slide"),
    (r"\bgnss\b", "gps"),
    (r"\bself ?-?test\b", "self-test"),
    (r"\b(two|2) times\b|\bdouble\b|\btwo presses\b", "twice"),
    (r"\b(one|1) time\b|\bsingle\b", "once"),
    (r"\b(presses|pressed|push|pushes|clicks?)\b", "press"),
    (r"\b(holds|held)\b", "hold"),
    (r"\b(releases|let go)\b", "release"),
    (r"\bswitched\b|\bturned\b", ""),
    (r"\bbuttons\b", "button"),
    (r"\b(speaking|speak|talks|says something)\b", "speaks"),
    (r"\bsign in\b|\bsigned in\b", "signs in"),
    (r"\bsign out\b|\bsigned out\b", "signs out"),
    (r"\b((the )?officer )?draws? (his |her |the )?weapon\b", "weapon drawn"),
    (r"\bpower ?-?cut\b|\bcut (the )?power\b", "power cut"),
    (r"\bmic\b", "microphone"),
)
"""(pattern, what it means), before anything else is looked at."""
ALIASES: Final[dict[str, str]] = {
    "press record": "press record button once",
    "press function": "press function button once",
    "press emergency once": "press emergency button",
    "dock camera": "dock",
    "camera into dock": "dock",
    "camera in dock": "dock",
    "undock camera": "undock",
    "take camera out dock": "undock",
    "camera out dock": "undock",
    "peer start": "peer starts",
    "colleague starts": "peer starts",
    "clock right": "clock set",
    "cover camera": "camera covered",
    "uncover camera": "camera normal",
    "signs in": "officer signs in",
    "signs out": "officer signs out",
    "lights on": "light bar on",
    "lights off": "light bar off",
    "do nothing": "nothing",
}
"""Other words for the same, once the fillers are gone."""
_AMOUNT_SPELLINGS: Final[tuple[tuple[str, str], ...]] = (
    (r"^battery (?:at |to |is )?(\d{1,3}) ?(?:%|percent)?$", r"battery \1"),
    (r"^board (?:at |to |is )?(\d{1,3}) ?(?:degrees?|°|c|celsius|°c|degrees? celsius)?$", r"board \1 degrees"),
    (r"^drives? (?:at |with )?(\d{1,3}) ?(?:km/?h|kmh)?$", r"drive at \1"),
    (r"^turn wheel by (\d{1,2})(?: step| steps)?$", r"turn the wheel by \1"),
    (r"^gps jumps? (?:by )?(\d{1,6}) ?(?:m|metres?|meters?)$", r"gps jumps \1 m"),
)
_NUMBERED_SECONDS: Final = re.compile(r"^(encoder stalls?|microphone silent|clock jumps?)(?: for| by)? (-|back )?(.+)$")
_ARTICLES: Final = re.compile(r"\b(the|a|an)\b ")
NUMBER_WORDS: Final = (
    "no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
)  # fmt: skip
_BY: Final = re.compile(rf"\bby ({'|'.join(NUMBER_WORDS[1:])})\b")
_UNITS: Final = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0}
_UNIT: Final = r"(?:ms|milliseconds?|seconds?|secs?|s|minutes?|mins?|min|hours?|h)\b"
_COUNT: Final = rf"(?:\d{{1,6}}(?:\.\d{{1,3}})?|half|an?|{'|'.join(NUMBER_WORDS[1:])})"
DURATION: Final = rf"{_COUNT} ?(?:a )?{_UNIT}"
"""Pattern of a length of time."""
_DURATION: Final = re.compile(rf"({_COUNT}) ?({_UNIT})", re.ASCII)
CLOCK: Final = r"\d{1,3}:\d{2}(?::\d{2})?(?:\.\d{1,3})?"
_CLOCK: Final = re.compile(r"(?:(\d{1,3}):)?(\d{1,3}):(\d{2}(?:\.\d{1,3})?)", re.ASCII)


def plain(text: str) -> str:
    """Small letters, single spaces, no full stop at the end."""
    return " ".join(text.replace("’", "'").split()).lower().rstrip(" .!;,")


def spelt(text: str) -> str:
    """…and the spellings that the simulator's deeds have."""
    folded = plain(text)
    for pattern, meant in SPELLINGS:
        folded = re.sub(pattern, meant, folded)
    return " ".join(folded.split())


def seconds(text: str) -> float:
    """A duration (``3 s``, ``half a minute``, ``2 minutes``) in seconds. Raises `UnknownWord`."""
    found = _DURATION.fullmatch(" ".join(text.replace("half a ", "half ").split()).lower())
    if found is None:
        raise UnknownWord(f"{text!r} is no length of time; say 3 s, 0.5 s, 2 min or 1 h")
    number, unit = found[1], found[2]
    scale = _UNITS["ms" if unit.startswith("mil") or unit == "ms" else "min" if unit[0] == "m" else unit[0]]
    return round(_number(number) * scale, 3)


def _number(word: str) -> float:
    if word in NUMBER_WORDS:
        return float(NUMBER_WORDS.index(word))
    return {"a": 1.0, "an": 1.0, "half": 0.5}.get(word) or float(word)


def clock(text: str) -> float:
    """A time since the beginning (``00:03:10``, ``3:10.5``) in seconds. Raises `UnknownWord`."""
    found = _CLOCK.fullmatch(text)
    if found is None or float(found[3]) >= 60 or (found[1] is not None and int(found[2]) >= 60):
        raise UnknownWord(f"{text!r} is no time; say minutes and seconds such as 3:10, or 01:03:10 with hours")
    return round(int(found[1] or 0) * 3600 + int(found[2]) * 60 + float(found[3]), 3)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A short sentence about an unknown word; with nothing near, the first few that are known."""
    many = list(dict.fromkeys(known))
    near = difflib.get_close_matches(word, many, n=1, cutoff=0.55)
    if near:
        return f"{word!r} is not known; did you mean {near[0]!r}?"
    some = ", ".join(many[:12]) + (", …" if len(many) > 12 else "")
    return f"{word!r} is not known; known are {some}"


def key(text: str) -> tuple[str, ...]:
    """What is compared: the words that mean something, in any order."""
    return tuple(sorted(word for word in re.findall(r"[a-z0-9'-]+", text) if word not in FILLERS))


_KNOWN: Final = {
    **{key(alias): action for alias, action in ALIASES.items()},
    **{key(action): action for action in ACTIONS},
}


def plain_deed(text: str) -> Deed:
    """What a sentence tells the world to do. Raises `UnknownWord` with the nearest known words."""
    said = spelt(text)
    known = _KNOWN.get(key(said))
    if known is not None:
        return deed(known)
    exact = _amount(said)
    try:
        return deed(exact)
    except UnknownWord as error:
        if "is not known" in str(error) and not re.match(r"give reason|supervisor overrides", exact):
            examples = (*ACTIONS, *(one.example for one in AMOUNTS), *SAID)
            raise UnknownWord(did_you_mean(said, examples)) from error
        raise


def _amount(said: str) -> str:
    """The exact words of what takes a number, or the sentence without its articles."""
    bare = _BY.sub(lambda found: f"by {NUMBER_WORDS.index(found[1])}", _ARTICLES.sub("", said))
    for pattern, meant in _AMOUNT_SPELLINGS:
        if re.match(pattern, bare, re.ASCII):
            return re.sub(pattern, meant, bare, flags=re.ASCII)
    numbered = _NUMBERED_SECONDS.match(bare)
    if numbered is not None:
        words = {"encoder stall": "encoder stalls", "clock jump": "clock jumps"}.get(numbered[1], numbered[1])
        amount = seconds(numbered[3]) * (-1 if numbered[2] else 1)
        return f"{words} {amount:g} s" if words != "clock jumps" else f"{words} {int(amount)} s"
    bare = re.sub(r"^(case|cad) number #", r"\1 number ", bare)
    if re.match(r"(case|cad) number ", bare):  # numbers keep their capitals
        return bare[: bare.index("number ") + 7] + bare[bare.index("number ") + 7 :].upper()
    return re.sub(r",? ?\(?supervisor (was )?(consulted|not possible)\)?$", r", supervisor \2", bare).replace(" ,", ",")
