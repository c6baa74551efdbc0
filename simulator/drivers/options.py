"""Check options that came out of a configuration file."""

from __future__ import annotations

from hal.errors import BadDriverOption


def whole_number(name: str, value: object, low: int, high: int, *, even: bool = False) -> int:
    """`value` as it is, if it is a whole number in low..high. Raises `BadDriverOption`, which says what is allowed."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high or (even and value % 2):
        raise BadDriverOption(
            f"{name} = {value!r}: give {'an even' if even else 'a whole'} number from {low} to {high}"
        )
    return value
