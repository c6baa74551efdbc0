"""Lists the recorder's notices for docs/telemetry.md from `evidence.notices`."""

from __future__ import annotations

from collections.abc import Callable

from evidence.notices import NOTICES


def events() -> str:
    """All notices that leave the camera, those for a supervisor first."""
    rows = [
        f"| `{name}` | {'yes' if about.attention else ''} | {about.meaning} | {about.word or '–'} |"
        for name, about in sorted(NOTICES.items(), key=lambda one: (not one[1].attention, one[0]))
        if about.leaves
    ]
    return "\n".join(["| Event | Attention | Meaning | `word` |", "|---|---|---|---|", *rows, ""])


TABLES: dict[str, Callable[[], str]] = {"notices.events": events}
