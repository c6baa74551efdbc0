"""What each word of a scenario does to the world: the officer, the vehicle, the sensors, the faults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from evidence.requests import LabelRequest, PeerRequest, Request, StopReasonRequest, TriggerRequest
from simulator.battery_feed import BatteryFeed
from simulator.camera_end import CameraEnd
from simulator.hands import Hands
from simulator.people import People
from simulator.receiver_controls import ReceiverControls
from simulator.run_errors import WorldRefused
from simulator.second_camera import SecondCamera
from simulator.thermal_feed import ThermalFeed
from simulator.words import LINES, LOOKS, MOVES, Deed

SPEECH_S: Final = 1.2
NS_PER_S: Final = 1_000_000_000
NTP_DOUBT_NS: Final = 5_000_000
UNSET_NS: Final = 1 << 62
"""Doubt so large that nothing is known: the clock's battery is dead."""


@dataclass
class Deeds:
    """Does one deed at a time. Errors: those of `CameraEnd`."""

    camera: CameraEnd
    hands: Hands
    gps: ReceiverControls
    battery: BatteryFeed
    thermal: ThermalFeed
    peer: SecondCamera
    people: People
    clock_offset_ns: int = 0
    """How far the camera's clock was put off."""
    moves: int = 0
    """How often the camera was moved so far."""
    look: str = "normal"
    """What the lens sees when no fault lies over it, in the hardware socket's word."""
    forgets_sign_out: bool = False
    """The officer walks away without signing out."""

    def do(self, deed: Deed) -> None:
        """Do it; returns when it is done."""
        word, _, way = deed.action.rpartition(" ")
        if word in LINES:
            self.hands.line(LINES[word], active=way == "on")
        elif deed.action.removeprefix("camera ") in LOOKS:
            self.look = deed.action.removeprefix("camera ").replace(" ", "_")
            self.camera.world({"op": "camera", "look": self.look})
        elif deed.action in MOVES:
            pattern, for_s = MOVES[deed.action]
            self.moves += 1  # no two steps, no two crashes are the same
            self.camera.world({"op": "motion", "pattern": pattern, "seed": self.moves, "for_s": for_s})
        elif deed.amount is not None:
            self._amount(deed.action, deed.amount)
        elif deed.reason:
            self.camera.ask(self._said(deed))
        else:
            self._plain(deed.action)

    def _amount(self, action: str, amount: float) -> None:
        match action:
            case "battery":
                self.battery.set(percent=amount)
            case "board":
                self.thermal.set(celsius=amount)
            case "drive at":
                self.gps.drive_at(amount)
            case "gps jumps":
                self.gps.teleport(amount, 0)
            case "clock jumps":
                self.clock_offset_ns += int(amount) * NS_PER_S
                self.camera.world({"op": "clock", "utc_offset_ns": self.clock_offset_ns})
            case "encoder stalls":
                self.camera.world({"op": "camera", "encoder_stall_s": amount})
            case "microphone silent":
                self.camera.world({"op": "microphone", "silent_s": amount})
            case "turn the wheel by":
                self.hands.press_slowly("function", int(amount))

    def _said(self, deed: Deed) -> Request:
        """What is told to the recorder: a reason, a number, a signed command."""
        match deed.action:
            case "case number":
                return LabelRequest(label="case", text=deed.reason)
            case "cad number":
                return LabelRequest(label="cad", text=deed.reason)
            case "supervisor overrides":
                return self.people.overrides(deed.reason)
        return StopReasonRequest(code=deed.reason, supervisor=deed.supervisor)

    def _plain(self, action: str) -> None:
        hands = self.hands
        match action:
            case "press record button twice":
                hands.press_twice("record_button")
            case "press record button once":
                hands.press("record_button")
            case "hold record button":
                hands.press("record_button", hands.hold_s)
            case "press emergency button":
                hands.press("emergency")
            case "press function button once":
                hands.press("function")
            case "press function button twice":
                hands.press_twice("function")
            case "hold function button":
                hands.hold("function", hands.hold_s)
            case "release function button":
                hands.line("function", active=False)
            case "dock" | "undock":
                hands.line("dock", active=action == "dock")
                self.battery.set(status="charging" if action == "dock" else "discharging")
            case _:
                self._beyond_the_board(action)

    def _beyond_the_board(self, action: str) -> None:
        match action:
            case "weapon drawn":
                self.camera.ask(TriggerRequest(name="weapon"))
            case "officer signs in":
                self.camera.ask(self.people.signs_in())
            case "officer signs out":
                if not self.forgets_sign_out:
                    self.camera.ask(self.people.signs_out())
            case "peer starts":
                self.camera.ask(PeerRequest(announcement=self.peer.announcement()))
            case "officer speaks":
                self.camera.world({"op": "microphone", "clipped_s": SPEECH_S})
            case "lose gps":
                self.gps.lose_fix()
            case "find gps":
                self.gps.fix()
            case "clock unset":
                self.camera.world({"op": "clock", "source": "none", "uncertainty_ns": UNSET_NS})
            case "clock set":
                self.clock_offset_ns = 0
                self.camera.world({"op": "clock", "utc_offset_ns": 0, "source": "ntp", "uncertainty_ns": NTP_DOUBT_NS})
            case "power cut":
                self.clock_offset_ns = 0  # the clock chip kept its time
                self.camera.cut_power()
            case "nothing":
                return
            case _:
                raise WorldRefused(f"nobody knows how to do {action!r}")
