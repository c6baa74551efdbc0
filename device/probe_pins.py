"""`probe`: GPIO pins and what hangs on the header's buses: receiver, gauge, accelerometer."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import serial

from device.board import Board
from device.gpio_chips import GpioChip, gpio_chip
from device.header import PLACE_OF
from device.probe_machine import console_on
from device.probe_tree import Finding, Tree
from hal.errors import HalError
from hal.nmea import Sentence, parse_sentence
from hal.registry import load_driver

HEADER_LABELS: Final = ("pinctrl-bcm2835", "pinctrl-bcm2711", "pinctrl-rp1")
"""What the chip of the 40-pin header is called, before the Pi 4, on it, and on the Pi 5."""
OURS: Final = ("lg", "gpiozero", "firsthand")
"""How the users of lines begin that are this project's own: a running recorder."""
LISTEN_S: Final = 2.5
_LISTENED_BYTES: Final = 8192
I2C_ON: Final = "add dtparam=i2c_arm=on to config.txt, load i2c-dev, then check SDA and SCL (docs/wiring)"


def pins(board: Board, tree: Tree) -> Iterator[Finding]:
    """The chip behind the header, and pins that something else holds."""
    used = {line["pin"]: name for name, line in board.lines.items()} | {pin: one for one, pin in board.channels.items()}
    if not used:
        yield Finding("GPIO pins", "none", "this board uses none")
        return
    devices = tree.entries("/dev", r"gpiochip[0-9]+")
    if not devices:
        advice = "only root and the group gpio may see them, and a PC has none"
        yield Finding("GPIO pins", "missing", "no /dev/gpiochip*", advice)
        return
    chips = _chips(devices, tree)
    if not chips:
        yield Finding("GPIO pins", "found" if not tree.live else "check", ", ".join(devices), _may_not(tree))
        return
    wanted = (board.driver("pins") or ("", {}))[1].get("chip")
    labels = (str(wanted),) if isinstance(wanted, str) else HEADER_LABELS
    chip = next((one for one in chips if one.label in labels or one.device == f"gpiochip{wanted}"), None)
    if chip is None:
        there = ", ".join(f"{one.device} ({one.label})" for one in chips)
        yield Finding(
            "GPIO pins", "missing", f"no chip {' or '.join(labels)}; there is {there}", "is this the right board?"
        )
        return
    yield Finding("GPIO pins", "found", f"{chip.device} ({chip.label}), {len(used)} pins used")
    for pin, name in sorted(used.items()):
        user = chip.users.get(pin)
        if user is not None and not user.startswith(OURS):
            yield Finding(
                name.replace("_", " "),
                "missing",
                f"pin {pin} (header {PLACE_OF[pin]}) is held by {user}",
                "take that overlay or program away, or give this line another pin in device.toml",
            )


def _chips(devices: list[str], tree: Tree) -> list[GpioChip]:
    found = []
    for one in devices:
        if not tree.is_device(f"/dev/{one}"):
            continue
        try:
            found.append(gpio_chip(tree.path(f"/dev/{one}")))
        except OSError:
            continue
    return found


def _may_not(tree: Tree) -> str:
    return "they could not be asked: run `probe` as root or in the group gpio" if tree.live else ""


def receiver(board: Board, tree: Tree, *, listen_s: float = LISTEN_S) -> Iterator[Finding]:
    """The GPS receiver: its port, whether it talks, and its pulse."""
    driver = board.driver("gps")
    if driver is None:
        yield Finding("GPS", "none", "this board has no receiver")
        return
    port = str(driver[1].get("port", ""))
    console = console_on(port, tree)
    if not tree.exists(port):
        advice = "add enable_uart=1 and dtoverlay=disable-bt to config.txt (Pi 5: dtoverlay=uart0-pi5)"
        yield Finding("GPS", "missing", f"no serial port {port}", advice)
    elif console is not None:
        advice = f"take {console} out of cmdline.txt, and disable the login on that port"
        yield Finding("GPS", "missing", f"{port} is the kernel's console", advice)
    elif tree.live and tree.is_device(port):
        yield heard(Path(port), int(driver[1].get("baud", 9600)), listen_s)
    else:
        yield Finding("GPS", "found", f"serial port {port}; whether a receiver talks is known on the board only")
    if "pps" in board.facts.buses:
        pulses = tree.entries("/sys/class/pps", r"pps[0-9]+")
        advice = "add dtoverlay=pps-gpio,gpiopin=4 to config.txt; it counts if the receiver sets the clock (sensors.md)"
        yield Finding(
            "PPS", "found" if pulses else "check", pulses[0] if pulses else "no /dev/pps0", "" if pulses else advice
        )


def heard(port: Path, baud: int, listen_s: float) -> Finding:
    """Listen whether NMEA comes. A port that the recorder has open is left alone."""
    until, data = time.monotonic() + listen_s, b""
    try:
        with serial.Serial(str(port), baud, timeout=0.2, exclusive=True) as line:
            while time.monotonic() < until and len(data) < _LISTENED_BYTES:
                data += line.read(512)
                good = [one for one in data.split(b"\n") if isinstance(parse_sentence(one.strip()), Sentence)]
                if len(good) >= 2:
                    return Finding("GPS", "found", f"{port} at {baud} baud: {good[0].decode().split(',')[0]} and more")
    except (OSError, serial.SerialException) as error:
        if "lock" in str(error):
            return Finding(
                "GPS", "found", f"{port} is in use, by the recorder probably; `firsthand-device status` tells more"
            )
        return Finding("GPS", "missing", f"{port} cannot be opened", "run `probe` as root or in the group dialout")
    if data:
        advice = "the speed is wrong: u-blox speaks 9600 or 38400; set baud in device.toml, [gps.options]"
        return Finding("GPS", "missing", f"{port} at {baud} baud: {len(data)} bytes, and no NMEA among them", advice)
    advice = "TX of the receiver goes to header pin 10 (RXD), and it needs 3.3 V and ground (docs/wiring)"
    return Finding("GPS", "missing", f"{port}: nothing came in {listen_s:g} s", advice)


def gauge(board: Board, tree: Tree) -> Finding:
    """The fuel gauge, asked once if this is the board itself."""
    driver = board.driver("battery")
    if driver is None:
        return Finding("battery", "none", "this board has no gauge")
    name, options = driver
    if name == "power-supply":
        found = _gauge_of_kernel(str(options.get("name", "")), tree)
    elif name == "hwmon":
        wanted = str(options.get("name", "ina219"))
        at = [entry for entry, said in tree.named("/sys/class/hwmon", r"hwmon[0-9]+") if said == wanted]
        advice = f"tell the kernel of it: echo {wanted} 0x42 > /sys/bus/i2c/devices/i2c-1/new_device (docs/wiring)"
        seen = f"{wanted} ({at[0]})" if at else f"no {wanted} under /sys/class/hwmon"
        found = Finding("battery", "found" if at else "missing", seen, "" if at else advice)
    else:
        found = _bus("battery", int(options.get("bus", 1)), tree)
    if found.state != "found" or not tree.live:
        return found
    try:
        percent = load_driver("battery", name, options, allow_simulated=False).read().percent
    except (HalError, ImportError, OSError, TypeError, ValueError) as error:
        return Finding("battery", "missing", str(error).partition(": ")[0], str(error).partition(": ")[2] or I2C_ON)
    return Finding("battery", "found", found.seen if percent is None else f"{found.seen}, {percent} %")


def _gauge_of_kernel(name: str, tree: Tree) -> Finding:
    folder = "/sys/class/power_supply"
    gauges = [entry for entry, kind in tree.named(folder, r".*", "type") if kind == "Battery"]
    if gauges and (not name or name in gauges):
        return Finding("battery", "found", f"gauge {name or gauges[0]}")
    if gauges:
        advice = "name that one in device.toml, [battery.options]"
        return Finding("battery", "missing", f"no gauge {name}; there is {', '.join(gauges)}", advice)
    advice = "add dtoverlay=i2c-sensor,max17040 to config.txt and check SDA and SCL (docs/wiring)"
    return Finding("battery", "missing", f"no battery under {folder}", advice)


def _bus(part: str, number: int, tree: Tree) -> Finding:
    device = f"/dev/i2c-{number}"
    there = tree.exists(device)
    return Finding(part, "found" if there else "missing", device if there else f"no {device}", "" if there else I2C_ON)


def accelerometer(board: Board, tree: Tree) -> Finding:
    """The accelerometer, as the kernel offers it."""
    driver = board.driver("motion")
    if driver is None:
        return Finding("motion", "none", "this board has no accelerometer")
    folder, wanted = "/sys/bus/iio/devices", driver[1].get("name")
    for entry, name in tree.named(folder, r"iio:device[0-9]+"):
        if wanted in (None, name) and tree.exists(f"{folder}/{entry}/in_accel_x_raw"):
            return Finding("motion", "found", f"accelerometer {name}")
    advice = "add dtoverlay=i2c-sensor,mpu6050 (or your sensor's) to config.txt and check SDA and SCL (docs/wiring)"
    seen = f"no accelerometer {wanted or ''}".rstrip()
    return Finding("motion", "missing", f"{seen} under {folder}", advice)
