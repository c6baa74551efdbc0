"""The sentences in which a scenario claims something of the evidence and the dock. Pure."""

from __future__ import annotations

import re
from typing import Final, get_args

from device.failures import COMPONENTS
from device.policy import D5B_CATEGORIES
from evidence.statements import GapCause
from simulator.claims import About, Claim
from simulator.plain_words import CLOCK, DURATION, NUMBER_WORDS, clock, did_you_mean, seconds
from simulator.words import TRIGGERS, UnknownWord

LABELS: Final = (
    *(one.name for one in D5B_CATEGORIES), "prisoner_transport", "test", "training", "false_activation", "case", "cad",
)  # fmt: skip
"""Labels that are always known; a profile's own categories come on top."""
STARTED_BY: Final = tuple(dict.fromkeys((*TRIGGERS.values(), "speed", "function")))
"""Triggers by the names that stand in the evidence."""
TOLD: Final = (
    "marker", "stop_asked", "stop_confirmed", "stop_withdrawn", "trigger", "muted", "unmuted", "labelled", "low_power",
    "dislodged", "degraded", "malfunction", "custody", "failure_began", "failure_ended", "failure_noted", "clock",
)  # fmt: skip
"""What a recording's own statements can tell."""
ONLY_TOLD: Final = frozenset({"marker", "stop_asked", "stop_confirmed", "stop_withdrawn", "clock"})
"""…and the device log does not."""
_CAUSES: Final = get_args(GapCause)
_WORDS: Final = {
    "trigger": STARTED_BY,
    "gap": _CAUSES,
    "failure": tuple(COMPONENTS),
    "label": None,
    "closed by": None,
    "tells": TOLD,
}
_ORDER: Final = {"first": "first", "last": "last", "newest": "last", "every": "every", "each": "every", "all": "every"}
_COUNT: Final = rf"(\d{{1,6}}|{'|'.join(NUMBER_WORDS)})"
_LIMIT: Final = r"(at least |at most |exactly |)"
_SUBJECT: Final = re.compile(
    r"(?:in |of )?(?:the )?(?:recording (?P<number>\d{1,4})|(?P<order>first|last|newest|every|each|all) recordings?"
    r"|(?P<some>a|an|any|some|one) recording|(?P<none>no|none of the) recordings?)"
    r" (?:has |have |is |was |are |were )?(?P<rest>.+)"
)
_YES: Final[dict[str, tuple[str, bool]]] = {
    "time unverified": ("time unverified", True), "time not verified": ("time unverified", True),
    "time verified": ("time unverified", False),
    "linked to recording before": ("linked", True), "linked": ("linked", True),
    "not linked": ("linked", False), "not linked to recording before": ("linked", False),
    "marked degraded": ("degraded", True), "not marked degraded": ("degraded", False),
    "marker": ("tells marker", True), "no marker": ("tells marker", False),
    "recovered": ("recovered", True), "not recovered": ("recovered", False),
    "closed": ("closed", True), "not closed": ("closed", False),
    "receipted": ("receipted", True), "not receipted": ("receipted", False),
    "quarantined": ("quarantined", True), "not quarantined": ("quarantined", False),
    "deleted on camera": ("deleted", True), "not deleted on camera": ("deleted", False),
    "gap": ("gap", True), "no gap": ("gap", False), "gaps": ("gap", True), "no gaps": ("gap", False),
    "failure": ("failure", True), "no failure": ("failure", False), "no failures": ("failure", False),
    "no gps points": ("gps", False), "not muted": ("muted", False), "no muted sound": ("muted", False),
}  # fmt: skip
_EVERY_YES: Final = frozenset({"closed", "receipted", "deleted", "quarantined"})
"""Without a subject these are about every recording; what can be found (a gap, a trigger) about any."""
EXAMPLES: Final = (
    "evidence valid", "evidence not valid",
    "3 recordings", "station has 2 recordings", "pre-event at least 25 s", "duration at least 10 s",
    "trigger lightbar", "tells marker", "label arrest_search", "gap camera_silent", "failure encoder_stalled",
    "loss at most 2 s",
    "muted at least 2 s", "muted sound between 1:05 and 1:10", "sound between 1:05 and 1:10", "closed by record_button",
    "gps points at least 5", "station told lost", *_YES,
)  # fmt: skip


def claim_of(text: str) -> Claim | None:
    """The claim that a plain sentence makes; None if it makes none. Raises `UnknownWord` for a wrong word in one."""
    bare = re.sub(r"\bthe\b ", "", text)
    whole = _whole(bare)
    if whole is not None:
        return whole
    subject = _SUBJECT.fullmatch(bare)
    if subject is None:
        return _about(None, bare)
    about: About = "none" if subject["none"] else "any"
    if subject["number"]:
        about = int(subject["number"])
    elif subject["order"]:
        order = _ORDER[subject["order"]]
        about = "first" if order == "first" else "last" if order == "last" else "every"
    claim = _about(about, subject["rest"])
    if claim is None and not re.match(r"within|for\b", subject["rest"]):
        raise UnknownWord(did_you_mean(subject["rest"], EXAMPLES))
    return claim


def _whole(text: str) -> Claim | None:
    if text in ("evidence valid", "evidence is valid", "all evidence valid", "evidence verifies"):
        return Claim("evidence")
    if text in ("evidence not valid", "evidence is not valid"):
        return Claim("evidence", negated=True)
    if text in ("station told lost", "station was told lost", "camera told lost", "station told camera lost"):
        return Claim("told lost")
    found = re.fullmatch(rf"(station has |){_LIMIT}{_COUNT} recordings?( made)?", text) or re.fullmatch(
        rf"(station has |)recordings? {_LIMIT}{_COUNT}()", text
    )
    if found is None or text in ("no recording", "recording no"):  # the state, see simulator.expected
        return None
    least, most = _limits(found[2], float(_counted(found[3])))
    return Claim("stored" if found[1] else "recordings", None, "", least, most)


def _counted(word: str) -> int:
    return NUMBER_WORDS.index(word) if word in NUMBER_WORDS else int(word)


def _limits(how: str, number: float) -> tuple[float, float]:
    return {"at least ": (number, float("inf")), "at most ": (0.0, number)}.get(how, (number, number))


def _about(about: About | None, text: str) -> Claim | None:
    """A claim about recordings; `about` None: no subject was written."""
    if text in _YES:
        fact, so = _YES[text]
        fact, _, word = fact.partition(" ") if fact.startswith("tells ") else (fact, "", "")
        if so:
            return Claim(fact, about or ("every" if fact in _EVERY_YES else "any"), word, least=_least(fact))
        return _without(fact, about, word)
    for word, known in _WORDS.items():
        found = re.fullmatch(rf"(no |){word.removesuffix('s')}s? ([a-z0-9_ -]+)", text)
        if found is not None and (found[2].partition(" ")[0] not in ("points", "between", "at")):
            fact = "closed" if word == "closed by" else word
            name = _known(found[2].replace(" ", "_").replace("-", "_"), known)
            return _without(fact, about, name) if found[1] else Claim(fact, about or "any", name)
    return _numbers(about, text)


def _least(fact: str) -> float:
    return 1e-3 if fact in ("gps", "muted") else 0.0


def _known(name: str, known: tuple[str, ...] | None) -> str:
    """The exact name; ``light_bar`` is ``lightbar``. Raises `UnknownWord`."""
    if known is None:
        return name
    exact = {one.replace("_", ""): one for one in known}.get(name.replace("_", ""))
    if exact is None:
        raise UnknownWord(did_you_mean(name, known))
    return exact


def _without(fact: str, about: About | None, word: str = "") -> Claim:
    """That something is not so. ``every recording has no gap`` and ``no gap`` both mean that none has one."""
    if about in (None, "every"):
        return Claim(fact, "none", word, least=_least(fact))
    if about == "none":
        return Claim(fact, "every", word, least=_least(fact))
    return Claim(fact, about, word, least=_least(fact), negated=True)


def _numbers(about: About | None, text: str) -> Claim | None:
    found = re.fullmatch(
        rf"(pre-?event|duration|loss|muted(?: sound)?) (at least |at most |exactly )({DURATION})", text
    )
    if found is not None:
        fact = {"preevent": "pre-event", "muted sound": "muted"}.get(found[1], found[1])
        least, most = _limits(found[2], seconds(found[3]))
        return Claim(fact, about or ("any" if fact == "muted" and least else "every"), "", least, most)
    found = re.fullmatch(rf"gps points? {_LIMIT}{_COUNT}", text) or re.fullmatch(rf"{_LIMIT}{_COUNT} gps points?", text)
    if found is not None:
        least, most = _limits(found[1], float(_counted(found[2])))
        return Claim("gps", about or "every", "", least, most)
    found = re.fullmatch(rf"(muted sound|no sound|sound) between ({CLOCK}) and ({CLOCK})", text)
    if found is not None:
        fact = "sound between" if found[1] == "sound" else "silent between"
        least, most = clock(found[2]), clock(found[3])
        if least >= most:
            raise UnknownWord(f"{found[3]} is not after {found[2]}")
        return Claim(fact, about or "any", "", least, most)
    return None
