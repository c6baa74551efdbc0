"""What the link to a remote microphone means: what is new about it, and whether it is fit for a shift (R2). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from device.selftest import Seen
from hal.microphone import LinkState

LOW_PERCENT: Final = 20
"""A battery of the microphone at or below this is low…"""
CHARGED_PERCENT: Final = 30
"""…and above this again charged."""
MOST_OFFSET_US: Final = 500_000
"""A link that is later than this cannot be told from one that loses sound."""
LOST: Final = LinkState(paired=False, battery_percent=None, muted=False, offset_us=None)
"""What stands for a receiver that does not answer."""

News = Literal["paired", "lost", "muted", "unmuted", "battery_low", "battery_charged"]


@dataclass
class LinkWatch:
    """Follows one link; what is said once is not said again before it changed."""

    _paired: bool | None = None
    _muted: bool = False
    _low: bool = False

    def look(self, state: LinkState) -> list[News]:
        """What changed since the last look. A link that is not there at the first look is `lost` too."""
        found: list[News] = []
        if state.paired is not self._paired:
            self._paired = state.paired
            found.append("paired" if state.paired else "lost")
        if not state.paired:
            return found  # of what is out of reach nothing is known: a mute lasts
        if state.muted is not self._muted:
            self._muted = state.muted
            found.append("muted" if state.muted else "unmuted")
        percent = state.battery_percent
        if percent is not None and not self._low and percent <= LOW_PERCENT:
            self._low = True
            found.append("battery_low")
        elif percent is not None and self._low and percent > CHARGED_PERCENT:
            self._low = False
            found.append("battery_charged")
        return found


def link_facts(state: LinkState) -> dict[str, bool | int | None]:
    """As it stands in sealed metadata."""
    return {
        "paired": state.paired,
        "battery_percent": state.battery_percent,
        "muted": state.muted,
        "offset_us": state.offset_us,
    }


def judge_link(state: LinkState | None, *, heard: bool) -> Seen:
    """The self-test's row `remote_audio`. `state` is None if the microphone is wired or missing."""
    limit = f"paired, heard, not muted, battery above {LOW_PERCENT} %, at most {MOST_OFFSET_US // 1000} ms late"
    if state is None:
        return Seen("fail", "no remote microphone", limit, "pair the remote microphone that belongs to this vehicle")
    if not state.paired:
        return Seen("fail", "not paired", limit, "switch the remote microphone on and pair it; look at its battery")
    late = "not measured" if state.offset_us is None else f"{state.offset_us / 1000:.0f} ms late"
    charge = "unknown" if state.battery_percent is None else f"{state.battery_percent} %"
    value = f"paired, battery {charge}, {late}"
    if state.muted:
        return Seen("fail", f"muted by its wearer; {value}", limit, "unmute the remote microphone")
    if not heard:
        return Seen("fail", f"no sound arrives; {value}", limit, "check the remote microphone, or take another one")
    if state.battery_percent is not None and state.battery_percent <= LOW_PERCENT:
        return Seen("fail", value, limit, "charge the remote microphone")
    if state.offset_us is not None and abs(state.offset_us) > MOST_OFFSET_US:
        return Seen("fail", value, limit, "have the radio link repaired")
    return Seen("pass", value, limit)
