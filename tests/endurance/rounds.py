"""The same over and over with real processes: a recording, a dock, an upload, requests at every door.

Recorder, agent and station are processes of their own (`simulator.running`). Each round the camera is taken out, makes
a recording, is put back, and hands it over; before that somebody asks the recorder on its socket and the station over
TLS, and hangs up each time. What is open in a process after a round must not depend on how many rounds came before.
"""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from process_use import Use, opened, use

from simulator.progress import Progress
from simulator.running import Order, Running, running
from simulator.scenario import Scenario, world_of
from simulator.words import deed

SPEED: Final = 8.0
REQUESTS: Final = 5
"""At each door, a round."""
WITHIN_S: Final = 240.0
"""Of the camera's time, for any state: eight times less here."""
PROGRAMS: Final = ("device", "agent", "station")


@dataclass
class Rounds:
    """What was seen of each program after each round."""

    uses: dict[str, list[Use]] = field(default_factory=lambda: {name: [] for name in PROGRAMS})
    kinds_before: dict[str, dict[str, int]] = field(default_factory=dict)
    """After the rounds that warm it up: what its descriptors stand for."""
    kinds_after: dict[str, dict[str, int]] = field(default_factory=dict)


def scenario() -> Scenario:
    """A camera with a short ring, whose files go as soon as there is a receipt."""
    values = {
        "title": "The same over and over",
        "profile": {
            "keep_after_receipt_h": 0,
            "vault_proof": False,
            "pre_event_s": 2,
            "confirm_stop_s": 0,
            "stop_reason_s": 0,
            "test_clip_s": 0,
            "category_timeout_s": 4,
        },
        "camera": {"width": 320, "height": 180, "frame_rate": 10, "bitrate": 100_000},
        "dock": {"docked": True},
        "battery": {"percent": 100},
    }
    return world_of(values, "endurance_rounds")


def play_rounds(out: Path, count: int, *, warm_up: int, say: Callable[[str], None] = lambda _: None) -> Rounds:
    """`warm_up` rounds and then `count` more. Raises `RunError`; no process is left behind in any case."""
    found = Rounds()
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        order = Order(scenario(), out, speed=SPEED, plain_card=True)
        with running(order, Progress(nowhere)) as run:
            run.world.wait_for("self-test done", WITHIN_S)
            for number in range(warm_up + count):
                _round(run)
                if number + 1 == warm_up:
                    found.kinds_before = _kinds(run)
                if number + 1 >= warm_up:
                    for name in PROGRAMS:
                        found.uses[name].append(use(_pid(run, name)))
                    say(f"round {number + 1}: " + "; ".join(f"{name} {found.uses[name][-1]}" for name in PROGRAMS))
            found.kinds_after = _kinds(run)
            run.end()
    return found


def _round(run: Running) -> None:
    world = run.world
    world.act(deed("undock"))
    world.wait_for("ring full", WITHIN_S)
    world.act(deed("light bar on"))
    world.wait_for("recording", WITHIN_S)
    world.pause(3.0)
    world.act(deed("light bar off"))
    world.act(deed("hold record button"))
    world.wait_for("stopped", WITHIN_S)
    world.pause(1.0)  # nobody presses the next button at once
    for _ in range(REQUESTS):
        _ask_recorder(run)
        _ask_station(run)
    world.act(deed("dock"))
    world.wait_for("offloaded", WITHIN_S)


def _ask_recorder(run: Running) -> None:
    """A status, a follower that hangs up in the middle, and nonsense."""
    for line in (b'{"op":"status"}\n', b'{"op":"events"}\n', b"nonsense\n"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
            door.settimeout(120)
            door.connect(str(run.layout.recorder_socket))
            door.sendall(line)
            assert door.recv(65536)


def _ask_station(run: Running) -> None:
    """A greeting, a request that nobody knows, a handshake that is broken off, and a visitor without a certificate."""
    with (run.layout.station / "station.toml").open("rb") as settings:
        address = "127.0.0.1", int(tomllib.load(settings)["listen_port"])
    pki = run.layout.pki
    context = ssl.create_default_context(cafile=str(pki / "tls-ca.pem"))
    for certified in (True, False):
        if certified:
            context.load_cert_chain(pki / "camera-tls.pem", pki / "camera-tls.key")
        with (
            contextlib.suppress(ssl.SSLError, ConnectionError),
            socket.create_connection(address, 120) as below,
            context.wrap_socket(below, server_hostname="localhost") as line,
        ):
            line.sendall(b"GET /nothing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            while line.recv(65536):
                pass
        context = ssl.create_default_context(cafile=str(pki / "tls-ca.pem"))
    with socket.create_connection(address, 120) as below:
        below.sendall(b"\x16\x03\x01\x02\x00\x01")


def _pid(run: Running, name: str) -> int:
    child = {"device": run.programs.device, "agent": run.programs.agent, "station": run.programs.station}[name]
    return child.process.pid


def _kinds(run: Running) -> dict[str, dict[str, int]]:
    return {name: opened(_pid(run, name)) for name in PROGRAMS}
