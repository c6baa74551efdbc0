"""A real receiver's log cut into epochs, to be played as it is. Pure."""

from __future__ import annotations

_LONGEST_STEP_S = 10.0
_DAY_S = 86_400.0


def log_epochs(text: str) -> list[tuple[list[str], float]]:
    """Cut a receiver's log into epochs, each with the pause in seconds until the next one.

    An epoch ends where the sentences' time field changes. Time that goes back or jumps by over 10 s makes a pause of
    one second. Lines are kept as they are, those that begin with ``#`` and empty ones are left out.
    A last epoch that the end of the log cut short is left out: in a loop it would run into the first one, and gpsd does
    not report its position either.
    """
    epochs: list[tuple[list[str], float]] = []
    lines: list[str] = []
    now_s: float | None = None
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        told_s = _time_s(line)
        if told_s is not None and now_s is not None and told_s != now_s:
            step_s = (told_s - now_s) % _DAY_S  # midnight is a small step, going back is a large one
            epochs.append((lines, step_s if step_s <= _LONGEST_STEP_S else 1.0))
            lines = []
        if told_s is not None:
            now_s = told_s
        lines.append(line)
    if (any(line.startswith("$") for line in lines) or epochs) and not _cut_short(lines, epochs):
        epochs.append((lines, 1.0))
    return epochs


def _cut_short(lines: list[str], before: list[tuple[list[str], float]]) -> bool:
    """Whether the last epoch lacks a sentence that every whole epoch of the log has."""
    whole = [_addresses(epoch) for epoch, _ in before[1:]]  # the log may begin in the middle of the first
    return bool(whole) and not frozenset.intersection(*whole) <= _addresses(lines)


def _addresses(lines: list[str]) -> frozenset[str]:
    return frozenset(line.split(",", 1)[0] for line in lines if line.startswith("$"))


def _time_s(line: str) -> float | None:
    """Seconds since midnight from an RMC or GGA sentence; None where there is no time."""
    fields = line.split(",")
    if len(fields) < 2 or not line.startswith("$") or fields[0][-3:] not in {"RMC", "GGA"}:
        return None
    clock = fields[1]
    if len(clock) < 6 or not clock[:6].isdecimal():
        return None
    try:
        return int(clock[:2]) * 3600 + int(clock[2:4]) * 60 + float(clock[4:])
    except ValueError:
        return None
