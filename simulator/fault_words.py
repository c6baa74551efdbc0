"""The sentences of a script about faults: ``fault gps.teleport 5000 m for 10 s``, ``end fault gps.teleport``. Pure."""

from __future__ import annotations

import re
from typing import Final

from simulator.faults import catalogue
from simulator.plain_words import DURATION, did_you_mean, plain, seconds
from simulator.words import Deed, UnknownWord

_FAULT: Final = re.compile(
    rf"(?P<name>[a-z0-9_.-]+)(?: (?:by |at |of )?(?P<amount>-?\d{{1,9}}(?:\.\d{{1,3}})?) ?(?P<unit>[a-z°%/]*))?"
    rf"(?: for (?P<time>{DURATION}))?"
)


def fault(text: str) -> Deed:
    """What stands behind ``fault``. Raises `UnknownWord` with the nearest fault."""
    found = _FAULT.fullmatch(plain(text))
    if found is None:
        raise UnknownWord(f"{text!r} is no fault; say for example: fault gps.teleport 5000 m for 10 s")
    known = catalogue()
    name = found["name"].replace("-", "_")
    name = name if name in known else found["name"]
    if name not in known:
        raise UnknownWord(f"{did_you_mean(name, known)} (all of them: firsthand-sim fault --list)")
    one = known[name]
    amount = None if found["amount"] is None else float(found["amount"])
    if amount is not None and one.amount is None:
        raise UnknownWord(f"{name} takes no number")
    if amount is not None and one.amount is not None and not one.amount.least <= amount <= one.amount.most:
        limits = f"{one.amount.least:g} to {one.amount.most:g} {one.amount.unit}"
        raise UnknownWord(f"{amount:g} is out of range for {name}; say {limits}")
    if found["time"] is not None and one.end is None:
        raise UnknownWord(f'{name} happens at one instant and cannot be ended; leave out "for {found["time"]}"')
    return Deed("fault", amount, name, for_s=None if found["time"] is None else seconds(found["time"]))


def ended_fault(text: str) -> Deed:
    """What stands behind ``end fault``. Raises `UnknownWord`."""
    known = catalogue()
    name = plain(text)
    if name not in known:
        raise UnknownWord(f"{did_you_mean(name, known)} (all of them: firsthand-sim fault --list)")
    if known[name].end is None:
        raise UnknownWord(f"{name} happens at one instant and cannot be ended")
    return Deed("end fault", None, name)
