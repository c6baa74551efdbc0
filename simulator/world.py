"""The world of one camera: the officer's hands, the vehicle's lines, the receiver, the battery, the passing time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from device.policy import Profile
from evidence.handover import Notice, Spool, Status
from simulator.agency import INDICATORS
from simulator.battery_feed import BatteryFeed
from simulator.camera_end import CameraEnd
from simulator.card.mounted import NoCard
from simulator.card.orders import CardOrders
from simulator.cell import Load
from simulator.deeds import Deeds
from simulator.docks import DockControl, OneDock
from simulator.faults.active import ActiveFaults
from simulator.lies import StationControl, no_station
from simulator.log_watch import LogWatch
from simulator.network_words import NetworkControl, no_network
from simulator.programs import Programs
from simulator.progress import Progress
from simulator.run_errors import TookTooLong
from simulator.stage import Stage
from simulator.vault_holder import Holder
from simulator.words import Deed
from simulator.world_door import WorldDoor

NOTHING: Final = Deed("nothing")
_LOOK_S: Final = 0.1
_QUIET: Final = frozenset({"fragment", "heartbeat"})


@dataclass
class World:
    """Everything outside the camera. Errors: those of `CameraEnd`."""

    camera: CameraEnd
    battery: BatteryFeed
    profile: Profile
    progress: Progress
    deeds: Deeds
    log: LogWatch
    holder: Holder
    stage: Stage
    """This world's time."""
    station: StationControl = field(default_factory=no_station)
    """How honest the docking station is."""
    docks: DockControl = field(default_factory=OneDock)
    """Which docking station the camera stands in."""
    network: NetworkControl = field(default_factory=no_network)
    """What lies between the camera and station and broker."""
    card: CardOrders = field(default_factory=NoCard)
    """The camera's card, which can fail."""
    watchers: list[Callable[[Status, Sequence[Notice]], None]] = field(default_factory=list)
    """Told of each look, also while somebody waits. One that raises ends what is being done."""
    programs: Programs | None = None
    """The programs that can be killed and stopped one by one; None in a world of one process."""
    door: WorldDoor | None = None
    """What people outside ask of this world while it plays."""
    faults: ActiveFaults = field(default_factory=ActiveFaults)
    status: Status = field(init=False)
    """As of the last look."""
    busy: bool = field(default=False, init=False)
    """A deed is being done; what else is asked for waits."""
    _battery_s: float = field(init=False)
    _done: tuple[Deed, int] = (NOTHING, 0)
    """The last deed, and which start of the camera saw it."""

    def __post_init__(self) -> None:
        self.status, _ = self.camera.look()
        self._battery_s = self.now_s()
        self._done = NOTHING, self.camera.starts

    def now_s(self) -> float:
        """Seconds of this world's time; only differences mean something."""
        return self.stage.now_s()

    @property
    def camera_text(self) -> str:
        """The camera's state in one short line, as of the last look."""
        return live_text(self.status)

    def look(self) -> Status:
        """One look at everything: are all processes alive, what does the camera say, how is the battery."""
        if self.card.power_is_lost():
            self.progress.event("    the power is gone, in the middle of what the camera wrote")
            self.deeds.clock_offset_ns = 0  # the clock chip kept its time
            self.camera.cut_power()
        self.status, notices = self.camera.look()
        for notice in notices:
            if notice.event not in _QUIET:
                self.progress.event(f"    camera: {told(notice)}")
        self.holder.look(self.status)
        self.faults.look(self)
        if self.door is not None:
            self.door.serve(self)
        now_s = self.now_s()
        if now_s - self._battery_s >= self.stage.tick_s:
            load = load_of(self.status)
            self.battery.works(load)
            self.battery.tick(now_s - self._battery_s)
            self.deeds.thermal.tick(now_s - self._battery_s, load)
            self._battery_s = now_s
        if self.progress.terminal:
            self.progress.live(f"{lamps_text(self.camera.outputs())}  {live_text(self.status)}")
        for watcher in tuple(self.watchers):
            watcher(self.status, notices)
        return self.status

    def pause(self, seconds: float) -> None:
        """Let time pass, with open eyes."""
        until_s = self.now_s() + seconds
        while (left_s := until_s - self.now_s()) > 0:
            if left_s > 2 * _LOOK_S:
                self.look()
            step_s = _LOOK_S if self.faults.lasting else self.stage.look_s
            self.stage.sleep(max(0.0, min(step_s, until_s - self.now_s())))

    def shut(self) -> None:
        """Nobody asks for anything any more, and no fault lasts. May be called twice."""
        door, self.door = self.door, None
        self.faults.end_all(self)
        if door is not None:
            door.close()

    def wait_for(self, state: str, within_s: float) -> None:
        """Until the camera is in a state of `simulator.words.STATES`. Raises `TookTooLong`.

        A camera that was killed under the officer's hand has not felt it: the officer sees that, and does it again.
        """
        deadline_s = self.now_s() + within_s
        while not self.is_in(state, self.look()):
            deed, start = self._done
            if deed != NOTHING and start != self.camera.starts and self.status.state not in ("boot", "self_test"):
                self.progress.event(f"> {deed.action}, once more: the camera was started again")
                self.act(deed)
                continue
            if self.now_s() > deadline_s:
                raise TookTooLong(
                    f"after {within_s:.0f} s the camera is still not {state!r}; it says: {live_text(self.status)}"
                )
            self.stage.sleep(_LOOK_S)

    def is_in(self, state: str, status: Status) -> bool:
        """Whether the camera is in one of `simulator.words.STATES`."""
        match state:
            case "self-test done":
                return status.self_test is not None and status.state not in ("boot", "self_test")
            case "ring full":
                return (status.buffered_s or 0.0) >= self.profile.pre_event_s
            case "recording":
                return status.recording is not None
            case "stopped":
                return status.recording is None
            case "docked" | "undocked":
                return status.docked == (state == "docked")
            case "offloaded":
                return status.docked and status.recording is None and _all_offloaded(self.camera.spool())
        return True

    def act(self, deed: Deed) -> None:
        """Do what a step says."""
        self._done = deed, self.camera.starts
        self.busy = True
        try:
            self.deeds.do(deed)
        finally:
            self.busy = False
        if deed.action == "power cut":  # that the camera was started again is what was wanted
            self._done = NOTHING, self.camera.starts


def load_of(status: Status) -> Load:
    """What the camera's present work costs."""
    if status.recording is not None:
        return "recording"
    if status.docked:
        return "uploading"
    return "sleeping" if status.state == "sleep" else "ready"


def _all_offloaded(spool: Spool) -> bool:
    """No recording is left, and every closed log segment is receipted (the newest one stays: the next names it)."""
    return all(one.stream == "log" and one.state == "receipted" for one in spool.files)


def told(notice: Notice) -> str:
    """A notice of the camera in words."""
    name, word = notice.recording or "", (notice.word or "").replace("_", " ")
    match notice.event:
        case "state":
            return f"is now {word}"
        case "self_test":
            return f"self-test: {word}"
        case "recording_opened":
            return f"recording {name} begins ({word})"
        case "recording_closed":
            return f"recording {name} is closed ({word})"
        case "docked" | "undocked":
            return f"is {notice.event}"
        case "peer_start":  # the word is the signed announcement itself
            return f"announces its start to its peers ({name})"
        case "proof_taken":
            return f"has the proof that {name} opens"
        case "deleted":
            return f"{name} is deleted here, with a signed tombstone"
    return " ".join(part for part in (notice.event.replace("_", " "), word, name) if part)


def lamps_text(outputs: dict[int, float]) -> str:
    """What the officer sees, feels and hears at this moment: lamps by their first letter, small when dimmed."""
    words = []
    for name, pin in INDICATORS.items():
        level = outputs.get(pin, 0.0)
        if name in ("haptic", "tone"):
            words.append(" " if level == 0 else "~" if name == "haptic" else "♪")
        else:
            words.append("·" if level == 0 else name[0].upper() if level == 1 else name[0])
    return "".join(words)


def live_text(status: Status) -> str:
    """The camera's state in one short line."""
    parts = [status.state.replace("_", " ").upper() if status.recording else status.state.replace("_", " ")]
    if status.recording:
        parts.append(status.recording)
    if status.buffered_s is not None:
        parts.append(f"ring {status.buffered_s:.0f} s")
    if status.battery_percent is not None:
        parts.append(f"battery {status.battery_percent} %")
    if status.docked:
        parts.append("in the dock")
    if status.degraded:
        parts.append("degraded")
    return ", ".join(parts)
