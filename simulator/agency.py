"""A small police department for one run: its certificates, its signed policy, the settings of its programs."""

from __future__ import annotations

import datetime as dt
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from device.policy import Profile
from evidence import durable
from evidence.cms import sign
from evidence.keys import FileSigner
from evidence.statements import encode_canonical
from fleet.ca import create_agency, write_credential
from simulator import second_camera
from simulator.layout import RunLayout
from simulator.scenario import Scenario
from simulator.scenario_setup import StationSetUp
from simulator.settings_text import toml_text
from simulator.station_keys import write_station_keys
from simulator.station_settings import SYSTEM_ID, write_station

SERIAL: Final = "SIM-0001"


@dataclass(frozen=True, slots=True)
class Pin:
    """One input line of the simulated board."""

    number: int
    """BCM number."""
    active_high: bool

    def level(self, *, active: bool) -> int:
        """The electrical level for active or not."""
        return int(active == self.active_high)


BOARD: Final[dict[str, Pin]] = {
    "record_button": Pin(17, active_high=False),
    "emergency": Pin(24, active_high=False),
    "function": Pin(25, active_high=False),
    "stealth_slide": Pin(18, active_high=False),
    "lightbar": Pin(27, active_high=True),
    "siren": Pin(4, active_high=True),
    "pursuit": Pin(22, active_high=True),
    "door": Pin(12, active_high=True),
    "gun_rack": Pin(16, active_high=True),
    "brake": Pin(20, active_high=True),
    "ignition": Pin(21, active_high=True),
    "dock": Pin(23, active_high=False),
}
"""Buttons and the dock contact pull to ground; vehicle lines come over an optocoupler and are active high."""
TRANSPORT: Final = "prisoner_transport"
"""The category that the rear door gives its recordings, if the profile has it."""
_STATION: Final = StationSetUp()
UNSET_NS: Final = 1 << 62
"""Doubt so large that nothing is known: nobody vouches for the clock."""
DEAD_CLOCK_NS: Final = 10**12
FEW_SAMPLES: Final = {"rate": 20, "resting_rate": 5, "fifo": 4}
"""Of the accelerometer in virtual time, where each step of a driver costs: enough to feel a fall and a crash."""
INDICATORS: Final = {"green": 5, "red": 6, "amber": 13, "haptic": 19, "tone": 26}


@dataclass(frozen=True, slots=True)
class Sources:
    """What the camera sees and hears instead of the generated scene, and where its receiver is."""

    gps_port: str
    clip: Path | None = None
    seed: int = 1
    in_process: bool = False
    """The camera runs in the simulator's own process: every driver is one that its loop can step."""
    encoded_once: bool = False
    """Picture and sound are encoded once, and repeat."""


def make_keys(pki: Path) -> None:
    """Make all certificates and keys of a department. Raises OSError."""
    authority = create_agency(pki, serial=SERIAL, simulated=True)
    write_credential(pki, "export", authority.signer("export", "Export desk", serial="EXPORT-1"))
    write_station_keys(pki, authority)
    colleague = second_camera.SERIAL
    other = authority.signer("camera", f"Camera {colleague}", serial=colleague)
    write_credential(pki, second_camera.STEM, other)


def found_agency(layout: RunLayout, scenario: Scenario, keys: Path | None = None) -> None:
    """Make all certificates and keys, or take those of `make_keys`, and sign the scenario's policy profile.

    Raises OSError.
    """
    if keys is None:
        make_keys(layout.pki)
    else:
        shutil.copytree(keys, layout.pki)
    policy = FileSigner.load(layout.pki / "profile.key", layout.pki / "profile.pem")
    document = sign(encode_canonical(profile_of(scenario)), policy, dt.datetime.now(dt.UTC))
    durable.replace(layout.camera / "profile.p7s", document)


def profile_of(scenario: Scenario) -> Profile:
    """The scenario's policy: the project's defaults with what it changes."""
    return msgspec.convert({"v": 1, "name": "simulated-shift", "version": 1, **scenario.profile}, Profile)


def write_device_settings(layout: RunLayout, scenario: Scenario, sources: Sources) -> Path:
    """``camera/device.toml``."""
    hardware = {"hardware_socket": str(layout.hardware_socket)}
    values: dict[str, Any] = {
        "serial": SERIAL,
        "model": "Simulated camera",
        **({"role": "dash", "vehicle": scenario.setup.officer.vehicle} if scenario.setup.vehicle.dash else {}),
        "spool": "spool",
        "state": "state",
        "socket": str(layout.recorder_socket),
        "profile": "profile.p7s",
        "keys": {
            "root": "../pki/root.pem",
            "evidence_key": "../pki/camera.key",
            "evidence_chain": "../pki/camera.pem",
            # In one process the key is a file: how long a key is waited for is not the virtual clock's.
            **({} if sources.in_process else {"signer": {"driver": "simulated", "options": hardware}}),
            "vault": ["../pki/vault.pem"],
        },
        "camera": _camera(scenario, sources, hardware),
        "microphone": _microphone(sources, hardware),
        "gps": (
            {"driver": "simulated", "options": hardware}
            if sources.in_process
            else {"driver": "nmea-serial", "options": {"port": sources.gps_port, "baud": 9600}}
        ),
        "battery": {"driver": "power-supply", "options": {"root": str(layout.battery), "name": "battery"}},
        "thermal": {
            "driver": "linux-zones",
            "options": {"root": str(layout.thermal), "throttled_file": str(layout.thermal / "get_throttled")},
        },
        "clock": {"driver": "simulated", "options": {**hardware, **_clock(scenario.setup.clock.start)}},
        "pins": {"driver": "simulated", "options": hardware},
        "switches": {
            "driver": "gpiozero",
            "options": {
                "lines": {name: {"pin": pin.number, "active_high": pin.active_high} for name, pin in BOARD.items()}
            },
        },
        "indicators": (
            {"driver": "simulated", "options": {"channels": INDICATORS, **hardware}}
            if sources.in_process
            else {"driver": "gpiozero", "options": {"channels": INDICATORS}}
        ),
        "motion": {
            "driver": "simulated",
            "options": {**hardware, **(FEW_SAMPLES if sources.in_process else {})},
        },
        "inputs": {**_inputs(profile_of(scenario)), **_further(scenario)},
        **_more_cameras(scenario, sources, hardware),
    }
    return _write(layout.camera / "device.toml", values, "How the simulated camera is wired.")


def _clock(start: str) -> dict[str, Any]:
    """What the camera's clock believes at each of its starts."""
    if start == "right":
        return {}
    if start == "unset":
        return {"source": "none", "uncertainty_ns": UNSET_NS}
    wrong = {"utc_start": "1970-01-01T00:00:00Z" if start == "1970" else start}
    return {**wrong, "source": "none" if start == "1970" else "rtc", "uncertainty_ns": DEAD_CLOCK_NS}


def _inputs(profile: Profile) -> dict[str, dict[str, Any]]:
    """What each line means, and what comes over the air or from a sensor."""
    known = {one.name for one in profile.all_categories}
    return {
        "record_button": {"kind": "record_button"},
        "emergency": {"kind": "emergency_button", "starts": "peers"},
        "function": {"kind": "function_button"},
        "stealth_slide": {"kind": "stealth_switch"},
        "lightbar": {"kind": "light_bar"},
        "siren": {"kind": "siren"},
        "pursuit": {"kind": "pursuit", "starts": "peers"},
        "door": {"kind": "door", **({"category": TRANSPORT} if TRANSPORT in known else {})},
        "gun_rack": {"kind": "gun_rack"},
        "brake": {"kind": "brake"},
        "ignition": {"kind": "ignition"},
        "crash": {"kind": "crash", "source": "sensor"},
        "speed": {"kind": "speed", "source": "sensor"},
        "weapon": {"kind": "weapon", "source": "message"},
        "peer": {"kind": "peer", "source": "message"},
        "dock": {"kind": "dock"},
    }


def _further(scenario: Scenario) -> dict[str, Any]:
    """``[inputs]``."""
    told: dict[str, dict[str, Any]] = msgspec.to_builtins(scenario.setup.inputs)
    return {name: {key: value for key, value in one.items() if value is not None} for name, one in told.items()}


def _microphone(sources: Sources, hardware: dict[str, str]) -> dict[str, Any]:
    if sources.clip is None and (sources.in_process or sources.encoded_once):
        return {"driver": "simulated-once", "options": hardware}
    if sources.clip is None:
        return {"driver": "simulated-tone", "options": hardware}
    return {"driver": "simulated-clip", "options": {"clip": str(sources.clip), **hardware}}


def _more_cameras(scenario: Scenario, sources: Sources, hardware: dict[str, str]) -> dict[str, Any]:
    """A vehicle's other cameras: with one the camera is a dash camera (R2, R17)."""
    more = {
        name: {
            "driver": "simulated-scene",
            "options": {
                "width": picture.width, "height": picture.height, "frame_rate": picture.frame_rate,
                "bitrate": picture.bitrate, "seed": sources.seed + number, "label": f"{SERIAL} {name}", **hardware,
            },
        }
        for number, (name, picture) in enumerate(scenario.setup.cameras.items(), 1)
    }  # fmt: skip
    return {"role": "dash", "vehicle": scenario.setup.officer.vehicle, "cameras": more} if more else {}


def _camera(scenario: Scenario, sources: Sources, hardware: dict[str, str]) -> dict[str, Any]:
    picture, once = scenario.camera, sources.in_process or sources.encoded_once
    if sources.clip is not None:
        options = {"clip": str(sources.clip), "bitrate": picture.clip_bitrate, "label": SERIAL, **hardware}
        return {"driver": "simulated-clip", "options": options}
    options = {
        "width": picture.width,
        "height": picture.height,
        "frame_rate": picture.frame_rate,
        "bitrate": picture.bitrate,
        "seed": sources.seed,
        "label": SERIAL,
        **hardware,
    }
    return {"driver": "simulated-once" if once else "simulated-scene", "options": options}


def write_station_settings(layout: RunLayout, port: int = 0, setup: StationSetUp = _STATION) -> Path:
    """``station/station.toml``; with port 0 the station takes a free one and says which."""
    return write_station(layout.station, layout.pki, port, reserve_bytes=setup.reserve_mib * 1024 * 1024)


def write_agent_settings(layout: RunLayout, station_port: int, broker_port: int | None, *, poll_s: float = 0.5) -> Path:
    """``camera/agent.toml``; without a broker there is no telemetry."""
    values: dict[str, Any] = {
        "recorder_socket": str(layout.recorder_socket),
        "state_directory": "../agent",  # not on the simulated card: SQLite maps memory, which that one cannot
        "root": "../pki/root.pem",
        "station": {"url": f"https://localhost:{station_port}", "system_id": SYSTEM_ID},
        "tls": _tls("camera-tls"),
        "offload": {"poll_s": poll_s, "backoff_first_s": 0.2, "backoff_max_s": 5.0, "timeout_s": 10.0},
    }
    if broker_port is not None:
        values["telemetry"] = {
            "host": "localhost",
            "port": broker_port,
            "mqtt": "3.1.1",
            "state_s": 10.0,
            "backoff_max_s": 5.0,
        }
    return _write(layout.camera / "agent.toml", values, "The agent of the simulated camera.")


def _tls(stem: str) -> dict[str, str]:
    return {"certificate": f"../pki/{stem}.pem", "key": f"../pki/{stem}.key", "ca": "../pki/tls-ca.pem"}


def _write(path: Path, values: dict[str, Any], heading: str) -> Path:
    # A camera's card forgets what was not synced when its power is cut: an installed camera's settings are.
    durable.replace(path, toml_text(values, f"{heading} Written by `firsthand-sim shift`.").encode())
    return path
