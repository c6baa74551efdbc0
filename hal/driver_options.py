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


def flag(name: str, value: object) -> bool:
    """`value` as it is, if it is true or false. Raises `BadDriverOption`."""
    if not isinstance(value, bool):
        raise BadDriverOption(f"{name} = {value!r}: give true or false")
    return value


def silence_ns(name: str, value: object) -> int:
    """Seconds (0.5 to 60) after which a silent camera is a fault, in nanoseconds. Raises `BadDriverOption`."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.5 <= value <= 60:
        raise BadDriverOption(f"{name} = {value!r}: give 0.5 to 60 seconds")
    return round(value * 1_000_000_000)
