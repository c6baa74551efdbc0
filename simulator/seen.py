"""What somebody who watches the camera has seen of it: notices, and lamps, vibration and tone from look to look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from evidence.handover import Notice, Status
from simulator.agency import INDICATORS
from simulator.drivers.pace import boottime_ns
from simulator.pin_watch import TellsChanges
from simulator.timeline import Moment, Timeline
from simulator.world import World, told

BLINK_S: Final = 1.3
"""A lamp that blinks is dark for less than that, and counts as on."""
QUIET: Final = frozenset({"fragment", "heartbeat"})


@dataclass
class Seen:
    """Watches one world; put `look` among its watchers."""

    world: World
    timeline: Timeline = field(default_factory=Timeline)
    lit_s: dict[str, float] = field(default_factory=dict)
    """When each signal was seen on, the last time."""
    cuts_ns: list[int] = field(default_factory=list)
    """When the power was cut, CLOCK_BOOTTIME."""
    began_s: float = field(init=False)
    began_ns: int = field(init=False)
    _shown: str = ""

    def __post_init__(self) -> None:
        self.began_s = self.world.now_s()
        self.began_ns = boottime_ns()

    @property
    def at_s(self) -> float:
        """Now, since the beginning."""
        return self.world.now_s() - self.began_s

    def note(self, who: str, text: str) -> None:
        """Something happened now."""
        self.timeline.add(self.at_s, who, text)

    def note_cut(self) -> None:
        """The power is cut now."""
        self.cuts_ns.append(boottime_ns())

    def look(self, _status: Status, notices: Sequence[Notice]) -> None:
        """One look of the world."""
        for notice in notices:
            if notice.event not in QUIET:
                self.note("camera", told(notice))
        outputs = self.world.camera.outputs()
        now_s = self.world.now_s()
        for name, pin in INDICATORS.items():
            if outputs.get(pin, 0.0) > 0:
                self.lit_s[name] = now_s
        camera = self.world.camera
        lit = {one.pin for one in camera.changes() if one.level > 0} if isinstance(camera, TellsChanges) else set()
        self.lit_s |= {name: now_s for name, pin in INDICATORS.items() if pin in lit}
        shown = ", ".join(name for name in INDICATORS if self.lit_s.get(name, -BLINK_S) > now_s - BLINK_S) or "dark"
        if shown != self._shown:
            self._shown = shown
            self.note("lamps", shown)

    def signal_since(self, name: str, since_s: float) -> bool:
        """Whether a lamp, vibration or tone (or ``any``) was on since that instant of the world's time."""
        names = INDICATORS if name == "any" else (name,)
        return any(self.lit_s.get(one, -1.0) >= since_s for one in names)

    def text(self) -> str:
        """Everything, to be read by a person."""
        return self.timeline.text(self.logged())

    def logged(self) -> list[Moment]:
        """The device log since the beginning."""
        return [
            Moment(
                round((one.at_ns - self.began_ns) / 1e9, 2),
                "log",
                " ".join(part for part in (one.event, one.word, one.recording and f"(of {one.recording})") if part),
            )
            for one in self.world.log.look()
            if one.at_ns >= self.began_ns
        ]
