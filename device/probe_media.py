"""`probe`: cameras, the video encoder, microphones."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any, Final

from device.board import Board
from device.probe_tree import Finding, Tree

VIDEO: Final = "/sys/class/video4linux"
NO_CAMERAS: Final = (
    "bcm2835-codec", "bcm2835-isp", "rpi-hevc", "pispbe", "rp1-cfe", "unicam", "rpivid", "vicodec", "vim2m",
)  # fmt: skip
"""How the names of video nodes begin that are parts of the chip and no cameras by themselves."""
SENSOR: Final = re.compile(r"(imx|ov|ar|gc|s5k|mt9|arducam)[0-9a-z_]*\b.*", re.IGNORECASE)
"""How sensors' sub-devices are called: ``imx708``, ``ov5647 10-0036``."""
ENCODER: Final = "bcm2835-codec-encode"
LISTERS: Final = (("rpicam-hello", "--list-cameras"), ("libcamera-hello", "--list-cameras"), ("cam", "--list"))
LIST_S: Final = 15
LIST_BYTES: Final = 65536
_LISTED: Final = re.compile(r"^ *[0-9]+ ?: '?([A-Za-z0-9_]{1,32})", re.MULTILINE)
_CARD: Final = re.compile(r"^ *([0-9]+) \[(\S+) *\]: *(.*)$", re.MULTILINE)
_ALSA_CARD: Final = re.compile(r"(?:CARD=|hw:(?!CARD=))([A-Za-z0-9_]+)")

RIBBON: Final = (
    "power off, seat the ribbon cable at both ends (contacts to contacts), and check camera_auto_detect=1 or "
    "the sensor's dtoverlay in config.txt"
)


def cameras(board: Board, tree: Tree) -> Iterator[Finding]:
    """All cameras of the board: the first, and those of a vehicle."""
    wanted = {"camera": board.wiring["camera"], **{f"camera {name}": one for name, one in _channels(board).items()}}
    for part, table in wanted.items():
        options = table.get("options", {})
        if table["driver"] == "picamera2":
            yield _sensor(part, options.get("camera", 0), tree)
        elif table["driver"] == "v4l2":
            yield _usb_camera(part, options, tree)
        else:
            yield Finding(part, "check", f"driver {table['driver']}: nothing is known about it here")
    if any(one["driver"] == "picamera2" for one in wanted.values()):
        yield _encoder([one.get("options", {}).get("encoder", "auto") for one in wanted.values()], tree)
        yield from _libraries(tree)


def _channels(board: Board) -> Mapping[str, Any]:
    channels: Mapping[str, Any] = board.wiring.get("cameras", {})
    return channels


def _sensor(part: str, number: int, tree: Tree) -> Finding:
    sensors = [name for _, name in tree.named(VIDEO, r"v4l-subdev[0-9]+") if SENSOR.match(name)]
    if number < len(sensors):
        return Finding(part, "found", f"sensor {sensors[number]}")
    if sensors:
        return Finding(part, "missing", f"only {len(sensors)} sensor answers: {', '.join(sensors)}", RIBBON)
    return Finding(part, "missing", "no sensor answers", RIBBON)


def _usb_camera(part: str, options: Mapping[str, Any], tree: Tree) -> Finding:
    nodes = {
        f"/dev/{entry}": name for entry, name in tree.named(VIDEO, r"video[0-9]+") if not name.startswith(NO_CAMERAS)
    }
    device, name = str(options.get("device", "")), str(options.get("name", ""))
    if not nodes:
        return Finding(
            part, "missing", "no camera under /dev/video*", "plug in a USB camera; a laptop's may be switched off"
        )
    if name:
        fit = [f"{one} ({node})" for node, one in nodes.items() if name in one]
    else:
        wanted = device or "/dev/video0"
        fit = [f"{nodes.get(wanted, 'camera')} ({wanted})"] if wanted in nodes or tree.exists(wanted) else []
    if fit:
        return Finding(part, "found", fit[0])
    there = ", ".join(f"{one} ({node})" for node, one in nodes.items())
    return Finding(
        part, "missing", f"no {name or device}; there is {there}", "name that one in device.toml, [camera.options]"
    )


def _encoder(wanted: list[str], tree: Tree) -> Finding:
    node = next((entry for entry, name in tree.named(VIDEO, r"video[0-9]+") if name.startswith(ENCODER)), None)
    if node is not None:
        return Finding("encoder", "found", f"hardware H.264 on /dev/{node}")
    if "hardware" in wanted:
        return Finding(
            "encoder",
            "missing",
            "no hardware H.264 encoder",
            "Raspberry Pi's own kernel has it (module bcm2835-codec), Debian's and a Pi 5 do not; with "
            'encoder = "libav" the processor encodes, too slow for 1080p on a Zero 2 W',
        )
    return Finding("encoder", "found", "in software, as this board does")


def _libraries(tree: Tree) -> Iterator[Finding]:
    """Whether Python can talk to the sensors; only for the machine that this runs on."""
    if not tree.live:
        return
    absent = [name for name in ("libcamera", "picamera2", "av") if importlib.util.find_spec(name) is None]
    if absent:
        yield Finding(
            "libraries",
            "missing",
            f"Python has no {', '.join(absent)}",
            "apt install python3-libcamera (or Raspberry Pi OS's python3-picamera2), and install the package firsthand",
        )
    else:
        yield Finding("libraries", "found", "libcamera, picamera2, av")
    yield from _listed()


def _listed() -> Iterator[Finding]:
    """What libcamera's own program lists, if it is installed. A sensor without a tuning file is not in it."""
    command = next((one for one in LISTERS if shutil.which(one[0]) is not None), None)
    if command is None:
        return
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=LIST_S, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        yield Finding("libcamera", "check", f"{command[0]} gave no answer in {LIST_S} s", "restart the board")
        return
    names = _LISTED.findall((done.stdout + done.stderr)[:LIST_BYTES].decode("utf-8", "replace"))
    if names:
        yield Finding("libcamera", "found", f"lists {', '.join(names[:8])}")
    else:
        advice = "run it by hand and read what it says: often a library is older than the kernel (apt full-upgrade)"
        yield Finding("libcamera", "check", f"{' '.join(command)} lists no camera", advice)


def microphones(board: Board, tree: Tree) -> Iterator[Finding]:
    """All microphones of the board, by the names of their ALSA cards."""
    wanted = {"microphone": board.wiring.get("microphone")}
    wanted |= {f"microphone {name}": one.get("microphone") for name, one in _channels(board).items()}
    for part, table in wanted.items():
        if table is not None and table["driver"] == "alsa":
            yield _microphone(part, str(table.get("options", {}).get("device", "default")), tree)


def _microphone(part: str, device: str, tree: Tree) -> Finding:
    cards = {
        number: (name, said)
        for number, name, said in _CARD.findall(tree.text("/proc/asound/cards") or "")
        if tree.entries(f"/proc/asound/card{number}", r"pcm[0-9]+c")
    }
    asked = _ALSA_CARD.search(device)
    for number, (name, said) in cards.items():
        if asked is None or asked[1] in (number, name):
            return Finding(part, "found", f"{said or name} (card {name})")
    there = ", ".join(name for name, _ in cards.values())
    if asked is not None and there:
        return Finding(
            part, "missing", f"no card {asked[1]} that records; there is {there}", _microphone_advice(asked[1], there)
        )
    seen = f"no card {asked[1]}, nor any other that records" if asked is not None else "no sound card that records"
    return Finding(part, "missing", seen, _microphone_advice(asked[1] if asked is not None else "", ""))


def _microphone_advice(wanted: str, there: str) -> str:
    words = {
        "sndrpigooglevoi": "add dtoverlay=googlevoicehat-soundcard to config.txt, check the I2S wires (docs/wiring)",
        "Device": "plug in the USB receiver of the wireless microphone",
        "Loopback": "modprobe snd-aloop",
    }
    advice = words.get(wanted, "plug in a microphone")
    first = there.split(",")[0]
    return f'{advice}, or say device = "plughw:CARD={first}" in device.toml' if first else advice
