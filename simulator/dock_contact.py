"""The contact of a dock: springs that bounce when the camera is put in, and when it is pulled out. Pure."""

from __future__ import annotations

import random


def bounces(seed: int | str, *, closes: bool, for_s: float, most: int = 12) -> list[tuple[float, bool]]:
    """When, from the first touch on, the contact is closed or open: it ends as it should, after `for_s` at the latest.

    Short touches at first, longer ones towards the end, as a spring that comes to rest.
    """
    draw = random.Random(seed)
    count = 2 * draw.randint(1, most // 2)
    moments = sorted(for_s * draw.random() ** 1.5 for _ in range(count))
    return [(moment, closes == (number % 2 == 0)) for number, moment in enumerate([0.0, *moments])]
