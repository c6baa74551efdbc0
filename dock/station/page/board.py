"""What the board says of one camera: pure, from its agent's last word, which is no evidence.

1. Green (`ready`) is a camera that is docked and heard of, charged, with nothing left to upload and every receipt in,
   on the newest firmware, and without a fault. Whatever is not known is not green.
2. Red (`fault`) has the reason. It wins over everything but custody: a camera that a supervisor seized is not touched.
3. A camera that is not docked, or from which nothing was heard for `SILENT_S`, is `away`.
4. The colour never stands alone: each state has its word and its picture.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, Literal

from dock.bay_report import UpdateReport
from dock.station.bays import Bay
from evidence.handover import Status
from evidence.requests import Offloading
from evidence.statements import moment_ns

SILENT_S: Final = 45
"""An agent in the dock reports every few seconds."""
Kind = Literal["ready", "busy", "fault", "held", "away", "empty"]
_S: Final = 1_000_000_000


@dataclass(frozen=True)
class Surroundings:
    """What the station knows of a camera beside its agent's report."""

    charged_percent: int = 90
    newest_firmware: str | None = None
    bay: str | None = None
    holder: str | None = None
    """The officer to whom it is checked out, by name."""
    lost: bool = False
    withheld: str | None = None
    """Why somebody at the desk keeps it back."""
    peak_bytes: int = 0
    """Most bytes that waited since it was docked: the whole of the bar."""


@dataclass(frozen=True)
class Card:
    """One card of the board. Equal cards look the same."""

    serial: str
    bay: str | None
    kind: Kind
    word: str
    """The state in a word or two."""
    reason: str | None = None
    """Why it is so, in one sentence."""
    holder: str | None = None
    battery_percent: int | None = None
    charged: bool = False
    files: int = 0
    """Files that wait."""
    waiting_bytes: int | None = None
    """None: the agent has not said."""
    done_percent: int | None = None
    minutes_left: int | None = None
    bytes_per_s: int = 0
    firmware: str = ""
    newer: str | None = None
    """A newer release that waits for it."""
    self_test: str = "not run"
    faults: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    since: str | None = None
    """Last seen; only of cameras that are away."""
    personal: bool = False
    """The reason names somebody, or somebody wrote it: not for a screen on the wall."""

    @property
    def place(self) -> Literal["docked", "away"]:
        """Which list of the board it stands in."""
        return "away" if self.kind == "away" else "docked"

    @property
    def title(self) -> str:
        return self.bay or self.serial

    @property
    def sort(self) -> str:
        """Bays by their name, cameras without one after them by serial; Bay 2 before Bay 10."""
        return re.sub("[0-9]+", lambda found: found[0].zfill(8), f"{self.bay or '~'} {self.serial}")


def card_of(bay: Bay, now_ns: int, around: Surroundings) -> Card:
    """The card of a camera at this moment of the station's clock."""
    report, status, offloading = bay.report, bay.report.status, bay.report.offloading
    away = not status.docked or now_ns - moment_ns(bay.at) > SILENT_S * _S
    charged = status.battery_percent is None or status.battery_percent >= around.charged_percent
    outdated = around.newest_firmware is not None and around.newest_firmware != status.firmware
    faults = faults_of(status, report.self_test)
    kind, word, reason = _state(status, offloading, around, away=away, charged=charged, outdated=outdated)
    if (
        report.update is not None
        and report.update.phase != "confirmed"
        and word in ("Ready", "Charging", "Update waiting")
    ):
        kind, word, reason = _updating(report.update)
    waiting = offloading.bytes if offloading is not None else None
    return Card(
        serial=bay.serial,
        bay=None if away else around.bay,
        kind=kind,
        word=word,
        reason=reason,
        holder=around.holder,
        battery_percent=status.battery_percent,
        charged=charged,
        files=offloading.files if offloading is not None else 0,
        waiting_bytes=waiting,
        done_percent=_percent(waiting, around.peak_bytes),
        minutes_left=offloading.minutes_left if offloading is not None else None,
        bytes_per_s=offloading.bytes_per_s if offloading is not None and not away else 0,
        firmware=status.firmware,
        newer=around.newest_firmware if outdated else None,
        self_test=_test_word(status),
        faults=faults,
        warnings=warnings_of(status, report.self_test),
        since=bay.at if away else None,
        personal=around.holder is not None or around.withheld is not None,
    )


def empty_card(bay: str) -> Card:
    """A bay in which nothing stands."""
    return Card(serial="", bay=bay, kind="empty", word="Empty")


def faults_of(status: Status, checks: tuple[dict[str, Any], ...]) -> tuple[str, ...]:
    """Components for which it must not be used, and what the self-test says of them."""
    found = [one.replace("_", " ") for one in status.do_not_use if one not in status.overrides]
    for check in checks:
        if check.get("result") in ("fail", "block") and str(check.get("name")) not in status.overrides:
            said = _check_words(check)
            found = [one for one in found if not said.startswith(one)]
            found.append(said)
    return tuple(found[:8])


def warnings_of(status: Status, checks: tuple[dict[str, Any], ...]) -> tuple[str, ...]:
    """What works with a warning, and what a supervisor has overridden."""
    found = [_check_words(check) for check in checks if check.get("result") == "warn"]
    found += [f"{one.replace('_', ' ')} overridden by a supervisor" for one in status.overrides]
    return tuple(found[:8])


def _check_words(check: dict[str, Any]) -> str:
    name = str(check.get("name", "?")).replace("_", " ")
    value = check.get("value")
    return f"{name}: {value}"[:120] if value not in (None, "") else name[:120]


def _test_word(status: Status) -> str:
    words = {None: "not run", "pass": "passed", "warn": "warning", "block": "failed"}
    return words[status.self_test] + (" (expired)" if status.self_test_expired else "")


def _percent(waiting: int | None, peak: int) -> int | None:
    if waiting is None or peak <= 0:
        return None
    return max(0, min(100, (peak - waiting) * 100 // peak))


def _state(
    status: Status,
    offloading: Offloading | None,
    around: Surroundings,
    *,
    away: bool,
    charged: bool,
    outdated: bool,
) -> tuple[Kind, str, str | None]:
    """Rules 1 to 3, the strongest first."""
    if around.lost:
        return "fault", "Lost", "Reported lost or stolen: give it to a supervisor."
    if status.seized:
        return "held", "In custody", "A supervisor has this camera in custody: leave it as it is."
    if away:
        return "away", "Away", None
    if status.recording is not None:
        return "busy", "Recording", "It records now; everything else waits."
    if around.withheld is not None:
        return "fault", "Kept back", f"{around.withheld[:1].upper()}{around.withheld[1:]}"
    if reason := _out_of_use(status):
        return "fault", "Do not use", reason
    if offloading is not None and offloading.trouble is not None and offloading.files:
        return "fault", "Offload stopped", f"{offloading.trouble[:1].upper()}{offloading.trouble[1:]}"
    if around.holder is not None:
        return "busy", "Checked out", f"Handed out to {around.holder}: take it from the dock."
    return _work(offloading, around, charged=charged, outdated=outdated)


def _work(
    offloading: Offloading | None, around: Surroundings, *, charged: bool, outdated: bool
) -> tuple[Kind, str, str | None]:
    if offloading is None:
        return "busy", "Connecting", "The agent has not said yet what is left to upload."
    if offloading.files or offloading.bytes:
        return "busy", "Transferring", None
    if not charged:
        return "busy", "Charging", None
    if outdated:
        return "busy", "Update waiting", f"Firmware {around.newest_firmware} is not on it yet."
    return "ready", "Ready", None


def _updating(update: UpdateReport) -> tuple[Kind, str, str | None]:
    """An update in work is amber, also one that waits for the next start or has failed: it is not up to date."""
    words = {
        "downloading": ("Updating", f"Firmware {update.version}: {update.percent} % are here."),
        "installing": ("Updating", f"Firmware {update.version} is being installed."),
        "staged": ("Update waiting", f"Firmware {update.version} is on the camera and not installed yet."),
        "installed": ("Update waiting", f"Firmware {update.version} is tried at the next restart in the dock."),
        "rolled_back": ("Went back", f"Firmware {update.version}: {update.trouble or 'the camera does not say why'}."),
        "failed": ("Update failed", f"Firmware {update.version}: {update.trouble or 'the camera does not say why'}."),
    }
    word, reason = words[update.phase]
    return "busy", word, reason


def _out_of_use(status: Status) -> str | None:
    broken = [one.replace("_", " ") for one in status.do_not_use if one not in status.overrides]
    if broken:
        return f"Failed: {', '.join(broken)}."
    if status.self_test == "block" and not status.overrides:
        return "Its self-test failed."
    if status.state == "out_of_service" and not status.overrides:
        return "It is out of service."
    return None


@dataclass(frozen=True)
class Summary:
    """The line above the bays."""

    ready: int
    busy: int
    fault: int
    held: int
    away: int
    notices: tuple[str, ...] = ()
    """What is wrong with the station itself, a sentence each."""


def summary_of(cards: list[Card], notices: tuple[str, ...] = ()) -> Summary:
    """How many of each."""
    kinds = [card.kind for card in cards]
    ready, busy, fault, held, away = (kinds.count(kind) for kind in ("ready", "busy", "fault", "held", "away"))
    return Summary(ready, busy, fault, held, away, notices)
