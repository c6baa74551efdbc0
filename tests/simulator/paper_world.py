"""A world on paper: real deeds, people and feeds around a camera that only writes down what is done to it."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from device.policy import Profile
from evidence.handover import Status
from fleet.ca import create_agency, write_credential
from simulator import second_camera
from simulator.battery_feed import BatteryFeed
from simulator.deeds import Deeds
from simulator.hands import Hands
from simulator.log_watch import LogWatch
from simulator.people import People
from simulator.progress import Progress
from simulator.run_errors import CameraRefused
from simulator.second_camera import SecondCamera
from simulator.thermal_feed import ThermalFeed
from simulator.world import World

POLICY = Profile(v=1, name="paper", version=1)


@dataclass
class PaperStage:
    """Time that passes only when somebody lets it."""

    at_s: float = 100.0
    look_s: float = 0.1
    tick_s: float = 1.0

    def now_s(self) -> float:
        return self.at_s

    def utc_ns(self) -> int:
        return 1_800_000_000_000_000_000 + int(self.at_s * 10**9)

    def sleep(self, seconds: float) -> None:
        self.at_s += seconds


@dataclass
class PaperCamera:
    """What was done to the camera's hardware and asked of its program, in order."""

    said: list[Any] = field(default_factory=list)
    levels: dict[int, int] = field(default_factory=dict)
    starts: int = 1
    refuses: bool = False

    def look(self) -> tuple[Status, list[Any]]:
        status: Any = SimpleNamespace(
            state="ready", recording=None, buffered_s=3.0, battery_percent=80, docked=False, degraded=False,
            self_test="pass", proof_missing=0,
        )  # fmt: skip
        return status, []

    def drive(self, pin: int, level: int) -> None:
        self.levels[pin] = level
        self.said.append(("pin", pin, level))

    def level(self, pin: int) -> int | None:
        return self.levels.get(pin)

    def world(self, operation: dict[str, Any]) -> None:
        self.said.append(operation)

    def ask(self, request: Any) -> None:
        self.said.append(request)
        if self.refuses:
            raise CameraRefused("the recorder refuses: no")

    def cut_power(self) -> None:
        self.said.append("power cut")
        self.starts += 1


class PaperReceiver:
    """A receiver that writes down what is done to it."""

    def __init__(self, said: list[Any]) -> None:
        self._said = said

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments, **named: self._said.append((name, *arguments, *named.values()))


@dataclass
class PaperPrograms:
    """Programs that write down what becomes of them."""

    said: list[Any]

    def kill(self, name: str) -> None:
        self.said.append(("kill", name))

    def restart(self, name: str) -> None:
        self.said.append(("restart", name))

    def stop(self, name: str) -> None:
        self.said.append(("stop", name))

    def go_on(self, name: str) -> None:
        self.said.append(("go on", name))


def make_agency(directory: Path) -> Path:
    """The certificates of an agency with two cameras."""
    authority = create_agency(directory)
    other = authority.signer("camera", "Camera 2", serial=second_camera.SERIAL)
    write_credential(directory, second_camera.STEM, other)
    return directory


def paper_world(directory: Path, pki: Path) -> World:
    """A world whose time stands still; its camera and programs write into ``world.camera.said``."""
    camera: Any = PaperCamera()
    receiver: Any = PaperReceiver(camera.said)
    holder: Any = SimpleNamespace(look=lambda _: None)
    stage = PaperStage()
    hands = Hands(camera, POLICY, stage.sleep)
    feeds = BatteryFeed(directory / "battery"), ThermalFeed(directory / "thermal")
    people = SecondCamera(pki, utc_ns=stage.utc_ns), People(pki, "SIM-0001", stage.utc_ns)
    deeds = Deeds(camera, hands, receiver, *feeds, *people)
    progress = Progress(io.StringIO())
    programs = PaperPrograms(camera.said)
    return World(camera, feeds[0], POLICY, progress, deeds, LogWatch(()), holder, stage, programs=programs)
