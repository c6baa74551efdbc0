"""The short way of telling a usual sentence readable never takes one that the library refuses."""

from __future__ import annotations

import random

from hal.nmea import Sentence, _is_usual, _readable, checksum_of, parse_sentence


def usual(chance: random.Random) -> tuple[str, str]:
    """A random payload of the forms that are taken without asking the library."""
    clock = f"{chance.randrange(24):02}{chance.randrange(60):02}{chance.randrange(60):02}"
    clock += chance.choice(("", f".{chance.randrange(10)}", f".{chance.randrange(1000):03}"))
    digits = chance.randint(2, 7)
    latitude = f"{chance.randrange(90):02}{chance.randrange(60):02}.{chance.randrange(10**digits):0{digits}}"
    longitude = f"{chance.randrange(180):03}{chance.randrange(60):02}.{chance.randrange(10**digits):0{digits}}"
    place = f"{latitude},{chance.choice('NS')},{longitude},{chance.choice('EW')}"
    if chance.random() < 0.5:
        course = chance.choice(("", f"{chance.randrange(360)}.{chance.randrange(100):02}", "359.9", "0.0"))
        date = f"{chance.randint(1, 28):02}{chance.randint(1, 12):02}{chance.randrange(100):02}"
        speed = f"{chance.randrange(1000)}.{chance.randrange(1000):03}"
        return "RMC", f",{clock},A,{place},{speed},{course},{date},,,{chance.choice('ADE')}"
    altitude = f"{chance.choice(('', '-'))}{chance.randrange(9999)}.{chance.randrange(100)}"
    return "GGA", f",{clock},{place},{chance.choice('12')},{chance.randrange(100):02},1.05,{altitude},M,-33.9,M,,"


def test_what_is_usual_is_readable() -> None:
    chance = random.Random(7)
    short = 0
    for _ in range(1500):
        kind, payload = usual(chance)
        short += _is_usual(kind, payload)
        assert not _is_usual(kind, payload) or _readable("GP", kind, payload), payload
    assert short > 1400  # else nothing was tried


def test_a_usual_sentence_with_one_letter_changed_is_taken_as_the_library_takes_it() -> None:
    chance = random.Random(11)
    for _ in range(1500):
        kind, payload = usual(chance)
        place = chance.randrange(1, len(payload))
        payload = f"{payload[:place]}{chance.choice('0159.,-NAZ')}{payload[place + 1 :]}"
        body = f"GP{kind}{payload}"
        line = f"${body}*{checksum_of(body.encode()):02X}".encode()
        taken = isinstance(parse_sentence(line), Sentence)
        assert taken is _readable("GP", kind, payload), payload
