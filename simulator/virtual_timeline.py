"""``timeline.jsonl`` of a run on virtual time: what happened, with its virtual time, and nothing that chance decides.

Lines are ordered by time, then by kind, then as they came: what the camera told (`state`, `trigger`, …), lamps and
tones (`indicator`), steps of the offload, and every statement of all evidence with the size of its plain samples,
without the media signatures. No hash, nonce or key is in it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from evidence.handover import Notice
from simulator.drivers.hardware_messages import PinEvent

_KINDS: Final = ("notice", "indicator", "offload", "statement")
_TOLD_KEYS: Final = frozenset({"name", "stored", "verdict", "reason", "station", "error", "again_s", "state"})
"""What the agent tells that chance does not decide."""
_QUIET: Final = frozenset({"fragment", "heartbeat", "peer_start"})


@dataclass
class Timeline:
    """Collects lines. Times are virtual CLOCK_BOOTTIME, nanoseconds."""

    now_ns: Callable[[], int]
    indicators: Mapping[str, int]
    lines: list[tuple[int, int, dict[str, Any]]] = field(default_factory=list)

    def add(self, at_ns: int, kind: str, facts: Mapping[str, Any]) -> None:
        """One line."""
        self.lines.append((at_ns, _KINDS.index(kind), {"t_ns": at_ns, "kind": kind, **facts}))

    def notice(self, notice: Notice) -> None:
        """What the camera told."""
        if notice.event not in _QUIET:
            facts = {"event": notice.event, "word": notice.word, "recording": notice.recording}
            self.add(notice.mono_ns, "notice", {key: value for key, value in facts.items() if value is not None})

    def pin(self, event: PinEvent) -> None:
        """A lamp, the vibration or the tone changed."""
        name = next((name for name, pin in self.indicators.items() if pin == event.pin), str(event.pin))
        self.add(event.at_ns, "indicator", {"channel": name, "level": event.level})

    def offload(self, step: str, data: Mapping[str, Any]) -> None:
        """A step of the agent's."""
        facts = {key: value for key, value in data.items() if key in _TOLD_KEYS}
        self.add(self.now_ns(), "offload", {"step": step, **facts})

    def write(self, path: Path) -> int:
        """Write all lines in order; how many there are."""
        # Python's sort is stable: what came first at an instant stays first within its kind and channel or file.
        self.lines.sort(key=lambda line: (*line[:2], str(line[2].get("channel") or line[2].get("file") or "")))
        text = "".join(json.dumps(facts, ensure_ascii=False, separators=(",", ":")) + "\n" for *_, facts in self.lines)
        path.write_text(text, encoding="utf-8")
        return len(self.lines)
